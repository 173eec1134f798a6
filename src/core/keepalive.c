/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of one flow.
 *
 * Theory of operation. Each end of a flow is known by what it sends: that it does (heard), how
 * far it has received (expected, its highest ACK number), how far it has sent (next). All else
 * follows: the flow is silent if a watched end is, busy if one end has sent what the other has
 * not acknowledged, and a probe toward an end is an ACK at expected - 1. What an end has sent is
 * never taken for what the other has received: were it lost, a probe made of that would lie
 * inside the window, and be swallowed or, worse, taken for data.
 *
 * When a watched end has been silent for the idle time, a dialogue begins: all watched ends are
 * in question (pending), and are sent to in turns, A B A B at half an interval each, until each
 * has answered. An end that has not after `count` segments and a full interval is dead; the
 * dialogue goes on for the other one, then the flow is over. An end that answered joins again
 * when it has been silent for the idle time anew, and takes its turn without putting off the
 * other one's.
 *
 *   state     what is going on                 left by
 *   --------  -------------------------------  ------------------------------------------------
 *   IDLE      nothing was silent for long      idle time passed -> DIALOGUE
 *                                              data sent by one end, not yet acked -> BUSY
 *                                              both FINs acknowledged -> CLOSED
 *                                              RST in sequence -> OVER
 *   DIALOGUE  pending ends are sent to         all pending ends heard -> IDLE, or OVER if the
 *                                                other one is dead
 *                                              count unanswered, interval passed -> verdict
 *                                              RST that answers a probe -> OVER
 *   BUSY      data is in flight, its sender    acknowledged -> IDLE
 *             was heard within the idle time   sender silent for the idle time -> DIALOGUE
 *             and nothing is sent by us        silence past in_flight_ms, at least three
 *                                                retransmissions unanswered -> verdict, OVER
 *   OVER      an end is dead, nobody pending   that end heard -> IDLE (HF_REVIVED)
 *   CLOSED    both ends closed in order        nothing
 *
 * None of them is stored: they follow from the flags of the ends.
 *
 * What an end's numbers are worth:
 *
 *   unknown    nothing heard of it, or traffic passed unseen since: it is asked
 *   known      learned from an answer, or, in a flow that asks, confirmed before this dialogue: it
 *              is probed. The exact same numbers in return, one of which data may have moved on,
 *              prove it alive and confirm them; others are learned anew. No answer: traffic may
 *              have passed unseen after all, and it is asked and probed from then on
 *   confirmed  seen in its traffic: it is probed. Whatever lies within REACH of them moves them
 *              on and proves it alive; what does not is ignored or, if an answer is awaited,
 *              learned, so that numbers gone wrong come right by themselves
 *
 * A quiet flow that asks costs two probes and their answers in each dialogue but the first.
 *
 * So nobody who merely guesses changes anything but by guessing sequence and ACK number as
 * closely as the endpoint itself demands (RFC 5961 5), while a dialogue is going on apart; and
 * then the true end's answers put it right again. An end that is asked cannot be told from who
 * forges ACKs in its name: one of them for each try, no more, starts the count anew, so that a
 * verdict may be put off to hf_probing_bound after the last one, but is never brought about by them.
 * RST counts only with the very sequence number that is expected next (RFC 5961 3.2).
 *
 * Data in flight. Retransmissions are counted as what is unanswered; nothing is sent. Silence
 * alone is no death here: an end with a closed window answers window probes and lives. A first
 * write into a silence already begun leaves the end a third of in_flight_ms to answer.
 *
 * Time stamps are 32 bits wide. The owner calls hf_keepalive_expire often enough (its ring of
 * timers, and then what it may be late) that none gets older than 2^31 ms in between: there all
 * older than HF_LONG_MS are held at that age.
 */
#include <core/keepalive.h>

#include <assert.h>
#include <string.h>

#define RETRANSMISSIONS_MIN 3 /* unanswered, before data in flight is a death */

static_assert(sizeof(struct hf_end) == 20, "two ends and the rest of a flow in 48 bytes");
static_assert(sizeof(struct hf_keepalive) == 48, "two ends and the rest of a flow in 48 bytes");

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What is left of a period that began at a time stamp. */
static uint32_t left(uint32_t since, uint32_t period, uint32_t now)
{
	uint32_t passed = now - since;

	return passed < period ? period - passed : 0;
}

static bool watched(const struct hf_keepalive *flow, unsigned int side)
{
	return flow->mode & (HF_WATCH_ORIGINATOR << side);
}

