/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/watching.h"

#define SLOWEST_PASS_MS 30000

static uint32_t seconds_between_passes(const struct hf_goals *goals)
{
	uint32_t ms = goals->dead_within_ms / 4;

	if (!ms || ms > SLOWEST_PASS_MS)
		ms = SLOWEST_PASS_MS;
	return ms < 1000 ? 1 : ms / 1000;
}

void hf_watching_init(struct hf_watching *watching, struct hf_host *host,
		      const struct hf_goals *goals, unsigned int full, uint32_t full_every)
{
	*watching = (struct hf_watching){
		.host = host,
		.full = full,
		.full_every = full_every,
		.tend_every = seconds_between_passes(goals),
	};
}

int hf_watching_pass(struct hf_watching *watching, unsigned int mode, hf_record_fn fn, void *arg,
		     struct hf_problem *problem)
{
	const struct hf_counters *counters = hf_host_counters(watching->host);

	watching->since = 0;
	if (!(mode & HF_MODE_TEND))
		watching->since_full = 0;
	watching->unsettled = counters->unsettled;
	watching->armed = counters->armed;
	return hf_host_pass(watching->host, mode, fn, arg, problem);
}

unsigned int hf_watching_tick(struct hf_watching *watching)
{
	const struct hf_counters *counters = hf_host_counters(watching->host);

	watching->since++;
	watching->since_full++;
	if (counters->unsettled != watching->unsettled || counters->waiting ||
	    watching->since_full >= watching->full_every)
		return watching->full;
	if (counters->armed != watching->armed || counters->standing ||
	    watching->since >= watching->tend_every)
		return HF_MODE_ACT | HF_MODE_TEND;
	return 0;
}
