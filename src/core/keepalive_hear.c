/* SPDX-License-Identifier: BSD-2-Clause */
/* What a flow's segments, and those who know otherwise, tell of its ends: see keepalive.c. */
#include <core/keepalive.h>

/* How far off numbers may lie that nobody asked for: what fits a usual window, 16 MiB. */
#define REACH (UINT32_C(1) << 24)

#define RETRANSMISSION_GAP 100 /* ms of the sender's silence before one; else it is a duplicate */

enum worth {
	WORTHLESS, /* forged, old, or of another connection */
	TO_LEARN,  /* an answer whose numbers are news: they are to be confirmed */
	TO_TAKE,   /* the end lives, its numbers move on */
};

static bool near(uint32_t a, uint32_t b)
{
	return a - b + REACH <= 2 * REACH;
}

/* RFC 7323 5.3 R1: older than what was seen already? After long silence nobody can tell (R4). */
static bool outdated(const struct hf_end *end, const struct hf_segment *segment, uint32_t now)
{
	return segment->has_timestamps && hf_end_has(end, HF_END_TIMESTAMPS) &&
	       hf_seq_before(segment->tsval, end->tsval) && hf_end_silent(end, now) < HF_LONG_MS;
}

/* Nothing is known of the end: does it go with what the other one says, if that is known? */
static bool fits(const struct hf_end *other, const struct hf_segment *segment)
{
	return !hf_end_has(other, HF_END_KNOWN) ||
	       (near(segment->seq, other->expected) && near(segment->ack, other->next));
}

static bool plausible(const struct hf_end *end, const struct hf_segment *segment, uint32_t now)
{
	return near(segment->seq, end->next) && near(segment->ack, end->expected) &&
	       segment->payload <= REACH && !outdated(end, segment, now);
}

static bool ahead(uint32_t news, uint32_t known)
{
	return news - known <= REACH;
}

/*
 * The answer that was expected, or the end's own keepalive probe. Where data passes meanwhile one
 * of the numbers may have moved on: the other one is proof enough.
 */
static bool exact(const struct hf_end *end, const struct hf_segment *segment)
{
	if (segment->ack == end->expected)
		return ahead(segment->seq, end->next) || hf_segment_is_probe(segment, end->next);
	return segment->seq == end->next && ahead(segment->ack, end->expected);
}

static enum worth judge(const struct hf_keepalive *flow, enum hf_side side,
			const struct hf_segment *segment, uint32_t now)
{
	const struct hf_end *end = &flow->end[side];
	bool known = hf_end_has(end, HF_END_KNOWN), confirmed = hf_end_has(end, HF_END_CONFIRMED);
	bool awaited = hf_end_has(end, HF_END_AWAITED);

	if ((segment->flags & (HF_ACK | HF_SYN)) != HF_ACK)
		return WORTHLESS;
	if (confirmed ? plausible(end, segment, now) : awaited && known && exact(end, segment))
		return TO_TAKE;
	if (awaited)
		return TO_LEARN;
	if (confirmed || flow->mode & HF_ASK)
		return WORTHLESS;
	if (known ? plausible(end, segment, now) : fits(&flow->end[!side], segment))
		return TO_TAKE;
	return WORTHLESS;
}

/* What the segment says of the other end's clock: the newest TSval that this one has taken. */
static void take_echo(struct hf_end *other, const struct hf_segment *segment)
{
	if (hf_end_has(other, HF_END_CONFIRMED) && hf_end_has(other, HF_END_TIMESTAMPS))
		return;
	if (hf_end_has(other, HF_END_TIMESTAMPS) && hf_seq_before(segment->tsecr, other->tsval))
		return;
	other->tsval = segment->tsecr;
	other->flags |= HF_END_TIMESTAMPS;
}

/* The end was heard: nothing is out to it any more. */
static void settle(struct hf_end *end, uint32_t heard)
{
	end->heard = heard;
	end->unanswered = 0;
	end->flags &= ~(HF_END_AWAITED | HF_END_PROBED);
}

/*
 * Numbers to be confirmed. Whoever answers, be it in the end's name only, starts the count anew:
 * to be late with a verdict is the lesser evil.
 */
static void learn(struct hf_keepalive *flow, enum hf_side side, const struct hf_segment *segment,
		  uint32_t now)
{
	struct hf_end *end = &flow->end[side];

	end->expected = segment->ack;
	end->next = hf_segment_end(segment);
	end->window = segment->window;
	end->flags &= ~(HF_END_CONFIRMED | HF_END_TIMESTAMPS);
	end->flags |= HF_END_KNOWN;
	if (hf_end_has(end, HF_END_DEAD)) /* a late answer: is it so? */
		end->flags |= HF_END_PENDING;
	if (segment->has_timestamps) {
		end->tsval = segment->tsval;
		end->flags |= HF_END_TIMESTAMPS;
		take_echo(&flow->end[!side], segment);
	}
	settle(end, now);
}

