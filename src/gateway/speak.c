/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine wants said, as segments: each in the name of the end that its target talks with. */
#include <errno.h>
#include <string.h>

#include "core/mix.h"
#include "gateway/private.h"

#define REMINDER_MS 60000

/*
 * Where there are several ways routers choose by it, so that what is said in an end's name bears that
 * end's own. Should that go unanswered others may find another way.
 */
static uint32_t label_for(const struct hf_gateway *gateway, hf_flow flow, enum hf_side target)
{
	struct hf_flow_view view;

	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	if (view.unanswered[target] > 1)
		return (uint32_t)hf_mix(gateway->sent);
	return hf_flows_at(gateway->flows, flow)->label[!target];
}

/* Nothing that was said asks anybody: people are to see to it. Told again from time to time. */
static void tell_mute(struct hf_gateway *gateway, const char *what, int error)
{
	if (gateway->mute_told_ms && gateway->now_ms - gateway->mute_told_ms < REMINDER_MS)
		return;
	gateway->mute_told_ms = gateway->now_ms;
	hf_gateway_complain(gateway, what, error);
}

/*
 * What the device does not take was never said. Where it is down (EIO) or deleted (EBADFD) that goes
 * for all that is to come, too.
 */
void hf_gateway_send(struct hf_gateway *gateway, hf_flow flow, enum hf_side target,
		     struct hf_segment *segment)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, flow);
	uint8_t packet[HF_PACKET_MAX];
	size_t size;
	int error;

	hf_flows_listen(gateway->flows, flow, true);
	hf_flows_address(gateway->flows, flow, target, &segment->source, &segment->destination);
	segment->flow_label = label_for(gateway, flow, target);
	size = hf_segment_build(segment, packet, sizeof(packet));
	error = size ? hf_tun_send(&gateway->tun, packet, size) : 0;
	crossing->touched_ms = (uint32_t)gateway->now_ms;
	gateway->tokens -= 1000;
	if (!error) {
		gateway->sent++;
		crossing->said[target] += crossing->said[target] < UINT8_MAX;
	} else if (error == -EIO || error == -EBADFD) {
		tell_mute(gateway,
			  "nothing can be sent by \"" HF_TUN_NAME "\"; start the gateway anew",
			  -error);
	}
}

/*
 * Which of a question's segments the boxes on the way let through hangs on where the flow's numbers
 * lie; every other time they lie elsewhere, so that none is at the edge twice.
 */
static void tickle(struct hf_gateway *gateway, const struct hf_action *action, unsigned int round)
{
	static const struct hf_endpoint nowhere;
	struct hf_segment segment;

	for (unsigned int which = 0; which < HF_TICKLES; which++) {
		hf_segment_tickle(&nowhere, &nowhere, which, &segment);
		if (round % 2) {
			segment.seq += UINT32_C(1) << 30;
			segment.ack += UINT32_C(1) << 30;
		}
		hf_gateway_send(gateway, action->flow, action->target, &segment);
	}
}

static void ask(struct hf_gateway *gateway, const struct hf_action *action)
{
	bool midway = hf_flows_at(gateway->flows, action->flow)->flags & HF_CROSSING_MIDWAY;
	unsigned int round = action->evidence.unanswered;
	static const struct hf_endpoint nowhere;
	struct hf_segment segment;

	if (midway || action->kind == HF_SEND_TICKLES) {
		tickle(gateway, action, midway ? round : round / 2);
		return;
	}
	/* Toward the wrong end a handshake is worse than none: here it is known who opened it. */
	hf_segment_handshake(&nowhere, &nowhere, action->target == HF_RESPONDER, &segment);
	hf_gateway_send(gateway, action->flow, action->target, &segment);
}

