/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whoever keeps connections alive: ends that watch their peers, gateways that watch both. Each is
 * an engine of its own and knows nothing but the segments that pass it.
 */
#ifndef HF_SIM_KEEPER_H
#define HF_SIM_KEEPER_H

#include "sim/world.h"

/* 0 or -ENOMEM. */
int hf_keepers_init(struct hf_world *world);
void hf_keepers_free(struct hf_world *world);

static inline struct hf_keeper *hf_keeper_of_gateway(struct hf_world *world, uint32_t gateway)
{
	return &world->keeper[2 + gateway];
}

/* Which of a flow's keepalive sections the keeper goes by; HF_NONE: the flow is not its business. */
uint32_t hf_keeper_policy(const struct hf_world *world, const struct hf_keeper *keeper,
			  uint32_t section);

/* Where on a flow's path it stands. */
uint8_t hf_keeper_place(const struct hf_world *world, const struct hf_keeper *keeper,
			uint32_t section);

/* How many ends it watches. */
static inline unsigned int hf_keeper_sides(const struct hf_keeper *keeper)
{
	return keeper->gateway ? 2 : 1;
}

static inline bool hf_keeper_watches(const struct hf_keeper *keeper, enum hf_side side)
{
	return keeper->gateway || keeper->end != side;
}

/* A connection was opened: everybody concerned takes it up. One keeper does so later. */
void hf_keepers_open(struct hf_world *world, uint32_t flow);
void hf_keeper_opens(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow);

/* It is of no concern any more. */
void hf_keeper_closes(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow);

/* Does anybody watch the flow? */
bool hf_keepers_hold(const struct hf_world *world, uint32_t flow);

/* A segment passes, or arrives; and one that the keeper's own end sends. */
void hf_keeper_hears(struct hf_world *world, struct hf_keeper *keeper,
		     const struct hf_travel *travel);
void hf_keeper_says(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow,
		    const struct hf_segment *segment);

/* When it has something to do (us); do it. */
uint64_t hf_keeper_due(const struct hf_keeper *keeper);
void hf_keeper_acts(struct hf_world *world, struct hf_keeper *keeper);

#endif
