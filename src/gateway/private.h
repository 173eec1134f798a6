/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loop (gateway.c) shares with what follows from answers and silence. */
#ifndef HF_GATEWAY_PRIVATE_H
#define HF_GATEWAY_PRIVATE_H

#include <event2/event.h>

#include "gateway/drops.h"
#include "gateway/gateway.h"
#include "gateway/sniff.h"
#include "gateway/tracked.h"
#include "gateway/tun.h"

#define HF_GATEWAY_EVENTS 5

/* A reset that was sent: its target may answer with a challenge, then the entry is freed. */
struct hf_reset {
	hf_flow flow;
	uint32_t id; /* the entry's; another one: the flow has gone meanwhile */
	uint64_t until_ms;
	bool repeated;
	uint8_t target;
};

/* RSTs that the table has not confirmed yet; oldest first. */
struct hf_doubts {
	struct hf_suspect *suspects;
	size_t count, room;
};

/* How the rate, or this machine, holds up what is due. */
struct hf_pressure {
	uint64_t held_ms, held_before_ms; /* by the rate: altogether; at the last look */
	uint64_t slow_ms, slow_before_ms; /* by the machine */
	uint64_t told; /* packets a second that were told to be too many; 0 = none */
};

struct hf_gateway {
	struct hf_gateway_options options;
	struct hf_conntrack *conntrack;
	struct hf_flows *flows;
	struct hf_tun tun;
	struct hf_sniff sniff;
	struct hf_tracked *tracked; /* NULL: every answer is believed */
	struct hf_drops *drops;	    /* NULL: what is sent is taken to leave this machine */
	uint64_t mute_told_ms;	    /* when it was last told that nothing leaves; 0 = never */
	struct hf_brake brake;
	struct event *events[HF_GATEWAY_EVENTS];

	struct hf_reset *resets; /* a ring, oldest first */
	size_t reset_at, reset_count, reset_room;

	uint64_t now_ms, ticked_ms;
	uint64_t dumped_ms;    /* when the last one began */
	bool dumping, overrun; /* one goes on; events were lost, the next one comes at once */
	int64_t tokens;	       /* packets that may be sent, in 1/1000 */
	struct hf_pressure pressure;
	struct hf_doubts doubts;
	uint64_t dead, freed, reset, sent, dumps, lost;

	void (*fn)(void *arg, const struct hf_gateway_news *news);
	void *arg;
};

/* Send to that end in the other one's name; the flow's addresses are filled in. */
void hf_gateway_send(struct hf_gateway *gateway, hf_flow flow, enum hf_side target,
		     struct hf_segment *segment);
/* What is due is done: asked, probed, or what follows from a verdict. */
void hf_gateway_act(struct hf_gateway *gateway, const struct hf_action *action);
/* Something went wrong; error is an errno, 0 = none. */
void hf_gateway_complain(struct hf_gateway *gateway, const char *what, int error);
void hf_gateway_tell(struct hf_gateway *gateway, const struct hf_gateway_news *news);

/* A packet to that end was sent, or error (-errno) tells why not; with it a dialogue begins. */
void hf_departures_count(struct hf_gateway *gateway, hf_flow flow, enum hf_side target, int error);
void hf_departures_begin(struct hf_gateway *gateway, const struct hf_action *action);

/* Has nothing that was sent to a verdict's end in its dialogue left this machine? Then that is told. */
bool hf_departures_none(struct hf_gateway *gateway, const struct hf_action *action);

/* An end's RST was heard; told: its death was told before. */
void hf_doubt_add(struct hf_gateway *gateway, const struct hf_heard *heard, bool told);
/* What came of those heard a moment ago. */
void hf_doubt_tick(struct hf_gateway *gateway);

/* A dump is complete: tell if the rate does not suffice, and again if it gets worse. */
void hf_pressure_look(struct hf_gateway *gateway);

/* The engine has given an end up. */
void hf_verdict_given(struct hf_gateway *gateway, const struct hf_action *action);

/* A segment of a flow has told something, or is the answer to a reset. */
void hf_verdict_heard(struct hf_gateway *gateway, const struct hf_heard *heard,
		      const struct hf_segment *segment, enum hf_side side);

/* A RST that was not seen, or not believed, has closed the entry of a flow in dialogue. */
void hf_verdict_closed(void *gateway, hf_flow flow);

/* Resets whose time is up. */
void hf_verdict_tick(struct hf_gateway *gateway);

#endif
