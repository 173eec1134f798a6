/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/demo_process.h"

static int connection = -1; /* of this process, once there is one */

#define HANG_UP SIGUSR1 /* a signal that the demo does not block for itself */

struct reporter {
	int fd;
	uint16_t id;
};

static void report(const struct reporter *to, enum hf_report_what what, int error)
{
	struct hf_report report = {
		.at = hf_demo_clock(), .what = what, .error = error, .id = to->id
	};

	/* Shorter than PIPE_BUF: reports of several processes never mix. */
	if (write(to->fd, &report, sizeof(report)) != sizeof(report))
		_exit(EXIT_FAILURE);
}

static struct sockaddr_in endpoint(const char *address, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (address)
		inet_pton(AF_INET, address, &sin.sin_addr);
	return sin;
}

static int accept_one(uint16_t port, const struct reporter *reporter)
{
	struct sockaddr_in sin = endpoint(NULL, port);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) || listen(listener, 1))
		return -1;
	report(reporter, HF_REPORT_LISTENS, 0);
	return accept(listener, NULL, NULL);
}

static void serve(uint16_t port, int commands, const struct reporter *reporter)
{
	char byte;

	connection = accept_one(port, reporter);
	while (connection >= 0 && read(commands, &byte, 1) == 1) {
		if (write(connection, &byte, 1) != 1)
			break;
	}
	for (;;)
		pause();
}

static void consume(const char *address, uint16_t port, const struct reporter *reporter)
{
	struct sockaddr_in sin = endpoint(address, port);
	ssize_t length = -1;
	char byte;

	connection = socket(AF_INET, SOCK_STREAM, 0);
	if (!connect(connection, (struct sockaddr *)&sin, sizeof(sin))) {
		report(reporter, HF_REPORT_CONNECTED, 0);
		while ((length = read(connection, &byte, 1)) == 1)
			report(reporter, HF_REPORT_BYTE, 0);
	}
	report(reporter, HF_REPORT_ENDED, length < 0 ? errno : 0);
	for (;;)
		pause();
}

static void hang_up(int number)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)number;
	connect(connection, &nobody, sizeof(nobody));
	_exit(EXIT_SUCCESS);
}

/* The name is the one that Holdfast and everybody else sees. */
static void become_plain(pid_t host)
{
	signal(HANG_UP, hang_up);
	prctl(PR_SET_PDEATHSIG, HANG_UP);
	prctl(PR_SET_NAME, "plain-program");
	if (hf_child_enter(host))
		_exit(EXIT_FAILURE);
}

int hf_peer_server(struct hf_peer *peer, pid_t host, uint16_t port, int reports, uint16_t id)
{
	struct reporter reporter = { reports, id };
	int commands[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands))
		return -errno;
	pid = hf_child_fork();
	if (!pid) {
		become_plain(host);
		serve(port, commands[1], &reporter);
	}
	close(commands[1]);
	if (pid < 0) {
		close(commands[0]);
		return -errno;
	}
	*peer = (struct hf_peer){ pid, commands[0] };
	return 0;
}

int hf_peer_client(struct hf_peer *peer, pid_t host, const char *address, uint16_t port,
		   int reports, uint16_t id)
{
	struct reporter reporter = { reports, id };
	pid_t pid = hf_child_fork();

	if (!pid) {
		become_plain(host);
		consume(address, port, &reporter);
	}
	if (pid < 0)
		return -errno;
	*peer = (struct hf_peer){ pid, -1 };
	return 0;
}

int hf_peer_send(const struct hf_peer *peer)
{
	return send(peer->commands, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

void hf_peer_end(struct hf_peer *peer)
{
	if (peer->pid <= 0)
		return;
	kill(peer->pid, HANG_UP);
	while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
		;
	peer->pid = 0;
	if (peer->commands >= 0)
		close(peer->commands);
	peer->commands = -1;
}
