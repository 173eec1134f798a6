/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool hf_durations_add(struct hf_durations *durations, uint32_t ms)
{
	if (durations->count == durations->size) {
		size_t size = durations->size ? 2 * durations->size : 256;
		uint32_t *grown = realloc(durations->ms, size * sizeof(*grown));

		if (!grown)
			return false;
		durations->ms = grown;
		durations->size = size;
	}
	durations->ms[durations->count++] = ms;
	return true;
}

static int compare(const void *a, const void *b)
{
	uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

	return (first > second) - (first < second);
}

void hf_durations_sort(struct hf_durations *durations)
{
	if (durations->count)
		qsort(durations->ms, durations->count, sizeof(*durations->ms), compare);
}

uint32_t hf_durations_quantile(const struct hf_durations *durations, double p)
{
	size_t place = (size_t)ceil(p * (double)durations->count);

	if (!durations->count)
		return 0;
	return durations->ms[place ? place - 1 : 0];
}

double hf_result_deviations(const struct hf_result *result)
{
	double off = (double)result->all_lost - result->all_lost_expected;

	if (isnan(result->all_lost_expected) || !(result->all_lost_variance > 0))
		return NAN;
	return fabs(off) / sqrt(result->all_lost_variance);
}

static double figure(const struct hf_result *result, enum hf_expectation expectation)
{
	const double figures[HF_EXPECTATION_COUNT] = {
		[HF_EXPECT_flows_opened] = (double)result->opened,
		[HF_EXPECT_flows_open] = (double)result->open,
		[HF_EXPECT_deaths_real] = (double)result->real,
		[HF_EXPECT_deaths_found] = (double)result->found,
		[HF_EXPECT_deaths_missed] = (double)result->missed,
		[HF_EXPECT_deaths_late] = (double)result->late,
		[HF_EXPECT_deaths_by_reset] = (double)result->by_reset,
		[HF_EXPECT_deaths_unreachable] = (double)result->unreachable,
		[HF_EXPECT_false_deaths] = (double)result->wrong,
		[HF_EXPECT_all_probes_lost] = (double)result->all_lost,
		[HF_EXPECT_all_probes_lost_deviations] = hf_result_deviations(result),
		[HF_EXPECT_detection_max] = hf_durations_quantile(&result->detection, 1) / 1e3,
		[HF_EXPECT_nat_evicted] = (double)result->evicted,
		[HF_EXPECT_nat_expired] = (double)result->expired,
		[HF_EXPECT_probes] = (double)result->probes,
		[HF_EXPECT_revived] = (double)result->revived,
		[HF_EXPECT_closed] = (double)result->closed,
		[HF_EXPECT_refused] = (double)result->gateway_refused,
	};

	return figures[expectation];
}

/* Whether said or not. */
static bool always_wanted(enum hf_expectation expectation)
{
	return expectation == HF_EXPECT_false_deaths || expectation == HF_EXPECT_deaths_missed ||
	       expectation == HF_EXPECT_deaths_late;
}

unsigned int hf_result_unmet(const struct hf_result *result, struct hf_unmet *out)
{
	static const char *const names[HF_EXPECTATION_COUNT] = {
#define X(name) [HF_EXPECT_##name] = #name,
		HF_EXPECTATIONS(X)
#undef X
	};
	unsigned int count = 0;

	for (unsigned int i = 0; i < HF_EXPECTATION_COUNT; i++) {
		struct hf_range wanted = result->scenario->expect[i];
		double is = figure(result, i);

		if (!wanted.line && !always_wanted(i))
			continue;
		if (is >= wanted.least && is <= wanted.most)
			continue;
		out[count++] = (struct hf_unmet){ .name = names[i], .is = is, .wanted = wanted };
	}
	return count;
}

unsigned int hf_result_expected(const struct hf_result *result)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < HF_EXPECTATION_COUNT; i++)
		count += result->scenario->expect[i].line != 0;
	return count;
}

void hf_result_free(struct hf_result *result)
{
	free(result->detection.ms);
	free(result->in_flight.ms);
	free(result->after_death.ms);
	result->detection = result->in_flight = result->after_death = (struct hf_durations){ 0 };
}
