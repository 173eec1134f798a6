/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/watching.h"

#include "host/burst.h"

#define SLOWEST_PASS_MS 30000
#define SPREAD_EVERY 2 /* seconds, while probes would leave in bursts */
#define SPREAD_AHEAD 4 /* so long before they do */

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
	}; /* spread_in 0: what stood before is looked at first */
}

/* When is the next burst, as far as the last pass can see? */
static uint32_t spread_in(const struct hf_counters *counters)
{
	uint32_t burst = hf_burst_due(counters->due);

	if (burst == UINT32_MAX)
		return burst;
	return burst > SPREAD_EVERY + SPREAD_AHEAD ? burst - SPREAD_AHEAD : SPREAD_EVERY;
}

int hf_watching_pass(struct hf_watching *watching, unsigned int mode, hf_record_fn fn, void *arg,
		     struct hf_problem *problem)
{
	const struct hf_counters *counters = hf_host_counters(watching->host);
	uint32_t next;
	int result;

	if (!(mode & HF_MODE_SPREAD)) {
		watching->since = 0;
		watching->unsettled = counters->unsettled;
		watching->armed = counters->armed;
	}
	if (!(mode & (HF_MODE_TEND | HF_MODE_SPREAD)))
		watching->since_full = 0;
	result = hf_host_pass(watching->host, mode, fn, arg, problem);
	next = spread_in(counters);
	if (mode & HF_MODE_SPREAD || next < watching->spread_in) /* others put it off by nothing */
		watching->spread_in = next;
	return result;
}

/* Very many were set at once: their probes are forecast before the first of them is due. */
static bool is_crowded(struct hf_watching *watching, const struct hf_counters *counters)
{
	if (counters->crowd < HF_CROWD || counters->crowd_since == watching->crowd_since)
		return false;
	watching->crowd_since = counters->crowd_since;
	return true;
}

unsigned int hf_watching_tick(struct hf_watching *watching)
{
	const struct hf_counters *counters = hf_host_counters(watching->host);

	watching->since++;
	watching->since_full++;
	if (watching->spread_in && watching->spread_in != UINT32_MAX)
		watching->spread_in--;
	if (counters->unsettled != watching->unsettled || counters->waiting ||
	    watching->since_full >= watching->full_every)
		return watching->full;
	if (is_crowded(watching, counters) || !watching->spread_in)
		return HF_MODE_SPREAD;
	if (counters->armed != watching->armed || counters->standing ||
	    watching->since >= watching->tend_every)
		return HF_MODE_ACT | HF_MODE_TEND;
	return 0;
}
