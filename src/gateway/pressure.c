/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Do the rate and this machine suffice for the goals of so many flows? */
#include <stdio.h>

#include "core/duration.h"
#include "gateway/private.h"

#define HELD_MS 1000 /* of what was due, from one dump to the next: not just a burst */

static void tell(struct hf_gateway *gateway, uint64_t need, bool slow)
{
	const struct hf_goals *goals = &gateway->options.goals;
	struct hf_engine_statistics engine;
	char goal[HF_DURATION_TEXT], action[192], limit[48] = "this machine is too slow for that";
	struct hf_gateway_news news = { .event = HF_GATEWAY_SLOW, .action = action };

	hf_engine_statistics(hf_flows_engine(gateway->flows), &engine);
	hf_duration_format(goals->dead_within_ms ? goals->dead_within_ms : goals->keep_open_ms,
			   goal);
	if (!slow)
		snprintf(limit, sizeof(limit), "--rate allows %u", gateway->options.rate);
	snprintf(action, sizeof(action),
		 "%u flows take about %llu packets a second to keep %s %s, %s: "
		 "probes and verdicts are late",
		 engine.flows, (unsigned long long)need,
		 goals->dead_within_ms ? "dead within" : "open", goal, limit);
	hf_gateway_tell(gateway, &news);
}

void hf_pressure_look(struct hf_gateway *gateway)
{
	struct hf_pressure *pressure = &gateway->pressure;
	uint64_t rate = gateway->options.rate, need = hf_flows_need(gateway->flows);
	bool held = pressure->held_ms - pressure->held_before_ms >= HELD_MS;
	bool slow = pressure->slow_ms - pressure->slow_before_ms >= HELD_MS;

	pressure->held_before_ms = pressure->held_ms;
	pressure->slow_before_ms = pressure->slow_ms;
	if (gateway->options.dry_run)
		return;
	if (!slow && !held && (!rate || need <= rate)) {
		pressure->told = 0;
		return;
	}
	if (held && need <= rate)
		need = rate + 1; /* the reckoning is for the living */
	if (pressure->told && need <= pressure->told + pressure->told / 4)
		return;
	pressure->told = need;
	tell(gateway, need, slow && !held && (!rate || need <= rate));
}
