/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/connection.h"
#include "cli/request.h"

/* How many of each verdict, under one program or one rule. */
struct tally {
	char name[HF_RULE_NAME];
	bool known;
	uint64_t count[HF_PROTECTED + 1];
};

struct tallies {
	const char *by; /* "program", "rule" */
	struct tally *tally;
	size_t count;
};

struct audit {
	struct tally total;
	struct tallies programs, rules;
	uint64_t hidden; /* could not be judged: their settings are not known */
	const struct hf_goals *policy;
	bool armed;
};

static const struct hf_column by = { "by", "BY", HF_LEFT, 0, 0 },
			      name = { "name", "NAME", HF_LEFT, 8, 0 },
			      connections = { "connections", "CONNECTIONS", HF_RIGHT, 0, 0 },
			      good = { "protected", "PROTECTED", HF_RIGHT, 0, 0 },
			      slow = { "slow", "SLOW", HF_RIGHT, 0, 0 },
			      bad = { "unprotected", "UNPROTECTED", HF_RIGHT, 0, 0 };
static const struct hf_column *const columns[] = { &by, &name, &connections, &good, &slow, &bad };

static const struct argp argp = {
	.parser = hf_request_parse,
	.doc = "How many connections are protected, slow and unprotected, by program and by rule.\v"
	       "Judged are established, close-wait and fin-wait-2 connections that have an owner, "
	       "by POLICY, else by the goals of the rule they are under, else by a dead peer found "
	       "within 2 min. Exit status 1 if any is not protected.",
	.children = hf_request_children,
};

static struct tally *tally_of(struct tallies *tallies, const char *text, bool known)
{
	struct tally *grown;

	for (size_t i = 0; i < tallies->count; i++)
		if (tallies->tally[i].known == known && !strcmp(tallies->tally[i].name, text))
			return &tallies->tally[i];
	grown = realloc(tallies->tally, (tallies->count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tallies->tally = grown;
	grown = &tallies->tally[tallies->count++];
	*grown = (struct tally){ .known = known };
	snprintf(grown->name, sizeof(grown->name), "%s", text);
	return grown;
}

static int count(void *arg, const struct hf_record *record)
{
	struct audit *audit = arg;
	struct hf_connection connection;
	struct tally *program, *rule;
	char process[HF_PROCESS_NAME + 1] = "";
	bool owned = record->flags & HF_RECORD_OWNER, ruled = record->flags & HF_RECORD_RULE;

	hf_connection_judge(record, audit->policy, audit->armed, &connection);
	if (connection.verdict == HF_NOT_JUDGED) {
		audit->hidden += hf_connection_is_hidden(record);
		return 0;
	}
	if (owned)
		memcpy(process, record->process, HF_PROCESS_NAME);
	program = tally_of(&audit->programs, process, owned);
	rule = tally_of(&audit->rules, ruled ? record->rule : "", ruled);
	if (!program || !rule)
		return -ENOMEM;
	program->count[connection.verdict]++;
	rule->count[connection.verdict]++;
	audit->total.count[connection.verdict]++;
	return 0;
}

static uint64_t sum_of(const struct tally *tally)
{
	return tally->count[HF_PROTECTED] + tally->count[HF_SLOW] + tally->count[HF_UNPROTECTED];
}

static int compare(const void *a, const void *b)
{
	uint64_t x = sum_of(a), y = sum_of(b);

	return x < y ? 1 :
	       x > y ? -1 :
		       strcmp(((const struct tally *)a)->name, ((const struct tally *)b)->name);
}

static void add_row(struct hf_table *table, const char *what, const struct tally *tally)
{
	hf_table_text(table, what, HF_PLAIN);
	hf_table_text(table, tally->known ? tally->name : NULL, HF_PLAIN);
	hf_table_number(table, sum_of(tally));
	hf_table_number(table, tally->count[HF_PROTECTED]);
	hf_table_number(table, tally->count[HF_SLOW]);
	hf_table_number(table, tally->count[HF_UNPROTECTED]);
	hf_table_end_row(table);
}

static int report(struct audit *audit, bool json)
{
	struct tallies *parts[] = { &audit->programs, &audit->rules };
	struct hf_table *table = hf_table_open(columns, 6, json, stdout);

	if (!table)
		return hf_command_output(-ENOMEM);
	for (size_t part = 0; part < 2; part++) {
		if (parts[part]->count)
			qsort(parts[part]->tally, parts[part]->count, sizeof(struct tally),
			      compare);
		for (size_t i = 0; i < parts[part]->count; i++)
			add_row(table, parts[part]->by, &parts[part]->tally[i]);
	}
	add_row(table, "total", &audit->total);
	return hf_command_output(hf_table_close(&table));
}

static int run(int argc, char **argv)
{
	struct audit audit = { .programs.by = "program", .rules.by = "rule" };
	struct hf_request request;
	struct hf_selection selection;
	struct hf_problem problem;
	struct hf_host *host;
	int failed, exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &request))
		return HF_EXIT_USAGE;
	if (hf_request_select(&request, "audit", &selection, &problem))
		return hf_command_fail(&problem);
	selection.gathers = HF_GATHER_OWNER | HF_GATHER_BOUNDS;
	selection.in_reach = true;
	audit.policy = request.policy.given ? &selection.rule.goals : NULL;
	if (hf_host_open(&host, HF_USE_LOOK, &selection, &problem))
		return hf_command_fail(&problem);
	hf_command_warn(hf_host_warning(host));
	hf_host_confine(host, false);
	audit.armed = hf_host_armed(host);
	failed = hf_host_pass(host, HF_MODE_SHOW | HF_MODE_OWNERS, count, &audit, &problem);
	if (failed == -ENOMEM)
		hf_problem_set(&problem, HF_EXIT_FAILED, NULL, "out of memory");
	audit.hidden += hf_host_counters(host)->outcome[HF_OUTCOME_HIDDEN];
	exit = failed ? hf_command_fail(&problem) : report(&audit, request.output.json);
	if (!exit && sum_of(&audit.total) > audit.total.count[HF_PROTECTED])
		exit = HF_EXIT_BAD_NEWS;
	if (!failed && audit.hidden)
		exit = hf_connection_say_hidden(audit.hidden, "judged", exit);
	hf_connection_say_shut(hf_host_shut(host), "judged");
	if (!exit && hf_host_shut(host))
		exit = HF_EXIT_MISSING;
	hf_host_close(&host);
	free(audit.programs.tally);
	free(audit.rules.tally);
	return exit;
}

const struct hf_command hf_cmd_audit = {
	.name = "audit",
	.summary = "how many are protected, slow, unprotected; exit 1 if any is not protected",
	.argp = &argp,
	.run = run,
};
