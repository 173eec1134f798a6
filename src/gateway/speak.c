/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine wants said, as segments: each in the name of the end that its target talks with. */
#include <errno.h>

#include "core/mix.h"
#include "gateway/private.h"

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

void hf_gateway_send(struct hf_gateway *gateway, hf_flow flow, enum hf_side target,
		     struct hf_segment *segment)
{
	uint8_t packet[HF_PACKET_MAX];
	size_t size;
	int error;

	hf_flows_listen(gateway->flows, flow, true);
	hf_flows_address(gateway->flows, flow, target, &segment->source, &segment->destination);
	segment->flow_label = label_for(gateway, flow, target);
	size = hf_segment_build(segment, packet, sizeof(packet));
	error = size ? hf_tun_send(&gateway->tun, packet, size) : -EINVAL;
	hf_departures_count(gateway, flow, target, error);
	hf_flows_at(gateway->flows, flow)->touched_ms = (uint32_t)gateway->now_ms;
	gateway->tokens -= 1000;
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

static void speak_to(struct hf_gateway *gateway, const struct hf_action *action)
{
	if (!action->evidence.unanswered)
		hf_departures_begin(gateway, action);
	probe(gateway, action);
	if (action->kind != HF_SEND_PROBE)
		ask(gateway, action);
}

/* Nobody was asked, so nothing may be concluded: the silence begins anew. */
static void begin_anew(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, action->flow);

	crossing->flags &= (uint16_t) ~(HF_CROSSING_LATER_0 | HF_CROSSING_LATER_1);
	hf_engine_heard(hf_flows_engine(gateway->flows), action->flow, 0);
}

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
	else if (action->kind == HF_VERDICT && hf_departures_none(gateway, action))
		begin_anew(gateway, action);
	else if (action->kind == HF_VERDICT)
		hf_verdict_given(gateway, action);
	else
		speak_to(gateway, action);
}
