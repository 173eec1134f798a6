/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections of a check, in the order of their finding, and found again by their ends. */
#ifndef HF_HOST_CHECK_CONNECTIONS_H
#define HF_HOST_CHECK_CONNECTIONS_H

#include <holdfast/segment.h>

#include "host/check.h"

struct hf_check_connection {
	struct hf_checked checked;
	struct hf_wire_numbers numbers;
	uint64_t cookie;
	uint64_t first_ns, last_ns; /* when probes were sent, CLOCK_MONOTONIC */
	uint32_t netns;
	uint32_t tries; /* probes sent and those that could not be */
	uint32_t pass;	/* the last one that saw it */
	uint32_t next;	/* of the same hash */
	bool kernels;	/* it is the kernel's own */
};

struct hf_connections {
	struct hf_check_connection *entry;
	uint32_t count, room;
	uint32_t *head;	 /* of each hash, as many as room */
	uint64_t key[2]; /* peers shall not choose hashes */
};

void hf_connections_init(struct hf_connections *connections);
void hf_connections_free(struct hf_connections *connections);

/* With its ends, cookie and namespace; entries may move. NULL: no memory. */
struct hf_check_connection *hf_connections_add(struct hf_connections *connections,
					       const struct hf_record *record);

/* The one that the record is of, with the same cookie, or NULL. */
struct hf_check_connection *hf_connections_find(const struct hf_connections *connections,
						const struct hf_record *record);

/* Whose peer may have sent this segment: the one after `last` (NULL: the first), or NULL. */
struct hf_check_connection *hf_connections_next(const struct hf_connections *connections,
						uint32_t netns, const struct hf_segment *segment,
						const struct hf_check_connection *last);

#endif
