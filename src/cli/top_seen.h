/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of connections from one pass to the next: a watch's events go to the watch alone,
 * so `top` derives its own. 80 bytes are kept of each connection.
 */
#ifndef HF_CLI_TOP_SEEN_H
#define HF_CLI_TOP_SEEN_H

#include "host/host.h"

enum hf_top_change {
	HF_TOP_APPEARED,
	HF_TOP_GONE,	  /* closed, reset, or handed to where the filter does not see it */
	HF_TOP_SUSPECTED, /* two probes or retransmissions are unanswered */
	HF_TOP_ANSWERED,  /* was suspected; nothing is unanswered any more */
	HF_TOP_DIED,	  /* gone with something unanswered while the kernel gave connections up */
};
#define HF_TOP_CHANGES 5
const char *hf_top_change_name(enum hf_top_change change);

/* What is kept of a connection. */
struct hf_top_known {
	uint64_t cookie;
	struct hf_address local, remote;
	uint16_t local_port, remote_port;
	uint32_t pid, netns, silent_ms;
	uint32_t pass; /* the last that saw it */
	uint8_t family, state;
	uint8_t unanswered;
	uint8_t flags;
	char process[HF_PROCESS_NAME];
};

/* Called for each change; first: for the first pass every connection is new, and none is told. */
typedef void (*hf_top_change_fn)(void *arg, enum hf_top_change change,
				 const struct hf_top_known *known);

struct hf_top_seen;

/* NULL: no memory. */
struct hf_top_seen *hf_top_seen_new(hf_top_change_fn fn, void *arg);
void hf_top_seen_free(struct hf_top_seen **seen);

/*
 * A pass: begin, a call for every record, end. enters: a connection not known yet is taken in.
 * -ENOMEM or 0. What has no cookie is passed over.
 */
void hf_top_seen_begin(struct hf_top_seen *seen);
int hf_top_seen_record(struct hf_top_seen *seen, const struct hf_record *record, bool enters);

/* timeouts: connections that the kernel has given up since the last pass (struct hf_netstat). */
void hf_top_seen_end(struct hf_top_seen *seen, uint64_t timeouts);

/* What is known as a record, without settings: as last seen, in state CLOSE where it died. */
void hf_top_known_record(const struct hf_top_known *known, bool died, struct hf_record *out);

#endif
