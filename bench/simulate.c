/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the simulated internet is: prints "simulate: N flow-days per second, ..." for a
 * scenario (default: a million flows behind carrier NATs for two hours).
 * usage: simulate [SCENARIO]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sim/world.h"

static char fleet[] =
	"scenario fleet { duration = 2h }\n"
	"hosts device { network = \"10.0.0.0/8\" count = 1000000 }\n"
	"hosts server { network = \"198.51.100.0/24\" count = 100 }\n"
	"link radio { latency = 60ms spread = 20ms shape = normal loss = 0.5% }\n"
	"nat carrier { count = 100 timeout = 30min capacity = 12000 }\n"
	"keepalive half { keep_open = 30min dead_within = 30min }\n"
	"flows push { count = 1000000 from = device to = server via = {radio, carrier}\n"
	"	from_keepalive = half open_over = 10min activity = 6h }\n";

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct hf_scenario *scenario = malloc(sizeof(*scenario));
	struct hf_result *result = malloc(sizeof(*result));
	FILE *in = argc > 1 ? fopen(argv[1], "re") : fmemopen(fleet, sizeof(fleet) - 1, "r");
	struct hf_problem problem;
	struct rusage usage;
	double begin, took;

	if (!scenario || !result || !in ||
	    hf_scenario_parse(in, argc > 1 ? argv[1] : "fleet", scenario, &problem)) {
		fprintf(stderr, "simulate: %s\n", in ? problem.what : "cannot open the scenario");
		return 2;
	}
	begin = cpu_seconds();
	if (hf_world_run(scenario, 1, NULL, result))
		return 4;
	took = cpu_seconds() - begin;
	getrusage(RUSAGE_SELF, &usage);
	printf("simulate: %.0f flow-days per second, %.0f segments per second, %.1f s of CPU, "
	       "%.0f bytes per flow\n",
	       result->flows * (scenario->duration_ms / 86400e3) / took,
	       (double)result->segments / took, took, usage.ru_maxrss * 1024.0 / result->flows);
	hf_result_free(result);
	fclose(in);
	free(scenario);
	free(result);
	return 0;
}
