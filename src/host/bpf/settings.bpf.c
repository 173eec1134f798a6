// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "host/bpf/settings.h"

/* A function of its own that returns nothing leaves what it likes in R0: refused by the verifier. */
#define inline inline __attribute__((always_inline))
#include "core/policy.c"
#include "core/settings.c"
#undef inline

__noinline int hf_bpf_derive(const struct hf_goals *goals, struct hf_settings *out)
{
	if (!goals || !out)
		return -1;
	return hf_settings_derive(goals, 0, 0, out) > HF_DERIVED_ONE_LOSS;
}

__noinline int hf_bpf_decide(const struct hf_settings *program, const struct hf_goals *goals,
			     const struct hf_settings *ours, __u32 override,
			     struct hf_settings *out)
{
	if (!program || !goals || !ours || !out)
		return HF_KEEP;
	return hf_settings_decide(program, goals, ours, override, out);
}

__noinline int hf_bpf_match(const struct hf_match *match, __u32 index, const struct hf_facts *facts)
{
	if (!match || !facts)
		return HF_MATCHED_NO;
	return hf_match_test(match, index, facts);
}

__noinline int hf_bpf_audit(const struct hf_settings *settings, const struct hf_goals *goals,
			    const struct hf_retransmission *rtx)
{
	if (!settings || !goals || !rtx)
		return HF_NOT_JUDGED;
	return hf_settings_audit(settings, goals, rtx);
}

__noinline __u32 hf_bpf_arm(__u32 dead_within_ms, __u64 silent_ms,
			    const struct hf_retransmission *rtx)
{
	return rtx ? hf_settings_arm(dead_within_ms, silent_ms, rtx) : 0;
}

__noinline __u32 hf_bpf_user_timeout(const struct hf_settings *settings)
{
	return settings ? hf_settings_user_timeout(settings) : 0;
}

__noinline __u32 hf_bpf_jitter(__u32 idle, __u32 random)
{
	return hf_settings_jitter(idle, random);
}

__noinline __u32 hf_bpf_spread(__u32 idle, __u32 random)
{
	return hf_settings_spread(idle, random);
}
