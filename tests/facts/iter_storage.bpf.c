// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

#include "iter_storage.h"

/* libbpf drops what follows ___: the kernel's sock_common, of which the host needs no cookie */
struct sock_common___cookie {
	struct {
		__s64 counter;
	} skc_cookie;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct note);
} notes SEC(".maps");

SEC("iter/tcp")
int from_socket(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp = skc ? bpf_skc_to_tcp_sock(skc) : NULL;
	struct note *note;

	if (!tp)
		return 0;
	note = bpf_sk_storage_get(&notes, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (note)
		note->from_socket++;
	return 0;
}

SEC("iter/task_file")
int from_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct note *note;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	if (!sk)
		return 0;
	note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!note)
		return 0;
	note->from_file++;
	note->tgid = task->tgid;
	note->fd = ctx->fd;
	note->cookie = ((struct sock_common___cookie *)sk)->skc_cookie.counter;
	return 0;
}
