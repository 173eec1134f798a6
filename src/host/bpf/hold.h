/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bringing one socket under a rule, and giving back what was taken.
 *
 * The programs that call this hold the socket's lock. bpf_setsockopt wants the socket itself
 * in an iterator and the context in sockops, hence the untyped target.
 */
#ifndef HF_HOST_BPF_HOLD_H
#define HF_HOST_BPF_HOLD_H

#include "host/bpf/maps.h"
#include "host/bpf/socket.h"

#include "host/bpf/settings.h"

extern struct hf_memory_map memory SEC(".maps");
extern struct hf_owners_map owners SEC(".maps");
extern struct hf_rules_map rules SEC(".maps");
extern struct hf_cgroups_map cgroups SEC(".maps");
extern struct hf_control control;
extern struct hf_counters counters;

static __always_inline int set_option(void *target, int level, int name, __u32 value)
{
	return bpf_setsockopt(target, level, name, &value, sizeof(value));
}

/*
 * Write a whole set so that no probe leaves at once (Linux tcp_keepalive_timer): values go in
 * before SO_KEEPALIVE; TCP_KEEPIDLE on a socket already on re-arms for idle - elapsed, so one
 * that has been silent longer is switched off and on: its timer starts anew.
 */
static __always_inline int write_settings(void *target, const struct hf_settings *now,
					  const struct hf_settings *want, __u32 silent)
{
	bool restart = now->keepalive && want->keepalive && silent / 1000 >= want->idle;
	int failed = 0;

	if (restart || (now->keepalive && !want->keepalive))
		failed |= set_option(target, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (now->interval != want->interval)
		failed |= set_option(target, SOL_TCP, TCP_KEEPINTVL, want->interval);
	if (now->count != want->count)
		failed |= set_option(target, SOL_TCP, TCP_KEEPCNT, want->count);
	if (now->idle != want->idle)
		failed |= set_option(target, SOL_TCP, TCP_KEEPIDLE, want->idle);
	if (want->keepalive && (restart || !now->keepalive))
		failed |= set_option(target, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (now->user_timeout_ms != want->user_timeout_ms)
		failed |= set_option(target, SOL_TCP, TCP_USER_TIMEOUT, want->user_timeout_ms);
	return failed;
}

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

static __always_inline bool same_settings(const struct hf_settings *a, const struct hf_settings *b)
{
	return a->keepalive == b->keepalive && a->idle == b->idle && a->interval == b->interval &&
	       a->count == b->count;
}

/*
 * A fixed user timeout (apply): not on a socket so long silent that it would end it after
 * fewer than two probes, and never above the program's own.
 */
static __always_inline void fix_timeout(struct hf_settings *want, __u32 silent, __u32 *flags)
{
	__u32 room = want->count > 2 ? (want->count - 2) * want->interval * 1000 : 0;

	if (want->user_timeout_ms)
		return;
	if (silent < room)
		want->user_timeout_ms = hf_bpf_user_timeout(want);
	else
		*flags |= HF_RECORD_TIMEOUT_LATER;
}

/* Restarts of the same rule find their own stamp and leave the socket in peace. */
static __always_inline bool held_already(struct hf_memory *m, const struct hf_wire_rule *r,
					 const struct hf_settings *now)
{
	return m && m->stamp == r->stamp && same_settings(&m->written, now) &&
	       (now->user_timeout_ms == m->written.user_timeout_ms ||
		now->user_timeout_ms == m->armed_ms);
}

/* The callbacks a socket under a rule calls sockops for; other programs' flags stay. */
static __always_inline int hear_callbacks(void *target, struct tcp_sock *tp, __u32 wanted)
{
	__u32 flags = tp->bpf_sock_ops_cb_flags;

	if ((flags & wanted) == wanted)
		return 0;
	return set_option(target, SOL_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, flags | wanted);
}

static __always_inline void copy_name(char *to, const char *from)
{
	__u64 *t = (__u64 *)to;
	const __u64 *f = (const __u64 *)from;

#pragma unroll
	for (int i = 0; i < HF_RULE_NAME / 8; i++)
		t[i] = f[i];
}

static __always_inline __u32 memory_flags(const struct hf_wire_rule *r, __u32 decision,
					  bool provisional, const struct hf_settings *own,
					  const struct hf_settings *want)
{
	__u32 flags = provisional ? HF_MEMORY_PROVISIONAL : 0;

	if (r->rule.flags & HF_RULE_ARM)
		flags |= HF_MEMORY_ARMS;
	if (r->rule.flags & HF_RULE_OVERRIDE)
		flags |= HF_MEMORY_OVERRIDE;
	if (decision == HF_REPLACE)
		flags |= HF_MEMORY_REPLACED;
	if (want->user_timeout_ms != own->user_timeout_ms)
		flags |= HF_MEMORY_FIXED;
	return flags;
}

/*
 * Apply a rule to a socket in one of HF_STATES_JUDGED (or about to be established). Returns
 * what came of it; *flags gets HF_RECORD_TIMEOUT_LATER.
 */
static __always_inline __u32 hold(void *target, struct tcp_sock *tp, const struct hf_wire_rule *r,
				  bool provisional, __u32 random, __u32 *flags)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_memory *m = bpf_sk_storage_get(&memory, sk, 0, 0);
	struct hf_settings now, own, want = {};
	__u32 silent = silent_ms(tp);
	__u32 decision;

	if (r->rule.flags & HF_RULE_LEAVE)
		return HF_OUTCOME_RULE_LEAVE;
	read_settings(tp, &now);
	if (held_already(m, r, &now)) {
		if (!provisional)
			m->flags &= ~HF_MEMORY_PROVISIONAL;
		return HF_OUTCOME_HELD;
	}
	if (tp->inet_conn.icsk_probes_out)
		return HF_OUTCOME_PROBING;
	if (m) {
		take_wishes(m, &now);
		own = m->original;
	} else {
		own = now;
	}
	decision = hf_bpf_decide(&own, &r->rule.goals, &r->rule.settings,
				 r->rule.flags & HF_RULE_OVERRIDE, &want);
	if (decision == HF_LEAVE_TIMEOUT)
		return HF_OUTCOME_OWN_TIMEOUT;
	if (decision == HF_LEAVE_STRICT)
		return HF_OUTCOME_OWN_STRICTER;
	if (decision == HF_KEEP)
		want = own;
	else
		want.idle = hf_bpf_jitter(want.idle, random);
	if (r->rule.flags & HF_RULE_FIXED_TIMEOUT)
		fix_timeout(&want, silent, flags);
	if (!m)
		m = bpf_sk_storage_get(&memory, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!m)
		return HF_OUTCOME_FAILED;
	m->goals = r->rule.goals;
	m->original = own;
	m->written = want;
	m->armed_ms = 0;
	m->stamp = r->stamp;
	m->flags = memory_flags(r, decision, provisional, &own, &want);
	copy_name(m->rule, r->rule.name);
	if (write_settings(target, &now, &want, silent))
		return HF_OUTCOME_FAILED;
	return decision == HF_KEEP ? HF_OUTCOME_KEPT : HF_OUTCOME_SET;
}

/* Give back every option that still holds what was written, and forget the socket. */
static __always_inline __u32 give_back(void *target, struct tcp_sock *tp, struct hf_memory *m)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_settings now, own;
	int failed;

	read_settings(tp, &now);
	take_wishes(m, &now);
	own = m->original;
	failed = write_settings(target, &now, &own, silent_ms(tp));
	bpf_sk_storage_delete(&memory, sk);
	return failed ? HF_OUTCOME_FAILED : HF_OUTCOME_RESTORED;
}