/* If anything is known to make a probe of. */
static void probe(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct hf_engine *engine = hf_flows_engine(gateway->flows);
	static const struct hf_endpoint nowhere;
	struct hf_flow_view view;
	struct hf_numbers numbers;
	struct hf_segment segment;

	if (!hf_engine_numbers(engine, action->flow, action->target, &numbers))
		return;
	/* A window that nobody has offered would have boxes on the way expect too much. */
	hf_engine_look(engine, action->flow, &view);
	if (!view.learned[!action->target])
		numbers.window = 0;
	hf_segment_probe(&nowhere, &nowhere, &numbers, action->garbage, &segment);
	hf_gateway_send(gateway, action->flow, action->target, &segment);
}

/* --- What was said, and did not leave this machine --- */

/*
 * Packets are dropped as they were written or, behind NAT, with another destination: the end's own
 * address, from which its answers come.
 */
struct said {
	struct hf_endpoint from, to, translated;
};

static void find_said(const struct hf_gateway *gateway, const struct hf_action *action,
		      struct said *out)
{
	struct hf_endpoint answered;

	hf_flows_address(gateway->flows, action->flow, action->target, &out->from, &out->to);
	hf_flows_address(gateway->flows, action->flow, !action->target, &out->translated,
			 &answered);
}

static uint32_t count_dropped(const struct hf_gateway *gateway, const struct hf_action *action)
{
	struct said said;
	uint32_t dropped;

	find_said(gateway, action, &said);
	dropped = hf_drops_count(gateway->drops, &said.from, &said.to);
	if (said.to.port != said.translated.port ||
	    memcmp(&said.to.address, &said.translated.address, sizeof(said.to.address)) != 0)
		dropped += hf_drops_count(gateway->drops, &said.from, &said.translated);
	return dropped;
}

/* A dialogue begins. */
static void forget_said(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct said said;

	hf_flows_at(gateway->flows, action->flow)->said[action->target] = 0;
	if (!hf_drops_any(gateway->drops))
		return;
	find_said(gateway, action, &said);
	hf_drops_forget(gateway->drops, &said.from, &said.to);
	hf_drops_forget(gateway->drops, &said.from, &said.translated);
}

static void speak_to(struct hf_gateway *gateway, const struct hf_action *action)
{
	if (!action->evidence.unanswered)
		forget_said(gateway, action);
	probe(gateway, action);
	if (action->kind != HF_SEND_PROBE)
		ask(gateway, action);
}

/* Has nothing that was said to the end since it was last heard left this machine? */
static bool was_mute(const struct hf_gateway *gateway, const struct hf_action *action)
{
	const struct hf_crossing *crossing = hf_flows_at(gateway->flows, action->flow);

	return !action->evidence.in_flight &&
	       count_dropped(gateway, action) >= crossing->said[action->target];
}

/* Silence that nobody was asked to break is no death: it begins anew. */
static void begin_anew(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, action->flow);

	crossing->flags &= (uint16_t) ~(HF_CROSSING_LATER_0 | HF_CROSSING_LATER_1);
	hf_engine_heard(hf_flows_engine(gateway->flows), action->flow, 0);
	tell_mute(gateway, "this machine drops what is sent; see holdfast doctor --gateway", 0);
}

/* --- What is due --- */

/* Nothing is asked, so nothing may be concluded: the silence begins anew. */
static void pretend(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct hf_engine *engine = hf_flows_engine(gateway->flows);
	struct hf_flow_view view;
	struct hf_gateway_news news = { .event = HF_GATEWAY_ASKED,
					.key = &view.key,
					.gone = { !action->target, action->target },
					.evidence = action->evidence,
					.action = "would be asked" };

	hf_engine_look(engine, action->flow, &view);
	hf_engine_heard(engine, action->flow, 0);
	hf_gateway_tell(gateway, &news);
}

void hf_gateway_act(struct hf_gateway *gateway, const struct hf_action *action)
{
	if (gateway->options.dry_run)
		pretend(gateway, action);
	else if (hf_flows_at(gateway->flows, action->flow)->flags & HF_CROSSING_ENDING)
		return;
	else if (action->kind == HF_VERDICT && was_mute(gateway, action))
		begin_anew(gateway, action);
	else if (action->kind == HF_VERDICT)
		hf_verdict_given(gateway, action);
	else
		speak_to(gateway, action);
}
