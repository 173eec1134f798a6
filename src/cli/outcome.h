/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a pass did to each connection, as apply and restore tell it. */
#ifndef HF_CLI_OUTCOME_H
#define HF_CLI_OUTCOME_H

#include <stdio.h>

#include "cli/table.h"
#include "host/host.h"

/* "set", "kept", "left: probes unanswered"; what JSON's outcome says. */
const char *hf_outcome_name(enum hf_outcome outcome);

/* A JSON Lines table of local, remote, netns, outcome, idle, interval, count, user_timeout_ms. */
struct hf_table *hf_outcome_table(void);
void hf_outcome_row(struct hf_table *table, const struct hf_record *record);

/*
 * One line a kind of outcome: "120 set", ..., below it how many of those have yet to get a user
 * timeout; none: what to say if there is nothing to tell.
 */
void hf_outcome_print(const struct hf_counters *counters, const char *none, FILE *out);

/* Say on stderr if so many connections' probes are more than this host's queues take. */
void hf_outcome_warn_burst(const struct hf_counters *counters, const struct hf_settings *settings,
			   bool spread);

#endif
