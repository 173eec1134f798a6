// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

#include "storage_clone.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct maker);
} makers SEC(".maps");

struct maker active, passive;

SEC("cgroup/sock_create")
int on_create(struct bpf_sock *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct maker *maker = bpf_sk_storage_get(&makers, ctx, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!maker)
		return 1;
	maker->tgid = bpf_get_current_pid_tgid() >> 32;
	maker->uid = bpf_get_current_uid_gid();
	maker->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(maker->thread, sizeof(maker->thread));
	bpf_probe_read_kernel(maker->process, sizeof(maker->process), task->group_leader->comm);
	return 1;
}

SEC("sockops")
int on_established(struct bpf_sock_ops *ctx)
{
	struct maker *maker;

	if (!ctx->sk || (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
			 ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB))
		return 1;
	maker = bpf_sk_storage_get(&makers, ctx->sk, NULL, 0);
	if (!maker)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		active = *maker;
	else
		passive = *maker;
	return 1;
}
