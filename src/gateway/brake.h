/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Masses of deaths within a short time are an outage, more likely: then measures pause. Pure: time
 * goes in, in ms, monotonic.
 *
 * The pause ends settle_ms after the last first death or revival, once most of those who died in
 * it have revived: the outage is over. An outage may be a mass of deaths after all: without
 * recovery the pause ends when hold_ms have passed since the last first death. Who is still dead
 * then is dead again, and that does not count: what really died in a mass is dealt with, later.
 */
#ifndef HF_GATEWAY_BRAKE_H
#define HF_GATEWAY_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

struct hf_brake {
	uint32_t deaths;    /* so many... 0 = no brake */
	uint32_t within_ms; /* ...within this time are a mass */
	uint32_t settle_ms; /* in which all that live have been heard again */
	uint32_t hold_ms;

	uint64_t level;		/* deaths not forgotten yet, in units of 1/within_ms */
	uint64_t at_ms;		/* when that was so */
	uint64_t last_ms;	/* the last first death or revival */
	uint64_t dead, revived; /* in this pause */
	bool on;
};

/* A flow was found dead for the first time. true: that brakes, just now. */
bool hf_brake_death(struct hf_brake *brake, uint64_t now_ms);

/* One of them answers again. */
void hf_brake_revival(struct hf_brake *brake, uint64_t now_ms);

/* Do measures pause? */
bool hf_brake_holds(struct hf_brake *brake, uint64_t now_ms);

#endif