static unsigned int turn(const struct hf_keepalive *flow)
{
	return flow->mode & HF_MODE_TURN ? HF_RESPONDER : HF_ORIGINATOR;
}

bool hf_keepalive_in_flight(const struct hf_keepalive *flow, enum hf_side to)
{
	const struct hf_end *target = &flow->end[to], *sender = &flow->end[!to];

	return hf_end_has(target, HF_END_KNOWN) && hf_end_has(sender, HF_END_KNOWN) &&
	       hf_seq_before(target->expected, sender->next);
}

/* Of an end whose numbers are not certain nobody knows: its ACKs may not have been believed. */
bool hf_keepalive_owes(const struct hf_keepalive *flow, enum hf_side from)
{
	return hf_keepalive_in_flight(flow, from) && hf_end_has(&flow->end[from], HF_END_CONFIRMED);
}

/* An ACK is owed to one who is about: a TCP in silence has nothing to retransmit. */
static bool busy(const struct hf_keepalive *flow, const struct hf_probing *probing, uint32_t now)
{
	for (unsigned int to = 0; to < 2; to++)
		if (hf_keepalive_owes(flow, to) &&
		    hf_end_silent(&flow->end[!to], now) < probing->idle_ms)
			return true;
	return false;
}

enum hf_state hf_keepalive_state(const struct hf_keepalive *flow, const struct hf_probing *probing,
				 uint32_t now)
{
	if (flow->mode & HF_MODE_CLOSED)
		return HF_STATE_CLOSED;
	if (hf_keepalive_over(flow))
		return HF_STATE_OVER;
	if (busy(flow, probing, now))
		return HF_STATE_BUSY;
	return hf_keepalive_pending(flow) ? HF_STATE_DIALOGUE : HF_STATE_IDLE;
}

void hf_keepalive_init(struct hf_keepalive *flow, unsigned int options, uint32_t now,
		       uint32_t idle_ms)
{
	uint32_t heard = now - smaller(idle_ms, HF_LONG_MS);

	memset(flow->end, 0, sizeof(flow->end));
	flow->end[0].heard = flow->end[1].heard = heard;
	flow->sent = now - HF_LONG_MS;
	flow->mode = (uint8_t)(options & HF_MODE_OPTIONS) | HF_MODE_TURN;
}

/* Idle time, shortened a little, differently for each flow and each silence. */
static uint32_t idle_left(const struct hf_end *end, const struct hf_probing *probing,
			  const struct hf_moment *moment)
{
	uint32_t idle = probing->idle_ms, part = moment->jitter ? idle / moment->jitter : 0;
	uint32_t random = (moment->random ^ end->heard) * UINT32_C(0x9e3779b1);

	return left(end->heard, idle - (uint32_t)((uint64_t)part * random >> 32), moment->now);
}

/* Who is next: the one that was not sent to last, if both are candidates. */
static unsigned int next_in_turn(const struct hf_keepalive *flow, bool first, bool second)
{
	if (first && second)
		return flow->mode & HF_MODE_LATE ? turn(flow) : !turn(flow);
	return second;
}

static unsigned int next_pending(const struct hf_keepalive *flow)
{
	return next_in_turn(flow, hf_end_has(&flow->end[0], HF_END_PENDING),
			    hf_end_has(&flow->end[1], HF_END_PENDING));
}

/*
 * Until target may be sent to. The owner's timers round up to a tick and may be told late by
 * one: what is waited here is rounded down by so much, up to a quarter of it, that a delay does
 * not put off what follows, and that what was sent in time is not followed too soon.
 */
static uint32_t turn_left(const struct hf_keepalive *flow, const struct hf_probing *probing,
			  const struct hf_moment *moment, unsigned int target)
{
	uint32_t interval = probing->interval_ms;
	uint32_t step = target == turn(flow) ? interval : interval - interval / 2;

	return left(flow->sent, step - smaller((step - 1) % moment->tick, step / 4), moment->now);
}

/* Until the silence of that end, data toward it being in flight, is a death. */
static uint32_t in_flight_left(const struct hf_keepalive *flow, const struct hf_probing *probing,
			       const struct hf_moment *moment, unsigned int to)
{
	uint32_t grace = larger(left(flow->sent, probing->in_flight_ms / 3, moment->now),
				left(moment->jumped, probing->in_flight_ms / 3, moment->now));

	return larger(left(flow->end[to].heard, probing->in_flight_ms, moment->now), grace);
}

