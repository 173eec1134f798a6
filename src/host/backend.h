/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How passes are made and connections set: by eBPF (bpf_host.c) or, where that may not be, by sock_diag
 * and borrowed descriptors (diag/). host.h is what commands see, and the contract of each operation.
 */
#ifndef HF_HOST_BACKEND_H
#define HF_HOST_BACKEND_H

#include "host/host.h"

struct hf_backend {
	const char *name;
	unsigned int uses; /* bit n: enum hf_use n is possible */
	uint32_t gathers;  /* enum hf_gather: what it can tell */
	bool polls;	   /* new connections and deaths are found by passes */
	int (*open)(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		    struct hf_problem *problem);
	void (*close)(struct hf_host *host);
	int (*pass)(struct hf_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		    struct hf_problem *problem);
	int (*each_netns)(struct hf_host *host, hf_netns_fn fn, void *arg,
			  struct hf_problem *problem);
	const struct hf_counters *(*counters)(const struct hf_host *host);
	bool (*armed)(const struct hf_host *host);
	const char *(*cgroup)(struct hf_host *host, uint64_t id);
	int (*steer)(struct hf_host *host, int cgroup, struct hf_problem *problem);
	void (*unsteer)(struct hf_host *host);
	void (*confine)(struct hf_host *host, bool paths);
	int (*event_fd)(const struct hf_host *host);
	int (*read_events)(struct hf_host *host, hf_wire_event_fn fn, void *arg);
};

extern const struct hf_backend hf_backend_bpf, hf_backend_diag;

/* What every backend's own struct begins with. */
struct hf_host {
	const struct hf_backend *backend; /* set by hf_host_open */
	bool blind;			  /* what was done cannot be looked up */
	unsigned int shut;		  /* namespaces of the pass that may not be entered */
	char warning[1024];
};

/* Where another watcher lives: HF_EXIT_FAILED. */
#define HF_ANOTHER_WATCHER "another watcher is running"
#define HF_MEND_WATCHER "end the other one, or give it the wider policy"

/* One more warning. */
void hf_host_warn(struct hf_host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A namespace may not be entered, as the problem says: counted where the selection allows, else -1. */
int hf_host_shut_out(struct hf_host *host, const struct hf_selection *selection,
		     const struct hf_problem *problem);

/* Two rules with the same stamp want the same of a connection. */
uint64_t hf_rule_stamp(const struct hf_rule *rule);

#endif
