/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a scenario: refused with a line and a reason, or taken; a small one is also run,
 * and then no end that answered is taken for dead.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hf_scenario scenario;
static struct hf_result result;

static void expect(bool held)
{
	if (!held)
		abort();
}

/* So few of everything, and so slow, that a run takes no time to speak of. */
static bool is_small(void)
{
	bool small = scenario.duration_ms <= 120000;

	for (uint32_t i = 0; i < scenario.hosts_count; i++)
		small &= scenario.host[i].count <= 1000;
	for (uint32_t i = 0; i < scenario.links; i++)
		small &= scenario.link[i].count <= 1000 &&
			 (!scenario.link[i].burst_us || scenario.link[i].burst_us > 1000) &&
			 (!scenario.link[i].burst_us || scenario.link[i].burst_every_us > 1000);
	for (uint32_t i = 0; i < scenario.nats; i++)
		small &= scenario.nat[i].count <= 1000;
	for (uint32_t i = 0; i < scenario.gateways; i++)
		small &= scenario.gateway[i].capacity <= 1000 && scenario.gateway[i].tick_ms >= 10;
	for (uint32_t i = 0; i < scenario.flows; i++)
		small &= scenario.flow[i].count <= 4 &&
			 (!scenario.flow[i].activity_ms || scenario.flow[i].activity_ms >= 500) &&
			 (!scenario.flow[i].reopen_ms || scenario.flow[i].reopen_ms >= 500);
	return small;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_problem problem = { 0 };
	FILE *in;

	if (!size || size > 1 << 16)
		return 0;
	in = fmemopen((void *)(uintptr_t)data, size, "r");
	expect(in != NULL);
	if (hf_scenario_parse(in, "file", &scenario, &problem)) {
		expect(problem.exit == HF_EXIT_USAGE && !strncmp(problem.what, "file:", 5));
	} else if (is_small()) {
		expect(!hf_world_run(&scenario, 1, NULL, &result));
		expect(!result.wrong && result.found <= result.real);
		hf_result_free(&result);
	}
	fclose(in);
	return 0;
}
