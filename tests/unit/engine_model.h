/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A naive model of what an engine's flows meet: two TCP endpoints for each that answer as SEMANTICS
 * describes Linux, lose and are lost, and for each end the bare facts - when something of it was
 * last delivered, what went to it unanswered since. Each action of the engine is held against them.
 */
#ifndef HF_TESTS_ENGINE_MODEL_H
#define HF_TESTS_ENGINE_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/engine.h>

#define FLOWS 12
#define POLICIES 3
#define RUNS 100
#define STEPS 3000
#define WINDOW 65535
#define BEGIN 1000000  /* so that there is a before */
#define RATE_LIMIT 500 /* ms, Linux tcp_invalid_ratelimit */

static uint64_t seed;

/* splitmix64 */
static inline uint64_t random_word(void)
{
	uint64_t word = seed += 0x9e3779b97f4a7c15u;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
	word = (word ^ word >> 27) * 0x94d049bb133111ebu;
	return word ^ word >> 31;
}

static inline uint32_t between(uint32_t least, uint32_t most)
{
	return least + (uint32_t)(random_word() % ((uint64_t)most - least + 1));
}

static inline bool chance(unsigned int percent)
{
	return between(0, 99) < percent;
}

enum fate {
	ALIVE,
	GONE,	   /* no power: no answers */
	FORGETFUL, /* rebooted: answers RST */
};

struct end {
	enum fate fate;
	uint32_t next, expected; /* SND.NXT, RCV.NXT */
	uint32_t unacked;	 /* bytes sent, and not yet acknowledged */
	uint32_t ts_recent;
	uint64_t limited; /* when an out-of-window segment was last answered */
	/* The facts. */
	uint64_t heard;	   /* something of it was delivered to the engine */
	uint64_t clean;	   /* the bound counts from here at the earliest */
	uint64_t sent;	   /* to it, last */
	uint32_t interval; /* the shortest in force since that; 0: nothing was sent */
	unsigned int out;  /* segments and retransmissions to it since it was heard */
};

struct flow {
	bool used, over, dialogue;
	unsigned int options;
	uint8_t policy;
	struct end end[2];
};

static struct {
	struct hf_engine *engine;
	void *memory;
	struct hf_engine_options options;
	struct hf_probing probing[POLICIES];
	struct flow flow[FLOWS]; /* by its number in the test, which is its port */
	hf_flow number[FLOWS];
	uint64_t now, jumped; /* since BEGIN */
	uint64_t start;	      /* what the engine is told is that much later, and may wrap */
	bool timestamps;
	bool punctual, by_due; /* time is told often enough for the bound to hold; when due */
	unsigned int loss;     /* percent, each way */
	unsigned long verdicts, answers, resets, false_alarms;
} world;

static inline void blame(const struct flow *flow, enum hf_side side, const char *what)
{
	fail_msg("flow %u side %u at %llu: %s", (unsigned int)(flow - world.flow), side,
		 (unsigned long long)world.now, what);
}

static inline uint32_t clock_of_end(void)
{
	return (uint32_t)world.now + 77;
}

static inline struct hf_flow_key key_of(const struct flow *flow)
{
	struct hf_flow_key key;

	assert_true(hf_endpoint_parse("192.0.2.1:1000", &key.end[0]));
	assert_true(hf_endpoint_parse("198.51.100.1:443", &key.end[1]));
	key.end[0].port = (uint16_t)(1000 + (flow - world.flow));
	return key;
}

static inline struct hf_segment segment_from(const struct flow *flow, enum hf_side side)
{
	const struct end *end = &flow->end[side];
	struct hf_flow_key key = key_of(flow);

	return (struct hf_segment){
		.source = key.end[side],
		.destination = key.end[!side],
		.seq = end->next,
		.ack = end->expected,
		.flags = HF_ACK,
		.window = WINDOW,
		.has_timestamps = world.timestamps,
		.tsval = clock_of_end(),
		.tsecr = end->ts_recent,
	};
}

static inline hf_flow number_of(const struct flow *flow)
{
	return world.number[flow - world.flow];
}

static inline struct hf_flow_view view_of(const struct flow *flow)
{
	struct hf_flow_view view;

	hf_engine_look(world.engine, number_of(flow), &view);
	return view;
}

/* From now on the bound counts anew: it was not to be kept. */
static inline void excuse(struct flow *flow)
{
	flow->end[0].clean = flow->end[1].clean = world.now;
}

/* The engine sees a segment. */
static inline struct hf_heard see(struct flow *flow, enum hf_side side,
				  const struct hf_segment *segment)
{
	struct hf_heard heard;

	hf_engine_segments(world.engine, segment, 1, &heard);
	if (!flow->used) {
		assert_int_equal(heard.flow, HF_NO_FLOW);
		return heard;
	}
	assert_int_equal(heard.flow, number_of(flow));
	assert_int_equal(heard.side, side);
	if (heard.event == HF_RESET) {
		if (flow->end[side].fate != FORGETFUL)
			blame(flow, side, "reset, but it remembers");
		flow->over = true;
		world.resets++;
	}
	if (heard.event == HF_REVIVED) {
		flow->over = view_of(flow).dead[!side];
		excuse(flow);
	}
	world.answers += heard.event == HF_ALIVE;
	flow->dialogue |= view_of(flow).dialogue; /* a late answer is looked into */
	if (!(segment->flags & HF_RST)) {
		flow->end[side].heard = world.now;
		flow->end[side].out = 0;
	}
	return heard;
}

