/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/watching.h"
#include "host/group.h"

#define TICK_MS 1000
/* Descriptors that a program is handed by another process come under the rule by then. */
#define FULL_PASS_S 10

struct keeper {
	struct hf_group group;
	struct hf_host *host;
	struct hf_watching watching;
};

/* Nothing that was opened for the program is held open by us, and no signal meant for it ends us. */
static int stand_aside(int report)
{
	sigset_t all;
	int apart;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "holdfast-keeper");
	apart = fcntl(report, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (apart < 0 || dup2(apart, STDERR_FILENO + 1) < 0 ||
	    close_range(STDERR_FILENO + 2, ~0U, 0) || chdir("/"))
		_exit(HF_EXIT_FAILED);
	return STDERR_FILENO + 1;
}

static void close_streams(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (nothing < 0 || dup2(nothing, fd) < 0)
			close(fd);
	if (nothing > STDERR_FILENO)
		close(nothing);
}

static int begin(struct keeper *keeper, const struct hf_selection *selection, pid_t program,
		 struct hf_problem *problem)
{
	const unsigned int full = HF_MODE_ACT | HF_MODE_OWNERS;

	if (hf_host_open(&keeper->host, HF_USE_RUN, selection, problem))
		return -1;
	if (!hf_group_make(&keeper->group, program, problem)) {
		hf_watching_init(&keeper->watching, keeper->host, &selection->rule.goals, full,
				 FULL_PASS_S);
		if (!hf_host_steer(keeper->host, keeper->group.fd, problem) &&
		    !hf_watching_pass(&keeper->watching, full, NULL, NULL, problem))
			return 0;
		hf_host_unsteer(keeper->host);
		hf_group_leave(&keeper->group, program);
		hf_group_remove(&keeper->group);
	}
	hf_host_close(&keeper->host);
	return -1;
}

/* A pass that fails is one that comes again; there is nobody to tell. */
static void keep(struct keeper *keeper)
{
	struct pollfd changed = { .fd = keeper->group.events, .events = POLLPRI };
	struct hf_problem problem;
	unsigned int mode;

	while (hf_group_lives(&keeper->group)) {
		if (poll(&changed, 1, TICK_MS))
			continue;
		mode = hf_watching_tick(&keeper->watching);
		if (mode)
			hf_watching_pass(&keeper->watching, mode, NULL, NULL, &problem);
	}
}

/* What is left open elsewhere keeps its settings, but no user timeout is left standing. */
static void end(struct keeper *keeper)
{
	struct hf_problem problem;

	hf_host_unsteer(keeper->host);
	hf_host_pass(keeper->host, HF_MODE_DISARM, NULL, NULL, &problem);
	hf_host_close(&keeper->host);
	hf_group_remove(&keeper->group);
}

static void run_keeper(const struct hf_selection *selection, pid_t program, int pipe)
{
	struct hf_keeper_report report = { 0 };
	struct keeper keeper = { 0 };
	ssize_t written;

	pipe = stand_aside(pipe);
	report.keeps = !begin(&keeper, selection, program, &report.problem);
	if (report.keeps) {
		hf_host_confine(keeper.host, false);
		memcpy(report.cgroup, keeper.group.path, sizeof(report.cgroup));
	}
	close_streams();
	written = write(pipe, &report, sizeof(report));
	close(pipe);
	if (report.keeps && written == sizeof(report)) {
		keep(&keeper);
		end(&keeper);
	}
	_exit(HF_EXIT_DONE);
}

/* Forked twice: the program shall not find a child that it never made. */
static int fork_keeper(const struct hf_selection *selection, int pipe)
{
	const struct timespec now = { 0 };
	pid_t program = getpid(), child = fork();
	sigset_t ours;

	if (child < 0)
		return -errno;
	if (!child) {
		if (!fork())
			run_keeper(selection, program, pipe);
		_exit(HF_EXIT_DONE);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigtimedwait(&ours, NULL, &now); /* where it is blocked, it would be there after exec */
	return 0;
}

static bool read_report(int pipe, struct hf_keeper_report *out)
{
	size_t got = 0;
	ssize_t more;

	while (got < sizeof(*out)) {
		more = read(pipe, (char *)out + got, sizeof(*out) - got);
		if (more > 0)
			got += (size_t)more;
		else if (!more || errno != EINTR)
			return false;
	}
	return true;
}

void hf_keeper_start(const struct hf_selection *selection, struct hf_keeper_report *out)
{
	int ends[2], error = 0;

	if (pipe2(ends, O_CLOEXEC))
		error = -errno;
	if (!error) {
		error = fork_keeper(selection, ends[1]);
		close(ends[1]);
		if (!error && !read_report(ends[0], out))
			error = -EIO; /* it was killed */
		close(ends[0]);
	}
	if (!error)
		return;
	*out = (struct hf_keeper_report){ 0 };
	hf_problem_set(&out->problem, HF_EXIT_FAILED, NULL, "cannot start the keeper: %s",
		       strerror(-error));
}
