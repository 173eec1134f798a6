// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two small programs for the tests, linked statically: nothing can be preloaded into them.
 *
 *   helpers hold ADDRESS PORT     connect, then read until the end; print the errno's number
 *   helpers no-ebpf CMD...        run CMD as on a kernel whose bpf() does not exist
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

static int hold_v4(const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -1 : fd;
}

static int hold_v6(const char *address, int port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET6, address, &to.sin6_addr);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -1 : fd;
}

static int hold(const char *address, int port)
{
	int fd = strchr(address, ':') ? hold_v6(address, port) : hold_v4(address, port);
	char byte;

	if (fd < 0)
		return fail("connect");
	while (read(fd, &byte, 1) > 0)
		;
	printf("%d\n", errno);
	return EXIT_SUCCESS;
}

static int no_ebpf(char **command)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return fail("seccomp");
	execvp(command[0], command);
	return fail(command[0]);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "hold"))
		return hold(argv[2], atoi(argv[3]));
	if (argc > 2 && !strcmp(argv[1], "no-ebpf"))
		return no_ebpf(argv + 2);
	fprintf(stderr, "usage: helpers hold ADDRESS PORT | no-ebpf CMD...\n");
	return EXIT_FAILURE;
}
