/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the eBPF object: which programs, on which pinned map, and what a refusal means. */
#ifndef HF_HOST_BPF_H
#define HF_HOST_BPF_H

#include <stdbool.h>

#include "host/bpf/wire.h"
#include "host/problem.h"

struct holdfast_bpf; /* the generated skeleton */

enum hf_programs {
	HF_PROGRAM_SWEEP = 1 << 0,
	HF_PROGRAM_OWNERS = 1 << 1,
	HF_PROGRAM_SOCKOPS = 1 << 2,
	HF_PROGRAM_SOCK_CREATE = 1 << 3,
	HF_PROGRAM_SETSOCKOPT = 1 << 4,
	HF_PROGRAM_ACTS = 1 << 5, /* the sweep may change sockets */
};
#define HF_PROGRAMS_STEER (HF_PROGRAM_SOCKOPS | HF_PROGRAM_SOCK_CREATE | HF_PROGRAM_SETSOCKOPT)

/* memory: descriptor of the pinned map to use (stays the caller's), or -1 for a fresh one. */
int hf_bpf_load(struct holdfast_bpf **out, unsigned int programs, int memory,
		struct hf_problem *problem);

/* Set *problem from an errno of the kernel's refusal. */
int hf_bpf_refused(struct hf_problem *problem, const char *what, int error);

/* Jiffies a second of the running kernel. */
unsigned int hf_bpf_hz(void);

#endif
