// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * New connections, and what happens to those under a rule, as it happens.
 *
 * sock_create  notes who makes a socket: sockops runs where "current" is anybody.
 * sockops      ESTABLISHED: the rule is found and applied; RTO: nothing but a retransmission
 *              stays unanswered, the user timeout is armed; RTT: an answer, it is taken back;
 *              STATE: the end, with its evidence.
 * setsockopt   weaker values that a program sets later are put right.
 * traced       sockets that were open before, where the kernel lets no pass ask for their
 *              callbacks (before Linux 6.10): their end, and that a pass is to arm.
 *
 * Nothing here runs for a packet: the callbacks are those of connection set-up, of
 * retransmission timeouts, and of state changes; RTT only while a timeout is armed.
 */
#include "host/bpf/record.h"

extern struct hf_known_netns_map known_netns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HF_MAP_EVENTS_BYTES);
} events SEC(".maps");

/*
 * Waking the reader costs many times what an event costs. Ends that are news wake it at once; what
 * is routine waits for its next look, ten times a second, unless the ring fills.
 */
static __always_inline __u64 wakeup_for(int error)
{
	if (error || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > HF_MAP_EVENTS_BYTES / 2)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

static __always_inline void note_lost(void)
{
	__sync_fetch_and_add(&counters.lost, 1);
}

SEC("cgroup/sock_create")
int hf_sock_create(struct bpf_sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct hf_owner *owner;

	if (sk->type != SOCK_STREAM || (sk->family != AF_INET && sk->family != AF_INET6))
		return 1;
	owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!owner)
		return 1;
	owner->pid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = (__u32)bpf_get_current_uid_gid();
	owner->pass = 0;
	owner->left = 0;
	bpf_core_read(owner->process, sizeof(owner->process), &task->group_leader->comm);
	return 1;
}

static __always_inline void report(struct tcp_sock *tp, __u64 cookie, const struct hf_owner *owner,
				   const struct hf_memory *m, __u32 kind, int error, __u32 outcome)
{
	struct hf_wire_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	const struct net *net = net_of(tp);

	if (!event) {
		note_lost();
		return;
	}
	event->time_ns = bpf_ktime_get_ns();
	event->kind = kind;
	event->error = error;
	gather_condition(tp, net, &event->record);
	gather_rest(tp, net, net->ns.inum, HF_GATHER_ALL, &event->record);
	event->record.cookie = cookie;
	((__u64 *)event->record.process)[0] = 0;
	((__u64 *)event->record.process)[1] = 0;
	gather_owner(owner, &event->record);
	gather_memory(m, &event->record);
	event->record.outcome = outcome;
	bpf_ringbuf_submit(event, wakeup_for(error));
}

/* A namespace that no pass visits is to be looked for: it may be held by nothing but sockets. */
static __always_inline bool in_unknown_netns(const struct tcp_sock *tp)
{
	__u32 netns = net_of(tp)->ns.inum;

	return control.find_netns && !bpf_map_lookup_elem(&known_netns, &netns);
}

static __always_inline void established(struct bpf_sock_ops *ctx, struct tcp_sock *tp, bool active)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	struct hf_memory *m = memory_of(sk, 0);
	struct hf_wire_rule *rule;
	struct hf_settings now;
	__u32 outcome, index;
	__u32 flags = 0;
	int found;

	if (is_kernels(tp))
		return;
	found = find_rule(&tp->inet_conn.icsk_inet.sk.__sk_common, tp, owner,
			  active ? HF_OUTGOING : HF_INCOMING);
	if (found == UNKNOWN_RULE || control.by_owner || in_unknown_netns(tp))
		__sync_fetch_and_add(&counters.unsettled, 1);
	if (found < 0)
		return;
	index = found;
	rule = bpf_map_lookup_elem(&rules, &index);
	if (!rule)
		return;
	read_settings(tp, net_of(tp), &now);
	outcome = hold(ctx, tp, rule, &now, silent_ms(tp), control.by_owner, &m, &flags);
	if (owner)
		owner->left = hf_outcome_is_left(outcome);
	if (hf_outcome_is_left(outcome)) {
		report(tp, bpf_get_socket_cookie(ctx), owner, m, HF_WIRE_LEFT, 0, outcome);
		return;
	}
	if (outcome != HF_OUTCOME_SET && outcome != HF_OUTCOME_KEPT)
		return;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTO_CB_FLAG |
					       BPF_SOCK_OPS_STATE_CB_FLAG);
	report(tp, bpf_get_socket_cookie(ctx), owner, m, HF_WIRE_PROTECTED, 0, outcome);
}

static __always_inline void unanswered(struct bpf_sock_ops *ctx, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_memory *m = memory_of(sk, 0);

	__u32 retransmitting = tp->inet_conn.icsk_retransmits ? retransmitting_ms(tp) : 0;

	if (!m || !held_by_us(m) || is_orphan(tp) ||
	    tp->inet_conn.icsk_inet.sk.__sk_common.skc_state == HF_SYN_SENT)
		return;
	if (!tp->inet_conn.icsk_retransmits || !armed_well(tp, m, retransmitting))
		arm(ctx, tp, m, retransmitting, false);
	if (m->armed_ms)
		bpf_sock_ops_cb_flags_set(ctx,
					  ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG);
}

