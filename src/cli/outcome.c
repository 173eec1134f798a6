/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/outcome.h"

#include <assert.h>
#include <stdio.h>

#include "host/burst.h"

static const struct {
	const char *name, *told;
} outcomes[] = {
	[HF_OUTCOME_NONE] = { "none", "left: under no rule" },
	[HF_OUTCOME_HELD] = { "held", "already under this rule" },
	[HF_OUTCOME_SET] = { "set", "set" },
	[HF_OUTCOME_KEPT] = { "kept", "kept: the program's own settings meet the goals" },
	[HF_OUTCOME_PROBING] = { "probing",
				 "left: probes are unanswered; try again when they settle" },
	[HF_OUTCOME_OWN_TIMEOUT] = { "own-timeout",
				     "left: the program's own user timeout is too short" },
	[HF_OUTCOME_OWN_STRICTER] = { "own-stricter",
				      "left: the program's own settings are stricter" },
	[HF_OUTCOME_STATE] = { "state", "left: closing, or nobody holds it" },
	[HF_OUTCOME_RULE_LEAVE] = { "leave", "left: the rule says hands off" },
	[HF_OUTCOME_RESTORED] = { "restored", "given back what was theirs" },
	[HF_OUTCOME_REVIVED] = { "revived", "revived" },
	[HF_OUTCOME_FAILED] = { "failed", "FAILED: the kernel refused a setting" },
	[HF_OUTCOME_WATCHED] = { "watched", "left: a running watch holds them" },
	[HF_OUTCOME_HIDDEN] = { "hidden", "left: out of reach, other users' programs hold them" },
};
static_assert(sizeof(outcomes) / sizeof(*outcomes) == HF_OUTCOMES, "an outcome has no name");

static const struct hf_column local = { "local", "LOCAL", HF_LEFT, 0, 0 },
			      remote = { "remote", "REMOTE", HF_LEFT, 0, 0 },
			      netns = { "netns", "NETNS", HF_RIGHT, 0, 0 },
			      outcome = { "outcome", "OUTCOME", HF_LEFT, 0, 0 },
			      rule = { "rule", "RULE", HF_LEFT, 0, 0 };
static const struct hf_column *const columns[] = { &local, &remote, &netns, &outcome, &rule };

const char *hf_outcome_name(enum hf_outcome value)
{
	return outcomes[value < HF_OUTCOMES ? value : HF_OUTCOME_FAILED].name;
}

struct hf_table *hf_outcome_table(void)
{
	return hf_table_open(columns, sizeof(columns) / sizeof(*columns), true, stdout);
}

static void endpoint_cell(struct hf_table *table, const struct hf_record *record, bool is_remote)
{
	struct hf_endpoint endpoint = {
		.address = is_remote ? record->remote : record->local,
		.port = is_remote ? record->remote_port : record->local_port,
		.family = record->family,
	};
	char text[HF_ENDPOINT_TEXT];

	hf_table_bytes(table, text, hf_endpoint_format(&endpoint, text), HF_PLAIN);
}

void hf_outcome_row(struct hf_table *table, const struct hf_record *record)
{
	endpoint_cell(table, record, false);
	endpoint_cell(table, record, true);
	hf_table_number(table, record->netns);
	hf_table_text(table, hf_outcome_name(record->outcome), HF_PLAIN);
	hf_table_text(table, record->flags & HF_RECORD_RULE ? record->rule : NULL, HF_PLAIN);
	hf_table_end_row(table);
}

void hf_outcome_print(const struct hf_counters *counters, const char *none, FILE *out)
{
	bool told = false;

	for (size_t i = HF_OUTCOME_HELD; i < HF_OUTCOMES; i++) {
		if (!counters->outcome[i])
			continue;
		fprintf(out, "%8llu  %s\n", (unsigned long long)counters->outcome[i],
			outcomes[i].told);
		if (counters->later[i])
			fprintf(out,
				"%18llu without a user timeout: silent for too long to get one safely\n",
				(unsigned long long)counters->later[i]);
		told = true;
	}
	if (!told)
		fprintf(out, "%s\n", none);
}

void hf_outcome_warn_burst(const struct hf_counters *counters, const struct hf_settings *settings,
			   bool spread)
{
	uint64_t connections = counters->outcome[HF_OUTCOME_HELD] +
			       counters->outcome[HF_OUTCOME_SET] +
			       counters->outcome[HF_OUTCOME_KEPT];
	uint32_t backlog = hf_burst_backlog(connections, settings, spread);

	if (backlog)
		fprintf(stderr,
			"holdfast: so many connections (%llu) probe in bursts; loopback and veth "
			"drop what their queue does not hold, and living connections die of it: "
			"run sysctl -w net.core.netdev_max_backlog=%u, or give a longer goal\n",
			(unsigned long long)connections, backlog);
}
