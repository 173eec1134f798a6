/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/connection.h"
#include "sim/fault.h"
#include "sim/keeper.h"
#include "sim/network.h"
#include "sim/truth.h"

#define LINE 64

static_assert(sizeof(struct hf_flow_state) == LINE, "a flow's two ends are one cache line");

/* --- Making and unmaking --- */

static bool forgotten(void *context, uint32_t flow)
{
	struct hf_world *world = context;
	bool lived = hf_connection_holds(world, flow, HF_ORIGINATOR) &&
		     hf_connection_holds(world, flow, HF_RESPONDER);

	hf_truth_update(world, flow);
	return lived;
}

static int make_flows(struct hf_world *world)
{
	const struct hf_scenario *scenario = world->scenario;

	for (uint32_t i = 0; i < scenario->flows; i++) {
		world->first[i] = world->flows;
		world->flows += scenario->flow[i].count;
	}
	world->flow = aligned_alloc(LINE, world->flows * sizeof(*world->flow));
	world->about = calloc(world->flows, sizeof(*world->about));
	if (!world->flow || !world->about)
		return -ENOMEM;
	memset(world->flow, 0, world->flows * sizeof(*world->flow));
	for (uint32_t i = 0; i < scenario->flows; i++)
		for (uint32_t j = 0; j < scenario->flow[i].count; j++)
			world->about[world->first[i] + j].section = (uint8_t)i;
	return 0;
}

static int make_network(struct hf_world *world)
{
	const struct hf_scenario *scenario = world->scenario;
	int failed = 0;

	for (uint32_t i = 0; i < scenario->hosts_count; i++) {
		world->host[i] = calloc(scenario->host[i].count, sizeof(*world->host[i]));
		failed |= world->host[i] ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; i < scenario->links; i++)
		failed |= hf_link_init(&world->link[i], &scenario->link[i]);
	for (uint32_t i = 0; i < scenario->nats; i++)
		failed |= hf_nat_init(&world->nat[i], &scenario->nat[i], world->flows, forgotten,
				      world);
	return failed ? -ENOMEM : 0;
}

static struct hf_world *make(const struct hf_scenario *scenario, uint64_t seed,
			     struct hf_result *result)
{
	struct hf_world *world = calloc(1, sizeof(*world));

	if (!world)
		return NULL;
	world->scenario = scenario;
	world->result = result;
	world->random.state = seed;
	world->travel_free = HF_NONE;
	hf_clock_init(&world->clock);
	if (make_flows(world) || make_network(world) || hf_keepers_init(world))
		world->failed = true;
	return world;
}

static void unmake(struct hf_world *world)
{
	const struct hf_scenario *scenario = world->scenario;

	hf_keepers_free(world);
	for (uint32_t i = 0; i < scenario->hosts_count; i++)
		free(world->host[i]);
	for (uint32_t i = 0; i < scenario->links; i++)
		hf_link_free(&world->link[i]);
	for (uint32_t i = 0; i < scenario->nats; i++)
		hf_nat_free(&world->nat[i]);
	hf_clock_free(&world->clock);
	free(world->flow);
	free(world->about);
	free(world->travel);
	free(world);
}

/* --- What is measured --- */

static void sample(struct hf_world *world)
{
	struct hf_result *result = world->result;
	struct hf_sample *sample = &result->sample[result->samples];
	struct hf_engine_statistics statistics;

	if (result->samples == HF_SAMPLES_MAX)
		return;
	result->samples++;
	*sample = (struct hf_sample){ .at_ms = hf_world_ms(world),
				      .flows = world->open,
				      .probes = result->probes + result->questions,
				      .deaths = result->found + result->wrong + result->all_lost };
	for (uint32_t i = 0; i < world->scenario->nats; i++) {
		hf_nat_expire(&world->nat[i], sample->at_ms);
		sample->nat_entries += world->nat[i].count;
	}
	for (unsigned int i = 0; i < world->keepers; i++) {
		if (!world->keeper[i].engine)
			continue;
		hf_engine_statistics(world->keeper[i].engine, &statistics);
		sample->table += statistics.flows;
		sample->dialogues += statistics.dialogues;
	}
}

static void post_sample(struct hf_world *world)
{
	uint64_t step = 1000ull * world->scenario->duration_ms / HF_SAMPLES_WANTED;

	sample(world);
	hf_clock_post(&world->clock, world->clock.now + step, HF_SAMPLES, 0);
}

static void sum_up_gateway(struct hf_world *world, const struct hf_keeper *keeper)
{
	struct hf_engine_statistics statistics;
	struct hf_result *result = world->result;

	hf_engine_statistics(keeper->engine, &statistics);
	result->answers += statistics.answers;
	if (!keeper->gateway)
		return;
	result->has_gateway = true;
	result->gateway_capacity += statistics.capacity;
	if (statistics.late_max_ms > result->gateway_late_max_ms)
		result->gateway_late_max_ms = statistics.late_max_ms;
}

