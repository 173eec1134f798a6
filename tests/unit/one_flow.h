/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One flow for the tests of keepalive.c: what it hears, and what is expected of it when.
 *
 * Time begins shortly before 2^32 and counts from there; the originator has sent up to 1000, the
 * responder up to 5000.
 */
#ifndef HF_TESTS_ONE_FLOW_H
#define HF_TESTS_ONE_FLOW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <core/keepalive.h>

#define START (UINT32_MAX - 1500)
#define NEVER (UINT32_C(1) << 29)
#define A HF_ORIGINATOR
#define B HF_RESPONDER

static const struct hf_probing linux_324 = {
	.idle_ms = 3000,
	.interval_ms = 2000,
	.in_flight_ms = 9000,
	.count = 4,
};

static struct hf_keepalive flow;
static struct hf_probing probing;
static uint32_t now, jumped; /* ms since START */
static struct hf_evidence evidence;

static inline struct hf_moment moment(void)
{
	return (struct hf_moment){ .now = START + now,
				   .jumped = jumped ? START + jumped : START + now - HF_LONG_MS,
				   .tick = 1 };
}

static inline void begin(unsigned int options, const struct hf_probing *with)
{
	now = jumped = 0;
	probing = *with;
	hf_keepalive_init(&flow, options, START, 0);
}

static inline struct hf_segment segment(uint32_t seq, uint32_t ack, uint32_t payload)
{
	return (struct hf_segment){
		.seq = seq, .ack = ack, .payload = payload, .flags = HF_ACK, .window = 500
	};
}

static inline enum hf_event hear(enum hf_side side, struct hf_segment heard)
{
	memset(&evidence, 0xff, sizeof(evidence));
	return hf_keepalive_segment(&flow, side, &heard, START + now, &evidence);
}

static inline enum hf_event hear_numbers(enum hf_side side, uint32_t seq, uint32_t ack)
{
	return hear(side, segment(seq, ack, 0));
}

/* The bare ACK with which an end answers. */
static inline enum hf_event answer(enum hf_side side)
{
	return side == A ? hear_numbers(A, 1000, 5000) : hear_numbers(B, 5000, 1000);
}

static inline enum hf_event reset(enum hf_side side, uint32_t seq)
{
	struct hf_segment heard = segment(seq, 0, 0);

	heard.flags = HF_RST;
	return hear(side, heard);
}

static inline enum hf_event fin(enum hf_side side, uint32_t seq, uint32_t ack)
{
	struct hf_segment heard = segment(seq, ack, 0);

	heard.flags = HF_ACK | HF_FIN;
	return hear(side, heard);
}

/* A flow whose traffic is seen, both ends heard now. */
static inline void establish(unsigned int options, const struct hf_probing *with)
{
	begin(options, with);
	assert_int_equal(answer(A), HF_NOTHING);
	assert_int_equal(answer(B), HF_NOTHING);
}

static inline enum hf_state state(void)
{
	return hf_keepalive_state(&flow, &probing, START + now);
}

/* Time goes on until something is to be done; false if that is after `until`. */
static inline bool next(uint32_t until, struct hf_action *out)
{
	for (;;) {
		struct hf_moment then = moment();
		uint32_t wait = hf_keepalive_wait(&flow, &probing, &then);

		if (now + wait > until) {
			now = until;
			return false;
		}
		now += wait;
		then = moment();
		if (hf_keepalive_expire(&flow, &probing, &then, out))
			return true;
		now += !wait; /* nothing came of it: it must not be asked for again at once */
	}
}

static inline void quiet(uint32_t until)
{
	struct hf_action action;

	if (next(until, &action))
		fail_msg("at %u: action %u toward %u", now, action.kind, action.target);
}

static inline struct hf_action expect(uint32_t at, enum hf_action_kind kind, enum hf_side target)
{
	struct hf_action action = { 0 };

	if (!next(at + 100000, &action) || now != at || action.kind != kind ||
	    action.target != target)
		fail_msg("at %u: action %u toward %u, not at %u: %u toward %u", now, action.kind,
			 action.target, at, kind, target);
	return action;
}

static inline void expect_probe(uint32_t at, enum hf_side target)
{
	struct hf_action action = expect(at, HF_SEND_PROBE, target);

	assert_false(action.garbage);
}

static inline void expect_dead(uint32_t at, enum hf_side target, unsigned int unanswered)
{
	struct hf_action action = expect(at, HF_VERDICT, target);

	assert_int_equal(action.event, HF_DEAD);
	assert_int_equal(action.evidence.unanswered, unanswered);
}

static inline struct hf_segment stamped(uint32_t seq, uint32_t ack, uint32_t tsval, uint32_t tsecr)
{
	struct hf_segment heard = segment(seq, ack, 0);

	heard.has_timestamps = true;
	heard.tsval = tsval;
	heard.tsecr = tsecr;
	return heard;
}

#endif
