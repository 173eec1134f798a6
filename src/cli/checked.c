/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/checked.h"

#include <inttypes.h>
#include <string.h>

#include "cli/options.h"
#include "core/duration.h"

#define EVIDENCE 160
#define RTT_COLUMN 3
#define RTT_WIDTH 6 /* 9.99ms, 99.9ms, 9999ms */

enum verdict {
	ALIVE,
	DEAD,
	RESET,
	BUSY,
	CLOSING,
	UNKNOWN,
	VERDICTS
};

static const struct hf_column local = { "local", "LOCAL", HF_LEFT, 0, 0 },
			      remote = { "remote", "REMOTE", HF_LEFT, 0, 0 },
			      verdict = { "verdict", "VERDICT", HF_LEFT, 0, 0 },
			      rtt = { "rtt_ms", "RTT", HF_RIGHT, 0, 0 },
			      probes = { "probes", "PROBES", HF_RIGHT, 0, 1 },
			      evidence = { "evidence", "EVIDENCE", HF_LEFT, 20, 0 };
static const struct hf_column *const columns[] = { &local, &remote, &verdict,
						   &rtt,   &probes, &evidence };

static const struct {
	const char *name;
	enum hf_colour colour;
} verdicts[VERDICTS] = {
	[ALIVE] = { "alive", HF_GOOD },	   [DEAD] = { "dead", HF_BAD },
	[RESET] = { "reset", HF_BAD },	   [BUSY] = { "busy", HF_WARN },
	[CLOSING] = { "closing", HF_DIM }, [UNKNOWN] = { "unknown", HF_DIM },
};

static enum verdict verdict_of(const struct hf_checked *checked)
{
	static const enum verdict of[HF_CHECK_RESULTS] = {
		[HF_CHECK_PENDING] = UNKNOWN,  [HF_CHECK_ANSWERED] = ALIVE,
		[HF_CHECK_HEARD] = ALIVE,      [HF_CHECK_UNANSWERED] = DEAD,
		[HF_CHECK_REFUSED] = RESET,    [HF_CHECK_IN_FLIGHT] = BUSY,
		[HF_CHECK_UNSENT] = BUSY,      [HF_CHECK_CLOSING] = CLOSING,
		[HF_CHECK_NOT_OPEN] = UNKNOWN, [HF_CHECK_SIGNED] = UNKNOWN,
		[HF_CHECK_GONE] = UNKNOWN,     [HF_CHECK_UNSENDABLE] = UNKNOWN,
	};

	return of[checked->result];
}

static const char *duration(uint32_t ms, char text[HF_DURATION_TEXT])
{
	hf_duration_format(ms < 1000 ? ms : (ms + 50) / 100 * 100, text);
	return text;
}

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

/* What the kernel's own asking has come to: ", 3 retransmissions unanswered, silent 4s". */
static void tell_waiting(const struct hf_checked *c, const char *what, char *text)
{
	uint32_t n = c->in_flight ? c->retransmits : c->unanswered;
	const char *kind = c->in_flight ? "retransmission" : "window probe";
	char silent[HF_DURATION_TEXT], asked[64] = "";

	if (n)
		snprintf(asked, sizeof(asked), ", %" PRIu32 " %s%s unanswered", n, kind, plural(n));
	snprintf(text, EVIDENCE, "%s%s, silent %s", what, asked, duration(c->silent_ms, silent));
}

static void tell_in_flight(const struct hf_checked *c, char *text)
{
	char what[64];

	snprintf(what, sizeof(what), "%" PRIu32 " segment%s in flight", c->in_flight,
		 plural(c->in_flight));
	tell_waiting(c, what, text);
}

static void tell_answer(const struct hf_checked *c, char *text)
{
	char waited[HF_DURATION_TEXT];

	if (c->probes == 1)
		snprintf(text, EVIDENCE, "answered");
	else
		snprintf(text, EVIDENCE, "answered %s after the first of %" PRIu32 " probes",
			 duration(c->waited_ms, waited), c->probes);
}

