// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plain program of the guest, linked statically: it never heard of Holdfast.
 *
 *   peer serve ADDRESS PORT     accept for ever, echo every byte
 *   peer connect ADDRESS PORT   one connection; a byte goes there and back; then does what the
 *                               lines on stdin say:
 *     ping           a byte, of which the echo is reported
 *     idle N         setsockopt(TCP_KEEPIDLE)
 *     options WHEN   report what getsockopt says
 *
 * Reports are JSON objects, one a line; times are CLOCK_MONOTONIC in seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

static socklen_t parse(const char *address, const char *port, union endpoint *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &out->v4.sin_addr) == 1) {
		out->any.sa_family = AF_INET;
		out->v4.sin_port = htons((uint16_t)atoi(port));
		return sizeof(out->v4);
	}
	inet_pton(AF_INET6, address, &out->v6.sin6_addr);
	out->any.sa_family = AF_INET6;
	out->v6.sin6_port = htons((uint16_t)atoi(port));
	return sizeof(out->v6);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Its own process for each connection: as many servers do. */
static int echo(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	return EXIT_SUCCESS;
}

static int serve(const char *address, const char *port)
{
	union endpoint own;
	socklen_t size = parse(address, port, &own);
	int listener = socket(own.any.sa_family, SOCK_STREAM, 0), fd;

	if (bind(listener, &own.any, size) || listen(listener, 64))
		return fail("listen");
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (!fork())
			return echo(fd);
		close(fd);
	}
}

static void print_name(const char *key, const union endpoint *name)
{
	char text[INET6_ADDRSTRLEN];

	if (name->any.sa_family == AF_INET)
		printf("\"%s\": \"%s:%d\", ", key,
		       inet_ntop(AF_INET, &name->v4.sin_addr, text, sizeof(text)),
		       ntohs(name->v4.sin_port));
	else
		printf("\"%s\": \"[%s]:%d\", ", key,
		       inet_ntop(AF_INET6, &name->v6.sin6_addr, text, sizeof(text)),
		       ntohs(name->v6.sin6_port));
}

static void report_heard(int fd)
{
	union endpoint local, remote;
	socklen_t local_size = sizeof(local), remote_size = sizeof(remote);

	getsockname(fd, &local.any, &local_size);
	getpeername(fd, &remote.any, &remote_size);
	putchar('{');
	print_name("local", &local);
	print_name("remote", &remote);
	printf("\"pid\": %d, \"heard\": %.3f}\n", getpid(), now());
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	getsockopt(fd, level, name, &value, &size);
	return value;
}

static void report_options(int fd, const char *when)
{
	printf("{\"options\": \"%s\", \"keepalive\": %d, \"idle\": %d, \"interval\": %d, "
	       "\"count\": %d, \"user_timeout_ms\": %d}\n",
	       when, option(fd, SOL_SOCKET, SO_KEEPALIVE), option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
	       option(fd, IPPROTO_TCP, TCP_KEEPINTVL), option(fd, IPPROTO_TCP, TCP_KEEPCNT),
	       option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
}

/* 0, or -1 when the connection has ended, which is reported. */
static int hear(int fd)
{
	char byte;
	ssize_t got = read(fd, &byte, 1);

	if (got == 1) {
		report_heard(fd);
		return 0;
	}
	printf("{\"told\": %.3f, \"errno\": \"%s\"}\n", now(), got ? strerrorname_np(errno) : "");
	return -1;
}

static void obey(int fd, const char *line)
{
	char when[32];
	int seconds;

	if (!strcmp(line, "ping\n"))
		send(fd, "x", 1, MSG_NOSIGNAL);
	else if (sscanf(line, "idle %d", &seconds) == 1)
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	else if (sscanf(line, "options %31s", when) == 1)
		report_options(fd, when);
}

static int live(int fd)
{
	struct pollfd polled[] = { { .fd = fd, .events = POLLIN },
				   { .fd = STDIN_FILENO, .events = POLLIN } };
	char line[64];

	send(fd, "x", 1, MSG_NOSIGNAL);
	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents && hear(fd))
			break;
		if (polled[1].revents && fgets(line, sizeof(line), stdin))
			obey(fd, line);
	}
	return EXIT_SUCCESS;
}

static int connect_to(const char *address, const char *port)
{
	union endpoint remote;
	socklen_t size = parse(address, port, &remote);
	int fd = socket(remote.any.sa_family, SOCK_STREAM, 0);

	return connect(fd, &remote.any, size) ? fail("connect") : live(fd);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	setbuf(stdin, NULL); /* poll() shall see what was not read yet */
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "connect"))
		return connect_to(argv[2], argv[3]);
	fprintf(stderr, "usage: peer serve|connect ADDRESS PORT\n");
	return EXIT_FAILURE;
}