static inline void arrive(struct flow *flow, enum hf_side at, const struct hf_segment *segment);

/* A segment sets out from an end: the engine is half way to the other one. */
static inline void set_out(struct flow *flow, enum hf_side from, const struct hf_segment *segment)
{
	if (chance(world.loss))
		return;
	see(flow, from, segment);
	if (!chance(world.loss))
		arrive(flow, !from, segment);
}

static inline void reset_back(struct flow *flow, enum hf_side from, const struct hf_segment *cause)
{
	struct hf_segment reset = segment_from(flow, from);

	reset.has_timestamps = false;
	reset.flags = cause->flags & HF_ACK ? HF_RST : HF_RST | HF_ACK;
	reset.seq = cause->flags & HF_ACK ? cause->ack : 0;
	reset.ack = hf_segment_end(cause);
	set_out(flow, from, &reset);
}

static inline void answer(struct flow *flow, enum hf_side from)
{
	struct hf_segment ack = segment_from(flow, from);

	set_out(flow, from, &ack);
}

static inline bool in_window(const struct end *end, uint32_t seq)
{
	return seq - end->expected < WINDOW;
}

/* Out of the window: answered, but not too often. */
static inline void refuse(struct flow *flow, enum hf_side at, const struct hf_segment *segment)
{
	struct end *end = &flow->end[at];

	if (!segment->payload && world.now - end->limited < RATE_LIMIT)
		return;
	end->limited = world.now;
	answer(flow, at);
}

static inline void arrive(struct flow *flow, enum hf_side at, const struct hf_segment *segment)
{
	struct end *end = &flow->end[at], *other = &flow->end[!at];

	if (end->fate == GONE)
		return;
	if (end->fate == FORGETFUL) {
		if (!(segment->flags & HF_RST))
			reset_back(flow, at, segment);
		return;
	}
	if (segment->flags & HF_RST) {
		if (segment->seq == end->expected)
			end->fate = FORGETFUL;
		return;
	}
	if (world.timestamps && segment->has_timestamps &&
	    (int32_t)(segment->tsval - end->ts_recent) < 0)
		return; /* as Linux since 6.14 */
	if (segment->flags & HF_SYN || !in_window(end, segment->seq)) {
		refuse(flow, at, segment);
		return;
	}
	if (segment->seq != end->expected)
		return; /* out of order: none here but questions */
	if (segment->has_timestamps)
		end->ts_recent = segment->tsval;
	if (segment->ack == end->next)
		end->unacked = 0;
	if (segment->payload) {
		if (segment->payload != other->unacked)
			blame(flow, at, "an octet that nobody sent was taken for data");
		end->expected += segment->payload;
		answer(flow, at);
	}
}

/* --- What the engine wants ------------------------------------------------------------- */

static inline unsigned int sides_of(const struct flow *flow)
{
	return (flow->options & HF_WATCH_BOTH) == HF_WATCH_BOTH ? 2 : 1;
}

/*
 * Has less than an interval passed since the last word to that end? Words late by up to a tick
 * may be followed sooner by as much, a quarter of the interval at most.
 */
static inline bool hasty(const struct flow *flow, enum hf_side to)
{
	const struct end *end = &flow->end[to];
	uint32_t allowed = end->interval / 4, late = sides_of(flow) * (world.options.tick_ms - 1);

	if (world.punctual && end->sent > world.jumped)
		late = world.by_due ? 0 : late;
	else
		late = allowed;
	return world.now - end->sent + (late < allowed ? late : allowed) < end->interval;
}

static inline void check_pace(struct flow *flow, enum hf_side to)
{
	struct end *end = &flow->end[to];

	if (hasty(flow, to))
		blame(flow, to, "sent to within an interval");
	end->sent = world.now;
	end->interval = world.probing[flow->policy].interval_ms;
	end->out++;
}

/* The policy was changed, or the flow's: the shorter interval counts for what is out. */
static inline void note_interval(struct flow *flow)
{
	uint32_t interval = world.probing[flow->policy].interval_ms;

	for (unsigned int side = 0; side < 2; side++)
		if (flow->end[side].interval > interval)
			flow->end[side].interval = interval;
}

/* Somebody watched must have been silent for the idle time, but for the jitter's share. */
static inline void check_silence(const struct flow *flow)
{
	uint32_t idle = world.probing[flow->policy].idle_ms, silent = 0;

	for (unsigned int side = 0; side < 2; side++)
		if (flow->options & HF_WATCH_ORIGINATOR << side) {
			uint64_t passed = world.now - flow->end[side].heard;

			silent = passed > silent ? (uint32_t)passed : silent;
		}
	/* In a flow that asks, traffic that nobody asked for proves nothing. */
	if (!(flow->options & HF_ASK) && silent < idle - idle / world.options.jitter)
		blame(flow, 0, "sent to before the idle time");
}

