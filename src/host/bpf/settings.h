/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The core's arithmetic and matching as global functions: the verifier looks at each of them once,
 * whatever calls it, and demands that a pointer may be NULL. Contracts: holdfast/settings.h and
 * policy.h; nothing useful is returned for NULL.
 */
#ifndef HF_HOST_BPF_SETTINGS_H
#define HF_HOST_BPF_SETTINGS_H

#include "host/bpf/kernel.h"
#include "host/bpf/wire.h"

/* 0 = derived from goals alone */
int hf_bpf_derive(const struct hf_goals *goals, struct hf_settings *out);

/* enum hf_decision */
int hf_bpf_decide(const struct hf_settings *program, const struct hf_goals *goals,
		  const struct hf_settings *ours, __u32 override, struct hf_settings *out);

/* enum hf_matched */
int hf_bpf_match(const struct hf_match *match, __u32 index, const struct hf_facts *facts);

/* enum hf_verdict */
int hf_bpf_audit(const struct hf_settings *settings, const struct hf_goals *goals,
		 const struct hf_retransmission *rtx);

/* 0 = do not arm */
__u32 hf_bpf_arm(__u32 dead_within_ms, __u64 silent_ms, const struct hf_retransmission *rtx);
__u32 hf_bpf_user_timeout(const struct hf_settings *settings);
__u32 hf_bpf_jitter(__u32 idle, __u32 random);
__u32 hf_bpf_spread(__u32 idle, __u32 random);

#endif