/* Acknowledged data makes it IDLE: never wait for longer than idle from there would. */
static uint32_t busy_wait(const struct hf_keepalive *flow, const struct hf_probing *probing,
			  const struct hf_moment *moment)
{
	uint32_t wait = probing->idle_ms;

	for (unsigned int to = 0; to < 2; to++) {
		uint32_t death = in_flight_left(flow, probing, moment, to);

		if (!hf_keepalive_owes(flow, to))
			continue;
		wait = smaller(wait, left(flow->end[!to].heard, probing->idle_ms, moment->now));
		if (watched(flow, to) && !hf_end_has(&flow->end[to], HF_END_DEAD))
			wait = smaller(wait, death ? death : probing->interval_ms);
	}
	return wait;
}

/* Pending ends have their turn, others may become so. */
static uint32_t dialogue_wait(const struct hf_keepalive *flow, const struct hf_probing *probing,
			      const struct hf_moment *moment)
{
	uint32_t wait = turn_left(flow, probing, moment, next_pending(flow));

	for (unsigned int side = 0; side < 2; side++)
		if (watched(flow, side) &&
		    !(flow->end[side].flags & (HF_END_PENDING | HF_END_DEAD)))
			wait = smaller(wait, idle_left(&flow->end[side], probing, moment));
	return wait;
}

/* Until a dialogue begins. */
static uint32_t silence_left(const struct hf_keepalive *flow, const struct hf_probing *probing,
			     const struct hf_moment *moment)
{
	unsigned int target = next_in_turn(flow, watched(flow, 0), watched(flow, 1));
	uint32_t idle = HF_LONG_MS;

	for (unsigned int side = 0; side < 2; side++)
		if (watched(flow, side))
			idle = smaller(idle, idle_left(&flow->end[side], probing, moment));
	return larger(idle, turn_left(flow, probing, moment, target));
}

/* Should data come in flight meanwhile, its end is not to be missed. */
static uint32_t idle_wait(const struct hf_keepalive *flow, const struct hf_probing *probing,
			  const struct hf_moment *moment)
{
	uint32_t in_flight = HF_LONG_MS;

	for (unsigned int side = 0; side < 2; side++)
		if (watched(flow, side))
			in_flight = smaller(in_flight, left(flow->end[side].heard,
							    probing->in_flight_ms, moment->now));
	in_flight = larger(in_flight, probing->in_flight_ms / 3);
	return smaller(silence_left(flow, probing, moment), in_flight);
}

uint32_t hf_keepalive_wait(const struct hf_keepalive *flow, const struct hf_probing *probing,
			   const struct hf_moment *moment)
{
	if (hf_keepalive_over(flow))
		return HF_LONG_MS;
	if (busy(flow, probing, moment->now))
		return busy_wait(flow, probing, moment);
	if (hf_keepalive_pending(flow))
		return dialogue_wait(flow, probing, moment);
	return idle_wait(flow, probing, moment);
}

static void hold(uint32_t *stamp, uint32_t now)
{
	if (now - *stamp > HF_LONG_MS)
		*stamp = now - HF_LONG_MS;
}

void hf_keepalive_hold(struct hf_keepalive *flow, uint32_t now)
{
	hold(&flow->end[0].heard, now);
	hold(&flow->end[1].heard, now);
	hold(&flow->sent, now);
}

static bool give_up(struct hf_keepalive *flow, unsigned int target, uint32_t now,
		    struct hf_action *out)
{
	struct hf_end *end = &flow->end[target];

	*out = (struct hf_action){
		.kind = HF_VERDICT,
		.target = (uint8_t)target,
		.event = HF_DEAD,
		.evidence = { .silent_ms = hf_end_silent(end, now),
			      .rtt_ms = UINT32_MAX,
			      .unanswered = end->unanswered,
			      .in_flight = hf_keepalive_owes(flow, target) },
	};
	end->flags = (end->flags & ~HF_END_PENDING) | HF_END_DEAD;
	return true;
}

static bool give_up_in_flight(struct hf_keepalive *flow, const struct hf_probing *probing,
			      const struct hf_moment *moment, struct hf_action *out)
{
	for (unsigned int to = 0; to < 2; to++)
		if (watched(flow, to) && !hf_end_has(&flow->end[to], HF_END_DEAD) &&
		    hf_keepalive_owes(flow, to) &&
		    flow->end[to].unanswered >= RETRANSMISSIONS_MIN &&
		    !in_flight_left(flow, probing, moment, to))
			return give_up(flow, to, moment->now, out);
	return false;
}

