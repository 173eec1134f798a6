// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over the TCP sockets of a network namespace (iter/tcp): shows them, brings them
 * under the rules, gives back what was taken, or looks after armed user timeouts.
 *
 * When the stream to user space overflows, the kernel runs the program again for the same
 * socket. The record that did not fit is kept, and the second run only writes it: nothing is
 * counted or done twice, and no outcome is lost.
 */
#include "host/bpf/record.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* namespace << 16 | port */
	__type(value, __u8);
} listeners SEC(".maps");

struct hf_record record; /* of the socket at hand; too big for the stack */
uint64_t unwritten;	 /* address of the socket whose record did not fit */

/* What the pass does (enum hf_mode), as far as any pass of this program ever does. */
static __always_inline bool does(__u32 modes)
{
	return control.mode & fixed.modes & modes;
}

/* The iterator shows listeners before connections, so direction is known when it matters. */
static __always_inline void note_listener(struct sock_common *skc)
{
	__u64 key = (__u64)control.netns << 16 | skc->skc_num;
	__u8 listens = 1;

	bpf_map_update_elem(&listeners, &key, &listens, BPF_ANY);
}

static __always_inline __u8 direction_of(const struct sock_common *skc)
{
	__u64 key = (__u64)control.netns << 16 | skc->skc_num;

	if (!control.by_direction)
		return HF_ANY_DIRECTION;
	return bpf_map_lookup_elem(&listeners, &key) ? HF_INCOMING : HF_OUTGOING;
}

static __always_inline bool audit_wanted(struct tcp_sock *tp, const struct net *net,
					 const struct hf_memory *m, const struct hf_wire_rule *rule)
{
	struct hf_retransmission rtx = {};
	__u32 verdict = HF_NOT_JUDGED;
	struct hf_goals goals = {};

	if (!fixed.audits)
		return true;
	rtx.rto_ms = (__u32)jiffies_to_ms(tp->inet_conn.icsk_rto);
	rtx.retries = net->ipv4.sysctl_tcp_retries2;
	if (m)
		goals = m->goals;
	if (m && control.arms && (m->flags & HF_MEMORY_ARMS))
		rtx.armed_by_ms = m->goals.dead_within_ms;
	if (control.judge)
		goals = rule->rule.goals;
	if (!is_hands_off(&record))
		verdict = hf_bpf_audit(&record.settings, &goals, &rtx);
	return control.audits >> verdict & 1;
}

/* Arm the user timeout where the callbacks could not. */
static __always_inline void make_up(struct sock *sk, struct tcp_sock *tp, struct hf_memory *m)
{
	__u32 persisting = (__u32)bpf_jiffies64() - tp->inet_conn.icsk_probes_tstamp;
	bool retransmits = tp->packets_out && tp->inet_conn.icsk_retransmits;
	__u32 retransmitting = retransmits ? retransmitting_ms(tp) : 0;

	if (armed_well(tp, m, retransmitting))
		return;
	if (retransmits)
		arm(sk, tp, m, retransmitting, false);
	else if (!tp->packets_out && tp->inet_conn.icsk_pending == ICSK_TIME_PROBE0 &&
		 tp->inet_conn.icsk_probes_out >= 2)
		arm(sk, tp, m, jiffies_to_ms(persisting), true);
	else if (!tp->packets_out && tp->inet_conn.icsk_probes_out >= HF_COUNT_MIN)
		arm_idle(sk, tp, m);
}

/* Take an armed timeout back when nothing is unanswered; only the watcher that holds it arms. */
static __always_inline void look_after(struct sock *sk, struct tcp_sock *tp, struct hf_memory *m)
{
	if (!tp->inet_conn.icsk_retransmits && !tp->inet_conn.icsk_probes_out) {
		if (m->armed_ms)
			disarm(sk, tp, m);
		return;
	}
	if (!held_by_us(m))
		return;
	counters.standing++;
	if (fixed.modes & HF_MODE_TEND)
		make_up(sk, tp, m);
}

/* Two probes seen unanswered, and now none: the peer came back. */
static __always_inline bool revived(struct hf_memory *m)
{
	if (record.unanswered >= 2)
		m->flags |= HF_MEMORY_SUSPECTED;
	if (record.unanswered || !(m->flags & HF_MEMORY_SUSPECTED))
		return false;
	m->flags &= ~HF_MEMORY_SUSPECTED;
	return true;
}

static __always_inline bool arms(const struct hf_wire_rule *rule)
{
	return (fixed.modes & HF_MODE_TEND) && (rule->rule.flags & HF_RULE_ARM);
}

static __always_inline __u32 act(struct sock *sk, struct tcp_sock *tp, struct hf_memory **m,
				 const struct hf_wire_rule *rule, bool settled)
{
	bool provisional = !fixed.any && control.by_owner && !settled;
	__u32 outcome;

	if (is_hands_off(&record))
		return HF_OUTCOME_STATE;
	if (arms(rule) && *m) {
		claim(*m);
		if (revived(*m))
			return HF_OUTCOME_REVIVED;
	}
	outcome = hold(sk, tp, rule, &record.settings, record.silent_ms, provisional, m,
		       &record.flags);
	if (outcome == HF_OUTCOME_SET && *m)
		record.settings = (*m)->written;
	if (outcome == HF_OUTCOME_PROBING || provisional)
		counters.waiting++;
	if (arms(rule) &&
	    hear_callbacks(sk, tp, BPF_SOCK_OPS_RTO_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG))
		counters.unheard++;
	return outcome;
}

/*
 * What the pass is for, on one full socket, of which the condition is gathered. A rule names it if
 * rule is not NULL; m is what is remembered of it, settled that its owner is no guess.
 */
