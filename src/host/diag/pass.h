/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passes without eBPF. */
#ifndef HF_HOST_DIAG_PASS_H
#define HF_HOST_DIAG_PASS_H

#include "host/backend.h"
#include "host/diag/known.h"
#include "host/netns.h"

struct hf_sighting; /* a socket in a pass */

/* A network namespace and the link to it. */
struct hf_diag_link {
	struct mnl_socket *socket;
	struct mnl_socket *ends; /* of a watch; NULL = it is not told */
	uint8_t retries2;
};

struct hf_diag_host {
	struct hf_host front;
	struct hf_selection selection;
	struct hf_wire_rule rule;
	enum hf_use use;
	bool all_netns;
	struct hf_netns_list netns;
	struct hf_diag_link *link; /* of netns.entry[i], as far as links */
	size_t links;
	int cgroup_root;
	uint64_t *cgroups; /* that the selection's glob names, sorted */
	size_t cgroup_count;
	uint64_t cgroup_id; /* the last one looked up, with its path */
	char cgroup_path[4096];

	/* Of the pass. */
	uint32_t pass;
	unsigned int mode; /* enum hf_mode */
	uint64_t now_ms;   /* CLOCK_MONOTONIC when it began */
	struct hf_counters counters;
	struct hf_sighting *sighting;
	size_t sightings, room;
	size_t at;		      /* the link that is dumped */
	uint8_t listening[65536 / 8]; /* its ports */
	bool seen_all;		      /* no process was closed to us */
	bool closed;		      /* one that the rule may mean was */
	struct hf_borrowing borrowing;

	/* Of a watch. */
	struct hf_knowns knowns;
	uint64_t look_every_ms;	     /* at the settings of a connection */
	uint64_t searched_ms;	     /* for namespaces that nothing but a socket holds */
	struct hf_wire_event *event; /* told of by no one yet */
	size_t events;
	int event_fd;
	int watcher; /* holds the lock, < 0 = there is none */
};

int hf_diag_pass(struct hf_diag_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		 struct hf_problem *problem);

/* In the i-th namespace, as struct hf_host's each_netns. */
int hf_diag_in_netns(struct hf_diag_host *host, size_t i, hf_netns_fn fn, void *arg,
		     struct hf_problem *problem);

/* The cgroup2 root, opened when first asked for, or -errno. */
int hf_diag_cgroup_root(struct hf_diag_host *host);

#endif
