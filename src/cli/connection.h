/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection as `list` shows it: its columns, its bounds, its verdict. */
#ifndef HF_CLI_CONNECTION_H
#define HF_CLI_CONNECTION_H

#include "cli/table.h"
#include "host/host.h"

struct hf_connection {
	const struct hf_record *record;
	struct hf_bounds bounds;
	enum hf_verdict verdict; /* HF_NOT_JUDGED outside of what the audit judges */
	struct hf_host *host;	 /* to look cgroups up */
};

/*
 * Judge a record: by policy if given (not NULL), else by the goals of the rule it is under, else
 * by the default. armed: a living watcher arms user timeouts.
 */
void hf_connection_judge(const struct hf_record *record, const struct hf_goals *policy, bool armed,
			 struct hf_connection *out);

/* What its bound in flight depends on. */
struct hf_retransmission hf_connection_retransmission(const struct hf_record *record, bool armed);

/* Would it be judged, if only its settings were known? */
bool hf_connection_is_hidden(const struct hf_record *record);

/* Was anything ever heard of its peer? Else its silence is not known. */
bool hf_connection_was_heard(const struct hf_record *record);

/* Say how many network namespaces are not "shown", "judged", if any. */
void hf_connection_say_shut(unsigned int count, const char *done);

/* Say how many were not "judged", "set" for that reason. The exit status: what it is, else 3. */
int hf_connection_say_hidden(uint64_t count, const char *done, int exit);

enum hf_column_set {
	HF_COLUMNS_TEXT,
	HF_COLUMNS_JSON
};

#define HF_CONNECTION_COLUMNS 32

struct hf_columns {
	const struct hf_column *column[HF_CONNECTION_COLUMNS];
	unsigned int count;
	uint32_t gathers; /* enum hf_gather: what they show */
};

/* The default columns of a form. */
void hf_columns_default(enum hf_column_set set, struct hf_columns *out);

/*
 * Parse "local,remote,audit". On an unknown name returns it within text (up to its comma or end),
 * NULL on success.
 */
const char *hf_columns_parse(const char *text, struct hf_columns *out);

/* All names, comma-separated, for --help and errors. */
const char *hf_columns_names(void);

/* Add the connection's cells as one row. */
void hf_connection_row(struct hf_table *table, const struct hf_columns *columns,
		       const struct hf_connection *connection);

/* "protected", "slow", "unprotected"; NULL for HF_NOT_JUDGED. */
const char *hf_verdict_name(enum hf_verdict verdict);
enum hf_colour hf_verdict_colour(enum hf_verdict verdict);

#endif
