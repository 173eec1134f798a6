/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated internet: all state of a run. One virtual clock moves it; everything that waits
 * is a happening of that clock, and every engine says itself when it is due.
 *
 * A path leads from a flow's originator (place 0) over its elements to the responder (place
 * count + 1); element i is place i + 1. Segments stop at ends and gateways only: what links and
 * NATs do to one is reckoned when it sets out.
 *
 * Millions of flows are arrays of small structs; what can be computed from a flow's number (its
 * hosts, ports, addresses, boxes on the way) is not stored.
 */
#ifndef HF_SIM_WORLD_H
#define HF_SIM_WORLD_H

#include "sim/clock.h"
#include "sim/link.h"
#include "sim/nat.h"
#include "sim/result.h"
#include "sim/tcp.h"

enum hf_happens {
	HF_ARRIVES,   /* index: segment under way */
	HF_DEPARTS,   /* the same, after its host's delay */
	HF_OPENS,     /* flows section */
	HF_REOPENS,   /* flow */
	HF_TALKS,     /* flow */
	HF_TIMES_OUT, /* flow * 2 + side */
	HF_BEFALLS,   /* fault */
	HF_HEALS,     /* fault */
	HF_SAMPLES,
};

struct hf_flow_state {	      /* one cache line */
	struct hf_tcp end[2]; /* by enum hf_side */
};

struct hf_flow_about {
	uint16_t incarnation; /* how often it was opened */
	uint8_t section;
	bool reopening : 1; /* a HF_REOPENS is posted */
	bool counted : 1;   /* as open */
};

struct hf_travel {		   /* a segment under way */
	struct hf_segment segment; /* without endpoints */
	uint64_t generations;	   /* byte i: outside port at element i, if that is a NAT */
	uint32_t flow;
	uint16_t incarnation;
	uint8_t from;  /* enum hf_side, in whose name it is sent */
	uint8_t place; /* where it arrives next, or departs from */
	bool genuine;  /* by that end itself, with its own numbers */
	uint32_t free; /* next unused one */
};

enum hf_host_mark {
	HF_HOST_OFF = 1 << 0,
	HF_HOST_FROZEN = 1 << 1,
	HF_HOST_PAUSED = 1 << 2, /* its programs do not read */
};

/* What a keeper's engine should know of an end, kept apart from it to judge it by. */
struct hf_watch {
	uint32_t id; /* the engine's number of the flow; HF_NO_FLOW = not watched */
	uint32_t heard_ms[2];
	uint32_t answered_ms[2]; /* the same, without what a newer segment has overtaken */
	uint32_t tsval[2];	 /* the newest of its timestamps */
	uint32_t reach[2];	 /* how far it was seen to send */
	uint32_t gone_ms[2];	 /* + 1: since when no answer could come; 0 = one can */
	uint8_t unanswered[2];	 /* probes and questions */
	uint8_t again[2];	 /* retransmissions, with no answer either */
	uint8_t told;		 /* 1 << side: its verdict was given */
	uint8_t owes; /* 1 << side: data was seen on its way to it, and nothing of it since */
};

/* An engine, and where it stands: that of all originators, of all responders, or a gateway's. */
struct hf_keeper {
	struct hf_engine *engine; /* NULL: not in use */
	void *memory;
	const struct hf_gateway_spec *gateway; /* NULL: of ends */
	uint8_t end;			       /* enum hf_side, of ends */
	uint32_t tick_ms;
	struct hf_watch *watch;			    /* by flow */
	uint32_t *flow;				    /* by the engine's number */
	struct hf_probing probing[HF_SECTIONS_MAX]; /* by keepalive section */
	bool suspended;
	uint64_t told_ms; /* when it last acted */
};

struct hf_chosen { /* those that a fault befell last */
	uint32_t first, step, count, all;
};

#define HF_KEEPERS_MAX (2 + HF_SECTIONS_MAX)

struct hf_world {
	const struct hf_scenario *scenario;
	struct hf_random random;
	struct hf_clock clock;
	uint32_t flows;
	uint32_t first[HF_SECTIONS_MAX];  /* number of a flows section's first flow */
	uint32_t opened[HF_SECTIONS_MAX]; /* so many of them were */
	uint64_t open;			  /* both ends hold the connection */
	struct hf_flow_state *flow;
	struct hf_flow_about *about;
	uint8_t *host[HF_SECTIONS_MAX]; /* enum hf_host_mark, of each host of a section */
	struct hf_link link[HF_SECTIONS_MAX];
	struct hf_nat nat[HF_SECTIONS_MAX];
	struct hf_keeper keeper[HF_KEEPERS_MAX];
	unsigned int keepers;
	double all_lost[HF_SECTIONS_MAX][HF_KEEPERS_MAX][2]; /* chance, of a dialogue's segments */
	struct hf_chosen chosen[HF_SECTIONS_MAX];	     /* by fault */
	struct hf_travel *travel;
	uint32_t travels, travels_size, travel_free;
	struct hf_result *result;
	bool failed; /* out of memory */
};

/* Told now and then how far a run is; NULL = nobody wants to know. */
typedef void (*hf_progress)(uint32_t virtual_ms, uint32_t duration_ms);

/* Run a scenario from beginning to end. 0 and *result filled in, or -ENOMEM. */
int hf_world_run(const struct hf_scenario *scenario, uint64_t seed, hf_progress progress,
		 struct hf_result *result);

static inline uint32_t hf_world_ms(const struct hf_world *world)
{
	return (uint32_t)(world->clock.now / 1000);
}

static inline const struct hf_flows_spec *hf_world_spec(const struct hf_world *world, uint32_t flow)
{
	return &world->scenario->flow[world->about[flow].section];
}

#endif
