/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/fault.h"

#include "sim/connection.h"
#include "sim/keeper.h"
#include "sim/network.h"
#include "sim/truth.h"

#define HIT (1 << 7) /* beside enum hf_host_mark: this host is meant, just now */

static void post(struct hf_world *world, uint32_t fault, uint64_t at_ms, enum hf_happens what)
{
	hf_clock_post(&world->clock, 1000 * at_ms, what, fault);
}

void hf_faults_plan(struct hf_world *world)
{
	for (uint32_t i = 0; i < world->scenario->faults; i++)
		post(world, i, world->scenario->fault[i].at_ms, HF_BEFALLS);
}

/* --- Which of many --- */

static uint32_t divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* An exact number of them, all different: steps around the circle that meet every one. */
static void choose(struct hf_world *world, uint32_t fault, uint32_t all)
{
	struct hf_chosen *chosen = &world->chosen[fault];

	chosen->all = all;
	chosen->count = (uint32_t)lround(world->scenario->fault[fault].fraction * all);
	chosen->first = (uint32_t)hf_random_below(&world->random, all);
	do
		chosen->step = 1 + (uint32_t)hf_random_below(&world->random, all);
	while (divisor(chosen->step, all) != 1);
}

static uint32_t nth(const struct hf_chosen *chosen, uint32_t n)
{
	return (uint32_t)((chosen->first + (uint64_t)n * chosen->step) % chosen->all);
}

/* --- Hosts --- */

/* Each end on a host that is meant. */
static void for_each_end(struct hf_world *world, uint32_t fault,
			 void (*act)(struct hf_world *, uint32_t flow, enum hf_side side))
{
	const struct hf_chosen *chosen = &world->chosen[fault];
	uint32_t hosts = world->scenario->fault[fault].hosts;

	for (uint32_t i = 0; i < chosen->count; i++)
		world->host[hosts][nth(chosen, i)] |= HIT;
	for (uint32_t flow = 0; flow < world->flows; flow++)
		for (int side = 0; side < 2; side++)
			if (world->about[flow].incarnation &&
			    hf_connection_hosts(world, flow, side) == hosts &&
			    hf_connection_marks(world, flow, side) & HIT)
				act(world, flow, side);
	for (uint32_t i = 0; i < chosen->count; i++)
		world->host[hosts][nth(chosen, i)] &= (uint8_t)~HIT;
}

static void mark(struct hf_world *world, uint32_t fault, uint8_t marks, bool on)
{
	const struct hf_chosen *chosen = &world->chosen[fault];
	uint8_t *host = world->host[world->scenario->fault[fault].hosts];

	for (uint32_t i = 0; i < chosen->count; i++) {
		uint8_t *one = &host[nth(chosen, i)];

		*one = (uint8_t)(on ? *one | marks : *one & ~marks);
	}
}

static void lose(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	if (hf_connection_holds(world, flow, side))
		hf_connection_lost(world, flow, side);
}

/* A machine that is suspended does not probe either. */
static void freeze(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	hf_keeper_closes(world, &world->keeper[side], flow);
	hf_truth_update(world, flow);
}

static void thaw(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	if (hf_connection_holds(world, flow, side))
		hf_keeper_opens(world, &world->keeper[side], flow);
	hf_truth_update(world, flow);
}

static void stop_reading(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	hf_connection_reads(world, flow, side, false);
}

static void start_reading(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	hf_connection_reads(world, flow, side, true);
}

static void finish(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	hf_connection_finishes(world, flow, side, false);
}

static void half_finish(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	hf_connection_finishes(world, flow, side, true);
}

static void befall_hosts(struct hf_world *world, uint32_t fault)
{
	switch ((enum hf_fault_kind)world->scenario->fault[fault].kind) {
	case HF_POWER_CUT:
		mark(world, fault, HF_HOST_OFF, true);
		for_each_end(world, fault, lose);
		break;
	case HF_FREEZE:
		mark(world, fault, HF_HOST_FROZEN, true);
		for_each_end(world, fault, freeze);
		break;
	case HF_PAUSE:
		mark(world, fault, HF_HOST_PAUSED, true);
		for_each_end(world, fault, stop_reading);
		break;
	case HF_CLOSE:
		for_each_end(world, fault, finish);
		break;
	default:
		for_each_end(world, fault, half_finish);
	}
}

static void heal_hosts(struct hf_world *world, uint32_t fault)
{
	switch ((enum hf_fault_kind)world->scenario->fault[fault].kind) {
	case HF_POWER_CUT:
		mark(world, fault, HF_HOST_OFF, false);
		break;
	case HF_FREEZE:
		mark(world, fault, HF_HOST_FROZEN, false);
		for_each_end(world, fault, thaw);
		break;
	default:
		mark(world, fault, HF_HOST_PAUSED, false);
		for_each_end(world, fault, start_reading);
	}
}

/* --- What lies between --- */

static void update_all(struct hf_world *world)
{
	for (uint32_t flow = 0; flow < world->flows; flow++)
		if (world->about[flow].incarnation)
			hf_truth_update(world, flow);
}

static void set_links(struct hf_world *world, uint32_t fault, bool down)
{
	struct hf_link *link = &world->link[world->scenario->fault[fault].link];

	for (uint32_t i = 0; i < world->chosen[fault].count; i++)
		link->state[nth(&world->chosen[fault], i)].down = down;
	update_all(world);
}

static void forget(struct hf_world *world, uint32_t fault)
{
	struct hf_nat *nat = &world->nat[world->scenario->fault[fault].nat];

	for (uint32_t i = 0; i < world->chosen[fault].count; i++)
		hf_nat_flush(nat, nth(&world->chosen[fault], i));
}

static void suspend(struct hf_world *world, uint32_t fault, bool on)
{
	struct hf_keeper *keeper =
		hf_keeper_of_gateway(world, world->scenario->fault[fault].gateway);

	keeper->suspended = on;
	update_all(world);
}

/* --- When it is time --- */

static uint32_t how_many(const struct hf_world *world, const struct hf_fault_spec *fault)
{
	switch ((enum hf_fault_kind)fault->kind) {
	case HF_PARTITION:
		return world->scenario->link[fault->link].count;
	case HF_FORGET:
		return world->scenario->nat[fault->nat].count;
	case HF_SUSPEND:
		return 1;
	default:
		return world->scenario->host[fault->hosts].count;
	}
}

void hf_fault_befalls(struct hf_world *world, uint32_t number)
{
	const struct hf_fault_spec *fault = &world->scenario->fault[number];
	uint64_t now_ms = world->clock.now / 1000;

	choose(world, number, how_many(world, fault));
	if (fault->for_ms)
		post(world, number, now_ms + fault->for_ms, HF_HEALS);
	if (fault->every_ms)
		post(world, number, now_ms + fault->every_ms, HF_BEFALLS);
	if (fault->kind == HF_PARTITION)
		set_links(world, number, true);
	else if (fault->kind == HF_FORGET)
		forget(world, number);
	else if (fault->kind == HF_SUSPEND)
		suspend(world, number, true);
	else
		befall_hosts(world, number);
}

void hf_fault_heals(struct hf_world *world, uint32_t number)
{
	const struct hf_fault_spec *fault = &world->scenario->fault[number];

	if (fault->kind == HF_PARTITION)
		set_links(world, number, false);
	else if (fault->kind == HF_SUSPEND)
		suspend(world, number, false);
	else
		heal_hosts(world, number);
}
