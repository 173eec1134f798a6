/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connections N: opens N TCP connections over 127.0.0.0/8, both ends here, so 2 N sockets, in as
 * many processes as it takes; prints "ready PID..." and holds them until its standard input ends.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PER_PROCESS 9500 /* 19 000 descriptors: below the usual hard limits */
#define PORT 999	 /* no ephemeral port */

/* Each process listens on an address of its own, so that source ports suffice for any N. */
static void open_pairs(unsigned int process, unsigned int n)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct rlimit files = { 2 * PER_PROCESS + 64, 2 * PER_PROCESS + 64 };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "RLIMIT_NOFILE %lu", (unsigned long)files.rlim_cur);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + process);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16))
		err(1, "listen");
	while (n--) {
		int client = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(client, (struct sockaddr *)&address, sizeof(address)) ||
		    accept(listener, NULL, NULL) < 0)
			err(1, "connect, %u to go", n + 1);
	}
}

/* hold ends when the parent does, whatever ends it. */
static pid_t start(unsigned int process, unsigned int n, const int ready[2], const int hold[2])
{
	pid_t pid = fork();
	char byte = 0;

	if (pid)
		return pid;
	close(hold[1]);
	close(ready[0]);
	open_pairs(process, n);
	if (write(ready[1], &byte, 1) != 1)
		_exit(1);
	close(ready[1]);
	_exit(read(hold[0], &byte, 1) != 0);
}

int main(int argc, char **argv)
{
	unsigned int n = argc == 2 ? (unsigned int)atoi(argv[1]) : 0;
	unsigned int processes = (n + PER_PROCESS - 1) / PER_PROCESS;
	int ready[2], hold[2];
	pid_t *pids;
	char byte;

	if (!n)
		errx(2, "usage: connections N");
	pids = calloc(processes, sizeof(*pids));
	if (!pids || pipe(ready) || pipe(hold))
		err(1, "start");
	for (unsigned int i = 0; i < processes; i++)
		pids[i] = start(i, n / processes + (i < n % processes), ready, hold);
	close(ready[1]);
	for (unsigned int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a process failed");
	printf("ready");
	for (unsigned int i = 0; i < processes; i++)
		printf(" %d", pids[i]);
	printf("\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	free(pids);
	return 0;
}
