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

#include "host/bpf/wishes.h"

extern struct hf_memory_map memory SEC(".maps");
extern struct hf_pinned_map pinned SEC(".maps");
extern struct hf_owners_map owners SEC(".maps");
extern struct hf_rules_map rules SEC(".maps");
extern struct hf_cgroups_map cgroups SEC(".maps");
extern struct hf_control control;
extern struct hf_counters counters;

static __always_inline void *memory_in_use(void)
{
	__u32 first = 0;

	return fixed.pinned ? bpf_map_lookup_elem(&pinned, &first) : &memory;
}

/* flags: 0, or BPF_SK_STORAGE_GET_F_CREATE. */
static __always_inline struct hf_memory *memory_of(void *sk, __u64 flags)
{
	void *map = memory_in_use();

	return map ? bpf_sk_storage_get(map, sk, 0, flags) : 0;
}

static __always_inline void forget(void *sk)
{
	void *map = memory_in_use();

	if (map)
		bpf_sk_storage_delete(map, sk);
}

static __always_inline int set_option(void *target, int level, int name, __u32 value)
{
	return bpf_setsockopt(target, level, name, &value, sizeof(value));
}

/* A first probe is due in so many milliseconds. */
static __always_inline void forecast(__u32 left)
{
	__u32 slot = left / HF_DUE_SLOT_MS;

	barrier_var(slot); /* the verifier does not follow what the compiler would make of it */
	if (slot < HF_DUE_SLOTS)
		counters.due[slot]++;
}

/* Sockets that another watcher held, or apply set, are not ours to look after. */
static __always_inline bool held_by_us(const struct hf_memory *m)
{
	return control.watcher && (m->flags & HF_MEMORY_WATCHER) == control.watcher;
}

static __always_inline void claim(struct hf_memory *m)
{
	m->flags = (m->flags & ~HF_MEMORY_WATCHER) | control.watcher;
}

/*
 * Write a whole set so that no probe leaves at once (Linux tcp_keepalive_timer): values go in
 * before SO_KEEPALIVE; TCP_KEEPIDLE on a socket already on re-arms for idle - elapsed, so one
 * that has been silent longer is switched off and on: its timer starts anew.
 */
static __always_inline int write_settings(void *target, const struct hf_settings *now,
					  const struct hf_settings *want, __u32 silent)
{
	bool restart = now->keepalive && want->keepalive && now->idle != want->idle &&
		       silent / 1000 >= want->idle;
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

static __always_inline struct hf_memory *remember(struct sock *sk, const struct hf_wire_rule *r,
						  const struct hf_settings *own,
						  const struct hf_settings *want, __u32 flags)
{
	struct hf_memory *m = memory_of(sk, BPF_SK_STORAGE_GET_F_CREATE);

	if (!m)
		return 0;
	m->goals = r->rule.goals;
	m->original = *own;
	m->written = *want;
	m->armed_ms = 0;
	m->stamp = r->stamp;
	m->flags = flags;
	copy_name(m->rule, r->rule.name);
	return m;
}

/*
 * Have many sockets been set just now? Counted by two seconds: so wide a grid the kernel's timers
 * fire on at usual idle times. Races between CPUs do no harm.
 */
static __always_inline bool crowded(void)
{
	__u32 now = jiffies_to_s((__u32)bpf_jiffies64());

	if (now - counters.crowd_since >= 2) {
		counters.crowd_since = now;
		counters.crowd = 0;
	}
	return counters.crowd++ >= HF_CROWD;
}

/*
 * A socket that began among very many was given a short idle. Once it was heard it has a phase of
 * its own and takes the usual one: later by then, so that no probe leaves at once.
 */
static __always_inline void narrow(void *target, const struct hf_wire_rule *r, __u32 silent,
				   struct hf_memory *m)
{
	struct hf_settings want = {};

	if (!(m->flags & HF_MEMORY_SPREAD) || m->written.user_timeout_ms ||
	    silent / 1000 >= m->written.idle)
		return;
	m->flags &= ~HF_MEMORY_SPREAD;
	if (decide(r, &m->original, false, bpf_get_prandom_u32(), &want) == HF_OUTCOME_SET &&
	    want.idle > m->written.idle && !set_option(target, SOL_TCP, TCP_KEEPIDLE, want.idle))
		m->written.idle = want.idle;
}

/*
 * Give back every option that still holds what was written, and forget the socket. A default of its
 * namespace may be above what an option takes.
 */
static __always_inline __u32 give_back(void *target, struct sock *sk, struct hf_memory *m,
				       const struct hf_settings *now, __u32 silent)
{
	struct hf_settings own;

	take_wishes(m, now);
	own = m->original;
	cut_to_options(&own);
	if (write_settings(target, now, &own, silent))
		return HF_OUTCOME_FAILED;
	forget(sk);
	return HF_OUTCOME_RESTORED;
}

/*
 * Apply a rule to a socket in one of HF_STATES_JUDGED (or about to be established), of which the
 * settings, now, and how long it has been silent are known. Returns what came of it; *kept is
 * what is remembered before and after; *flags gets HF_RECORD_TIMEOUT_LATER.
 */
static __always_inline __u32 hold(void *target, struct tcp_sock *tp, const struct hf_wire_rule *r,
				  const struct hf_settings *now, __u32 silent, bool provisional,
				  struct hf_memory **kept, __u32 *flags)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_memory *m = *kept;
	struct hf_settings own, want = {};
	__u32 outcome, how;
	bool spread;

	if (r->rule.flags & HF_RULE_LEAVE)
		return HF_OUTCOME_RULE_LEAVE;
	if (m && !control.watcher && control.arms && (m->flags & HF_MEMORY_WATCHER))
		return HF_OUTCOME_WATCHED;
	if (held_already(m, r, now, silent)) {
		if (!provisional)
			m->flags &= ~HF_MEMORY_PROVISIONAL;
		narrow(target, r, silent, m);
		return HF_OUTCOME_HELD;
	}
	if (tp->inet_conn.icsk_probes_out)
		return HF_OUTCOME_PROBING;
	own = *now;
	if (m) {
		take_wishes(m, now);
		own = m->original;
	}
	spread = crowded();
	outcome = decide(r, &own, spread, bpf_get_prandom_u32(), &want);
	if (outcome != HF_OUTCOME_SET && outcome != HF_OUTCOME_KEPT) {
		/* the program's wish takes the place of what an earlier decision had set */
		if (m && give_back(target, sk, m, now, silent) == HF_OUTCOME_RESTORED)
			*kept = 0;
		return outcome;
	}
	settle_timeout(r, &own, &want, silent, flags);
	how = memory_flags(r, outcome, &own, &want, *flags);
	if (provisional)
		how |= HF_MEMORY_PROVISIONAL;
	if (spread && outcome == HF_OUTCOME_SET)
		how |= HF_MEMORY_SPREAD;
	if (how & HF_MEMORY_ARMS)
		how |= control.watcher;
	*kept = remember(sk, r, &own, &want, how);
	if (!*kept || write_settings(target, now, &want, silent))
		return HF_OUTCOME_FAILED;
	return outcome;
}

