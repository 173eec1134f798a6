/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the engine share: engine.c, engine_time.c, engine_hear.c, engine_look.c. */
#ifndef HF_CORE_ENGINE_PRIVATE_H
#define HF_CORE_ENGINE_PRIVATE_H

#include <core/keepalive.h>
#include <core/table.h>
#include <core/wheel.h>

#define HF_ENGINE_BATCH 32 /* records on their way into the cache at once */

/*
 * A flow. Unused ones are chained by key.address[0][0], and may still have an entry in the
 * wheel: it serves the next flow that gets the number, or is dropped when it comes up.
 */
struct hf_record {
	struct hf_table_key key;
	struct hf_keepalive keepalive;
};

struct hf_engine {
	struct hf_engine_options options;
	struct hf_record *records;
	struct hf_table table;
	struct hf_wheel wheel;

	uint32_t touched; /* records from here on were never used */
	uint32_t free;	  /* head of the chain of those that were, HF_NO_FLOW = none */

	/*
	 * The engine's own time: it begins within 32 bits, so that it never wraps, runs as the
	 * one told does, and stands still 2^29 ms after the last moment when nothing was overdue.
	 */
	uint64_t clock;
	uint64_t told;	 /* the last time told */
	uint64_t served; /* own time when nothing was overdue last */
	uint64_t jumped; /* own time when it last jumped, or 2^30 before it began */
	uint32_t leap;	 /* more than that between two times told is a jump */

	uint32_t budget; /* timers that may still be looked at, if limited */
	bool limited;

	/* Taken out of the wheel, not yet dealt with. */
	uint32_t batch[HF_ENGINE_BATCH];
	uint32_t batch_at, batch_size;
	uint16_t batch_slot;
	uint64_t batch_due; /* when that slot was due */

	/* Flows before `walked` have been re-armed since a policy changed. */
	uint32_t walked;

	struct hf_probing probing[HF_PROBINGS_MAX]; /* count 0: never set */
	struct hf_engine_statistics statistics;
};

static inline bool hf_record_used(const struct hf_record *record)
{
	return record->keepalive.mode & HF_MODE_USED;
}

static inline const struct hf_probing *hf_record_probing(const struct hf_engine *engine,
							 const struct hf_record *record)
{
	return &engine->probing[record->keepalive.policy];
}

/* The 32 bits that time stamps have of the engine's time. */
static inline uint32_t hf_engine_now(const struct hf_engine *engine)
{
	return (uint32_t)engine->clock;
}

void hf_engine_moment(const struct hf_engine *engine, hf_flow flow, struct hf_moment *out);

/*
 * The flow's timer was moved: it comes up when it is due by what is known now, or in some
 * random time within a jitter's width if that is sooner, unless it comes up before.
 */
void hf_engine_rearm(struct hf_engine *engine, hf_flow flow);

/* When a slot comes up, or came up that is due already; in the engine's own time. */
uint64_t hf_engine_slot_due(const struct hf_engine *engine, uint16_t slot);

/* Put the flow into the wheel; its old entry becomes stale. */
void hf_engine_put(struct hf_engine *engine, hf_flow flow, uint64_t due);

/* What a flow was like, and, after something happened to it, what follows from that. */
struct hf_before {
	bool pending, over, awaited[2];
};
struct hf_before hf_engine_before(const struct hf_record *record);
void hf_engine_after(struct hf_engine *engine, hf_flow flow, const struct hf_before *before);

void hf_engine_count(struct hf_engine *engine, enum hf_event event);

#endif
