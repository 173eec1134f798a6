/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend by eBPF, as its parts see it: bpf_host.c opens and closes it, bpf_prepare.c loads what
 * a use needs, bpf_pass.c makes the passes. bpf.h is the eBPF object itself.
 */
#ifndef HF_HOST_BPF_HOST_H
#define HF_HOST_BPF_HOST_H

#include <limits.h>

#include "host/backend.h"
#include "host/netns.h"
#include "host/owners.h"

struct hf_bpf_host {
	struct hf_host front;
	struct hf_bpf *bpf;
	int sweep, spread, owners; /* links, -1 = none */
	struct bpf_link *steering[3], *traced[2];
	struct ring_buffer *ring;
	struct hf_netns_list netns;
	struct hf_owners told; /* with hf_fixed.tells: who holds what */
	struct hf_selection selection;
	bool all_netns;
	bool run;    /* HF_USE_RUN */
	bool tells;  /* hf_fixed.tells */
	int group;   /* whose processes' connections passes take, -1 = all */
	int place;   /* of the memory, -1 = nothing is remembered */
	int watcher; /* holds the lock while we are the watcher, else -1 */
	int cgroup_root;
	uint64_t cgroup_id; /* the last one looked up, with its path */
	char cgroup_path[PATH_MAX];
	uint64_t armed; /* armings at the last pass */
	hf_wire_event_fn event_fn;
	void *event_arg;
};

static inline struct hf_bpf_host *hf_bpf_host_of(const struct hf_host *front)
{
	return (struct hf_bpf_host *)front;
}

/* Load what the use needs, set the rule, attach the passes; on failure the caller closes the host. */
int hf_bpf_prepare(struct hf_bpf_host *host, enum hf_use use, struct hf_problem *problem);

/* Cgroups come and go: the selection's glob is looked up again before each pass. */
int hf_bpf_resolve_cgroups(struct hf_bpf_host *host, struct hf_problem *problem);

/* Opened when first asked for, as it costs more than all else that `list` needs; or -errno. */
int hf_bpf_cgroup_root(struct hf_bpf_host *host);

/* The pass over open files also finds namespaces that nothing but a socket holds. */
bool hf_bpf_needs_owners_pass(const struct hf_bpf_host *host);

/* The pass over the open files of one process, 0 = of all: a link, or -errno. */
int hf_bpf_attach_owners(struct hf_bpf_host *host, uint32_t process);

/* Operations of the backend: see host.h. */
int hf_bpf_pass(struct hf_host *front, unsigned int mode, hf_record_fn fn, void *arg,
		struct hf_problem *problem);
int hf_bpf_each_netns(struct hf_host *front, hf_netns_fn fn, void *arg, struct hf_problem *problem);
bool hf_bpf_armed(const struct hf_host *front);

#endif
