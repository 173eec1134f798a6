/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is really so, to judge the engines' verdicts by.
 *
 * An end is gone, for a keeper, from the moment on when no answer of it could reach the keeper:
 * its host is down, has lost the connection, or the way between is broken. That becomes a real
 * death when it is told, or when it has lasted for longer than the bound that was promised; what
 * heals before is none.
 */
#ifndef HF_SIM_TRUTH_H
#define HF_SIM_TRUTH_H

#include "sim/world.h"

/* A keeper has taken the flow up: both ends live. */
void hf_truth_opens(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow);

/* Something about this flow, or on its way, has changed. */
void hf_truth_update(struct hf_world *world, uint32_t flow);

/*
 * A keeper sends something to an end, to be answered; it sees what an end sends; an end was heard.
 * What a newer segment has overtaken answers nothing: RFC 7323 5.3 R1 drops it, whoever hears it.
 */
void hf_truth_asked(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		    enum hf_side side);
void hf_truth_sends(const struct hf_keeper *keeper, uint32_t flow, enum hf_side side,
		    const struct hf_segment *segment);
void hf_truth_heard(struct hf_world *world, const struct hf_keeper *keeper,
		    const struct hf_travel *travel);

/* A keeper's verdict about an end; reset: because of a RST. */
void hf_truth_verdict(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		      enum hf_side side, const struct hf_evidence *evidence, bool reset);

/* A keeper forgets the flow: deaths that it did not find in time. */
void hf_truth_leaves(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow);

/* The run is over: deaths that nobody found in time. */
void hf_truth_end(struct hf_world *world);

/* Longest time that is promised, from the last segment heard to the verdict. */
uint64_t hf_truth_bound(const struct hf_world *world, const struct hf_keeper *keeper,
			uint32_t flow);

#endif
