/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/network.h"

#include <stdlib.h>
#include <string.h>

#include "sim/connection.h"
#include "sim/keeper.h"

uint32_t hf_network_which(const struct hf_world *world, uint32_t flow,
			  const struct hf_element *element)
{
	uint32_t host = hf_connection_host(world, flow, HF_ORIGINATOR);

	if (element->kind == HF_LINK)
		return host % world->scenario->link[element->index].count;
	return host % world->scenario->nat[element->index].count;
}

/* --- Segments under way --- */

static bool grow(struct hf_world *world)
{
	uint32_t size = world->travels_size ? 2 * world->travels_size : 1024;
	struct hf_travel *travel = realloc(world->travel, size * sizeof(*travel));

	if (!travel) {
		world->failed = true;
		return false;
	}
	world->travel = travel;
	world->travels_size = size;
	return true;
}

/* HF_NONE: out of memory. Moves world->travel. */
static uint32_t new_travel(struct hf_world *world, const struct hf_travel *contents)
{
	uint32_t number = world->travel_free;

	if (number != HF_NONE) {
		world->travel_free = world->travel[number].free;
	} else {
		if (world->travels == world->travels_size && !grow(world))
			return HF_NONE;
		number = world->travels++;
	}
	world->travel[number] = *contents;
	return number;
}

static void free_travel(struct hf_world *world, uint32_t number)
{
	world->travel[number].free = world->travel_free;
	world->travel_free = number;
}

/* A box on the way has no such connection, and says so in the other end's name. */
static void answer_with_reset(struct hf_world *world, const struct hf_travel *travel,
			      uint32_t element, uint64_t delay_us)
{
	struct hf_travel back = *travel;
	uint32_t number;

	if (!hf_tcp_refuse(&travel->segment, &back.segment))
		return;
	back.from = !travel->from;
	back.place = hf_place_of_element(element);
	back.genuine = false;
	number = new_travel(world, &back);
	if (number != HF_NONE)
		hf_clock_post(&world->clock, world->clock.now + delay_us, HF_DEPARTS, number);
}

static bool cross_nat(struct hf_world *world, struct hf_travel *travel, uint32_t element,
		      const struct hf_element *what, uint64_t delay_us)
{
	uint64_t at = world->clock.now + delay_us;
	unsigned int shift = 8 * element;
	uint8_t generation = (uint8_t)(travel->generations >> shift);
	enum hf_passage passage = hf_nat_cross(&world->nat[what->index],
					       hf_network_which(world, travel->flow, what),
					       travel->flow, (uint32_t)(at / 1000),
					       travel->from == HF_ORIGINATOR, &generation);

	if (passage == HF_RESET_BACK)
		answer_with_reset(world, travel, element, delay_us);
	travel->generations &= ~((uint64_t)UINT8_MAX << shift);
	travel->generations |= (uint64_t)generation << shift;
	return passage == HF_PASSES;
}

static void go_on(struct hf_world *world, struct hf_travel *travel, uint64_t delay_us);

/* false: lost. Another copy, if the link makes one, goes on by itself. */
static bool cross_link(struct hf_world *world, const struct hf_travel *travel, uint32_t element,
		       const struct hf_element *what, uint64_t *delay_us)
{
	uint64_t delay[2] = { 0 };
	unsigned int copies = hf_link_cross(&world->link[what->index],
					    hf_network_which(world, travel->flow, what),
					    world->clock.now + *delay_us, &world->random, delay);

	if (copies == 2) {
		struct hf_travel copy = *travel;

		copy.place = hf_place_of_element(element);
		go_on(world, &copy, *delay_us + delay[1]);
	}
	*delay_us += delay[0];
	return copies;
}

/* From its place to the next stop, if it gets there. Elements are counted from the originator. */
static void go_on(struct hf_world *world, struct hf_travel *travel, uint64_t delay_us)
{
	const struct hf_path *via = &hf_world_spec(world, travel->flow)->via;
	int step = travel->from == HF_ORIGINATOR ? 1 : -1;
	uint32_t number;

	for (;;) {
		uint32_t element = (uint32_t)(travel->place - 1 + step);

		travel->place = (uint8_t)(travel->place + step);
		if (element >= via->count || via->element[element].kind == HF_GATEWAY)
			break;
		if (via->element[element].kind == HF_LINK ?
			    !cross_link(world, travel, element, &via->element[element], &delay_us) :
			    !cross_nat(world, travel, element, &via->element[element], delay_us))
			return;
	}
	number = new_travel(world, travel);
	if (number != HF_NONE)
		hf_clock_post(&world->clock, world->clock.now + delay_us, HF_ARRIVES, number);
}

void hf_network_send(struct hf_world *world, uint32_t flow, enum hf_side from, uint8_t place,
		     bool genuine, const struct hf_segment *segment, uint64_t generations,
		     uint64_t delay_us)
{
	struct hf_travel travel = { .segment = *segment,
				    .generations = generations,
				    .flow = flow,
				    .incarnation = world->about[flow].incarnation,
				    .from = (uint8_t)from,
				    .place = place,
				    .genuine = genuine };
	uint32_t number;

	world->result->segments++;
	if (!delay_us) {
		go_on(world, &travel, 0);
		return;
	}
	number = new_travel(world, &travel);
	if (number != HF_NONE)
		hf_clock_post(&world->clock, world->clock.now + delay_us, HF_DEPARTS, number);
}

