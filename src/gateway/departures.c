/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what is sent leaves this machine. Who was asked by nothing but packets that its device did
 * not take, or that its own rules dropped (drops.c), was not asked: silence then is no death.
 */
#include <errno.h>
#include <string.h>

#include "gateway/private.h"

#define REMINDER_MS 60000

/* People are to see to it. */
static void tell(struct hf_gateway *gateway, const char *what, int error)
{
	if (gateway->mute_told_ms && gateway->now_ms - gateway->mute_told_ms < REMINDER_MS)
		return;
	gateway->mute_told_ms = gateway->now_ms;
	hf_gateway_complain(gateway, what, error);
}

/* What the device did not take, for whatever reason, was not sent; down or deleted it takes nothing. */
void hf_departures_count(struct hf_gateway *gateway, hf_flow flow, enum hf_side target, int error)
{
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, flow);

	if (!error) {
		gateway->sent++;
		crossing->said[target] += crossing->said[target] < UINT8_MAX;
	} else if (error == -EIO || error == -EBADFD) {
		tell(gateway, "nothing can be sent by \"" HF_TUN_NAME "\"; start the gateway anew",
		     -error);
	}
}

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

void hf_departures_begin(struct hf_gateway *gateway, const struct hf_action *action)
{
	struct said said;

	hf_flows_at(gateway->flows, action->flow)->said[action->target] = 0;
	if (!hf_drops_any(gateway->drops))
		return;
	find_said(gateway, action, &said);
	hf_drops_forget(gateway->drops, &said.from, &said.to);
	hf_drops_forget(gateway->drops, &said.from, &said.translated);
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

bool hf_departures_none(struct hf_gateway *gateway, const struct hf_action *action)
{
	uint32_t said = hf_flows_at(gateway->flows, action->flow)->said[action->target];

	if (action->evidence.in_flight || count_dropped(gateway, action) < said)
		return false;
	tell(gateway, "this machine drops what is sent; see holdfast doctor --gateway", 0);
	return true;
}
