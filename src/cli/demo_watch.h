/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holdfast itself, as the demo uses it: `holdfast watch --json` as a child, over the client's
 * namespace and one port, with a bpffs of its own, so that it and a watcher of the host
 * do not know each other. Its events are the demo's evidence.
 */
#ifndef HF_CLI_DEMO_WATCH_H
#define HF_CLI_DEMO_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/problem.h"

struct hf_demo_event {
	char event[16];	 /* "protected", "dead", ... */
	char remote[64]; /* "203.0.113.2:7002" */
	char error[16];	 /* "ETIMEDOUT" or empty */
	unsigned int unanswered;
	double silent_s;
};

struct hf_demo_lines { /* a pipe read line by line */
	int fd;
	size_t length;
	char text[4096];
};

struct hf_demo_watch {
	pid_t pid;
	bool ready; /* it says that it watches */
	struct hf_demo_lines events;
	struct hf_demo_lines words; /* stderr */
	char last_words[300];	    /* the last line of it */
};

/* Start over the namespace of netns_of. 0 or -1; hf_demo_watch_stop in any case. */
int hf_demo_watch_start(struct hf_demo_watch *watch, pid_t netns_of, uint16_t port,
			const char *dead_within, const char *keep_open, struct hf_problem *problem);

/*
 * To be called when either fd is readable. 0, or -1 with what it said in *problem when it
 * has ended: it was not asked to.
 */
int hf_demo_watch_read(struct hf_demo_watch *watch,
		       void (*on_event)(void *context, const struct hf_demo_event *event),
		       void *context, struct hf_problem *problem);

/* SIGTERM, SIGKILL if that is not enough, reap. */
void hf_demo_watch_stop(struct hf_demo_watch *watch);

#endif
