/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of connections under a rule, as people and programs read them. */
#ifndef HF_CLI_EVENT_H
#define HF_CLI_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/host.h"

enum hf_event_kind {
	HF_EVENT_PROTECTED,
	HF_EVENT_DEAD,
	HF_EVENT_RESET,
	HF_EVENT_CLOSED,
	HF_EVENT_REVIVED,
	HF_EVENT_DESTROYED,
	HF_EVENT_BRAKED,
	HF_EVENT_LOST,
	HF_EVENT_ERROR,
};
#define HF_EVENT_KINDS 9

struct hf_notice {
	enum hf_event_kind kind;
	int64_t time_ms;		/* since the epoch, UTC */
	const struct hf_record *record; /* NULL where no connection is meant */
	int error;			/* errno the program was told, 0 = none */
	const char *action;		/* what was done, NULL = nothing */
	const char *end;		/* of a flow that crosses: who it is about; else NULL */
};

/* How a connection under a rule ended, from the error that its program is told. */
enum hf_event_kind hf_event_of_end(int error);

/*
 * An event of the ring, at the time it happened; an error that is not certain is not told. The record
 * stays the wire event's.
 */
void hf_event_of_wire(const struct hf_wire_event *wire, struct hf_notice *out);

/* An event of this moment. */
void hf_event_now(enum hf_event_kind kind, const struct hf_record *record, const char *action,
		  struct hf_notice *out);

/* What a pass did with a connection, as hf_event_now. False: nothing that is told. */
bool hf_event_of_outcome(const struct hf_record *record, struct hf_notice *out);

/* Segments that the peer left unanswered: probes, and retransmissions of data sent after them. */
uint32_t hf_event_unanswered(const struct hf_record *record);

/* "1 probe and 5 retransmissions unanswered": there must be one at least. */
void hf_event_print_unanswered(const struct hf_record *record, FILE *out);

/* RFC 3339 in UTC, with milliseconds: 25 bytes with the NUL. */
void hf_event_format_time(int64_t ms, char *text, size_t size);

/* One line: JSON, or text (colour: for a terminal). Does not flush. */
void hf_event_print(const struct hf_notice *event, bool json, bool colour, FILE *out);

#endif
