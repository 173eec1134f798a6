// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who holds which TCP socket: one pass over the open files of all processes (iter/task_file).
 * Where rules ask for owners they are noted on the sockets themselves, and nothing is streamed out
 * but namespaces not known yet. Where they are only shown user space is told instead, which is
 * quicker than to make and to find a note for each socket.
 */
#include "host/bpf/maps.h"
#include "host/bpf/socket.h"

extern struct hf_owners_map owners SEC(".maps");
extern struct hf_control control;

extern struct hf_known_netns_map known_netns SEC(".maps");

static __always_inline bool wanted(const struct task_struct *leader)
{
	const __u64 *name = (const __u64 *)control.process;
	__u64 comm[2];

	if (control.task && (__u32)leader->tgid != control.task)
		return false;
	if (!control.process[0])
		return true;
	bpf_core_read(comm, sizeof(comm), &leader->comm);
	return comm[0] == name[0] && comm[1] == name[1];
}

/* Tasks come in the order of their ids: the first holder of a pass is the lowest. */
static __always_inline void note_holder(struct tcp_sock *tp, const struct task_struct *leader)
{
	struct hf_owner *owner = bpf_sk_storage_get(&owners, tp, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!owner || (owner->pass == control.pass && owner->pid <= (__u32)leader->tgid))
		return;
	bpf_core_read(owner->process, sizeof(owner->process), &leader->comm);
	owner->pid = leader->tgid;
	owner->pass = control.pass;
}

/* After an overflow of the stream the program runs again for the same file. */
static __always_inline bool tell(const struct bpf_iter__task_file *ctx,
				 const struct task_struct *leader, __u32 netns, __u64 cookie)
{
	struct hf_wire_holder holder = {
		.cookie = cookie,
		.netns = netns,
		.pid = leader->tgid,
		.fd = ctx->fd,
	};

	bpf_core_read(holder.process, sizeof(holder.process), &leader->comm);
	return !bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
}

static __always_inline void note_netns(const struct bpf_iter__task_file *ctx,
				       const struct task_struct *leader, __u32 netns)
{
	__u8 known = 1;

	if (!bpf_map_lookup_elem(&known_netns, &netns) && tell(ctx, leader, netns, 0))
		bpf_map_update_elem(&known_netns, &netns, &known, BPF_ANY);
}

static __always_inline bool is_tcp(const struct tcp_sock *tp)
{
	__u16 family = tp->inet_conn.icsk_inet.sk.__sk_common.skc_family;

	return (family == AF_INET || family == AF_INET6) &&
	       tp->inet_conn.icsk_inet.sk.sk_protocol == IPPROTO_TCP;
}

SEC("iter/task_file")
int hf_owners_pass(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct task_struct *leader;
	struct socket *socket;
	struct tcp_sock *tp;
	__u32 netns;

	if (!task || !file)
		return 0;
	leader = task->group_leader;
	if (!leader || !wanted(leader))
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	tp = (struct tcp_sock *)socket->sk; /* as it is read no further than the sock in it goes */
	if (!tp || !is_tcp(tp))
		return 0;
	netns = net_of(tp)->ns.inum;
	if (!control.find_netns && netns != control.netns)
		return 0;
	if (fixed.tells) {
		tell(ctx, leader, netns, bpf_get_socket_cookie(tp));
		return 0;
	}
	if (control.find_netns)
		note_netns(ctx, leader, netns);
	note_holder(tp, leader);
	return 0;
}