static __always_inline void arm_with(void *target, struct tcp_sock *tp, struct hf_memory *m,
				     __u32 armed)
{
	__u32 now = tp->inet_conn.icsk_user_timeout;

	if (now && now != m->armed_ms && now <= armed)
		return; /* the program's own is shorter */
	if (set_option(target, SOL_TCP, TCP_USER_TIMEOUT, armed))
		return;
	m->armed_ms = armed;
	__sync_fetch_and_add(&counters.armed, 1);
}

/* Is there one armed, and nothing was heard since the first retransmission? */
static __always_inline bool armed_well(const struct tcp_sock *tp, const struct hf_memory *m,
				       __u32 retransmitting)
{
	return m->armed_ms && tp->inet_conn.icsk_user_timeout == m->armed_ms &&
	       silent_ms(tp) >= retransmitting;
}

/*
 * Arm the user timeout while something stays unanswered. The kernel counts it from the first
 * retransmission (or the first persist probe): already_ms is how long ago that was. While
 * persisting it gives up after tcp_retries2 probes, whenever they come: that limit stays beside.
 */
static __always_inline void arm(void *target, struct tcp_sock *tp, struct hf_memory *m,
				__u32 already_ms, bool persisting)
{
	__u32 now = tp->inet_conn.icsk_user_timeout;
	struct hf_retransmission rtx = { .since_ms = already_ms };
	__u32 armed;

	if (!(m->flags & HF_MEMORY_ARMS) || !m->goals.dead_within_ms)
		return;
	rtx.rto_ms = (__u32)jiffies_to_ms(tp->inet_conn.icsk_rto) >>
		     (tp->inet_conn.icsk_backoff & 15);
	rtx.rtt_ms = tp->srtt_us / 8000 + 1;
	rtx.retries = net_of(tp)->ipv4.sysctl_tcp_retries2;
	if (persisting || (now && now != m->armed_ms))
		rtx.retries = UINT32_MAX; /* or the program's own timeout has taken its place */
	armed = hf_bpf_arm(m->goals.dead_within_ms, silent_ms(tp), &rtx);
	if (armed) /* else the kernel gives up sooner by itself */
		arm_with(target, tp, m, armed);
}

/*
 * A program's own user timeout takes the count's place: where it outlasts the set, it is cut to the
 * set while three probes are unanswered. The kernel counts it from the last segment heard.
 */
static __always_inline void arm_idle(void *target, struct tcp_sock *tp, struct hf_memory *m)
{
	if ((m->flags & HF_MEMORY_ARMS) && tp->inet_conn.icsk_user_timeout)
		arm_with(target, tp, m, hf_bpf_user_timeout(&m->written));
}

static __always_inline void disarm(void *target, struct tcp_sock *tp, struct hf_memory *m)
{
	if (m->armed_ms && tp->inet_conn.icsk_user_timeout == m->armed_ms)
		set_option(target, SOL_TCP, TCP_USER_TIMEOUT, m->written.user_timeout_ms);
	m->armed_ms = 0;
}

#endif
