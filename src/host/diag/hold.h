/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One socket under a rule, and given back, through a descriptor: what host/bpf/hold.h does in eBPF. */
#ifndef HF_HOST_DIAG_HOLD_H
#define HF_HOST_DIAG_HOLD_H

#include <stdbool.h>

#include "host/bpf/wire.h"

/* What is remembered of a socket. */
struct hf_hold {
	bool held; /* the rest is filled */
	struct hf_memory memory;
};

/*
 * Apply the rule to the socket behind fd, of which the record tells settings, silence and probes. The
 * record gets the settings then in force, and HF_RECORD_TIMEOUT_LATER. spread: many begin at once.
 */
enum hf_outcome hf_diag_hold(int fd, const struct hf_wire_rule *rule, bool spread,
			     struct hf_record *record, struct hf_hold *hold);

/* Give back what still holds what was written; HF_OUTCOME_RESTORED or HF_OUTCOME_FAILED. */
enum hf_outcome hf_diag_give_back(int fd, struct hf_hold *hold);

/* Is it silent for too short a time by now to be spared a user timeout any longer? */
bool hf_diag_timeout_due(const struct hf_hold *hold, uint32_t silent_ms);

#endif
