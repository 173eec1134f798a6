/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/outcome.h"
#include "host/privileges.h"

static const struct argp argp = {
	.parser = hf_output_parse,
	.doc = "Give back what an earlier apply, watch or service set and did not: in all network "
	       "namespaces, every option that still holds what Holdfast wrote gets the program's own "
	       "value again. Options that the program changed since are its own and stay.",
	.children = hf_output_children,
};

static int take(void *arg, const struct hf_record *record)
{
	hf_outcome_row(arg, record);
	return 0;
}

static void select_all(struct hf_selection *selection)
{
	*selection = (struct hf_selection){ .netns = "all" };
	hf_match_any(&selection->rule.match);
}

static int give_back(struct hf_host *host, bool json, struct hf_problem *problem)
{
	struct hf_table *table = json ? hf_outcome_table() : NULL;
	unsigned int news = table ? HF_MODE_NEWS : 0;
	int failed =
		hf_host_pass(host, HF_MODE_RESTORE | HF_MODE_OWNERS | news, take, table, problem);
	int written = table ? hf_command_output(hf_table_close(&table)) : HF_EXIT_DONE;

	if (failed)
		return hf_command_fail(problem);
	if (!json)
		hf_outcome_print(hf_host_counters(host), "nothing to give back", stdout);
	if (hf_host_counters(host)->outcome[HF_OUTCOME_FAILED])
		return HF_EXIT_FAILED;
	return written;
}

static int run(int argc, char **argv)
{
	struct hf_output_options output;
	struct hf_selection selection;
	struct hf_problem problem;
	bool everywhere = hf_privileges_have(CAP_SYS_ADMIN);
	struct hf_host *host;
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &output))
		return HF_EXIT_USAGE;
	select_all(&selection);
	if (!everywhere)
		selection.netns = NULL;
	if (hf_host_open(&host, HF_USE_RESTORE, &selection, &problem))
		return hf_command_fail(&problem);
	if (!everywhere)
		fputs("holdfast: only in this network namespace: others want CAP_SYS_ADMIN\n",
		      stderr);
	hf_host_confine(host, false);
	if (hf_host_armed(host)) {
		hf_problem_set(&problem, HF_EXIT_FAILED,
			       "end it first; it gives back with --restore",
			       "a watcher is running and would set everything again");
		exit = hf_command_fail(&problem);
	} else {
		exit = give_back(host, output.json, &problem);
	}
	hf_host_close(&host);
	return exit;
}

const struct hf_command hf_cmd_restore = {
	.name = "restore",
	.summary = "give back what an earlier watch, apply or service set",
	.argp = &argp,
	.run = run,
};