/* The highest of both, where both are known. */
static void advance(uint32_t *known, uint32_t news)
{
	if (hf_seq_before(*known, news))
		*known = news;
}

static void take_numbers(struct hf_end *end, struct hf_end *other, const struct hf_segment *segment)
{
	if (!hf_end_has(end, HF_END_KNOWN)) {
		end->expected = segment->ack;
		end->next = segment->seq;
		end->window = segment->window;
	}
	if (!hf_seq_before(segment->ack, end->expected))
		end->window = segment->window;
	advance(&end->expected, segment->ack);
	advance(&end->next, hf_segment_end(segment));
	end->flags |= HF_END_KNOWN | HF_END_CONFIRMED;
	if (hf_end_has(other, HF_END_KNOWN)) { /* what one has received the other has sent */
		advance(&end->next, other->expected);
		advance(&other->next, end->expected);
	}
	if (segment->flags & HF_FIN)
		end->flags |= HF_END_FIN;
	if (!segment->has_timestamps)
		return;
	if (!hf_end_has(end, HF_END_TIMESTAMPS) || !hf_seq_before(segment->tsval, end->tsval))
		end->tsval = segment->tsval;
	end->flags |= HF_END_TIMESTAMPS;
	take_echo(other, segment);
}

static bool in_flight(const struct hf_keepalive *flow)
{
	return hf_keepalive_in_flight(flow, HF_ORIGINATOR) ||
	       hf_keepalive_in_flight(flow, HF_RESPONDER);
}

/* Both have sent their FIN, and both were acknowledged (RFC 9293 3.6). */
static bool closed_in_order(const struct hf_keepalive *flow)
{
	return hf_end_has(&flow->end[0], HF_END_FIN) && hf_end_has(&flow->end[1], HF_END_FIN) &&
	       !in_flight(flow);
}

/*
 * A try that the other end did not answer? Not if its numbers are uncertain: its ACK may have come
 * by, and was not believed.
 */
static bool is_retransmission(const struct hf_keepalive *flow, enum hf_side side,
			      const struct hf_segment *segment, uint32_t now)
{
	const struct hf_end *end = &flow->end[side];

	return (segment->payload || segment->flags & HF_FIN) && hf_keepalive_owes(flow, !side) &&
	       !hf_seq_before(end->next, hf_segment_end(segment)) &&
	       hf_end_silent(end, now) >= RETRANSMISSION_GAP;
}

static enum hf_event take(struct hf_keepalive *flow, enum hf_side side,
			  const struct hf_segment *segment, uint32_t now)
{
	struct hf_end *end = &flow->end[side], *other = &flow->end[!side];
	bool was_in_flight = in_flight(flow), dead = hf_end_has(end, HF_END_DEAD);
	bool awaited = hf_end_has(end, HF_END_AWAITED);

	if (is_retransmission(flow, side, segment, now))
		hf_end_unanswered(other);
	take_numbers(end, other, segment);
	end->flags &= ~(HF_END_DEAD | HF_END_PENDING);
	settle(end, now);
	if (!was_in_flight && in_flight(flow)) {
		flow->sent = now;
		flow->mode &= ~HF_MODE_TIMED;
	}
	if (closed_in_order(flow)) {
		flow->mode |= HF_MODE_CLOSED;
		return HF_CLOSED;
	}
	if (dead)
		return HF_REVIVED;
	return awaited ? HF_ALIVE : HF_NOTHING;
}

/*
 * A RST is believed if it is in sequence for the other end, going by what that one has
 * acknowledged; or if it answers a probe, by its ACK number. In a flow that asks, the first only
 * while it is in question: a peer that has forgotten the connection answers so to what the other
 * end has answered, be it asked already or not. Boxes on the way answer questions with the
 * questions' own numbers, 0 and 2^31: those prove nothing.
 */
static bool resets(const struct hf_keepalive *flow, enum hf_side side,
		   const struct hf_segment *segment)
{
	const struct hf_end *end = &flow->end[side], *other = &flow->end[!side];
	bool in_question = end->flags & (HF_END_AWAITED | HF_END_PENDING);

	if (hf_end_has(end, HF_END_DEAD) || !(segment->seq << 1))
		return false;
	if (hf_end_has(other, HF_END_KNOWN))
		return segment->seq == other->expected &&
		       (in_question ||
			(!(flow->mode & HF_ASK) && hf_end_has(other, HF_END_CONFIRMED)));
	return hf_end_has(end, HF_END_KNOWN | HF_END_AWAITED | HF_END_PROBED) &&
	       segment->seq == end->next;
}

