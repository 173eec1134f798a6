/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/options_parse.h"
#include "cli/simulation.h"
#include "sim/plot.h"
#include "sim/world.h"

struct simulate_options {
	struct hf_output_options output;
	const char *file, *plot;
	uint32_t seed;
};

/* --- Options --- */

enum {
	SEED = HF_OPTION_KEY,
	PLOT
};

static const struct argp_option simulate_table[] = {
	{ "seed", SEED, "N", 0, "Of all that is left to chance (1); the same, the same run", 0 },
	{ "plot", PLOT, "FILE", 0, "Draw the run there, as SVG", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct simulate_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*options = (struct simulate_options){ .seed = 1 };
		state->child_inputs[0] = &options->output;
		return 0;
	case SEED:
		if (hf_option_once(state, simulate_table, key))
			return EINVAL;
		return hf_option_number(state, "--seed", argument, 0, UINT32_MAX, &options->seed);
	case PLOT:
		options->plot = argument;
		return hf_option_once(state, simulate_table, key);
	case ARGP_KEY_ARG:
		if (options->file)
			return hf_option_error(state, "one scenario at a time",
					       "unexpected argument \"%s\"", argument);
		options->file = argument;
		return 0;
	case ARGP_KEY_END:
		if (!options->file)
			return hf_option_error(state, "holdfast simulate FILE",
					       "there is no scenario to run");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &hf_output_argp, 0, NULL, 0 }, { 0 } };

static const struct argp argp = {
	.options = simulate_table,
	.parser = parse,
	.args_doc = "FILE",
	.doc = "Run a scenario: hosts, links, NATs and gateways under a virtual clock, watched by "
	       "the very engine that libholdfast has.\v"
	       "Exit status 1 if what the scenario expects did not come to be, or if an end that "
	       "answered was taken for dead. holdfast(1) describes the file.",
	.children = children,
};

/* --- Running --- */

static void show_progress(uint32_t virtual_ms, uint32_t duration_ms)
{
	fprintf(stderr, "\rsimulating: %3.0f %%", 100.0 * virtual_ms / duration_ms);
}

static void hide_progress(hf_progress progress)
{
	if (progress)
		fputs("\r\033[K", stderr);
}

static int read_scenario(const char *file, struct hf_scenario *scenario, struct hf_problem *problem)
{
	FILE *in = fopen(file, "re");
	int failed;

	if (!in)
		return hf_problem_set(problem, HF_EXIT_USAGE, "name a scenario's file",
				      "cannot open %s: %s", file, strerror(errno));
	failed = hf_scenario_parse(in, file, scenario, problem);
	fclose(in);
	return failed;
}

static int write_plot(const struct hf_result *result, const char *file, struct hf_problem *problem)
{
	FILE *out = fopen(file, "we");
	bool failed;

	if (out) {
		hf_simulation_plot(result, out);
		failed = ferror(out);
		if (!fclose(out) && !failed)
			return 0;
	}
	return hf_problem_set(problem, HF_EXIT_FAILED, "name another file", "cannot write %s: %s",
			      file, strerror(errno));
}

static int report(const struct simulate_options *options, const struct hf_result *result,
		  struct hf_problem *problem)
{
	if (options->plot && write_plot(result, options->plot, problem))
		return hf_command_fail(problem);
	if (options->output.json)
		hf_simulation_json(result);
	else
		hf_simulation_text(result);
	return hf_simulation_unmet(result, options->file) ? HF_EXIT_BAD_NEWS : HF_EXIT_DONE;
}

static int simulate(const struct simulate_options *options, struct hf_scenario *scenario,
		    struct hf_result *result)
{
	hf_progress progress = isatty(STDERR_FILENO) ? show_progress : NULL;
	struct hf_problem problem;
	int status;

	if (read_scenario(options->file, scenario, &problem))
		return hf_command_fail(&problem);
	if (hf_world_run(scenario, options->seed, progress, result)) {
		hide_progress(progress);
		hf_problem_set(&problem, HF_EXIT_FAILED, "fewer flows", "out of memory");
		return hf_command_fail(&problem);
	}
	hide_progress(progress);
	status = report(options, result, &problem);
	hf_result_free(result);
	return status;
}

static int run(int argc, char **argv)
{
	struct simulate_options options;
	struct hf_scenario *scenario;
	struct hf_result *result;
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	scenario = malloc(sizeof(*scenario));
	result = malloc(sizeof(*result));
	status = scenario && result ? simulate(&options, scenario, result) :
				      hf_command_output(-ENOMEM);
	free(result);
	free(scenario);
	return status;
}

const struct hf_command hf_cmd_simulate = {
	.name = "simulate",
	.summary = "run a scenario in a simulated internet; exit 1 if not as expected",
	.argp = &argp,
	.run = run,
};
