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
	HF_PROGRAM_TRACED = 1 << 5,
	HF_PROGRAM_SPREAD = 1 << 6,
};
#define HF_PROGRAMS_STEER \
	(HF_PROGRAM_SOCKOPS | HF_PROGRAM_SOCK_CREATE | HF_PROGRAM_SETSOCKOPT | HF_PROGRAM_TRACED)
/* What Holdfast can do without, should the kernel refuse it. */
#define HF_PROGRAMS_OPTIONAL \
	(HF_PROGRAM_OWNERS | HF_PROGRAM_SOCK_CREATE | HF_PROGRAM_SETSOCKOPT | HF_PROGRAM_TRACED)

/* What is known before loading: the verifier leaves out what is never run, and the sweep is quicker. */
struct hf_load {
	unsigned int programs; /* enum hf_programs */
	int memory;	    /* the pinned map to use (stays the caller's), or -1 for a fresh one */
	unsigned int modes; /* enum hf_mode: those that a pass may have */
	bool any;	    /* rule 0 matches whatever a pass visits */
	bool audits;	    /* verdicts are filtered by */
	bool remembers;	    /* the memory may hold something that matters */
	uint32_t gathers;   /* enum hf_gather: what records are to say */
};

/*
 * Load the programs asked for. Beside others, those of HF_PROGRAMS_OPTIONAL that the kernel
 * refuses are left out: bpf_program__autoload tells.
 */
int hf_bpf_load(struct holdfast_bpf **out, const struct hf_load *load, struct hf_problem *problem);

/* What the mend of a refusal ends in. */
#define HF_SEE_DOCTOR "; `holdfast doctor` tells more"

/* Set *problem from an errno of the kernel's refusal. */
int hf_bpf_refused(struct hf_problem *problem, const char *what, int error);

/* Jiffies a second of the running kernel. */
unsigned int hf_bpf_hz(void);

#endif
