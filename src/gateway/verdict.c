/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from a verdict.
 *
 * The engine gives up one end at a time. What is done hangs on the other one, so while that is in
 * question, too, the verdict waits: for its answer (a survivor, to be told) or for its own verdict
 * (nobody is left, the entry goes). Either comes within a cycle or so.
 *
 *	silent	  other end	observe	    free	 reset
 *	--------  ------------  ----------  -----------  ------------------------------------
 *	one	  answers	told        entry freed  RST to the other end, a challenge is
 *							 answered once, then entry freed
 *	both	  -		told        entry freed  entry freed
 *	RST seen  -		told (doubt.c); it has passed on by itself, and closed the entry
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/private.h"

#define CHALLENGE_MS 1500 /* a challenge ACK comes within a round trip, or not */
#define FIRST_RESETS 64	  /* room doubles, and so remains a power of two */

static const char *const reset_texts[] = {
	[HF_ORIGINATOR] = "originator reset, entry freed",
	[HF_RESPONDER] = "responder reset, entry freed",
};

/* --- Resets that wait for a challenge --- */

static struct hf_reset *reset_nth(const struct hf_gateway *gateway, size_t n)
{
	return &gateway->resets[(gateway->reset_at + n) & (gateway->reset_room - 1)];
}

static bool make_room(struct hf_gateway *gateway)
{
	size_t room = gateway->reset_room ? gateway->reset_room * 2 : FIRST_RESETS;
	struct hf_reset *resets;

	if (gateway->reset_count < gateway->reset_room)
		return true;
	resets = calloc(room, sizeof(*resets));
	if (!resets)
		return false;
	for (size_t i = 0; i < gateway->reset_count; i++)
		resets[i] = *reset_nth(gateway, i);
	free(gateway->resets);
	gateway->resets = resets;
	gateway->reset_room = room;
	gateway->reset_at = 0;
	return true;
}

static void free_entry(struct hf_gateway *gateway, hf_flow flow)
{
	struct hf_flow_view view;

	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	if (!hf_conntrack_delete(gateway->conntrack, view.key.end,
				 hf_flows_at(gateway->flows, flow)->id))
		gateway->freed++;
	hf_flows_retire(gateway->flows, flow);
}

/* false: its numbers are not known, or there is no memory; then nothing was sent. */
static bool reset(struct hf_gateway *gateway, hf_flow flow, enum hf_side target)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, flow);
	static const struct hf_endpoint nowhere;
	struct hf_numbers numbers;
	struct hf_segment segment;

	if (!hf_engine_numbers(hf_flows_engine(gateway->flows), flow, target, &numbers) ||
	    !make_room(gateway))
		return false;
	hf_segment_reset(&nowhere, &nowhere, &numbers, &segment);
	hf_gateway_send(gateway, flow, target, &segment);
	gateway->reset++;
	crossing->flags |= HF_CROSSING_ENDING;
	*reset_nth(gateway, gateway->reset_count++) =
		(struct hf_reset){ .flow = flow,
				   .id = crossing->id,
				   .until_ms = gateway->now_ms + CHALLENGE_MS,
				   .target = (uint8_t)target };
	return true;
}

static bool reset_stands(const struct hf_gateway *gateway, const struct hf_reset *reset)
{
	return hf_engine_exists(hf_flows_engine(gateway->flows), reset->flow) &&
	       hf_flows_at(gateway->flows, reset->flow)->id == reset->id;
}

void hf_verdict_tick(struct hf_gateway *gateway)
{
	while (gateway->reset_count && reset_nth(gateway, 0)->until_ms <= gateway->now_ms) {
		const struct hf_reset *oldest = reset_nth(gateway, 0);

		if (reset_stands(gateway, oldest))
			free_entry(gateway, oldest->flow);
		gateway->reset_at = (gateway->reset_at + 1) & (gateway->reset_room - 1);
		gateway->reset_count--;
	}
}

/* RFC 5961 3.2: a RST that misses the exact number is answered with it, and is to be repeated. */
static void answer_challenge(struct hf_gateway *gateway, hf_flow flow, enum hf_side side,
			     const struct hf_segment *challenge)
{
	for (size_t i = 0; i < gateway->reset_count; i++) {
		struct hf_reset *reset = reset_nth(gateway, i);
		struct hf_segment segment = { .seq = challenge->ack,
					      .ack = hf_segment_end(challenge),
					      .flags = HF_RST | HF_ACK };

		if (reset->flow != flow || reset->target != side || reset->repeated ||
		    !reset_stands(gateway, reset))
			continue;
		reset->repeated = true;
		hf_gateway_send(gateway, flow, side, &segment);
	}
}

/* --- Verdicts --- */

static void report(struct hf_gateway *gateway, hf_flow flow, enum hf_gateway_event event,
		   bool first, bool second, const struct hf_evidence *evidence, const char *action)
{
	struct hf_flow_view view;
	struct hf_gateway_news news = { .event = event,
					.key = &view.key,
					.gone = { first, second },
					.evidence = *evidence,
					.action = action };
	uint32_t known = (uint32_t)gateway->now_ms - hf_flows_at(gateway->flows, flow)->added_ms;

	if (news.evidence.silent_ms > known)
		news.evidence.silent_ms = known;
	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	hf_gateway_tell(gateway, &news);
}

/* What becomes of the flow; NULL = nothing. It may be gone afterwards. */
static const char *measure(struct hf_gateway *gateway, hf_flow flow, enum hf_side dead, bool both)
{
	enum hf_on_dead on_dead = gateway->options.on_dead;

	if (on_dead == HF_ON_DEAD_OBSERVE)
		return NULL;
	if (on_dead == HF_ON_DEAD_RESET && !both && reset(gateway, flow, !dead))
		return reset_texts[!dead];
	return "entry freed";
}