static enum hf_event reset(struct hf_keepalive *flow, enum hf_side side,
			   const struct hf_segment *segment)
{
	if (!resets(flow, side, segment))
		return HF_NOTHING;
	for (unsigned int i = 0; i < 2; i++)
		flow->end[i].flags &= ~(HF_END_PENDING | HF_END_AWAITED | HF_END_PROBED);
	flow->end[side].flags |= HF_END_DEAD;
	return HF_RESET;
}

static struct hf_evidence evidence_of(const struct hf_keepalive *flow, enum hf_side side,
				      uint32_t now)
{
	const struct hf_end *end = &flow->end[side];
	bool timed = hf_end_has(end, HF_END_AWAITED) && end->unanswered == 1 &&
		     flow->mode & HF_MODE_TIMED &&
		     !!(flow->mode & HF_MODE_TURN) == (side == HF_RESPONDER);

	return (struct hf_evidence){
		.silent_ms = hf_end_silent(end, now),
		.rtt_ms = timed ? now - flow->sent : UINT32_MAX,
		.unanswered = end->unanswered,
		.in_flight = hf_keepalive_owes(flow, side),
	};
}

enum hf_event hf_keepalive_segment(struct hf_keepalive *flow, enum hf_side side,
				   const struct hf_segment *segment, uint32_t now,
				   struct hf_evidence *out)
{
	const struct hf_keepalive before = *flow;
	enum hf_event event = HF_NOTHING;
	enum worth worth;

	if (flow->mode & HF_MODE_CLOSED)
		return HF_NOTHING;
	if (segment->flags & HF_RST) {
		event = reset(flow, side, segment);
	} else {
		worth = judge(flow, side, segment, now);
		if (worth == TO_LEARN)
			learn(flow, side, segment, now);
		else if (worth == TO_TAKE)
			event = take(flow, side, segment, now);
	}
	if (event != HF_NOTHING)
		*out = evidence_of(&before, side, now);
	return event;
}

bool hf_keepalive_heard(struct hf_keepalive *flow, uint32_t now, uint32_t idle_ms)
{
	bool revived = false;

	if (flow->mode & HF_MODE_CLOSED)
		return false;
	for (unsigned int side = 0; side < 2; side++) {
		struct hf_end *end = &flow->end[side];

		if (hf_end_silent(end, now) < idle_ms)
			continue;
		revived |= hf_end_has(end, HF_END_DEAD);
		settle(end, now - idle_ms);
		end->flags &= HF_END_FIN;
	}
	return revived;
}

void hf_keepalive_learn(struct hf_keepalive *flow, enum hf_side target,
			const struct hf_numbers *numbers)
{
	struct hf_end *end = &flow->end[target], *other = &flow->end[!target];
	bool known = hf_end_has(end, HF_END_KNOWN), other_known = hf_end_has(other, HF_END_KNOWN);

	/* What was seen sent beyond that is still in flight. */
	if (!known || !near(end->next, numbers->next))
		end->next = numbers->next;
	if (!other_known || !near(other->next, numbers->expected))
		other->next = numbers->expected;
	end->expected = numbers->expected;
	other->expected = numbers->next;
	advance(&end->next, numbers->next);
	advance(&other->next, numbers->expected);
	if (!known)
		end->window = UINT16_MAX;
	other->window = numbers->window;
	end->tsval = numbers->tsecr;
	other->tsval = numbers->tsval;
	for (unsigned int side = 0; side < 2; side++) {
		flow->end[side].flags &= ~HF_END_TIMESTAMPS;
		flow->end[side].flags |= HF_END_KNOWN | HF_END_CONFIRMED;
		if (numbers->has_timestamps)
			flow->end[side].flags |= HF_END_TIMESTAMPS;
	}
}

bool hf_keepalive_numbers(const struct hf_keepalive *flow, enum hf_side target,
			  struct hf_numbers *out)
{
	const struct hf_end *end = &flow->end[target], *other = &flow->end[!target];
	bool known = hf_end_has(other, HF_END_KNOWN);

	if (!hf_end_has(end, HF_END_KNOWN))
		return false;
	*out = (struct hf_numbers){
		.expected = end->expected,
		.next = known ? other->expected : end->next,
		.tsval = other->tsval,
		.tsecr = end->tsval,
		.window = known ? other->window : UINT16_MAX,
		.has_timestamps = hf_end_has(end, HF_END_TIMESTAMPS) &&
				  hf_end_has(other, HF_END_TIMESTAMPS),
	};
	return true;
}
