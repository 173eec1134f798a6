/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>

#include "cli/connection.h"
#include "cli/outcome.h"
#include "cli/request.h"

static const struct argp argp = {
	.parser = hf_request_parse,
	.doc = "Set open connections once, so that a dead peer is found within the goal. Settings "
	       "of a program's own that meet the goals stay, weaker ones are replaced as a "
	       "whole, and no bound gets longer. `holdfast restore` gives everything back.\v"
	       "A fixed user timeout: nobody is there afterwards to arm one only while data is "
	       "unanswered, as `holdfast watch` does, so TCP_USER_TIMEOUT is set for good, also "
	       "where the rest stays, to idle + count * interval. Mind what that means: it decides in place of the "
	       "count; a living peer whose window stays closed that long is ended, too. "
	       "Connections silent for longer than (count - 2) * interval are spared it, since "
	       "one lost probe would end them: apply again once they were heard, or use watch.",
	.children = hf_request_children,
};

static int take(void *arg, const struct hf_record *record)
{
	hf_outcome_row(arg, record);
	return 0;
}

static int summarize(const struct hf_counters *counters)
{
	hf_outcome_print(counters, "no connection matches", stdout);
	return counters->outcome[HF_OUTCOME_FAILED] ? HF_EXIT_FAILED : HF_EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct hf_request request;
	struct hf_selection selection;
	struct hf_problem problem;
	struct hf_table *table = NULL; /* JSON: each connection that was looked at */
	struct hf_host *host;
	int exit = HF_EXIT_DONE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &request))
		return HF_EXIT_USAGE;
	if (hf_request_select(&request, "apply", &selection, &problem))
		return hf_command_fail(&problem);
	selection.rule.flags |= HF_RULE_FIXED_TIMEOUT;
	if (hf_host_open(&host, HF_USE_ACT, &selection, &problem))
		return hf_command_fail(&problem);
	hf_host_confine(host, false);
	hf_command_warn(hf_host_warning(host));
	if (request.output.json)
		table = hf_outcome_table();
	if (hf_host_pass(host, HF_MODE_ACT | HF_MODE_OWNERS | (table ? HF_MODE_REPORT : 0), take,
			 table, &problem))
		exit = hf_command_fail(&problem);
	hf_outcome_warn_burst(hf_host_counters(host), &selection.rule.settings, false);
	if (table) {
		int written = hf_command_output(hf_table_close(&table));
		exit = exit ? exit : written;
	} else if (!exit) {
		exit = summarize(hf_host_counters(host));
	}
	if (hf_host_counters(host)->outcome[HF_OUTCOME_HIDDEN])
		exit = hf_connection_say_hidden(hf_host_counters(host)->outcome[HF_OUTCOME_HIDDEN],
						"set", exit);
	hf_host_close(&host);
	return exit;
}

const struct hf_command hf_cmd_apply = {
	.name = "apply",
	.summary = "set open connections once",
	.argp = &argp,
	.run = run,
};
