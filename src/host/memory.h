/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the memory of what was done lives: one socket-storage map pinned in a bpffs, so that it
 * outlives the program that did it.
 *
 * The place is $HOLDFAST_BPFFS (a directory on a bpffs), else /sys/fs/bpf/holdfast where a
 * bpffs is mounted, else one that Holdfast mounts at /run/holdfast/bpf. The latter two are those
 * of the first process's mount namespace: `ip netns exec` has a passing one of its own.
 */
#ifndef HF_HOST_MEMORY_H
#define HF_HOST_MEMORY_H

#include <stdbool.h>

#include "host/problem.h"

#define HF_MEMORY_NAME "memory-1" /* of the pin; the number is that of the layout */

/*
 * The place as an open directory. create: mount and make it where missing. -1 with a problem
 * where there is none: HF_EXIT_DONE (nothing was ever done) unless create failed.
 */
int hf_memory_place(bool create, struct hf_problem *problem);

/* The pinned map in a place, -errno where there is none. */
int hf_memory_get(int place);

/* Pin the map into a place; 0 or -errno. */
int hf_memory_pin(int place, int map);

/*
 * Become the place's one watcher for as long as this process keeps the descriptor open, or
 * -EWOULDBLOCK while another one lives: two would undo what the other did. The kernel ends it with
 * the process, however that ends.
 */
int hf_watcher_become(int place);

/*
 * The same without eBPF, where there may be no bpffs: watchers of one user then meet in
 * $XDG_RUNTIME_DIR, or /run. Another -errno where there is nowhere to meet.
 */
int hf_watcher_become_by_diag(void);

/* Does a watcher live, one by eBPF? */
bool hf_watcher_lives(int place);

#endif