static __always_inline void answered(struct bpf_sock_ops *ctx, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_memory *m = memory_of(sk, 0);

	if (!m)
		return;
	disarm(ctx, tp, m);
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
}

static __always_inline void ended(struct tcp_sock *tp, __u64 cookie)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hf_memory *m = memory_of(sk, 0);

	if (m && held_by_us(m))
		report(tp, cookie, bpf_sk_storage_get(&owners, sk, 0, 0), m, HF_WIRE_ENDED,
		       tp->inet_conn.icsk_inet.sk.sk_err, 0);
}

SEC("sockops")
int hf_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *bpf_sk = ctx->sk;
	struct tcp_sock *tp;

	if (!bpf_sk)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_RTO_CB:
	case BPF_SOCK_OPS_RTT_CB:
	case BPF_SOCK_OPS_STATE_CB:
		break;
	default:
		return 1;
	}
	tp = bpf_skc_to_tcp_sock(bpf_sk);
	if (!tp)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		established(ctx, tp, true);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		established(ctx, tp, false);
		break;
	case BPF_SOCK_OPS_RTO_CB:
		unanswered(ctx, tp);
		break;
	case BPF_SOCK_OPS_RTT_CB:
		answered(ctx, tp);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			ended(tp, bpf_get_socket_cookie(ctx));
		break;
	}
	return 1;
}

SEC("tp_btf/inet_sock_set_state")
int hf_traced_state(const __u64 *ctx) /* socket, state before, state after */
{
	struct sock *sk = (struct sock *)ctx[0];
	struct tcp_sock *tp;

	if ((int)ctx[2] != BPF_TCP_CLOSE)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && !(tp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG))
		ended(tp, bpf_get_socket_cookie(sk));
	return 0;
}

/* No option can be set here: the next pass arms, within a second. */
SEC("tp_btf/tcp_retransmit_skb")
int hf_traced_retransmit(const __u64 *ctx) /* socket, segment */
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((struct sock *)ctx[0]);
	struct hf_memory *m;

	if (!tp || (tp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_RTO_CB_FLAG) ||
	    BPF_CORE_READ_BITFIELD(tp, inet_conn.icsk_ca_state) != TCP_CA_LOSS)
		return 0;
	m = memory_of(&tp->inet_conn.icsk_inet.sk, 0);
	if (m && held_by_us(m) && (m->flags & HF_MEMORY_ARMS) && !m->armed_ms)
		__sync_fetch_and_add(&counters.armed, 1);
	return 0;
}

/* The program's wishes with this one in; false if the option is none of ours. */
static __always_inline bool take_wish(const struct bpf_sockopt *ctx, __u32 value,
				      struct hf_settings *own)
{
	if (ctx->level == SOL_SOCKET && ctx->optname == SO_KEEPALIVE)
		own->keepalive = !!value;
	else if (ctx->level != SOL_TCP)
		return false;
	else if (ctx->optname == TCP_KEEPIDLE)
		own->idle = value;
	else if (ctx->optname == TCP_KEEPINTVL)
		own->interval = value;
	else if (ctx->optname == TCP_KEEPCNT)
		own->count = value;
	else if (ctx->optname == TCP_USER_TIMEOUT)
		own->user_timeout_ms = value;
	else
		return false;
	return true;
}

static __always_inline bool is_user_timeout(const struct bpf_sockopt *ctx)
{
	return ctx->level == SOL_TCP && ctx->optname == TCP_USER_TIMEOUT;
}

static __always_inline __u32 value_of(const struct bpf_sockopt *ctx, const struct hf_settings *set)
{
	if (ctx->level == SOL_SOCKET)
		return set->keepalive;
	if (ctx->optname == TCP_KEEPIDLE)
		return set->idle;
	if (ctx->optname == TCP_KEEPINTVL)
		return set->interval;
	if (ctx->optname == TCP_KEEPCNT)
		return set->count;
	return set->user_timeout_ms;
}

/* Linux do_tcp_setsockopt refuses all else; what it refuses is no wish. */
static __always_inline bool acceptable(const struct bpf_sockopt *ctx, __u32 value)
{
	if (ctx->level == SOL_SOCKET)
		return true;
	if (ctx->optname == TCP_KEEPIDLE)
		return value - 1 < HF_IDLE_MAX;
	if (ctx->optname == TCP_KEEPINTVL)
		return value - 1 < HF_INTERVAL_MAX;
	if (ctx->optname == TCP_KEEPCNT)
		return value - 1 < HF_COUNT_MAX;
	return value <= INT32_MAX;
}

static __always_inline __u32 get_option(void *sk, int level, int name)
{
	__u32 value = 0;

	bpf_getsockopt(sk, level, name, &value, sizeof(value));
	return value;
}

