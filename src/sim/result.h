/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run came to. */
#ifndef HF_SIM_RESULT_H
#define HF_SIM_RESULT_H

#include "sim/scenario.h"

#define HF_SAMPLES_WANTED 240
#define HF_SAMPLES_MAX (HF_SAMPLES_WANTED + 2)
#define HF_BYTES_IPV4 40 /* headers of IP and TCP */
#define HF_BYTES_IPV6 60
#define HF_BYTES_TIMESTAMPS 12

struct hf_sample {
	uint32_t at_ms;
	uint64_t flows, nat_entries, table, dialogues; /* at that time */
	uint64_t probes, deaths;		       /* until then */
};

struct hf_durations { /* a growing list, ms */
	uint32_t *ms;
	size_t count, size;
};

struct hf_result {
	const struct hf_scenario *scenario;
	uint64_t seed;
	uint32_t flows;	       /* in the scenario */
	uint64_t opened, open; /* connections opened in all; still open at the end */
	uint64_t probes, questions, answers, bytes, segments;
	uint64_t real, found, missed, late, by_reset, unreachable, wrong, all_lost, revived, closed;
	double all_lost_expected; /* by theory; NAN where there is none */
	double all_lost_variance;
	uint64_t dialogues;
	uint64_t given_up;		 /* ends whose own retransmissions told them first */
	struct hf_durations detection;	 /* found: since last heard, nothing being in flight */
	struct hf_durations in_flight;	 /* the same, data being in flight */
	struct hf_durations after_death; /* found: since the end was gone */
	uint64_t bound_ms;	   /* the longest of those promised, nothing being in flight */
	uint64_t evicted, expired; /* NATs and firewalls: living flows forgotten */
	uint64_t gateway_capacity, gateway_refused;
	uint64_t gateway_late_max_ms;
	bool has_nat, has_gateway;
	struct hf_sample sample[HF_SAMPLES_MAX];
	size_t samples;
};

/* false: out of memory. */
bool hf_durations_add(struct hf_durations *durations, uint32_t ms);

/* Sort them; then the p-th part of them is at most so long. 0 if there are none. */
void hf_durations_sort(struct hf_durations *durations);
uint32_t hf_durations_quantile(const struct hf_durations *durations, double p);

struct hf_unmet {	  /* what was expected and is not so */
	const char *name; /* its key */
	double is;	  /* NAN: there is no such figure in this scenario */
	struct hf_range wanted;
};

/*
 * All that is unmet, out having room for HF_EXPECTATION_COUNT; returns how many. False deaths,
 * missed and late ones are expected to be none where the file says nothing.
 */
unsigned int hf_result_unmet(const struct hf_result *result, struct hf_unmet *out);

/* How many expectations the file has. */
unsigned int hf_result_expected(const struct hf_result *result);

/* How far the deaths by loss alone are from theory, in standard deviations; NAN: no theory. */
double hf_result_deviations(const struct hf_result *result);

void hf_result_free(struct hf_result *result);

#endif
