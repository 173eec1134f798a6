/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cgroup of our own, for one program and all its descendants: below the caller's own cgroup2, so
 * that its limits and its delegation hold, else below the root. It has no controllers.
 *
 * What is left of one whose maker was killed is removed when the next is made beside it, once nothing
 * lives in it.
 */
#ifndef HF_HOST_GROUP_H
#define HF_HOST_GROUP_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/problem.h"

struct hf_group {
	int parent;	     /* open directory */
	int fd;		     /* open directory */
	int events;	     /* poll it for POLLPRI: hf_group_lives may have changed */
	char name[32];	     /* in parent */
	char path[PATH_MAX]; /* from the cgroup root, for people */
};

/*
 * Make one and put the process into it, which has to be one's own. -1 with HF_EXIT_MISSING where
 * there is no cgroup2 that may be written.
 */
int hf_group_make(struct hf_group *out, pid_t process, struct hf_problem *problem);

/* Put the process back beside it. */
void hf_group_leave(const struct hf_group *group, pid_t process);

/* Does any process live in it, or below? */
bool hf_group_lives(const struct hf_group *group);

/* Remove it, empty groups below it first; -errno where that cannot be, it is a left-over then. */
int hf_group_remove(struct hf_group *group);

/*
 * Call fn for every process in the cgroup of an open directory, and below. 0, what fn returned
 * if not 0, or -errno.
 */
typedef int (*hf_process_fn)(void *arg, pid_t process);
int hf_group_each(int fd, hf_process_fn fn, void *arg);

#endif
