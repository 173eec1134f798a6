/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links: what a segment meets on the way. Crossing one is reckoned when the segment sets out, not
 * by an event of its own. Bursts are a two-state Markov process in time (Gilbert and Elliott).
 */
#ifndef HF_SIM_LINK_H
#define HF_SIM_LINK_H

#include "sim/random.h"
#include "sim/scenario.h"

struct hf_link_state {	/* of one of the links of a section */
	uint64_t until; /* us: the present spell lasts so long */
	bool burst;
	bool down; /* partitioned */
};

struct hf_link {
	const struct hf_link_spec *spec;
	struct hf_link_state *state; /* spec->count of them */
	uint64_t crossed, lost;
};

/* 0 or -ENOMEM. */
int hf_link_init(struct hf_link *link, const struct hf_link_spec *spec);
void hf_link_free(struct hf_link *link);

/*
 * A segment enters link number which at time at (us). How many copies come out, 0 = lost, and how
 * long each takes (us). Times must not go back by more than a link's latency.
 */
unsigned int hf_link_cross(struct hf_link *link, uint32_t which, uint64_t at,
			   struct hf_random *random, uint64_t delay_us[2]);

/* Chance that a segment gets across while the link is up; NAN where bursts make it no constant. */
double hf_link_survival(const struct hf_link_spec *spec);

#endif
