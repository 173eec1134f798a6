/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes of the demo. Every one dies with the demo (also when that is killed), and
 * namespaces have no name but their processes, so nothing can be left behind.
 */
#ifndef HF_CLI_DEMO_PROCESS_H
#define HF_CLI_DEMO_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "host/problem.h"

/* fork(): the child gets SIGKILL when the demo ends, however that comes about. */
pid_t hf_child_fork(void);

/* Called in a child: join the network namespace of the process pid; 0 or -errno. */
int hf_child_enter(pid_t pid);

/* A pause()d process with a network namespace of its own; its pid or -1. */
pid_t hf_child_host(struct hf_problem *problem);

/* SIGKILL and reap; *pid becomes 0. Does nothing where *pid is 0. */
void hf_child_end(pid_t *pid);

/*
 * Run a program inside the network namespace of pid, input on its stdin, and wait for it.
 * 0, or -1 with its first line of complaint in *problem.
 */
int hf_child_run(pid_t pid, const char *const *argv, const char *input, struct hf_problem *problem);

/* Write a sysctl ("net/ipv4/ip_forward") of the network namespace of pid. */
int hf_child_sysctl(pid_t pid, const char *name, const char *value, struct hf_problem *problem);

/* CLOCK_MONOTONIC in microseconds: the same in every process. */
int64_t hf_demo_clock(void);

#endif