static __always_inline void work(struct sock *sk, struct tcp_sock *tp, struct hf_memory *m,
				 const struct hf_wire_rule *rule, bool settled)
{
	bool wrong = !rule && m && (m->flags & HF_MEMORY_PROVISIONAL); /* the guess at its owner */
	bool ours = m && (rule || held_by_us(m)); /* since its process took another name, too */

	if (m && does(HF_MODE_DISARM))
		disarm(sk, tp, m);
	if (does(HF_MODE_RESTORE) ? ours : wrong && does(HF_MODE_ACT)) {
		gather_memory(m, &record);
		record.outcome = give_back(sk, sk, m, &record.settings, record.silent_ms);
		return;
	}
	if (does(HF_MODE_ACT) && rule)
		record.outcome = act(sk, tp, &m, rule, settled);
	if (does(HF_MODE_ACT) && m)
		look_after(sk, tp, m);
	gather_memory(m, &record);
}

static __always_inline bool record_due(void)
{
	if (does(HF_MODE_SHOW | HF_MODE_REPORT))
		return true;
	return does(HF_MODE_NEWS) && record.outcome != HF_OUTCOME_NONE &&
	       record.outcome != HF_OUTCOME_HELD && record.outcome != HF_OUTCOME_STATE;
}

static __always_inline void count_outcome(void)
{
	__u32 outcome = record.outcome;

	counters.matched++;
	if (outcome >= HF_OUTCOMES)
		return;
	counters.outcome[outcome]++;
	if (record.flags & HF_RECORD_TIMEOUT_LATER)
		counters.later[outcome]++;
}

static __always_inline int write_record(struct seq_file *seq)
{
	if (record.flags & HF_RECORD_LONG)
		return bpf_seq_write(seq, &record, sizeof(record));
	return bpf_seq_write(seq, &record, HF_RECORD_SHORT);
}

static __always_inline struct hf_wire_rule *rule_for(struct sock_common *skc, struct tcp_sock *tp,
						     const struct hf_owner *owner)
{
	bool held = !control.held_since || (owner && owner->pass >= control.held_since);
	int found = fixed.any ? 0 : find_rule(skc, tp, owner, direction_of(skc));
	__u32 index = found;

	if (!held)
		return 0;
	if (found == UNKNOWN_RULE)
		counters.waiting++;
	return found >= 0 ? bpf_map_lookup_elem(&rules, &index) : 0;
}

/* Owners are used where a pass has settled them, or where a guess will do for now. */
static __always_inline struct hf_owner *owner_of(struct sock *sk)
{
	struct hf_owner *owner;

	if (!fixed.owners)
		return 0;
	owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	return owner && (owner->pass || control.provisional) ? owner : 0;
}

/* Nothing is unanswered and nothing needs taking back: most sockets, most of the time. */
static __always_inline bool at_rest(const struct tcp_sock *tp)
{
	return does(HF_MODE_TEND) && !control.look_close && !tp->inet_conn.icsk_retransmits &&
	       !tp->inet_conn.icsk_probes_out;
}

static __always_inline void visit(struct seq_file *seq, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_owner *owner = owner_of(sk);
	struct hf_wire_rule *rule = rule_for(&tp->inet_conn.icsk_inet.sk.__sk_common, tp, owner);
	const struct net *net = net_of(tp);
	struct hf_memory *m = 0;

	if (!rule && !does(HF_MODE_ACT | HF_MODE_DISARM | HF_MODE_RESTORE))
		return;
	if (fixed.remembers)
		m = memory_of(sk, 0);
	gather_condition(tp, net, &record);
	if (rule && !audit_wanted(tp, net, m, rule))
		return;
	work(sk, tp, m, rule, owner && owner->pass);
	if (!rule && record.outcome == HF_OUTCOME_NONE)
		return;
	count_outcome();
	if (!record_due())
		return;
	gather_rest(tp, net, control.netns, fixed.gathers, &record);
	if (fixed.gathers & HF_GATHER_COOKIE)
		record.cookie = bpf_get_socket_cookie(sk);
	if (fixed.gathers & HF_GATHER_ORIGIN)
		gather_origin(tp, net, m, &record);
	gather_owner(owner, &record);
	if (write_record(seq))
		unwritten = (__u64)sk;
}

/* TIME_WAIT and connections not yet made: addresses and state only. */
static __always_inline void show_small(struct seq_file *seq, struct sock_common *skc)
{
	if (!does(HF_MODE_SHOW) || control.audits)
		return;
	record = (struct hf_record){};
	record.state = state_of(skc);
	gather_endpoints(skc, control.netns, &record);
	if (rule_for(skc, 0, 0) && !write_record(seq))
		counters.matched++;
}

SEC("iter/tcp")
int hf_sweep(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	__u8 state;

	if (!skc)
		return 0;
	if (control.by_direction && skc->skc_state == HF_LISTEN)
		note_listener(skc);
	state = state_of(skc);
	if (!(control.states >> (state & 31) & 1))
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp) {
		show_small(ctx->meta->seq, skc);
		return 0;
	}
	if (unwritten && unwritten == (__u64)&tp->inet_conn.icsk_inet.sk) {
		if (!write_record(ctx->meta->seq))
			unwritten = 0;
		return 0;
	}
	unwritten = 0;
	if (fixed.modes & HF_MODE_TEND) /* a watch's, whatever this one does */
		forecast(first_probe_ms(tp));
	if (at_rest(tp))
		return 0;
	counters.visited++;
	visit(ctx->meta->seq, tp);
	return 0;
}