static void begin_or_join(struct hf_keepalive *flow, const struct hf_probing *probing,
			  const struct hf_moment *moment)
{
	bool begins = !hf_keepalive_pending(flow);

	if (begins && silence_left(flow, probing, moment))
		return;
	for (unsigned int side = 0; side < 2; side++) {
		struct hf_end *end = &flow->end[side];
		bool joins = watched(flow, side) &&
			     !(end->flags & (HF_END_PENDING | HF_END_DEAD)) &&
			     (begins || !idle_left(end, probing, moment));

		if (flow->mode & HF_ASK && (begins || joins))
			end->flags &= ~HF_END_CONFIRMED;
		if (!joins)
			continue;
		end->flags |= HF_END_PENDING;
		end->unanswered = 0;
		/* Whoever comes after half an interval would put the other one's turn off. */
		if (!begins && turn(flow) != side && !turn_left(flow, probing, moment, side))
			flow->mode |= HF_MODE_LATE;
	}
}

/*
 * Was the last word to target spoken before time jumped? Whatever answered it may lie unread in
 * the owner's socket, or was lost while the machine slept. The other end's turn is half an
 * interval after this one's, at least.
 */
static bool spoken_before_jump(const struct hf_keepalive *flow, const struct hf_probing *probing,
			       const struct hf_moment *moment, unsigned int target)
{
	uint32_t ago = moment->now - flow->sent;

	if (target != turn(flow))
		ago += probing->interval_ms / 2;
	return !(flow->mode & HF_MODE_TIMED) || ago > moment->now - moment->jumped;
}

/*
 * Harmless questions come first. Numbers that are not confirmed, and got no answer, are doubted:
 * traffic may have passed unseen since, and an old TSval is answered by nothing (RFC 7323 5). Then
 * it is asked and probed at once: one of both is answered if anybody is there.
 */
static enum hf_action_kind kind_of(const struct hf_end *end)
{
	bool known = hf_end_has(end, HF_END_KNOWN);

	if (known && (hf_end_has(end, HF_END_CONFIRMED) || !end->unanswered))
		return HF_SEND_PROBE;
	return (end->unanswered + known) % 2 ? HF_SEND_HANDSHAKE : HF_SEND_TICKLES;
}

static bool send_next(struct hf_keepalive *flow, const struct hf_probing *probing,
		      const struct hf_moment *moment, unsigned int target, struct hf_action *out)
{
	struct hf_end *end = &flow->end[target];

	*out = (struct hf_action){
		.kind = (uint8_t)kind_of(end),
		.target = (uint8_t)target,
		.evidence = { .silent_ms = hf_end_silent(end, moment->now),
			      .rtt_ms = UINT32_MAX,
			      .unanswered = end->unanswered },
	};
	/* An octet, should the numbers be wrong, would be taken for data: only with certain ones. */
	out->garbage = out->kind == HF_SEND_PROBE && probing->garbage_last &&
		       hf_end_has(end, HF_END_CONFIRMED) && end->unanswered + 1 >= probing->count;
	hf_end_unanswered(end);
	end->flags |= HF_END_AWAITED;
	end->flags &= ~HF_END_PROBED;
	if (hf_end_has(end, HF_END_KNOWN))
		end->flags |= HF_END_PROBED;
	flow->sent = moment->now;
	flow->mode = (flow->mode & ~(HF_MODE_TURN | HF_MODE_LATE)) | HF_MODE_TIMED |
		     (target == HF_RESPONDER ? HF_MODE_TURN : 0);
	return true;
}

bool hf_keepalive_expire(struct hf_keepalive *flow, const struct hf_probing *probing,
			 const struct hf_moment *moment, struct hf_action *out)
{
	struct hf_end *end;
	unsigned int target;

	hf_keepalive_hold(flow, moment->now);
	if (hf_keepalive_over(flow))
		return false;
	if (busy(flow, probing, moment->now))
		return give_up_in_flight(flow, probing, moment, out);
	begin_or_join(flow, probing, moment);
	target = next_pending(flow);
	if (!hf_keepalive_pending(flow) || turn_left(flow, probing, moment, target))
		return false;
	end = &flow->end[target];
	if (end->unanswered < probing->count || spoken_before_jump(flow, probing, moment, target))
		return send_next(flow, probing, moment, target, out);
	if (!hf_end_has(end, HF_END_DEAD))
		return give_up(flow, target, moment->now, out);
	end->flags &= ~HF_END_PENDING; /* that was told already */
	return false;
}
