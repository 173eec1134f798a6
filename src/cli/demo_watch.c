/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/demo_process.h"

#define BPFFS "/sys/fs/bpf" /* the mount point that every kernel with eBPF has */
#define STOP_WITHIN_US 3000000

static void fail(const char *what)
{
	dprintf(STDERR_FILENO, "holdfast: %s: %s\n", what, strerror(errno));
	_exit(HF_EXIT_FAILED);
}

/* Nothing that is mounted here is seen outside, and it goes with the process. */
static void own_bpffs(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("mount namespace");
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		fail("cannot mount a bpffs on " BPFFS);
	setenv("HOLDFAST_BPFFS", BPFFS, 1);
}

static void watch_process(const char *const *argv, int events, int words)
{
	sigset_t none;

	if (dup2(events, STDOUT_FILENO) < 0 || dup2(words, STDERR_FILENO) < 0)
		_exit(HF_EXIT_FAILED);
	own_bpffs();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", (char *const *)argv);
	fail("cannot start holdfast watch");
}

static int pipe_to_read(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) ? -errno : 0;
}

int hf_demo_watch_start(struct hf_demo_watch *watch, pid_t netns_of, uint16_t port,
			const char *dead_within, const char *keep_open, struct hf_problem *problem)
{
	int events[2], words[2];
	char netns[64], remote[16];
	const char *const argv[] = {
		"holdfast",	 "watch",     "--netns",     netns,	"--remote", remote,
		"--dead-within", dead_within, "--keep-open", keep_open, "--json",   NULL,
	};

	snprintf(netns, sizeof(netns), "/proc/%d/ns/net", (int)netns_of);
	snprintf(remote, sizeof(remote), ":%u", port);
	if (pipe_to_read(events) || pipe_to_read(words))
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "pipe: %s", strerror(errno));
	watch->events.fd = events[0];
	watch->words.fd = words[0];
	watch->pid = hf_child_fork();
	if (!watch->pid)
		watch_process(argv, events[1], words[1]);
	close(events[1]);
	close(words[1]);
	if (watch->pid < 0)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "fork: %s", strerror(errno));
	return 0;
}

/* Fill up what is there; false at the end of the pipe. */
static bool lines_fill(struct hf_demo_lines *lines)
{
	ssize_t length;

	if (lines->length == sizeof(lines->text) - 1) /* a line too long for us: drop it */
		lines->length = 0;
	length = read(lines->fd, lines->text + lines->length,
		      sizeof(lines->text) - 1 - lines->length);
	if (length > 0)
		lines->length += (size_t)length;
	return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Take the next complete line out; false if there is none. */
static bool lines_next(struct hf_demo_lines *lines, char *line, size_t size)
{
	char *end = memchr(lines->text, '\n', lines->length);
	size_t length;

	if (!end)
		return false;
	*end = '\0';
	snprintf(line, size, "%s", lines->text);
	length = (size_t)(end + 1 - lines->text);
	lines->length -= length;
	memmove(lines->text, end + 1, lines->length);
	return true;
}

static void copy_string(char *to, size_t size, const json_t *from)
{
	const char *text = json_string_value(from);

	snprintf(to, size, "%s", text ? text : "");
}

/* Members that are null or missing read as 0 and "". */
static bool parse_event(const char *line, struct hf_demo_event *event)
{
	json_t *root = json_loads(line, 0, NULL);
	const json_t *evidence = json_object_get(root, "evidence");

	if (!root)
		return false;
	copy_string(event->event, sizeof(event->event), json_object_get(root, "event"));
	copy_string(event->remote, sizeof(event->remote), json_object_get(root, "remote"));
	copy_string(event->error, sizeof(event->error), json_object_get(evidence, "errno"));
	event->unanswered =
		(unsigned int)json_integer_value(json_object_get(evidence, "unanswered"));
	event->silent_s = json_number_value(json_object_get(evidence, "silent_s"));
	json_decref(root);
	return true;
}

/* It ended: hand on its own exit status and its last words. */
static int ended(struct hf_demo_watch *watch, struct hf_problem *problem)
{
	static const char us[] = "holdfast: ";
	const char *last_words = watch->last_words;
	int status = 0;

	if (!strncmp(last_words, us, strlen(us)))
		last_words += strlen(us);
	waitpid(watch->pid, &status, 0);
	watch->pid = 0;
	return hf_problem_set(problem,
			      WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) :
									 HF_EXIT_FAILED,
			      "`holdfast doctor` tells what is missing", "holdfast watch ended: %s",
			      *last_words ? last_words : "it says nothing");
}

int hf_demo_watch_read(struct hf_demo_watch *watch,
		       void (*on_event)(void *context, const struct hf_demo_event *event),
		       void *context, struct hf_problem *problem)
{
	bool more_events = lines_fill(&watch->events);
	bool more_words = lines_fill(&watch->words);
	char line[sizeof(watch->events.text)];
	struct hf_demo_event event;

	while (lines_next(&watch->words, line, sizeof(line))) {
		watch->ready |= strstr(line, "watching") != NULL;
		snprintf(watch->last_words, sizeof(watch->last_words), "%.*s",
			 (int)sizeof(watch->last_words) - 1, line);
	}
	while (lines_next(&watch->events, line, sizeof(line))) {
		if (parse_event(line, &event))
			on_event(context, &event);
	}
	if (more_events || more_words)
		return 0;
	return ended(watch, problem);
}

void hf_demo_watch_stop(struct hf_demo_watch *watch)
{
	int64_t until = hf_demo_clock() + STOP_WITHIN_US;

	if (watch->pid > 0) {
		kill(watch->pid, SIGTERM);
		while (!waitpid(watch->pid, NULL, WNOHANG)) {
			if (hf_demo_clock() >= until) {
				hf_child_end(&watch->pid);
				break;
			}
			usleep(10000);
		}
	}
	watch->pid = 0;
	if (watch->events.fd > 0)
		close(watch->events.fd);
	if (watch->words.fd > 0)
		close(watch->words.fd);
}
