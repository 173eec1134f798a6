/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How segments get across links, NATs and firewalls, from one stop to the next. */
#ifndef HF_SIM_NETWORK_H
#define HF_SIM_NETWORK_H

#include "sim/world.h"

/* Place of a flow's end, and of element e. */
static inline uint8_t hf_place_of_end(const struct hf_flows_spec *spec, enum hf_side side)
{
	return side == HF_ORIGINATOR ? 0 : (uint8_t)(spec->via.count + 1);
}

static inline uint8_t hf_place_of_element(uint32_t element)
{
	return (uint8_t)(element + 1);
}

/* Which of a section's links or boxes a flow goes through. */
uint32_t hf_network_which(const struct hf_world *world, uint32_t flow,
			  const struct hf_element *element);

/*
 * A segment sets out from a place, toward the end that from is not; genuine: that end itself
 * says so. delay_us: its host thinks so long.
 */
void hf_network_send(struct hf_world *world, uint32_t flow, enum hf_side from, uint8_t place,
		     bool genuine, const struct hf_segment *segment, uint64_t generations,
		     uint64_t delay_us);

/* HF_ARRIVES and HF_DEPARTS. */
void hf_network_arrives(struct hf_world *world, uint32_t travel);
void hf_network_departs(struct hf_world *world, uint32_t travel);

/* Would a segment get from one place to a later one, and back, were no link to lose it? */
bool hf_network_passable(const struct hf_world *world, uint32_t flow, uint8_t from, uint8_t to);

/* Chance that a segment gets across and another back; NAN where it is no constant. */
double hf_network_survival(const struct hf_world *world, const struct hf_flows_spec *spec,
			   uint8_t from, uint8_t to);

/* A connection is opened; it is over: what NATs and firewalls make of that. */
void hf_network_opens(struct hf_world *world, uint32_t flow);
void hf_network_closes(struct hf_world *world, uint32_t flow);

/*
 * An end's endpoint as seen at a place: beyond a NAT the originator has another one, by
 * generation of its outside port.
 */
void hf_network_endpoint(const struct hf_world *world, uint32_t flow, enum hf_side side,
			 uint8_t place, uint64_t generations, struct hf_endpoint *out);

/* Bytes of a segment on the wire, IP header included. */
uint32_t hf_network_bytes(const struct hf_world *world, uint32_t flow,
			  const struct hf_segment *segment);

#endif