static void tell_unanswered(const struct hf_checked *c, char *text)
{
	char silent[HF_DURATION_TEXT];

	snprintf(text, EVIDENCE, "%" PRIu32 " probe%s unanswered, silent %s", c->probes,
		 plural(c->probes), duration(c->silent_ms, silent));
}

static void tell_heard(const struct hf_checked *c, char *text)
{
	char silent[HF_DURATION_TEXT];

	snprintf(text, EVIDENCE, "heard %s ago", duration(c->silent_ms, silent));
}

static void tell_unsendable(const struct hf_checked *c, char *text)
{
	if (c->probes)
		snprintf(text, EVIDENCE, "only %" PRIu32 " probe%s could be sent: %s", c->probes,
			 plural(c->probes), strerror(c->error));
	else
		snprintf(text, EVIDENCE, "no probe could be sent: %s", strerror(c->error));
}

static void tell(const struct hf_checked *c, char text[EVIDENCE])
{
	const char *state = hf_state_name(c->state);

	switch (c->result) {
	case HF_CHECK_PENDING:
		snprintf(text, EVIDENCE, "would be probed");
		return;
	case HF_CHECK_ANSWERED:
		tell_answer(c, text);
		return;
	case HF_CHECK_HEARD:
		tell_heard(c, text);
		return;
	case HF_CHECK_UNANSWERED:
		tell_unanswered(c, text);
		return;
	case HF_CHECK_REFUSED:
		snprintf(text, EVIDENCE, "answered with RST");
		return;
	case HF_CHECK_IN_FLIGHT:
		tell_in_flight(c, text);
		return;
	case HF_CHECK_UNSENT:
		tell_waiting(c, "window closed", text);
		return;
	case HF_CHECK_CLOSING:
		tell_waiting(c, state, text);
		return;
	case HF_CHECK_NOT_OPEN:
		snprintf(text, EVIDENCE, "%s: not open", state);
		return;
	case HF_CHECK_SIGNED:
		snprintf(text, EVIDENCE, "segments are signed (MD5 or TCP-AO): not probed");
		return;
	case HF_CHECK_GONE:
		snprintf(text, EVIDENCE, "closed during the check");
		return;
	case HF_CHECK_UNSENDABLE:
		tell_unsendable(c, text);
		return;
	}
}

bool hf_checked_is_bad(const struct hf_checked *checked)
{
	enum verdict of = verdict_of(checked);

	return of == DEAD || of == RESET;
}

struct hf_table *hf_checked_table(bool json)
{
	return hf_table_open(columns, sizeof(columns) / sizeof(*columns), json, stdout);
}

void hf_checked_expect(struct hf_table *table, const struct hf_checked *checked)
{
	char text[HF_ENDPOINT_TEXT];

	hf_table_expect(table, 0, hf_endpoint_format(&checked->local, text));
	hf_table_expect(table, 1, hf_endpoint_format(&checked->remote, text));
	hf_table_expect(table, RTT_COLUMN, RTT_WIDTH);
}

static void endpoint_cell(struct hf_table *table, const struct hf_endpoint *endpoint)
{
	char text[HF_ENDPOINT_TEXT];

	hf_table_bytes(table, text, hf_endpoint_format(endpoint, text), HF_PLAIN);
}

void hf_checked_row(struct hf_table *table, const struct hf_checked *checked)
{
	enum verdict of = verdict_of(checked);
	char text[EVIDENCE] = "";

	tell(checked, text);
	endpoint_cell(table, &checked->local);
	endpoint_cell(table, &checked->remote);
	hf_table_text(table, verdicts[of].name, verdicts[of].colour);
	if (checked->rtt_us != UINT32_MAX)
		hf_table_milliseconds(table, checked->rtt_us);
	else
		hf_table_none(table);
	hf_table_number(table, checked->probes);
	hf_table_text(table, text, HF_PLAIN);
	hf_table_end_row(table);
}
