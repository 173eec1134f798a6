/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the passes run that keep a watch going. New connections are steered in the kernel; passes do
 * what callbacks cannot. One runs when something waits for it (looked at once a second, at the cost
 * of reading a few counters) and else every quarter of the goal. Where it forecasts a burst of probes,
 * passes keep them apart while it lasts.
 */
#ifndef HF_CLI_WATCHING_H
#define HF_CLI_WATCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

struct hf_watching {
	struct hf_host *host;
	unsigned int full;   /* enum hf_mode of a full pass */
	uint32_t full_every; /* seconds from one full pass to the next where nothing asks for it */
	uint32_t tend_every; /* the same of one that looks after what is unanswered */
	uint64_t unsettled, armed;  /* counters, as the last pass found them */
	uint32_t since, since_full; /* seconds since the last pass, and the last full one */
	uint32_t crowd_since;	    /* the crowd that was seen last, as in hf_counters */
	uint32_t spread_in;	    /* seconds until probes are to be spread, UINT32_MAX = never */
};

/* full: HF_MODE_ACT, with HF_MODE_OWNERS where the rule asks who holds a connection. */
void hf_watching_init(struct hf_watching *watching, struct hf_host *host,
		      const struct hf_goals *goals, unsigned int full, uint32_t full_every);

/* A pass now; as hf_host_pass. */
int hf_watching_pass(struct hf_watching *watching, unsigned int mode, hf_record_fn fn, void *arg,
		     struct hf_problem *problem);

/* A second has gone by. The mode of the pass that is due now; 0 = none is. */
unsigned int hf_watching_tick(struct hf_watching *watching);

#endif
