/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>

#include "cli/options.h"
#include "cli/options_parse.h"
#include "cli/table.h"
#include "gateway/doctor.h"
#include "host/doctor.h"

static const struct hf_column status = { "status", "STATUS", HF_LEFT, 0, 0 },
			      check = { "check", "CHECK", HF_WRAPPED, 12, 0 },
			      detail = { "detail", "WHAT WAS FOUND", HF_WRAPPED, 16, 0 },
			      mend = { "mend", "WHAT TO DO", HF_WRAPPED, 16, 0 };
static const struct hf_column *const columns[] = { &status, &check, &detail, &mend };

struct doctor_options {
	struct hf_output_options output;
	bool gateway;
};

enum {
	GATEWAY = HF_OPTION_KEY
};

static const struct argp_option options_table[] = {
	{ "gateway", GATEWAY, 0, 0, "What `holdfast gateway` needs, instead", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct doctor_options *options = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		options->gateway = false;
		state->child_inputs[0] = &options->output;
		return 0;
	case GATEWAY:
		options->gateway = true;
		return hf_option_once(state, options_table, key);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "What this kernel and these privileges allow, a line each, and what to do about the "
	       "rest. Nothing is changed: programs are loaded to see whether they can be, and "
	       "unloaded.\v"
	       "Exit status 1 if something is missing that `holdfast watch` (or gateway) needs.",
	.children = hf_output_children,
};

static const struct {
	const char *name;
	enum hf_colour colour;
} states[] = {
	[HF_FINDING_OK] = { "ok", HF_GOOD },
	[HF_FINDING_LIMITED] = { "limited", HF_WARN },
	[HF_FINDING_MISSING] = { "missing", HF_BAD },
};

struct report {
	struct hf_table *table;
	bool missing;
};

static void add(void *arg, const struct hf_finding *finding)
{
	struct report *report = arg;

	report->missing |= finding->state == HF_FINDING_MISSING;
	hf_table_text(report->table, states[finding->state].name, states[finding->state].colour);
	hf_table_text(report->table, finding->check, HF_PLAIN);
	hf_table_text(report->table, finding->detail, HF_PLAIN);
	hf_table_text(report->table, *finding->mend ? finding->mend : NULL, HF_PLAIN);
	hf_table_end_row(report->table);
}

static int run(int argc, char **argv)
{
	struct doctor_options options;
	struct report report = { 0 };
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	report.table = hf_table_open(columns, sizeof(columns) / sizeof(*columns),
				     options.output.json, stdout);
	if (!report.table)
		return hf_command_output(-ENOMEM);
	if (options.gateway)
		hf_gateway_examine(add, &report);
	else
		hf_doctor_examine(add, &report);
	exit = hf_command_output(hf_table_close(&report.table));
	return exit || !report.missing ? exit : HF_EXIT_BAD_NEWS;
}

const struct hf_command hf_cmd_doctor = {
	.name = "doctor",
	.summary = "what this kernel and these privileges allow, and the mend",
	.argp = &argp,
	.run = run,
};
