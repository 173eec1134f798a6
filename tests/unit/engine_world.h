/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine for its tests, told the time tick by tick; its invariants are checked all the while. */
#ifndef HF_TESTS_ENGINE_WORLD_H
#define HF_TESTS_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/engine.h>

#define TICK 250
#define FLOWS 64
#define HOUR 3600000u

static const struct hf_probing usual = {
	.idle_ms = 10000,
	.interval_ms = 2000,
	.in_flight_ms = 20000,
	.count = 3,
};

struct world {
	struct hf_engine *engine;
	void *memory;
	uint64_t now;
};

static inline void *aligned(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return memory;
}

static inline struct world make_world(uint64_t now, struct hf_engine_options options)
{
	struct world world = { .now = now };
	size_t size = hf_engine_size(&options);

	world.memory = aligned(size);
	world.engine = hf_engine_init(world.memory, size, &options, now);
	assert_non_null(world.engine);
	assert_true(hf_engine_set_probing(world.engine, 0, &usual));
	return world;
}

static inline struct world usual_world(uint64_t now)
{
	return make_world(now, (struct hf_engine_options){
				       .flows = FLOWS, .tick_ms = TICK, .key = { 1, 2 } });
}

static inline void check(const struct world *world)
{
	const char *broken = hf_engine_check(world->engine);

	if (broken)
		fail_msg("%s", broken);
}

static inline void end_world(struct world *world)
{
	check(world);
	free(world->memory);
}

static inline struct hf_endpoint endpoint(const char *text)
{
	struct hf_endpoint out;

	assert_true(hf_endpoint_parse(text, &out));
	return out;
}

static inline struct hf_flow_key key(unsigned int n)
{
	struct hf_flow_key out = { { endpoint("10.0.0.1:1"), endpoint("10.0.0.2:80") } };

	out.end[0].port = (uint16_t)(1000 + n);
	return out;
}

static inline hf_flow add(struct world *world, unsigned int n, unsigned int options,
			  uint32_t idle_ms)
{
	struct hf_flow_key name = key(n);
	hf_flow flow = HF_NO_FLOW;

	assert_int_equal(hf_engine_add(world->engine, &name, options, 0, idle_ms, &flow), HF_ADDED);
	check(world);
	return flow;
}

static inline void tell(struct world *world, uint64_t now)
{
	world->now = now;
	hf_engine_advance(world->engine, now, 0);
}

/* Time passes tick by tick until something is to be done; false if that is after `until`. */
static inline bool next(struct world *world, uint64_t until, struct hf_action *out)
{
	while (!hf_engine_next(world->engine, out)) {
		if (!(world->now / TICK % 16))
			check(world);
		if (until - world->now < TICK)
			return false;
		tell(world, world->now + TICK);
	}
	check(world);
	return true;
}

static inline struct hf_action expect(struct world *world, uint64_t from, uint64_t until,
				      enum hf_action_kind kind, hf_flow flow, enum hf_side target)
{
	struct hf_action action = { 0 };

	if (!next(world, until, &action))
		fail_msg("nothing until %llu", (unsigned long long)until);
	if (action.kind != kind || action.flow != flow || action.target != target ||
	    world->now - from > until - from)
		fail_msg("at %llu: action %u of %u toward %u", (unsigned long long)world->now,
			 action.kind, action.flow, action.target);
	return action;
}

static inline void quiet(struct world *world, uint64_t until)
{
	struct hf_action action;

	if (next(world, until, &action))
		fail_msg("at %llu: action %u of %u", (unsigned long long)world->now, action.kind,
			 action.flow);
}

static inline struct hf_segment segment_from(unsigned int n, enum hf_side side, uint32_t seq,
					     uint32_t ack)
{
	struct hf_flow_key name = key(n);

	return (struct hf_segment){ .source = name.end[side],
				    .destination = name.end[!side],
				    .seq = seq,
				    .ack = ack,
				    .flags = HF_ACK,
				    .window = 500 };
}

static inline struct hf_heard hear(struct world *world, struct hf_segment segment)
{
	struct hf_heard heard;

	hf_engine_segments(world->engine, &segment, 1, &heard);
	check(world);
	return heard;
}

/* Both ends' numbers are seen: the originator has sent 1000, the responder 5000. */
static inline void establish(struct world *world, unsigned int n)
{
	hear(world, segment_from(n, HF_ORIGINATOR, 1000, 5000));
	hear(world, segment_from(n, HF_RESPONDER, 5000, 1000));
}

#endif
