/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the eBPF object: which programs, on which pinned map, and what a refusal means. */
#ifndef HF_HOST_BPF_H
#define HF_HOST_BPF_H

#include <pthread.h>
#include <stdbool.h>

#include "host/bpf/wire.h"
#include "host/problem.h"

/* The generated skeletons. */
struct holdfast_bpf; /* all programs, loaded by libbpf */
struct hf_passes;    /* the passes alone, loaded by an eBPF program */

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

struct hf_load {
	unsigned int programs; /* enum hf_programs */
	int memory;	       /* the pinned map to use (stays the caller's), -1 = a fresh one */
	struct hf_fixed fixed; /* all but the jiffy */
};

/* What was loaded, and what passes and rules need of it. */
struct hf_bpf {
	struct holdfast_bpf *whole; /* NULL: the passes alone */
	struct hf_passes *passes;   /* NULL: whole */
	struct hf_control *control;
	struct hf_counters *counters;
	uint64_t *unwritten;				 /* see sweep.bpf.c */
	int sweep, spread, owners;			 /* programs; -1 = not loaded */
	int memory, pinned, rules, cgroups, known_netns; /* maps */
	pthread_t placer;				 /* see hf_bpf_use_memory */
	bool places;					 /* that thread is to be joined */
	int place, refused; /* the map that it puts in place, what the kernel said */
};

/*
 * Load the programs asked for. Beside others, those of HF_PROGRAMS_OPTIONAL that the kernel
 * refuses are left out: bpf_program__autoload tells, hf_bpf.owners of the pass over owners.
 */
int hf_bpf_load(struct hf_bpf **out, const struct hf_load *load, struct hf_problem *problem);

/* Frees and nulls. */
void hf_bpf_unload(struct hf_bpf **bpf);

/*
 * From here on the programs use this pinned memory (it stays the caller's). The kernel puts it in
 * place and then waits until no program can be using the one before, which may take longer than
 * loading does: a thread waits instead, at the latest until hf_bpf_settle or hf_bpf_unload.
 */
int hf_bpf_use_memory(struct hf_bpf *bpf, int map, struct hf_problem *problem);

/* Wait for what still goes on, with the capabilities that it was begun with. */
void hf_bpf_settle(struct hf_bpf *bpf);

/* Delete what is not kept of a map, the keys of which have eight bytes at most. */
void hf_bpf_keep_keys(int map, bool (*kept)(const void *arg, const uint64_t *key), const void *arg);

/* What the mend of a refusal ends in. */
#define HF_SEE_DOCTOR "; `holdfast doctor` tells more"

/* Set *problem from an errno of the kernel's refusal. */
int hf_bpf_refused(struct hf_problem *problem, const char *what, int error);

/* Jiffies a second of the running kernel. */
unsigned int hf_bpf_hz(void);

#endif
