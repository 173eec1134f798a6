/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One connection, gathered: the facts rules are matched against, the record user space gets. */
#ifndef HF_HOST_BPF_RECORD_H
#define HF_HOST_BPF_RECORD_H

#include "host/bpf/hold.h"

#include "core/policy.c"

static __always_inline void copy_process(char *to, const char *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

static __always_inline __u64 cgroup_id(const struct sock *sk)
{
	struct cgroup *cgroup = sk->sk_cgrp_data.cgroup;

	return cgroup ? cgroup->kn->id : 0;
}

/* Addresses, ports, state: what every kind of socket has. */
static __always_inline void gather_common(struct sock_common *skc, struct hf_record *r)
{
	read_address(skc, false, &r->local);
	read_address(skc, true, &r->remote);
	r->local_port = skc->skc_num;
	r->remote_port = bpf_ntohs(skc->skc_dport);
	r->family = skc->skc_family == AF_INET ? HF_IPV4 : HF_IPV6;
	r->state = skc->skc_state == HF_NEW_SYN_RECV ? HF_SYN_RECV : skc->skc_state;
	r->netns = skc->skc_net.net->ns.inum;
}

static __always_inline void gather_owner(const struct hf_owner *owner, struct hf_record *r)
{
	if (!owner)
		return;
	r->flags |= HF_RECORD_OWNER;
	if (owner->pass)
		r->flags |= HF_RECORD_OWNER_SETTLED;
	r->pid = owner->pid;
	copy_process(r->process, owner->process);
}

static __always_inline void gather_timers(struct tcp_sock *tp, struct hf_record *r)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;
	__s64 left = sk->sk_timer.expires - bpf_jiffies64();

	r->silent_ms = silent_ms(tp);
	r->unanswered = icsk->icsk_probes_out;
	r->retransmits = icsk->icsk_retransmits;
	r->in_flight = tp->packets_out;
	r->srtt_us = tp->srtt_us >> 3;
	r->rto_ms = (__u32)jiffies_to_ms(icsk->icsk_rto);
	r->retries2 = sk->__sk_common.skc_net.net->ipv4.sysctl_tcp_retries2;
	r->next_probe_ms = HF_NO_PROBE;
	if (r->settings.keepalive && (HF_STATES_JUDGED >> r->state & 1))
		r->next_probe_ms = left > 0 ? (__u32)jiffies_to_ms(left) : 0;
}

/* All but the cookie, which each kind of program asks for in its own way. */
static __always_inline void gather(struct tcp_sock *tp, struct hf_record *r)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	gather_common(&sk->__sk_common, r);
	r->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	r->flags = HF_RECORD_FULL;
	if (is_orphan(sk))
		r->flags |= HF_RECORD_ORPHAN;
	if (is_kernels(sk))
		r->flags |= HF_RECORD_KERNEL;
	r->cgroup = cgroup_id(sk);
	r->uid = sk->sk_uid.val;
	r->pid = 0;
	r->outcome = HF_OUTCOME_NONE;
	read_settings(tp, &r->settings);
	gather_timers(tp, r);
}

static __always_inline void gather_memory(const struct hf_memory *m, struct hf_record *r)
{
	if (!m)
		return;
	r->flags |= HF_RECORD_RULE;
	if (m->flags & HF_MEMORY_ARMS)
		r->flags |= HF_RECORD_ARMS;
	r->goals = m->goals;
	r->armed_ms = m->armed_ms;
	copy_name(r->rule, m->rule);
}

static __always_inline void read_facts(struct sock_common *skc, const struct hf_owner *owner,
				       struct hf_facts *facts)
{
	facts->family = skc->skc_family == AF_INET ? HF_IPV4 : HF_IPV6;
	facts->state = skc->skc_state == HF_NEW_SYN_RECV ? HF_SYN_RECV : skc->skc_state;
	facts->netns = skc->skc_net.net->ns.inum;
	read_address(skc, false, &facts->local.address);
	read_address(skc, true, &facts->remote.address);
	facts->local.port = skc->skc_num;
	facts->remote.port = bpf_ntohs(skc->skc_dport);
	if (!owner)
		return;
	facts->owner_known = true;
	facts->pid = owner->pid;
	facts->uid = owner->uid;
	copy_process(facts->process, owner->process);
}

struct find_context {
	const struct hf_facts *facts;
	enum hf_matched matched;
	__u32 index;
};

static long find_step(__u32 index, void *data)
{
	struct find_context *find = data;
	struct hf_wire_rule *r = bpf_map_lookup_elem(&rules, &index);

	if (!r)
		return 1;
	find->matched = hf_match_test(&r->rule.match, index, find->facts);
	find->index = index;
	return find->matched != HF_MATCHED_NO;
}

#define NO_RULE -1
#define UNKNOWN_RULE -2 /* hangs on an owner or a cgroup that is not known yet */

/*
 * hf_policy_find over the map: the rule's number, or one of the above. bpf_loop, so that the
 * verifier sees one step only; a function of its own, so that its stack is free afterwards.
 * sk is NULL for TIME_WAIT and connections not yet made.
 */
static __noinline int find_rule(struct sock_common *skc, struct sock *sk,
				const struct hf_owner *owner, __u32 direction)
{
	struct hf_facts facts = { .direction = direction };
	struct find_context find = { .facts = &facts };
	__u64 *cgroup_rules;
	__u64 cgroup;

	if (control.rules > HF_RULES_MAX)
		return NO_RULE;
	read_facts(skc, owner, &facts);
	if (sk && (!owner || owner->pass))
		facts.uid = sk->sk_uid.val;
	if (sk && control.by_cgroup) {
		cgroup = cgroup_id(sk);
		cgroup_rules = bpf_map_lookup_elem(&cgroups, &cgroup);
		if (!cgroup_rules)
			return UNKNOWN_RULE; /* a new one: the next pass looks it up */
		facts.cgroup_rules = *cgroup_rules;
	}
	bpf_loop(control.rules, find_step, &find, 0);
	if (find.matched == HF_MATCHED_UNKNOWN)
		return UNKNOWN_RULE;
	return find.matched == HF_MATCHED ? (int)find.index : NO_RULE;
}

/* What rules never touch: kernel sockets, orphans, states without keepalive. */
static __always_inline bool is_hands_off(const struct hf_record *r)
{
	return (r->flags & (HF_RECORD_ORPHAN | HF_RECORD_KERNEL)) ||
	       !(HF_STATES_JUDGED >> r->state & 1);
}

#endif