static void sum_up_bounds(struct hf_world *world, const struct hf_keeper *keeper)
{
	struct hf_result *result = world->result;

	for (uint32_t i = 0; i < world->scenario->flows; i++) {
		uint64_t bound;

		if (hf_keeper_policy(world, keeper, i) == HF_NONE)
			continue;
		bound = hf_truth_bound(world, keeper, world->first[i]);
		if (bound > result->bound_ms)
			result->bound_ms = bound;
	}
}

static void sum_up(struct hf_world *world)
{
	struct hf_result *result = world->result;

	if (result->sample[result->samples - 1].at_ms != hf_world_ms(world))
		sample(world);
	hf_truth_end(world);
	result->open = world->open;
	result->has_nat = world->scenario->nats;
	for (uint32_t i = 0; i < world->scenario->nats; i++) {
		result->evicted += world->nat[i].evicted;
		result->expired += world->nat[i].expired;
	}
	for (unsigned int i = 0; i < world->keepers; i++) {
		if (!world->keeper[i].engine)
			continue;
		sum_up_gateway(world, &world->keeper[i]);
		sum_up_bounds(world, &world->keeper[i]);
	}
	hf_durations_sort(&result->detection);
	hf_durations_sort(&result->in_flight);
	hf_durations_sort(&result->after_death);
}

/* --- Time goes on --- */

static void happen(struct hf_world *world, unsigned int kind, uint32_t index)
{
	switch ((enum hf_happens)kind) {
	case HF_ARRIVES:
		hf_network_arrives(world, index);
		break;
	case HF_DEPARTS:
		hf_network_departs(world, index);
		break;
	case HF_OPENS:
		hf_connection_opens(world, index);
		break;
	case HF_REOPENS:
		hf_connection_reopens(world, index);
		break;
	case HF_TALKS:
		hf_connection_talks(world, index);
		break;
	case HF_TIMES_OUT:
		hf_connection_times_out(world, index / 2, index % 2);
		break;
	case HF_BEFALLS:
		hf_fault_befalls(world, index);
		break;
	case HF_HEALS:
		hf_fault_heals(world, index);
		break;
	case HF_SAMPLES:
		post_sample(world);
		break;
	}
}

static struct hf_keeper *next_keeper(struct hf_world *world, uint64_t *due)
{
	struct hf_keeper *next = NULL;

	*due = UINT64_MAX;
	for (unsigned int i = 0; i < world->keepers; i++) {
		uint64_t its = hf_keeper_due(&world->keeper[i]);

		if (its >= *due)
			continue;
		*due = its;
		next = &world->keeper[i];
	}
	return next;
}

/* One thing after another: what happens first, then what engines make of it. false: the end. */
static bool step(struct hf_world *world)
{
	uint64_t end = 1000ull * world->scenario->duration_ms, due, at;
	struct hf_keeper *keeper = next_keeper(world, &due);
	unsigned int kind;
	uint32_t index;

	at = hf_clock_due(&world->clock);
	if (world->failed || world->clock.failed || (at > end && due > end))
		return false;
	if (at <= due) {
		hf_clock_take(&world->clock, &kind, &index);
		happen(world, kind, index);
		return true;
	}
	if (due > world->clock.now)
		world->clock.now = due;
	hf_keeper_acts(world, keeper);
	return true;
}

static void run(struct hf_world *world, hf_progress progress)
{
	uint32_t duration_ms = world->scenario->duration_ms;
	size_t told = 0;

	for (uint32_t i = 0; i < world->scenario->flows; i++)
		hf_clock_post(&world->clock, 0, HF_OPENS, i);
	hf_faults_plan(world);
	hf_clock_post(&world->clock, 0, HF_SAMPLES, 0);
	while (step(world)) {
		if (!progress || told == world->result->samples)
			continue;
		told = world->result->samples;
		progress(hf_world_ms(world), duration_ms);
	}
	if (!world->failed)
		world->clock.now = 1000ull * duration_ms;
}

int hf_world_run(const struct hf_scenario *scenario, uint64_t seed, hf_progress progress,
		 struct hf_result *result)
{
	struct hf_world *world;
	bool failed = true;

	*result = (struct hf_result){ .scenario = scenario, .seed = seed };
	world = make(scenario, seed, result);
	if (world) {
		result->flows = world->flows;
		if (!world->failed)
			run(world, progress);
		failed = world->failed || world->clock.failed;
		if (!failed)
			sum_up(world);
		failed |= world->failed;
		unmake(world);
	}
	if (failed)
		hf_result_free(result);
	return failed ? -ENOMEM : 0;
}