static void brake(struct hf_gateway *gateway)
{
	static const struct hf_gateway_news news = {
		.event = HF_GATEWAY_BRAKED,
		.action = "so many deaths at once are an outage: measures pause",
	};

	hf_gateway_tell(gateway, &news);
}

/* Evidence of an end that was given up, as it is known now. */
static struct hf_evidence evidence_of(const struct hf_flow_view *view, enum hf_side side)
{
	return (struct hf_evidence){ .silent_ms = view->silent_ms[side],
				     .rtt_ms = UINT32_MAX,
				     .unanswered = view->unanswered[side],
				     .in_flight = view->in_flight };
}

static void decide(struct hf_gateway *gateway, hf_flow flow, enum hf_side dead, bool both)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, flow);
	uint16_t told = HF_CROSSING_TOLD(dead) | (both ? HF_CROSSING_TOLD(!dead) : 0);
	bool first = !(crossing->flags & (HF_CROSSING_TOLD_0 | HF_CROSSING_TOLD_1));
	bool gone[2] = { both || dead == HF_ORIGINATOR, both || dead == HF_RESPONDER };
	const char *action = NULL;
	struct hf_evidence evidence;
	struct hf_flow_view view;
	bool acts = gateway->options.on_dead != HF_ON_DEAD_OBSERVE;

	crossing->flags =
		(uint16_t)((crossing->flags & ~(HF_CROSSING_LATER_0 | HF_CROSSING_LATER_1)) | told);
	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	evidence = evidence_of(&view, dead);
	if (acts && first && hf_brake_death(&gateway->brake, gateway->now_ms))
		brake(gateway);
	if (acts && hf_brake_holds(&gateway->brake, gateway->now_ms)) {
		action = "braked: nothing done";
		hf_engine_heard(hf_flows_engine(gateway->flows), flow, 0); /* asked again later */
	} else {
		action = measure(gateway, flow, dead, both);
		acts = action;
	}
	if (first || (acts && !hf_brake_holds(&gateway->brake, gateway->now_ms)))
		report(gateway, flow, first ? HF_GATEWAY_DEAD : HF_GATEWAY_FREED, gone[0], gone[1],
		       &evidence, action);
	if (acts && !(hf_flows_at(gateway->flows, flow)->flags & HF_CROSSING_ENDING) &&
	    !hf_brake_holds(&gateway->brake, gateway->now_ms))
		free_entry(gateway, flow);
}

void hf_verdict_given(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, action->flow);
	enum hf_side dead = action->target;
	struct hf_flow_view view;

	hf_engine_look(hf_flows_engine(gateway->flows), action->flow, &view);
	if (view.dead[!dead])
		decide(gateway, action->flow, dead, true);
	else if (view.dialogue)
		crossing->flags |= HF_CROSSING_LATER(dead);
	else
		decide(gateway, action->flow, dead, false);
}

static void forget_death(struct hf_gateway *gateway, const struct hf_heard *heard)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, heard->flow);
	bool told = crossing->flags & HF_CROSSING_TOLD(heard->side);

	crossing->flags &=
		(uint16_t) ~(HF_CROSSING_TOLD(heard->side) | HF_CROSSING_LATER(heard->side));
	if (!told)
		return;
	hf_brake_revival(&gateway->brake, gateway->now_ms);
	report(gateway, heard->flow, HF_GATEWAY_REVIVED, heard->side == HF_ORIGINATOR,
	       heard->side == HF_RESPONDER, &heard->evidence, NULL);
}

static void heard_reset(struct hf_gateway *gateway, const struct hf_heard *heard)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, heard->flow);
	bool told = crossing->flags & (HF_CROSSING_TOLD_0 | HF_CROSSING_TOLD_1);

	crossing->flags &= (uint16_t) ~(HF_CROSSING_LATER_0 | HF_CROSSING_LATER_1);
	hf_doubt_add(gateway, heard, told);
}

/* Has that end alone answered in this dialogue? Then it was heard just now, the other one not. */
static bool answered(const struct hf_flow_view *view, enum hf_side side)
{
	return view->learned[side] && !view->unanswered[side] &&
	       view->silent_ms[side] < view->silent_ms[!side] / 4;
}

/* Dead is who has not answered, or nobody knows who. */
void hf_verdict_closed(void *arg, hf_flow flow)
{
	struct hf_gateway *gateway = arg;
	struct hf_evidence evidence;
	struct hf_flow_view view;
	bool first, second;

	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	first = !answered(&view, HF_ORIGINATOR);
	second = !answered(&view, HF_RESPONDER);
	evidence = evidence_of(&view, first ? HF_ORIGINATOR : HF_RESPONDER);
	report(gateway, flow, HF_GATEWAY_RESET, first, second, &evidence,
	       "a RST has closed the entry");
}

void hf_verdict_heard(struct hf_gateway *gateway, const struct hf_heard *heard,
		      const struct hf_segment *segment, enum hf_side side)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, heard->flow);
	struct hf_flow_view view;

	if (crossing->flags & HF_CROSSING_ENDING) {
		if (!(segment->flags & HF_RST))
			answer_challenge(gateway, heard->flow, side, segment);
		return;
	}
	if (heard->event == HF_RESET) {
		heard_reset(gateway, heard);
	} else if (heard->event == HF_ALIVE || heard->event == HF_REVIVED) {
		forget_death(gateway, heard);
	}
	hf_engine_look(hf_flows_engine(gateway->flows), heard->flow, &view);
	if (crossing->flags & HF_CROSSING_LATER(!side) && view.dead[!side] && view.learned[side] &&
	    !view.silent_ms[side])
		decide(gateway, heard->flow, !side, false);
}