/*
 * Arm the user timeout while something stays unanswered. The kernel counts it from the first
 * retransmission (or the first persist probe): already_ms is how long ago that was.
 */
static __always_inline void arm(void *target, struct tcp_sock *tp, struct hf_memory *m,
				__u64 already_ms)
{
	__u32 now = tp->inet_conn.icsk_user_timeout;
	__u64 armed;

	if (!(m->flags & HF_MEMORY_ARMS) || !m->goals.dead_within_ms)
		return;
	armed = already_ms + hf_bpf_arm(m->goals.dead_within_ms, silent_ms(tp));
	if (armed > INT32_MAX)
		armed = INT32_MAX;
	if (now && now != m->armed_ms && now <= armed)
		return; /* the program's own is shorter */
	if (set_option(target, SOL_TCP, TCP_USER_TIMEOUT, (__u32)armed))
		return;
	m->armed_ms = (__u32)armed;
	__sync_fetch_and_add(&counters.armed, 1);
}

static __always_inline void disarm(void *target, struct tcp_sock *tp, struct hf_memory *m)
{
	if (m->armed_ms && tp->inet_conn.icsk_user_timeout == m->armed_ms)
		set_option(target, SOL_TCP, TCP_USER_TIMEOUT, m->written.user_timeout_ms);
	m->armed_ms = 0;
}

#endif
