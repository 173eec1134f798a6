/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * churn N: opens, accepts and closes N connections one after the other over loopback; prints the
 * nanoseconds that each took. Run it with and without `holdfast watch`, the difference is its cost.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int n = argc == 2 ? atoi(argv[1]) : 0;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(address);
	double start;

	if (n <= 0)
		errx(2, "usage: churn N");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		err(1, "listen");
	start = now_ns();
	for (int i = 0; i < n; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		int server;

		if (connect(client, (struct sockaddr *)&address, sizeof(address)))
			err(1, "connect");
		server = accept(listener, NULL, NULL);
		if (server < 0)
			err(1, "accept");
		close(client);
		close(server);
	}
	printf("%.0f\n", (now_ns() - start) / n);
	return 0;
}
