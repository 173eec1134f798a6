// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who holds which TCP socket: one pass over the open files of all processes (iter/task_file),
 * written onto the sockets themselves. Nothing is streamed out but namespaces not known yet.
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

/* After an overflow of the stream the program runs again for the same file: note it only then. */
static __always_inline void note_netns(struct seq_file *seq, const struct tcp_sock *tp,
				       const struct task_struct *task, __u32 fd)
{
	struct hf_wire_netns found = { .netns = net_of(tp)->ns.inum, .pid = task->tgid, .fd = fd };
	__u8 known = 1;

	if (bpf_map_lookup_elem(&known_netns, &found.netns))
		return;
	if (!bpf_seq_write(seq, &found, sizeof(found)))
		bpf_map_update_elem(&known_netns, &found.netns, &known, BPF_ANY);
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
	if (control.find_netns)
		note_netns(ctx->meta->seq, tp, task, ctx->fd);
	else if (net_of(tp)->ns.inum != control.netns)
		return 0;
	note_holder(tp, leader);
	return 0;
}
