/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cgroup2 tree: its root, paths of ids, ids of globs. */
#ifndef HF_HOST_CGROUP_H
#define HF_HOST_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An open directory of the cgroup2 root as this process may see it, or -errno: where it is mounted
 * as usual, here or (inside `ip netns exec`, which hides it) for process 1; else one is mounted for
 * nobody else to see. -EPERM: none is in sight, nor may one be mounted.
 */
int hf_cgroup_root(void);

/* Is the root of this process's cgroup namespace the host's? */
bool hf_cgroup_is_host_root(void);

/* "/user.slice/..." of an id into path; -errno where it is gone or out of sight. */
int hf_cgroup_path(int root, uint64_t id, char *path, size_t size);

/*
 * Call fn for the id of every cgroup, telling whether its path matches: * within a name, ** across
 * names (batch.slice and two asterisks: its descendants and itself). A pattern without a
 * leading / is taken from the root. 0, what fn returned if not 0, or -errno.
 */
typedef int (*hf_cgroup_fn)(void *arg, uint64_t id, bool matches);
int hf_cgroup_glob(int root, const char *pattern, hf_cgroup_fn fn, void *arg);

/* The test behind it: does path match the pattern? */
bool hf_cgroup_matches(const char *pattern, const char *path);

#endif
