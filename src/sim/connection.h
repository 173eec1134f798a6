/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections: their two ends, the hosts these are on, what their programs do. */
#ifndef HF_SIM_CONNECTION_H
#define HF_SIM_CONNECTION_H

#include "sim/world.h"

/* Which host of its section; which port. */
uint32_t hf_connection_host(const struct hf_world *world, uint32_t flow, enum hf_side side);
uint16_t hf_connection_port(const struct hf_world *world, uint32_t flow, enum hf_side side);

static inline uint32_t hf_connection_hosts(const struct hf_world *world, uint32_t flow,
					   enum hf_side side)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);

	return side == HF_ORIGINATOR ? spec->from : spec->to;
}

/* enum hf_host_mark of that host. */
uint8_t hf_connection_marks(const struct hf_world *world, uint32_t flow, enum hf_side side);

/* The moment as the end's host sees it. */
void hf_connection_time(const struct hf_world *world, uint32_t flow, enum hf_side side,
			struct hf_tcp_time *out);

/* Does the end hold the connection? */
static inline bool hf_connection_holds(const struct hf_world *world, uint32_t flow,
				       enum hf_side side)
{
	return world->flow[flow].end[side].flags & HF_TCP_OPEN;
}

/* HF_OPENS, HF_REOPENS, HF_TALKS, HF_TIMES_OUT. */
void hf_connection_opens(struct hf_world *world, uint32_t section);
void hf_connection_reopens(struct hf_world *world, uint32_t flow);
void hf_connection_talks(struct hf_world *world, uint32_t flow);
void hf_connection_times_out(struct hf_world *world, uint32_t flow, enum hf_side side);

/* A segment has arrived at the end that it goes to. */
void hf_connection_arrives(struct hf_world *world, const struct hf_travel *travel);

/* An end says something of itself. */
void hf_connection_sends(struct hf_world *world, uint32_t flow, enum hf_side side,
			 const struct hf_segment *segment);

/* The end does not hold it any more: power cut, reset, given up. */
void hf_connection_lost(struct hf_world *world, uint32_t flow, enum hf_side side);

/* Its own keepalive found the other end dead: RST, and gone. */
void hf_connection_aborts(struct hf_world *world, uint32_t flow, enum hf_side side);

/* The program closes, or is only done sending: then the other end is not to close in turn. */
void hf_connection_finishes(struct hf_world *world, uint32_t flow, enum hf_side side, bool half);

/* The program stops or starts reading. */
void hf_connection_reads(struct hf_world *world, uint32_t flow, enum hf_side side, bool reading);

#endif
