/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host's TCP connections, through eBPF or without it: one pass shows, applies or gives back;
 * steering brings new connections under the rules and reports what becomes of them.
 */
#ifndef HF_HOST_HOST_H
#define HF_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "host/bpf/wire.h"
#include "host/problem.h"

struct hf_host;

enum hf_by {
	HF_BY_ANY = 0, /* eBPF where it is usable, else sock_diag where that can do what is asked */
	HF_BY_BPF,
	HF_BY_DIAG,
};

/* Which connections, and what is wanted of them. */
struct hf_selection {
	struct hf_rule rule; /* match: numbers only; netns is filled in by hf_host_open */
	const char *cgroup;  /* glob, NULL = any */
	const char *netns;   /* as hf_netns_list_open takes it */
	uint32_t states;     /* bit n: visit state n; 0 = those that rules may touch */
	uint32_t audits;     /* bit n: enum hf_verdict n; 0 = any */
	bool in_reach;	     /* of all namespaces those that may be entered: see hf_host_shut */
	bool judge;	     /* judge by the rule's goals, not by those remembered */
	uint32_t gathers;    /* enum hf_gather: what records shall say */
	enum hf_by backend;
};

enum hf_use {
	HF_USE_LOOK,	/* reads what is remembered, if anything is */
	HF_USE_RESTORE, /* gives back what is remembered */
	HF_USE_ACT,	/* remembers what it does */
	HF_USE_WATCH,	/* the same, as the place's one watcher, new connections too */
	HF_USE_RUN,	/* for one cgroup: remembers for itself, beside any watcher */
};

/*
 * Load what the use needs. -1 with a problem: HF_EXIT_MISSING where privileges or the kernel
 * do not allow it, HF_EXIT_FAILED where another watcher lives.
 *
 * Without eBPF (host/diag) what the process may not look into is HF_RECORD_HIDDEN, nothing is
 * remembered for longer than the host is open, user timeouts are fixed (HF_RULE_ARM is taken for
 * HF_RULE_FIXED_TIMEOUT), and passes find what is new and what has ended.
 */
int hf_host_open(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		 struct hf_problem *problem);
void hf_host_close(struct hf_host **host);

/* Warnings that came up while opening ("" = none): what has to be done without. */
const char *hf_host_warning(const struct hf_host *host);

/* Do passes have to find new connections, and those that ended? Then one a second is to be made. */
bool hf_host_polls(const struct hf_host *host);

/*
 * Called for each record, the thread being in its network namespace (with eBPF); non-zero ends the
 * pass and is returned by it.
 */
typedef int (*hf_record_fn)(void *arg, const struct hf_record *record);

/*
 * One pass over the selected namespaces; mode: enum hf_mode. The counters say what came of it.
 */
int hf_host_pass(struct hf_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		 struct hf_problem *problem);
const struct hf_counters *hf_host_counters(const struct hf_host *host);

/* The namespaces that the pass had to go without. */
unsigned int hf_host_shut(const struct hf_host *host);

/*
 * Call fn in each selected namespace that is known by now, the thread being in it. The first result
 * other than 0 ends it and is returned; -1 with a problem where a namespace cannot be entered.
 */
typedef int (*hf_netns_fn)(void *arg, uint32_t netns);
int hf_host_each_netns(struct hf_host *host, hf_netns_fn fn, void *arg, struct hf_problem *problem);

/*
 * Is it known what was done by others, and whether a watcher lives? Not without eBPF, nor where the
 * memory is closed to us: no rule then means that none is known.
 */
bool hf_host_remembers(const struct hf_host *host);

/* Does a watcher live that arms user timeouts? (Ourselves included.) */
bool hf_host_armed(const struct hf_host *host);

/* "/user.slice/..." of a cgroup id, NULL where it is not known; valid until the next call. */
const char *hf_host_cgroup(struct hf_host *host, uint64_t id);

/*
 * New connections come under the rule from here on, until hf_host_close or hf_host_unsteer: those
 * made in the cgroup of an open directory, or below; -1 is the root. With HF_USE_RUN passes then
 * take what the processes in it hold (the directory has to stay open), in whatever namespace.
 */
int hf_host_steer(struct hf_host *host, int cgroup, struct hf_problem *problem);
void hf_host_unsteer(struct hf_host *host);

/*
 * Everything is loaded, and attached: give up, for good and for threads made from now on, every
 * capability but those that passes still need: none in the caller's namespace, CAP_SYS_ADMIN to
 * enter another one, CAP_SYS_PTRACE and CAP_NET_ADMIN to find all of them; CAP_DAC_READ_SEARCH
 * where hf_host_cgroup will be called (paths); CAP_NET_RAW and CAP_NET_ADMIN, to speak in their
 * connections' name, where their numbers are gathered; with HF_USE_RUN what finds all namespaces,
 * and CAP_DAC_OVERRIDE to remove the cgroup.
 */
void hf_host_confine(struct hf_host *host, bool paths);

/* Events of connections under a rule: a descriptor to poll, and the reading of what is there. */
typedef void (*hf_wire_event_fn)(void *arg, const struct hf_wire_event *event);
int hf_host_event_fd(const struct hf_host *host);
int hf_host_read_events(struct hf_host *host, hf_wire_event_fn fn, void *arg);

#endif
