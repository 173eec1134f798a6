/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply_pidfd on|off PID...: what `holdfast apply` is compared with, the way without eBPF: every
 * established TCP socket of the processes is fetched with pidfd_getfd and told its five options,
 * the settings for two minutes, or the kernel's defaults with keepalive off. Prints how many.
 */
#include <dirent.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct option {
	int level, name, on, off;
};

static const struct option options[] = {
	{ IPPROTO_TCP, TCP_KEEPIDLE, 53, 7200 }, { IPPROTO_TCP, TCP_KEEPINTVL, 5, 75 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 9, 9 },	 { IPPROTO_TCP, TCP_USER_TIMEOUT, 98000, 0 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1, 0 },
};

static int is_established(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	/* fails on anything but TCP */
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

static unsigned int apply_to(int fd, int on)
{
	if (!is_established(fd))
		return 0;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *option = &options[i];

		if (setsockopt(fd, option->level, option->name, on ? &option->on : &option->off,
			       sizeof(int)))
			err(1, "setsockopt %d", option->name);
	}
	return 1;
}

static unsigned int apply_to_process(pid_t pid, int on)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64], link[64];
	unsigned int applied = 0;
	struct dirent *entry;
	DIR *fds;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (pidfd < 0 || !fds)
		err(1, "process %d", pid);
	while ((entry = readdir(fds))) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link));

		if (length < 8 || memcmp(link, "socket:[", 8))
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0)
			err(1, "pidfd_getfd");
		applied += apply_to(fd, on);
		close(fd);
	}
	closedir(fds);
	close(pidfd);
	return applied;
}

int main(int argc, char **argv)
{
	unsigned int applied = 0;

	if (argc < 3 || (strcmp(argv[1], "on") && strcmp(argv[1], "off")))
		errx(2, "usage: apply_pidfd on|off PID...");
	for (int i = 2; i < argc; i++)
		applied += apply_to_process(atoi(argv[i]), !strcmp(argv[1], "on"));
	printf("%u\n", applied);
	return 0;
}
