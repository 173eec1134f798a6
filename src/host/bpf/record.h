/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One connection, gathered: the facts rules are matched against, the record user space gets. */
#ifndef HF_HOST_BPF_RECORD_H
#define HF_HOST_BPF_RECORD_H

#include "host/bpf/hold.h"

static __always_inline void copy_process(char *to, const char *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

static __always_inline __u64 cgroup_id(const struct tcp_sock *tp)
{
	struct cgroup *cgroup = tp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup;

	return cgroup ? cgroup->kn->id : 0;
}

/* A socket outlives its cgroup's directory; no glob names it any more. */
static __always_inline bool is_removed(const struct tcp_sock *tp)
{
	struct cgroup *cgroup = tp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup;

	return cgroup && !(cgroup->self.flags & CSS_ONLINE);
}

static __always_inline __u8 state_of(const struct sock_common *skc)
{
	return skc->skc_state == HF_NEW_SYN_RECV ? HF_SYN_RECV : skc->skc_state;
}

/* Addresses and ports: what every kind of socket has. */
static __always_inline void gather_endpoints(struct sock_common *skc, __u32 netns,
					     struct hf_record *r)
{
	read_address(skc, false, &r->local);
	read_address(skc, true, &r->remote);
	r->local_port = skc->skc_num;
	r->remote_port = bpf_ntohs(skc->skc_dport);
	r->family = skc->skc_family == AF_INET ? HF_IPV4 : HF_IPV6;
	r->netns = netns;
}

static __always_inline void gather_owner(const struct hf_owner *owner, struct hf_record *r)
{
	r->pid = 0;
	if (!owner)
		return;
	r->flags |= HF_RECORD_OWNER;
	if (owner->pass)
		r->flags |= HF_RECORD_OWNER_SETTLED;
	r->pid = owner->pid;
	copy_process(r->process, owner->process);
}

/* What is asked before anything is done to a socket, or shown of it. */
static __always_inline void gather_condition(struct tcp_sock *tp, const struct net *net,
					     struct hf_record *r)
{
	r->state = state_of(&tp->inet_conn.icsk_inet.sk.__sk_common);
	r->unanswered = tp->inet_conn.icsk_probes_out;
	r->outcome = HF_OUTCOME_NONE;
	r->flags = HF_RECORD_FULL;
	if (is_orphan(tp))
		r->flags |= HF_RECORD_ORPHAN;
	if (is_kernels(tp))
		r->flags |= HF_RECORD_KERNEL;
	read_settings(tp, net, &r->settings);
	r->silent_ms = silent_ms(tp);
}

/* RFC 2385, RFC 5925: what is not signed goes unanswered. */
static __always_inline bool is_signed(const struct tcp_sock *tp)
{
	return (bpf_core_field_exists(tp->md5sig_info) && tp->md5sig_info) ||
	       (bpf_core_field_exists(tp->ao_info) && tp->ao_info);
}

/* Linux tcp_receive_window: what is left of the window that was last advertised. */
static __always_inline __u16 window_of(const struct tcp_sock *tp)
{
	__s32 window = tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt;
	__u32 raw = (window > 0 ? window : 0) >> BPF_CORE_READ_BITFIELD(tp, rx_opt.rcv_wscale);

	return raw < UINT16_MAX ? raw : UINT16_MAX;
}

static __always_inline void gather_numbers(const struct tcp_sock *tp, struct hf_record *r)
{
	struct hf_wire_numbers *n = &r->numbers;

	r->flags |= HF_RECORD_NUMBERS;
	n->flags = BPF_CORE_READ_BITFIELD(tp, rx_opt.tstamp_ok) ? HF_NUMBERS_TIMESTAMPS : 0;
	if (counts_microseconds(tp))
		n->flags |= HF_NUMBERS_MICROSECONDS;
	if (is_signed(tp))
		n->flags |= HF_NUMBERS_SIGNED;
	n->snd_una = tp->snd_una;
	n->unsent = tp->write_seq - tp->snd_una;
	n->rcv_nxt = tp->rcv_nxt;
	n->tsoffset = tp->tsoffset;
	n->ts_recent = tp->rx_opt.ts_recent;
	n->heard = heard_at(tp);
	n->mark = tp->inet_conn.icsk_inet.sk.sk_mark;
	n->device = tp->inet_conn.icsk_inet.sk.__sk_common.skc_bound_dev_if;
	n->window = window_of(tp);
}

/*
 * The rest of a record, as far as wanted (enum hf_gather), but the cookie, which each kind of
 * program asks for in its own way.
 */
static __always_inline void gather_rest(struct tcp_sock *tp, const struct net *net, __u32 netns,
					__u32 wanted, struct hf_record *r)
{
	gather_endpoints(&tp->inet_conn.icsk_inet.sk.__sk_common, netns, r);
	r->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	if (wanted & HF_GATHER_NEXT_PROBE)
		r->next_probe_ms = next_probe_ms(tp);
	if (wanted & HF_GATHER_CGROUP)
		r->cgroup = cgroup_id(tp);
	if (wanted & HF_GATHER_UID)
		r->uid = tp->inet_conn.icsk_inet.sk.sk_uid.val;
	if (wanted & HF_GATHER_TRAFFIC) {
		r->in_flight = tp->packets_out;
		r->srtt_us = tp->srtt_us >> 3;
	}
	if (wanted & HF_GATHER_RETRANSMISSION) {
		r->retransmits = tp->inet_conn.icsk_retransmits;
		r->rto_ms = (__u32)jiffies_to_ms(tp->inet_conn.icsk_rto);
		r->retries2 = net->ipv4.sysctl_tcp_retries2;
	}
	if (wanted & HF_GATHER_NUMBERS)
		gather_numbers(tp, r);
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

static __always_inline bool is_ours(__u32 now, __u32 written, __u32 original)
{
	return now == written && now != original;
}

/* Which settings in force were written because of the rule, and are not the program's own. */
static __always_inline __u8 settings_of_ours(const struct hf_settings *now,
					     const struct hf_memory *m)
{
	const struct hf_settings *written = &m->written, *own = &m->original;
	__u8 ours = 0;

	if (is_ours(now->keepalive, written->keepalive, own->keepalive))
		ours |= HF_SETTING_KEEPALIVE;
	if (is_ours(now->idle, written->idle, own->idle))
		ours |= HF_SETTING_IDLE;
	if (is_ours(now->interval, written->interval, own->interval))
		ours |= HF_SETTING_INTERVAL;
	if (is_ours(now->count, written->count, own->count))
		ours |= HF_SETTING_COUNT;
	if (is_ours(now->user_timeout_ms, written->user_timeout_ms, own->user_timeout_ms) ||
	    is_ours(now->user_timeout_ms, m->armed_ms, 0))
		ours |= HF_SETTING_USER_TIMEOUT;
	return ours;
}

static __always_inline void gather_origin(const struct tcp_sock *tp, const struct net *net,
					  const struct hf_memory *m, struct hf_record *r)
{
	struct hf_wire_origin *o = &r->origin;

	r->flags |= HF_RECORD_ORIGIN;
	*o = (struct hf_wire_origin){};
	o->idle = jiffies_to_s(net->ipv4.sysctl_tcp_keepalive_time);
	o->interval = jiffies_to_s(net->ipv4.sysctl_tcp_keepalive_intvl);
	o->count = net->ipv4.sysctl_tcp_keepalive_probes;
	if (!tp->keepalive_time)
		o->unset |= HF_SETTING_IDLE;
	if (!tp->keepalive_intvl)
		o->unset |= HF_SETTING_INTERVAL;
	if (!tp->keepalive_probes)
		o->unset |= HF_SETTING_COUNT;
	o->since_ms = retransmitting_ms(tp);
	if (!m)
		return;
	o->original = m->original;
	o->memory = m->flags;
	o->ours = settings_of_ours(&r->settings, m);
}

static __always_inline void read_facts(struct sock_common *skc, const struct hf_owner *owner,
				       struct hf_facts *facts)
{
	facts->family = skc->skc_family == AF_INET ? HF_IPV4 : HF_IPV6;
	facts->state = state_of(skc);
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

/*
 * Who accepts it gives it a uid, until then it is the listener's: good to be shown, not to be acted
 * on.
 */
static __always_inline bool has_own_uid(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.sk_socket || is_orphan(tp) ||
	       !(fixed.modes & HF_MODE_ACT);
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
	find->matched = hf_bpf_match(&r->rule.match, index, find->facts);
	find->index = index;
	return find->matched != HF_MATCHED_NO;
}

#define NO_RULE -1
#define UNKNOWN_RULE -2 /* hangs on an owner or a cgroup that is not known yet */

/*
 * hf_policy_find over the map: the rule's number, or one of the above. bpf_loop, so that the
 * verifier sees one step only; a function of its own, so that its stack is free afterwards.
 * tp is NULL for TIME_WAIT and connections not yet made.
 */
static __noinline int find_rule(struct sock_common *skc, struct tcp_sock *tp,
				const struct hf_owner *owner, __u32 direction)
{
	struct hf_facts facts = { .direction = direction };
	struct find_context find = { .facts = &facts };
	bool new_cgroup = false;
	__u64 *cgroup_rules;
	__u64 cgroup;

	if (control.rules > HF_RULES_MAX)
		return NO_RULE;
	read_facts(skc, owner, &facts);
	if (tp && (!owner || owner->pass)) {
		facts.uid = tp->inet_conn.icsk_inet.sk.sk_uid.val;
		facts.uid_known = has_own_uid(tp);
	}
	if (tp && control.by_cgroup) {
		cgroup = cgroup_id(tp);
		cgroup_rules = bpf_map_lookup_elem(&cgroups, &cgroup);
		new_cgroup = !cgroup_rules && !is_removed(tp); /* the next pass looks it up */
		if (new_cgroup)
			facts.cgroup_rules = UINT64_MAX;
		else if (cgroup_rules)
			facts.cgroup_rules = *cgroup_rules;
	}
	bpf_loop(control.rules, find_step, &find, 0);
	if (find.matched == HF_MATCHED_UNKNOWN || (find.matched == HF_MATCHED && new_cgroup))
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