static __always_inline void get_settings(void *sk, struct hf_settings *now)
{
	now->keepalive = get_option(sk, SOL_SOCKET, SO_KEEPALIVE);
	now->idle = get_option(sk, SOL_TCP, TCP_KEEPIDLE);
	now->interval = get_option(sk, SOL_TCP, TCP_KEEPINTVL);
	now->count = get_option(sk, SOL_TCP, TCP_KEEPCNT);
}

/* The socket itself, of which this kind of program may read nothing by name. */
static __always_inline const struct tcp_sock *socket_of(const struct bpf_sockopt *ctx)
{
	struct sock *sk = 0;

	bpf_core_read(&sk, sizeof(sk), &((const struct bpf_sockopt_kern *)ctx)->sk);
	return (const struct tcp_sock *)sk;
}

static __always_inline __u32 silence_of(const struct tcp_sock *tp)
{
	__u32 now = (__u32)bpf_jiffies64();
	__u32 data = now - BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime);
	__u32 ack = now - BPF_CORE_READ(tp, rcv_tstamp);

	return (__u32)jiffies_to_ms(data < ack ? data : ack);
}

/*
 * What is in force once the program has this wish: its own set as a whole if that meets the
 * goals or must be left alone, ours as a whole if not.
 */
static __always_inline void settle_wish(const struct hf_memory *m, struct hf_settings *want)
{
	const struct hf_settings *own = &m->original;
	struct hf_settings ours = m->written;

	if ((!(m->flags & HF_MEMORY_REPLACED) && hf_bpf_derive(&m->goals, &ours)) ||
	    hf_bpf_decide(own, &m->goals, &ours, m->flags & HF_MEMORY_OVERRIDE, want) != HF_REPLACE)
		*want = *own;
	if (!own->user_timeout_ms && (m->flags & HF_MEMORY_FIXED))
		want->user_timeout_ms = m->written.user_timeout_ms;
	else if (m->flags & HF_MEMORY_ARMS) /* a watcher lowers none for good */
		want->user_timeout_ms = own->user_timeout_ms;
}

static __always_inline void put_right(__u32 *value, __u32 right)
{
	if (*value == right)
		return;
	*value = right;
	__sync_fetch_and_add(&counters.clamped, 1);
}

/* The wish is remembered; what counts unanswered probes stays until a pass finds them settled. */
static __always_inline void postpone_wish(const struct bpf_sockopt *ctx, __u32 *value,
					  const struct hf_settings *now, struct hf_memory *m)
{
	if (!is_user_timeout(ctx))
		put_right(value, value_of(ctx, now));
	m->stamp = 0;
	__sync_fetch_and_add(&counters.unsettled, 1);
}

/*
 * Lets the wish through where that keeps the goals, else puts the value in force in its place; the
 * other options follow, so that sets are never mixed.
 */
static __always_inline void follow_wish(const struct bpf_sockopt *ctx, __u32 *value,
					struct hf_settings *now, __u32 silent, struct hf_memory *m)
{
	struct hf_settings want = {};

	settle_wish(m, &want);
	m->written = want;
	put_right(value, value_of(ctx, &want));
	take_wish(ctx, value_of(ctx, now), &want);   /* the kernel writes this one itself */
	now->user_timeout_ms = want.user_timeout_ms; /* nor is the timeout any other option's */
	write_settings(ctx->sk, now, &want, silent);
}

/* A program that changes what its rule left alone, asks for another look. */
static __always_inline void reconsider(struct bpf_sock *sk)
{
	struct hf_owner *owner = bpf_sk_storage_get(&owners, sk, 0, 0);

	if (owner && owner->left)
		__sync_fetch_and_add(&counters.unsettled, 1);
}

/* More than is shown here, or another program has found so: the kernel takes it as it is. */
static __always_inline bool is_beyond(const struct bpf_sockopt *ctx)
{
	return ctx->optlen > 4096 || (!ctx->optlen && ctx->optval != ctx->optval_end);
}

/* What a program sets of keepalive, on a connection under a rule. */
SEC("cgroup/setsockopt")
int hf_setsockopt(struct bpf_sockopt *ctx)
{
	__u32 *value = ctx->optval;
	struct bpf_sock *sk = ctx->sk;
	struct hf_settings own, now = {};
	const struct tcp_sock *tp;
	struct hf_memory *m;

	if (is_beyond(ctx)) {
		if (take_wish(ctx, 0, &now))
			__sync_fetch_and_add(&counters.unsettled, 1); /* a pass puts it right */
		ctx->optlen = 0;
		return 1;
	}
	if (!sk || (void *)(value + 1) > ctx->optval_end ||
	    (ctx->level != SOL_TCP && ctx->level != SOL_SOCKET) || !take_wish(ctx, *value, &now))
		return 1;
	m = memory_of(sk, 0);
	if (!m)
		reconsider(sk);
	if (!m || !held_by_us(m) || !acceptable(ctx, *value))
		return 1;
	own = m->original;
	take_wish(ctx, *value, &own);
	m->original = own;
	get_settings(sk, &now);
	tp = socket_of(ctx);
	if (BPF_CORE_READ(tp, inet_conn.icsk_probes_out))
		postpone_wish(ctx, value, &now, m);
	else
		follow_wish(ctx, value, &now, silence_of(tp), m);
	return 1;
}
