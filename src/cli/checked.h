/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a check found of each connection, as rows: its verdict, and the evidence in words. */
#ifndef HF_CLI_CHECKED_H
#define HF_CLI_CHECKED_H

#include "cli/table.h"
#include "host/check.h"

/* Dead or reset. */
bool hf_checked_is_bad(const struct hf_checked *checked);

/* A table of local, remote, verdict, rtt_ms, probes, evidence on stdout; NULL: no memory. */
struct hf_table *hf_checked_table(bool json);

/* Rows come one by one: keep room for the ends of this one. */
void hf_checked_expect(struct hf_table *table, const struct hf_checked *checked);
void hf_checked_row(struct hf_table *table, const struct hf_checked *checked);

#endif
