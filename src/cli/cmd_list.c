/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/connection.h"
#include "cli/options_parse.h"
#include "cli/request.h"

struct list_options {
	struct hf_request request;
	const char *columns; /* --columns, NULL = the default ones */
};

struct list {
	struct hf_table *table;
	struct hf_columns columns;
	const struct hf_goals *policy;
	struct hf_host *host;
	bool armed;
};

enum {
	COLUMNS = HF_OPTION_KEY
};

static const struct argp_option options_table[] = {
	{ "columns", COLUMNS, "NAMES", 0,
	  "Show these columns only, with commas between them; nothing else is gathered", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct list_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		options->columns = NULL;
		hf_request_init(&options->request, state);
		return 0;
	case COLUMNS:
		options->columns = argument;
		return hf_option_once(state, options_table, key);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "Every TCP connection: who holds it, its keepalive settings, how long it has been "
	       "silent, how long until a dead peer is found, and whether that is good enough.\v"
	       "AUDIT judges by POLICY, else by the goals of the rule a connection is under, else by "
	       "a dead peer found within 2 min: \"unprotected\" has keepalive off or starts too late "
	       "to keep the path open, \"slow\" finds a dead peer later than the goal, "
	       "\"protected\" is the rest. DEAD-IDLE and DEAD-DATA are the worst cases for an idle "
	       "connection and for one with data in flight.",
	.children = hf_request_children,
};

static int show(void *arg, const struct hf_record *record)
{
	struct list *list = arg;
	struct hf_connection connection = { .record = record, .host = list->host };

	if (list->columns.gathers & HF_GATHER_RETRANSMISSION)
		hf_connection_judge(record, list->policy, list->armed, &connection);
	hf_connection_row(list->table, &list->columns, &connection);
	return 0;
}

static int choose_columns(const struct list_options *options, struct hf_columns *columns,
			  struct hf_problem *problem)
{
	const char *wrong;

	hf_columns_default(options->request.output.json ? HF_COLUMNS_JSON : HF_COLUMNS_TEXT,
			   columns);
	if (!options->columns)
		return 0;
	wrong = hf_columns_parse(options->columns, columns);
	if (!wrong)
		return 0;
	hf_problem_set(problem, HF_EXIT_USAGE, NULL,
		       "--columns: \"%.*s\" is unknown or there twice", (int)strcspn(wrong, ","),
		       wrong);
	snprintf(problem->mend, sizeof(problem->mend), "choose from %s", hf_columns_names());
	return -1;
}

static int list_connections(const struct list_options *options, struct list *list,
			    struct hf_selection *selection, struct hf_problem *problem)
{
	uint64_t hidden;
	int failed, exit;

	if (hf_host_open(&list->host, HF_USE_LOOK, selection, problem))
		return hf_command_fail(problem);
	hf_command_warn(hf_host_warning(list->host));
	hf_host_confine(list->host, list->columns.gathers & HF_GATHER_CGROUP);
	list->armed = hf_host_armed(list->host);
	list->table = hf_table_open(list->columns.column, list->columns.count,
				    options->request.output.json, stdout);
	if (!list->table)
		return hf_command_output(-ENOMEM);
	failed = hf_host_pass(list->host, HF_MODE_SHOW | HF_MODE_OWNERS, show, list, problem);
	exit = hf_command_output(hf_table_close(&list->table));
	hidden = hf_host_counters(list->host)->outcome[HF_OUTCOME_HIDDEN];
	if (!failed && hidden) /* which of them the filter means cannot be told */
		hf_connection_say_hidden(hidden, "shown", exit);
	hf_connection_say_shut(hf_host_shut(list->host), "shown");
	return failed ? hf_command_fail(problem) : exit;
}

static int run(int argc, char **argv)
{
	struct list_options options;
	struct hf_selection selection;
	struct hf_problem problem;
	struct list list = { 0 };
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	if (choose_columns(&options, &list.columns, &problem) ||
	    hf_request_select(&options.request, "list", &selection, &problem))
		return hf_command_fail(&problem);
	list.policy = options.request.policy.given ? &selection.rule.goals : NULL;
	selection.gathers = list.columns.gathers;
	selection.in_reach = true;
	exit = list_connections(&options, &list, &selection, &problem);
	hf_host_close(&list.host);
	return exit;
}

const struct hf_command hf_cmd_list = {
	.name = "list",
	.summary = "every connection: owner, settings, silence, bound, verdict",
	.argp = &argp,
	.run = run,
};
