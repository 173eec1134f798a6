/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of one socket under a rule, and what of its settings is whose: arithmetic only, the
 * very same source in the eBPF programs and in user space (host/diag).
 */
#ifndef HF_HOST_BPF_WISHES_H
#define HF_HOST_BPF_WISHES_H

#ifdef __bpf__
#include "host/bpf/settings.h"
#else
#include "host/bpf/wire.h"
#define hf_bpf_decide hf_settings_decide
#define hf_bpf_user_timeout hf_settings_user_timeout
#define hf_bpf_jitter hf_settings_jitter
#define hf_bpf_spread hf_settings_spread
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* What was written and is still so is ours; all else is the program's own wish. */
static __always_inline void take_wishes(struct hf_memory *m, const struct hf_settings *now)
{
	if (now->keepalive != m->written.keepalive)
		m->original.keepalive = now->keepalive;
	if (now->idle != m->written.idle)
		m->original.idle = now->idle;
	if (now->interval != m->written.interval)
		m->original.interval = now->interval;
	if (now->count != m->written.count)
		m->original.count = now->count;
	if (now->user_timeout_ms != m->written.user_timeout_ms &&
	    (!m->armed_ms || now->user_timeout_ms != m->armed_ms))
		m->original.user_timeout_ms = now->user_timeout_ms;
}

/* What setsockopt takes of a set. */
static __always_inline void cut_to_options(struct hf_settings *set)
{
	if (set->idle > HF_IDLE_MAX)
		set->idle = HF_IDLE_MAX;
	if (set->interval > HF_INTERVAL_MAX)
		set->interval = HF_INTERVAL_MAX;
	if (set->count > HF_COUNT_MAX)
		set->count = HF_COUNT_MAX;
}

static __always_inline bool same_settings(const struct hf_settings *a, const struct hf_settings *b)
{
	return a->keepalive == b->keepalive && a->idle == b->idle && a->interval == b->interval &&
	       a->count == b->count;
}

/*
 * A user timeout that begins to stand (fixed by apply, or the program's own lowered to its set)
 * would end a socket silent for so long after fewer than two lost probes.
 */
static __always_inline bool too_silent(const struct hf_settings *set, uint32_t silent)
{
	uint32_t room = set->count > 2 ? (set->count - 2) * set->interval * 1000 : 0;

	return silent >= room;
}

static __always_inline void settle_timeout(const struct hf_wire_rule *r,
					   const struct hf_settings *own, struct hf_settings *want,
					   uint32_t silent, uint32_t *flags)
{
	if ((r->rule.flags & HF_RULE_FIXED_TIMEOUT) && !want->user_timeout_ms)
		want->user_timeout_ms = hf_bpf_user_timeout(want);
	if (!want->user_timeout_ms || want->user_timeout_ms == own->user_timeout_ms ||
	    !too_silent(want, silent))
		return;
	want->user_timeout_ms = own->user_timeout_ms;
	*flags |= HF_RECORD_TIMEOUT_LATER;
}

/* Restarts of the same rule find their own stamp and leave the socket in peace. */
static __always_inline bool held_already(const struct hf_memory *m, const struct hf_wire_rule *r,
					 const struct hf_settings *now, uint32_t silent)
{
	if (!m || m->stamp != r->stamp || !same_settings(&m->written, now))
		return false;
	if ((m->flags & HF_MEMORY_TIMEOUT_LATER) && !too_silent(now, silent))
		return false;
	return now->user_timeout_ms == m->written.user_timeout_ms ||
	       now->user_timeout_ms == m->armed_ms;
}

static __always_inline uint32_t memory_flags(const struct hf_wire_rule *r, uint32_t outcome,
					     const struct hf_settings *own,
					     const struct hf_settings *want, uint32_t record_flags)
{
	uint32_t flags = 0;

	if (r->rule.flags & HF_RULE_ARM)
		flags |= HF_MEMORY_ARMS;
	if (r->rule.flags & HF_RULE_OVERRIDE)
		flags |= HF_MEMORY_OVERRIDE;
	if (outcome == HF_OUTCOME_SET)
		flags |= HF_MEMORY_REPLACED;
	if (want->user_timeout_ms != own->user_timeout_ms)
		flags |= HF_MEMORY_FIXED;
	if (record_flags & HF_RECORD_TIMEOUT_LATER)
		flags |= HF_MEMORY_TIMEOUT_LATER;
	return flags;
}

/*
 * What becomes of the socket (an hf_outcome), and the set it is to have; spread: idle is drawn
 * widely.
 */
static __always_inline uint32_t decide(const struct hf_wire_rule *r, const struct hf_settings *own,
				       bool spread, uint32_t random, struct hf_settings *want)
{
	switch (hf_bpf_decide(own, &r->rule.goals, &r->rule.settings,
			      r->rule.flags & HF_RULE_OVERRIDE, want)) {
	case HF_LEAVE_TIMEOUT:
		return HF_OUTCOME_OWN_TIMEOUT;
	case HF_LEAVE_STRICT:
		return HF_OUTCOME_OWN_STRICTER;
	case HF_KEEP:
		*want = *own;
		return HF_OUTCOME_KEPT;
	case HF_REPLACE:
		break;
	}
	/* A watcher leaves none standing, not even a shorter one: it arms (see look_after). */
	if ((r->rule.flags & HF_RULE_ARM) && !r->rule.settings.user_timeout_ms)
		want->user_timeout_ms = own->user_timeout_ms;
	if (!want->user_timeout_ms) /* with one, an earlier start is not always an earlier end */
		want->idle = spread ? hf_bpf_spread(want->idle, random) :
				      hf_bpf_jitter(want->idle, random);
	return HF_OUTCOME_SET;
}

#endif
