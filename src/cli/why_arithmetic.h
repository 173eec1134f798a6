/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a connection's bounds come about, spelled out: "last heard + idle 53s + 9 x 5s = 98s". */
#ifndef HF_CLI_WHY_ARITHMETIC_H
#define HF_CLI_WHY_ARITHMETIC_H

#include <holdfast/settings.h>

#define HF_ARITHMETIC 320 /* bytes that each text below has room for */

/* What ends a connection with data in flight whose peer has gone. */
enum hf_ended_by {
	HF_ENDED_BY_RETRANSMISSIONS, /* tcp_retries2 */
	HF_ENDED_BY_USER_TIMEOUT,
	HF_ENDED_BY_ARMING,	 /* a watcher arms what is left of dead_within */
	HF_ENDED_BY_ARMING_LATE, /* and so does it here, where a third from the write on is later */
};

/* The bound in flight of hf_settings_bounds as a sum of three. */
struct hf_in_flight {
	enum hf_ended_by by;
	uint64_t first_ms; /* from the write to the first retransmission */
	uint64_t limit_ms; /* from there until the kernel gives up */
	uint64_t last_ms;  /* and until the timer that is running then has fired */
};

struct hf_in_flight hf_in_flight_split(const struct hf_settings *settings,
				       const struct hf_retransmission *rtx);

/* Probes that go unanswered before an idle connection's end; keepalive is on. */
uint64_t hf_probes_until_death(const struct hf_settings *settings);

void hf_arithmetic_idle(const struct hf_settings *settings, char *text);
void hf_arithmetic_in_flight(const struct hf_settings *settings,
			     const struct hf_retransmission *rtx, char *text);

/* The longest silence on the wire with two probes in a row lost. */
void hf_arithmetic_keep_open(const struct hf_settings *settings, char *text);

/* How long a network may be broken while the connection is idle. */
void hf_arithmetic_outage(const struct hf_settings *settings, char *text);

#endif
