/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * setsockopt N: N calls each of setsockopt with an option that Holdfast looks at (TCP_KEEPIDLE) and
 * with one that it does not (TCP_NODELAY), on a connected socket; prints the nanoseconds of both.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static int connected(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(client, (struct sockaddr *)&address, sizeof(address)))
		err(1, "connect");
	return client;
}

static double call_ns(int fd, int name, int value, int n)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < n; i++)
		if (setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value)))
			err(1, "setsockopt");
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / n;
}

int main(int argc, char **argv)
{
	int n = argc == 2 ? atoi(argv[1]) : 0;
	int fd;

	if (n <= 0)
		errx(2, "usage: setsockopt N");
	fd = connected();
	/* weaker than any goal given here: the program has to put it right each time */
	printf("%.1f ", call_ns(fd, TCP_KEEPIDLE, 7200, n));
	printf("%.1f\n", call_ns(fd, TCP_NODELAY, 1, n));
	return 0;
}