void hf_network_departs(struct hf_world *world, uint32_t number)
{
	struct hf_travel travel = world->travel[number];

	free_travel(world, number);
	go_on(world, &travel, 0);
}

static void reach_gateway(struct hf_world *world, struct hf_travel *travel,
			  const struct hf_element *gateway)
{
	struct hf_keeper *keeper = hf_keeper_of_gateway(world, gateway->index);

	if (keeper->suspended)
		return;
	hf_keeper_hears(world, keeper, travel);
	go_on(world, travel, 0);
}

/* A segment of an earlier connection of the same hosts has nobody to go to. */
void hf_network_arrives(struct hf_world *world, uint32_t number)
{
	struct hf_travel travel = world->travel[number];
	const struct hf_path *via = &hf_world_spec(world, travel.flow)->via;

	free_travel(world, number);
	if (travel.incarnation != world->about[travel.flow].incarnation)
		return;
	if (travel.place && travel.place <= via->count)
		reach_gateway(world, &travel, &via->element[travel.place - 1]);
	else
		hf_connection_arrives(world, &travel);
}

/* --- The way as a whole --- */

bool hf_network_passable(const struct hf_world *world, uint32_t flow, uint8_t from, uint8_t to)
{
	const struct hf_path *via = &hf_world_spec(world, flow)->via;

	for (uint8_t place = from + 1; place < to; place++) {
		const struct hf_element *what = &via->element[place - 1];
		uint32_t index = what->index;

		if (what->kind == HF_LINK &&
		    world->link[index].state[hf_network_which(world, flow, what)].down)
			return false;
		if (what->kind == HF_NAT && !hf_nat_holds(&world->nat[index], flow))
			return false;
		if (what->kind == HF_GATEWAY && world->keeper[2 + index].suspended)
			return false;
	}
	return true;
}

double hf_network_survival(const struct hf_world *world, const struct hf_flows_spec *spec,
			   uint8_t from, uint8_t to)
{
	double survival = 1;

	for (uint8_t place = from + 1; place < to; place++) {
		const struct hf_element *what = &spec->via.element[place - 1];

		if (what->kind == HF_LINK)
			survival *= hf_link_survival(&world->scenario->link[what->index]);
	}
	return survival * survival;
}

void hf_network_opens(struct hf_world *world, uint32_t flow)
{
	const struct hf_path *via = &hf_world_spec(world, flow)->via;

	for (uint32_t i = 0; i < via->count; i++)
		if (via->element[i].kind == HF_NAT)
			hf_nat_open(&world->nat[via->element[i].index],
				    hf_network_which(world, flow, &via->element[i]), flow,
				    hf_world_ms(world));
}

void hf_network_closes(struct hf_world *world, uint32_t flow)
{
	const struct hf_path *via = &hf_world_spec(world, flow)->via;

	for (uint32_t i = 0; i < via->count; i++)
		if (via->element[i].kind == HF_NAT)
			hf_nat_close(&world->nat[via->element[i].index],
				     hf_network_which(world, flow, &via->element[i]), flow);
}

/* --- Addresses --- */

#define OUTSIDE_PORTS 64000
#define FIRST_PORT 1024

/* Address number of a network, counted from its first. */
static void nth_address(const struct hf_address *network, uint64_t number, struct hf_address *out)
{
	*out = *network;
	for (int i = 15; i >= 0 && number; i--) {
		number += out->byte[i];
		out->byte[i] = (uint8_t)number;
		number >>= 8;
	}
}

/* The ports outside of a NAT: as many addresses as it takes, anew for each generation. */
static void outside_endpoint(uint32_t flow, uint8_t family, uint32_t element, uint8_t generation,
			     struct hf_endpoint *out)
{
	static const struct hf_address networks[2] = {
		{ .byte = { [10] = 0xff, 0xff, 100, 64, 0, 0 } }, /* RFC 6598 */
		{ .byte = { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff } },
	};
	uint64_t number =
		((uint64_t)element << 18) + ((uint64_t)generation << 10) + flow / OUTSIDE_PORTS;

	nth_address(&networks[family == HF_IPV6], number, &out->address);
	out->port = (uint16_t)(FIRST_PORT + flow % OUTSIDE_PORTS);
	out->family = family;
}

void hf_network_endpoint(const struct hf_world *world, uint32_t flow, enum hf_side side,
			 uint8_t place, uint64_t generations, struct hf_endpoint *out)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);
	const struct hf_hosts *hosts =
		&world->scenario->host[side == HF_ORIGINATOR ? spec->from : spec->to];

	for (uint8_t at = place; side == HF_ORIGINATOR && at > 1; at--) {
		const struct hf_element *what = &spec->via.element[at - 2];

		if (what->kind != HF_NAT || !world->scenario->nat[what->index].rewrites)
			continue;
		outside_endpoint(flow, hosts->family, at - 2u,
				 (uint8_t)(generations >> 8 * (at - 2)), out);
		return;
	}
	nth_address(&hosts->network.address, 1ull + hf_connection_host(world, flow, side),
		    &out->address);
	out->port = hf_connection_port(world, flow, side);
	out->family = hosts->family;
}

uint32_t hf_network_bytes(const struct hf_world *world, uint32_t flow,
			  const struct hf_segment *segment)
{
	uint8_t family = world->scenario->host[hf_world_spec(world, flow)->from].family;

	return (family == HF_IPV6 ? HF_BYTES_IPV6 : HF_BYTES_IPV4) + segment->payload +
	       (segment->has_timestamps ? HF_BYTES_TIMESTAMPS : 0);
}
