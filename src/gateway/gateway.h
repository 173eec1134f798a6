/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dead connection detection for the flows that cross this machine.
 *
 * Flows are those of the connection tracking table. Both ends of each are probed in turns before
 * it would be forgotten, here or in boxes on its way; who does not answer is dead, and the other
 * end may be told so.
 */
#ifndef HF_GATEWAY_GATEWAY_H
#define HF_GATEWAY_GATEWAY_H

#include <holdfast/engine.h>

#include "gateway/brake.h"
#include "gateway/flows.h"
#include "host/problem.h"

enum hf_on_dead {
	HF_ON_DEAD_OBSERVE, /* it is reported */
	HF_ON_DEAD_FREE,    /* its entry is deleted */
	HF_ON_DEAD_RESET,   /* the surviving end is told by a RST, too */
};

struct hf_gateway_options {
	struct hf_goals goals;
	struct hf_flow_filter filter;
	enum hf_on_dead on_dead;
	bool dry_run;				/* nothing is sent, nothing is judged */
	uint32_t rate;				/* packets sent a second, at most; 0 = no limit */
	uint32_t brake_deaths, brake_within_ms; /* 0 = no brake */
	uint32_t brake_hold_ms;			/* how long it holds without recovery */
};

enum hf_gateway_event {
	HF_GATEWAY_ASKED, /* only with dry_run: would have been asked */
	HF_GATEWAY_DEAD,
	HF_GATEWAY_RESET,
	HF_GATEWAY_REVIVED,
	HF_GATEWAY_FREED,  /* told dead before, dealt with only now: the brake was on */
	HF_GATEWAY_BRAKED, /* no flow */
	HF_GATEWAY_LOST,   /* no flow: a buffer ran over, action says how many packets */
	HF_GATEWAY_SLOW,   /* no flow: rate or machine do not suffice for the goals */
	HF_GATEWAY_ERROR,  /* no flow: what went wrong */
};

struct hf_gateway_news {
	enum hf_gateway_event event;
	const struct hf_flow_key *key; /* NULL where no flow is meant */
	bool gone[2];		       /* by side: who it is about */
	struct hf_evidence evidence;
	const char *action; /* what was done, NULL = nothing */
};

struct hf_gateway_statistics {
	struct hf_engine_statistics engine;
	struct hf_flows_counts left_out;
	uint64_t dead;		     /* flows that were told dead or reset */
	uint64_t freed, reset, sent; /* entries deleted, ends told, packets */
	uint64_t dumps;
	uint64_t heard, lost;	    /* packets that came up; that did not fit into the buffers */
	uint64_t held_ms;	    /* time in which the rate held up what was due */
	uint64_t slow_ms;	    /* time in which this machine did */
	uint64_t need;		    /* packets a second that the goals take, by the last dump */
	uint32_t table, table_most; /* entries of the connection tracking table, and its limit */
	bool braked;
};

struct hf_gateway;
struct event_base;

/* What happens is told by fn, in the loop. -1 with a problem. */
int hf_gateway_open(struct hf_gateway **out, struct event_base *base,
		    const struct hf_gateway_options *options,
		    void (*fn)(void *arg, const struct hf_gateway_news *news), void *arg,
		    struct hf_problem *problem);
void hf_gateway_close(struct hf_gateway **gateway);

void hf_gateway_look(struct hf_gateway *gateway, struct hf_gateway_statistics *out);

#endif
