/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>

#include "cli/options.h"
#include "cli/table.h"
#include "path/profiles.h"

static const struct hf_column name = { "name", "NAME", HF_LEFT, 0, 0 },
			      timeout = { "idle_timeout_s", "TIMEOUT", HF_RIGHT, 0, 0 },
			      on_expiry = { "on_expiry", "THEN", HF_LEFT, 10, 2 },
			      idle = { "idle", "IDLE", HF_RIGHT, 0, 4 },
			      interval = { "interval", "INTERVAL", HF_RIGHT, 0, 4 },
			      count = { "count", "COUNT", HF_RIGHT, 0, 4 },
			      middlebox = { "middlebox", "MIDDLEBOX", HF_LEFT, 20, 0 },
			      note = { "note", "NOTE", HF_LEFT, 16, 3 },
			      source = { "source", "SOURCE", HF_LEFT, 16, 5 };

static const struct hf_column *const columns[] = {
	&name, &timeout, &on_expiry, &idle, &interval, &count, &middlebox, &note, &source,
};

static const char l7_note[] =
	"\nSeconds. IDLE, INTERVAL and COUNT are what --keep-open NAME alone makes of it.\n"
	"Proxies that end TCP and applications have timers of their own (AWS ALB 60 s,\n"
	"Cloudflare Gateway 270 s, Azure Redis 10 min): TCP keepalive does not reset\n"
	"them.\n";

static void add_row(struct hf_table *table, const struct hf_profile *profile)
{
	struct hf_goals goals = { .keep_open_ms = profile->idle_s * 1000 };
	struct hf_settings settings = { 0 };

	hf_settings_derive(&goals, NULL, 0, &settings);
	hf_table_text(table, profile->name, HF_PLAIN);
	hf_table_number(table, profile->idle_s);
	hf_table_text(table, *profile->on_expiry ? profile->on_expiry : NULL, HF_PLAIN);
	hf_table_number(table, settings.idle);
	hf_table_number(table, settings.interval);
	hf_table_number(table, settings.count);
	hf_table_text(table, profile->middlebox, HF_PLAIN);
	hf_table_text(table, *profile->note ? profile->note : NULL, HF_DIM);
	hf_table_text(table, profile->source, HF_DIM);
	hf_table_end_row(table);
}

static const struct argp argp = {
	.parser = hf_output_parse,
	.doc = "Known idle timeouts of middleboxes, with the settings that keep a connection open "
	       "through them.\v"
	       "Any NAME is a PROFILE for --keep-open. The timeouts are the published defaults; where "
	       "one was changed, give its value instead.",
	.children = hf_output_children,
};

static int run(int argc, char **argv)
{
	struct hf_output_options output;
	struct hf_table *table;
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &output))
		return HF_EXIT_USAGE;
	table = hf_table_open(columns, sizeof(columns) / sizeof(columns[0]), output.json, stdout);
	if (!table)
		return hf_command_output(-ENOMEM);
	for (size_t i = 0; i < hf_profiles_count; i++)
		add_row(table, &hf_profiles[i]);
	exit = hf_command_output(hf_table_close(&table));
	if (!exit && !output.json)
		fputs(l7_note, stdout);
	return exit;
}

const struct hf_command hf_cmd_profiles = {
	.name = "profiles",
	.summary = "known middlebox timeouts",
	.argp = &argp,
	.run = run,
};
