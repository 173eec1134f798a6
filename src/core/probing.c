/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From goals to the engine's probing, and its bound.
 *
 * Lateness. Timers are rounded up to a tick, and time is told at least once a tick: the first
 * segment of a dialogue and the last word on it are late by less than one each. In between,
 * keepalive.c rounds down, so that nothing adds up as long as a tick is within a quarter of what
 * is waited; what is beyond it adds to each wait. Two ends take turns at half intervals,
 * each rounded by itself.
 *
 *	cycle	from one segment to an end to the next one: interval, rounded to what it takes
 *	turn	until one of two ends that joins a dialogue has its turn: a cycle at most
 *	death	max(idle, cycle) + turn + count * cycle + 2 ticks
 *	open	max(idle, cycle) + losses * cycle + 2 ticks: until the probe that gets through
 */
#include <holdfast/engine.h>

#define SPARE_MS 1000 /* between the last probe and the middlebox's timeout */
#define TWO_LOSSES 2

struct pace {
	uint64_t cycle, turn, late; /* ms */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t in_ticks(uint64_t ms, uint32_t tick)
{
	return (ms + tick - 1) / tick * tick;
}

/* From one turn to the next. */
static uint64_t step_of(uint32_t wait, uint32_t tick)
{
	return in_ticks(wait + less(tick - 1, wait / 4), tick);
}

static struct pace pace_of(uint32_t interval, unsigned int sides, uint32_t tick)
{
	struct pace pace = { .cycle = step_of(interval, tick), .late = 2 * (uint64_t)tick };

	if (sides == 2) {
		pace.cycle = larger(pace.cycle, 2 * step_of(interval - interval / 2, tick));
		pace.turn = pace.cycle;
	}
	return pace;
}

uint64_t hf_probing_bound(const struct hf_probing *probing, unsigned int sides, uint32_t tick_ms)
{
	struct pace pace = pace_of(probing->interval_ms, sides, tick_ms);

	return larger(probing->idle_ms, pace.cycle) + pace.turn + probing->count * pace.cycle +
	       pace.late;
}

/* The longest idle within which both goals are kept; 0 if there is none. */
static uint64_t idle_within(const struct pace *pace, uint64_t death, uint64_t open,
			    unsigned int count, unsigned int losses)
{
	uint64_t for_death = less(death, pace->turn + count * pace->cycle + pace->late);
	uint64_t for_open = less(open, losses * pace->cycle + pace->late);
	uint64_t idle = smaller(for_death, for_open);

	/* A dialogue begins a cycle after the last one, whatever idle is. */
	return idle < pace->cycle ? 0 : smaller(idle, HF_PROBING_MAX);
}

/* As long as goes: nine in half the time to death, a tenth of what keeps the path open. */
static uint32_t interval_within(uint64_t death, uint64_t open, unsigned int sides, uint32_t tick)
{
	uint64_t interval = smaller(death / 2 / HF_COUNT_USUAL, open / 10);
	uint32_t step = sides * tick;

	/* Whole ticks, also by halves: nothing is lost by rounding. */
	interval = smaller(interval, HF_PROBING_MAX) / step * step;
	return (uint32_t)larger(interval, HF_INTERVAL_MIN_MS);
}

enum hf_derivation hf_probing_derive(const struct hf_goals *goals, unsigned int sides,
				     uint32_t tick_ms, struct hf_probing *out)
{
	uint64_t death = goals->dead_within_ms, open = UINT64_MAX, idle;
	unsigned int count, losses = TWO_LOSSES;
	uint32_t interval;
	struct pace pace;

	if (!death)
		death = goals->keep_open_ms ? UINT64_MAX : HF_DEAD_WITHIN_DEFAULT;
	if (goals->keep_open_ms)
		open = less(goals->keep_open_ms, SPARE_MS);
	interval = interval_within(death, open, sides, tick_ms);
	pace = pace_of(interval, sides, tick_ms);
	if (death < HF_DEAD_WITHIN_MIN ||
	    !idle_within(&pace, death, UINT64_MAX, HF_COUNT_MIN, losses))
		return HF_DEAD_WITHIN_TOO_SHORT;

	count = (unsigned int)larger(HF_COUNT_MIN, smaller(death / 2 / pace.cycle, HF_COUNT_USUAL));
	idle = idle_within(&pace, death, open, count, losses);
	if (!idle)
		idle = idle_within(&pace, death, open, count, --losses);
	if (!idle || (goals->keep_open_ms && goals->keep_open_ms < HF_KEEP_OPEN_MIN))
		return HF_KEEP_OPEN_TOO_SHORT;
	*out = (struct hf_probing){
		.idle_ms = (uint32_t)idle,
		.interval_ms = interval,
		.in_flight_ms = (uint32_t)smaller(
			goals->dead_within_ms ? death : HF_DEAD_WITHIN_DEFAULT, HF_PROBING_MAX),
		/* An idle time that is short to keep the path open leaves room for more. */
		.count = (uint8_t)smaller((death - pace.turn - pace.late - idle) / pace.cycle,
					  HF_COUNT_USUAL),
	};
	return losses == TWO_LOSSES ? HF_DERIVED : HF_DERIVED_ONE_LOSS;
}