static inline void ask(struct flow *flow, const struct hf_action *action)
{
	struct hf_flow_key key = key_of(flow);
	const struct hf_endpoint *from = &key.end[!action->target], *to = &key.end[action->target];
	struct hf_segment question;

	for (unsigned int i = 0; i < 4; i++) {
		if (action->kind == HF_SEND_HANDSHAKE)
			hf_segment_handshake(from, to, action->target == HF_RESPONDER, &question);
		else
			hf_segment_tickle(from, to, i, &question);
		if (chance(world.loss / 4)) { /* a lax box on the way */
			struct hf_segment reset = segment_from(flow, action->target);

			reset.has_timestamps = false;
			reset.flags = HF_RST;
			reset.seq = question.ack;
			see(flow, action->target, &reset);
		} else if (!chance(world.loss)) {
			arrive(flow, action->target, &question);
		}
		if (action->kind == HF_SEND_HANDSHAKE)
			break;
	}
}

static inline void probe(struct flow *flow, const struct hf_action *action)
{
	struct hf_flow_key key = key_of(flow);
	struct hf_numbers numbers;
	struct hf_segment segment;

	if (!hf_engine_numbers(world.engine, action->flow, action->target, &numbers)) {
		if (action->kind == HF_SEND_PROBE)
			blame(flow, action->target, "a probe without numbers");
		return;
	}
	hf_segment_probe(&key.end[!action->target], &key.end[action->target], &numbers,
			 action->garbage, &segment);
	if (!chance(world.loss))
		arrive(flow, action->target, &segment);
}

static inline void check_verdict(struct flow *flow, const struct hf_action *action)
{
	struct end *end = &flow->end[action->target];
	const struct hf_probing *probing = &world.probing[flow->policy];
	const struct hf_evidence *evidence = &action->evidence;

	assert_int_equal(action->event, HF_DEAD);
	if (evidence->unanswered > end->out)
		blame(flow, action->target, "given up for more than was sent");
	if (evidence->unanswered < (evidence->in_flight ? 3 : probing->count))
		blame(flow, action->target, "given up too soon");
	if (evidence->silent_ms < world.now - end->heard)
		blame(flow, action->target, "heard of what was not said");
	if (!evidence->in_flight && end->sent < world.jumped)
		blame(flow, action->target, "given up without a word since time jumped");
	if (!evidence->in_flight && hasty(flow, action->target))
		blame(flow, action->target, "given up before it could answer");
	if (!world.loss && end->fate == ALIVE)
		blame(flow, action->target, "given up, though it answers everything");
	world.verdicts++;
	world.false_alarms += end->fate == ALIVE;
	flow->over = true;
}

static inline struct flow *flow_of(hf_flow number)
{
	for (struct flow *flow = world.flow; flow < world.flow + FLOWS; flow++)
		if (flow->used && number_of(flow) == number)
			return flow;
	fail_msg("an action for flow %u, which is not there", number);
	return NULL;
}

static inline void act(const struct hf_action *action)
{
	struct flow *flow = flow_of(action->flow);

	if (!(flow->options & HF_WATCH_ORIGINATOR << action->target))
		blame(flow, action->target, "is not watched");
	if (action->kind == HF_VERDICT) {
		check_verdict(flow, action);
		return;
	}
	if (!flow->dialogue)
		check_silence(flow);
	flow->dialogue = true;
	check_pace(flow, action->target);
	probe(flow, action);
	if (action->kind != HF_SEND_PROBE)
		ask(flow, action);
}

/* Nobody is silent for longer than the bound without a word on it. */
static inline void check_bounds(void)
{
	for (struct flow *flow = world.flow; flow < world.flow + FLOWS; flow++) {
		const struct hf_probing *probing = &world.probing[flow->policy];
		uint64_t bound = hf_probing_bound(probing, sides_of(flow), world.options.tick_ms);

		if (!flow->used || flow->over)
			continue;
		for (unsigned int side = 0; side < 2; side++) {
			struct end *end = &flow->end[side];

			if (view_of(flow).in_flight)
				end->clean = world.now;
			if (flow->options & HF_WATCH_ORIGINATOR << side &&
			    world.now - end->heard > bound && world.now - end->clean > bound)
				blame(flow, side, "silent past the bound");
		}
	}
}

static inline void check(bool all)
{
	const char *broken = all ? hf_engine_check(world.engine) : NULL;

	if (broken)
		fail_msg("at %llu: %s", (unsigned long long)world.now, broken);
	for (struct flow *flow = world.flow; flow < world.flow + FLOWS; flow++)
		flow->dialogue = flow->used && view_of(flow).dialogue;
	if (world.punctual)
		check_bounds();
}

static inline void pull(void)
{
	struct hf_action action;

	while (hf_engine_next(world.engine, &action))
		act(&action);
}

#endif
