/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy of `holdfast run` on its way into the preloaded library: one environment variable. */
#ifndef HF_PRELOAD_POLICY_H
#define HF_PRELOAD_POLICY_H

#include <holdfast/settings.h>

#define HF_PRELOAD_VARIABLE "HOLDFAST_RUN"
#define HF_PRELOAD_FILE "libholdfast-preload.so"

struct hf_preload_policy {
	struct hf_goals goals;
	struct hf_settings settings; /* derived from them, or given */
	uint32_t override;	     /* 1: replace what the program set itself, stricter or not */
};

/*
 * In the variable: decimal numbers with commas between, of which the first is the version of the
 * format. The other side writes it with HF_PRELOAD_FORMAT and HF_PRELOAD_NUMBERS.
 */
#define HF_PRELOAD_VERSION 1
#define HF_PRELOAD_FORMAT "%u,%u,%u,%u,%u,%u,%u,%u"
#define HF_PRELOAD_NUMBERS(policy)                                                              \
	HF_PRELOAD_VERSION, (policy)->goals.dead_within_ms, (policy)->goals.keep_open_ms,       \
		(policy)->settings.idle, (policy)->settings.interval, (policy)->settings.count, \
		(policy)->settings.user_timeout_ms, (policy)->override

/* false, with *out untouched, where text (NULL allowed) is nothing of that kind. */
bool hf_preload_parse(const char *text, struct hf_preload_policy *out);

#endif
