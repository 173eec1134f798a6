/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that protects its own socket: it connects, and waits for what comes. Should the server
 * lose its power, or the network break, it is told so in time.
 *
 *	cc client.c $(pkg-config --cflags --libs libholdfast) -o client
 *	./client example.net 80 30		(a dead server is found within 30 s)
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/socket.h>

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list))
		return -1;
	for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

static void say_what_holds(int fd, const struct hf_goals *goals)
{
	static const char *const verdicts[] = { "not judged", "unprotected", "slow", "protected" };
	struct hf_socket_view view;
	struct hf_bounds bounds;
	enum hf_verdict verdict;

	if (hf_socket_look(fd, &view))
		return;
	verdict = hf_socket_audit(&view, goals, &bounds);
	printf("%s: a dead server is found within %.3f s, with data in flight %.3f s\n",
	       verdicts[verdict], (double)bounds.idle_ms / 1000,
	       (double)bounds.in_flight_ms / 1000);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct hf_goals goals = { .dead_within_ms = HF_DEAD_WITHIN_DEFAULT };
	char data[4096];
	ssize_t size;
	int fd, rc;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: %s HOST PORT [SECONDS]\n", argv[0]);
		return 2;
	}
	if (argc == 4)
		goals.dead_within_ms = (uint32_t)strtoul(argv[3], NULL, 10) * 1000;
	fd = connect_to(argv[1], argv[2]);
	if (fd < 0) {
		fprintf(stderr, "%s: cannot connect to %s port %s\n", argv[0], argv[1], argv[2]);
		return 1;
	}

	/* The three lines. */
	rc = hf_socket_protect(fd, &goals, 0, NULL);
	if (rc < 0)
		fprintf(stderr, "%s: not protected: %s\n", argv[0], strerror(-rc));

	say_what_holds(fd, &goals);
	while ((size = read(fd, data, sizeof(data))) > 0)
		fwrite(data, 1, (size_t)size, stdout);
	if (size < 0)
		printf("%s\n", strerror(errno));
	close(fd);
	return size < 0;
}
