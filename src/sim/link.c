/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/link.h"

#include <errno.h>
#include <stdlib.h>

int hf_link_init(struct hf_link *link, const struct hf_link_spec *spec)
{
	*link = (struct hf_link){ .spec = spec };
	link->state = calloc(spec->count, sizeof(*link->state));
	if (!link->state)
		return -ENOMEM;
	for (uint32_t i = 0; i < spec->count;
	     i++) /* its first spell ends at once: a calm one begins */
		link->state[i].burst = true;
	return 0;
}

void hf_link_free(struct hf_link *link)
{
	free(link->state);
	link->state = NULL;
}

static bool in_burst(const struct hf_link_spec *spec, struct hf_link_state *state, uint64_t at,
		     struct hf_random *random)
{
	if (!spec->burst_us)
		return false;
	while (state->until <= at) {
		uint32_t mean = state->burst ? spec->burst_every_us : spec->burst_us;

		state->burst = !state->burst;
		state->until += 1 + (uint64_t)hf_random_exponential(random, mean);
	}
	return state->burst;
}

static uint64_t draw_latency(const struct hf_link_spec *spec, struct hf_random *random)
{
	double latency = spec->latency_us, spread = spec->spread_us;

	switch ((enum hf_shape)spec->shape) {
	case HF_UNIFORM:
		latency += spread * (2 * hf_random_unit(random) - 1);
		break;
	case HF_NORMAL:
		latency += spread * hf_random_normal(random);
		break;
	case HF_LOGNORMAL:
		latency *= pow(1 + spread / fmax(latency, 1), hf_random_normal(random));
		break;
	case HF_CONSTANT:
		break;
	}
	if (hf_random_chance(random, spec->reorder))
		latency += spec->reorder_by_us * hf_random_unit(random);
	return latency > 0 ? (uint64_t)latency : 0;
}

unsigned int hf_link_cross(struct hf_link *link, uint32_t which, uint64_t at,
			   struct hf_random *random, uint64_t delay_us[2])
{
	const struct hf_link_spec *spec = link->spec;
	struct hf_link_state *state = &link->state[which];
	double loss = in_burst(spec, state, at, random) ? spec->burst_loss : spec->loss;

	link->crossed++;
	if (state->down || hf_random_chance(random, loss)) {
		link->lost++;
		return 0;
	}
	delay_us[0] = draw_latency(spec, random);
	if (!hf_random_chance(random, spec->duplicate))
		return 1;
	delay_us[1] = draw_latency(spec, random);
	return 2;
}

double hf_link_survival(const struct hf_link_spec *spec)
{
	return spec->burst_us || spec->duplicate > 0 ? NAN : 1 - spec->loss;
}
