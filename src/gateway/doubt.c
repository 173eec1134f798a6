/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSTs of the ends themselves. One that is in sequence closes the table's entry as it passes, so
 * the table has the last word: without it the RST was forged, and the end is asked again as if
 * nothing had come.
 */
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/private.h"

#define DOUBT_MS 100 /* the table hears of it right after us */
#define FIRST_ROOM 64

struct hf_suspect {
	struct hf_flow_key key;
	struct hf_evidence evidence;
	uint64_t due_ms;
	hf_flow flow;
	uint32_t id;  /* the entry's; another one: the flow has gone meanwhile */
	uint8_t side; /* who is said to have sent it */
	bool told;    /* its death is known already */
};

static bool make_room(struct hf_doubts *doubts)
{
	size_t room = doubts->room ? doubts->room * 2 : FIRST_ROOM;
	struct hf_suspect *suspects;

	if (doubts->count < doubts->room)
		return true;
	suspects = reallocarray(doubts->suspects, room, sizeof(*suspects));
	if (!suspects)
		return false;
	doubts->suspects = suspects;
	doubts->room = room;
	return true;
}

/* Silent for as long as before, and nothing is known of its numbers. */
static void ask_again(struct hf_gateway *gateway, hf_flow flow, unsigned int side)
{
	struct hf_engine *engine = hf_flows_engine(gateway->flows);
	struct hf_flow_view view;

	hf_flows_at(gateway->flows, flow)->flags &= (uint16_t)~HF_CROSSING_RST;
	hf_engine_look(engine, flow, &view);
	hf_engine_heard(engine, flow, view.silent_ms[side]);
}

void hf_doubt_add(struct hf_gateway *gateway, const struct hf_heard *heard, bool told)
{
	struct hf_doubts *doubts = &gateway->doubts;
	struct hf_crossing *crossing = hf_flows_at(gateway->flows, heard->flow);
	struct hf_suspect *suspect;
	struct hf_flow_view view;

	crossing->flags |= HF_CROSSING_RST;
	if (!make_room(doubts)) {
		ask_again(gateway, heard->flow, heard->side);
		return;
	}
	hf_engine_look(hf_flows_engine(gateway->flows), heard->flow, &view);
	suspect = &doubts->suspects[doubts->count++];
	*suspect = (struct hf_suspect){ .key = view.key,
					.evidence = heard->evidence,
					.due_ms = gateway->now_ms + DOUBT_MS,
					.flow = heard->flow,
					.id = crossing->id,
					.side = heard->side,
					.told = told };
}

static bool stands(const struct hf_gateway *gateway, const struct hf_suspect *suspect)
{
	return hf_engine_exists(hf_flows_engine(gateway->flows), suspect->flow) &&
	       hf_flows_at(gateway->flows, suspect->flow)->id == suspect->id;
}

static void judge(struct hf_gateway *gateway, const struct hf_suspect *suspect)
{
	int state = hf_conntrack_state(gateway->conntrack, suspect->key.end, suspect->id);
	struct hf_gateway_news news = { .event = HF_GATEWAY_RESET,
					.key = &suspect->key,
					.gone = { !suspect->side, suspect->side },
					.evidence = suspect->evidence,
					.action = "its own RST has passed on" };

	if (state >= 0 && state != TCP_CONNTRACK_CLOSE) {
		if (stands(gateway, suspect))
			ask_again(gateway, suspect->flow, suspect->side);
		return;
	}
	if (stands(gateway, suspect))
		hf_flows_at(gateway->flows, suspect->flow)->flags |=
			HF_CROSSING_TOLD(suspect->side);
	if (!suspect->told)
		hf_gateway_tell(gateway, &news);
}

void hf_doubt_tick(struct hf_gateway *gateway)
{
	struct hf_doubts *doubts = &gateway->doubts;
	size_t done = 0;

	while (done < doubts->count && doubts->suspects[done].due_ms <= gateway->now_ms)
		judge(gateway, &doubts->suspects[done++]);
	doubts->count -= done;
	memmove(doubts->suspects, doubts->suspects + done,
		doubts->count * sizeof(*doubts->suspects));
}
