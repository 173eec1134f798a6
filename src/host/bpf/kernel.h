/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types and fields that Holdfast's eBPF programs read, declared by hand.
 *
 * preserve_access_index makes libbpf look every offset up in the BTF of the kernel that
 * loads the program (CO-RE), so order and completeness do not matter here and nothing of
 * the building machine's kernel gets in. Fields that some kernels lack are guarded
 * where they are read with bpf_core_field_exists.
 *
 * For each type that an access begins with, all types of the kernel are looked through, which takes
 * libbpf more than a millisecond: accesses begin with tcp_sock or sock_common where they can. The
 * kernel itself, where it does that, keeps what it has found in 31 places by a hash of the type's
 * name: of those used here sock would put kernfs_node out, and sock_flags does cgroup.
 */
#ifndef HF_HOST_BPF_KERNEL_H
#define HF_HOST_BPF_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define SOCK_STREAM 1
#define SOL_SOCKET 1
#define SO_KEEPALIVE 9
#define SOL_TCP 6
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
#define TCP_USER_TIMEOUT 18
#define TCP_BPF_SOCK_OPS_CB_FLAGS 1008 /* since Linux 6.10; refused before */
#define ICSK_TIME_PROBE0 3	       /* icsk_pending: the persist timer */
#define CSS_ONLINE 2		       /* cgroup_subsys_state.flags: not removed */
#define TCP_CA_LOSS 4		       /* icsk_ca_state: a retransmission timeout */

/* The contexts of iterators: the same on every kernel, nothing is to be looked up. */
struct sock_common;
struct task_struct;
struct seq_file;
struct file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct netns_ipv4 {
	int sysctl_tcp_keepalive_time;
	int sysctl_tcp_keepalive_intvl;
	__u8 sysctl_tcp_keepalive_probes;
	__u8 sysctl_tcp_retries2;
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	int skc_bound_dev_if;
	unsigned long skc_flags;
};

struct timer_list {
	unsigned long expires;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	unsigned int flags;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

typedef struct {
	__u32 val;
} kuid_t;

struct socket {
	struct sock *sk;
};

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	unsigned int flags;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock {
	struct sock_common __sk_common;
	struct dst_entry *sk_dst_cache;
	struct timer_list sk_timer;
	struct sock_cgroup_data sk_cgrp_data;
	struct socket *sk_socket;
	kuid_t sk_uid;
	int sk_err;
	int sk_err_soft;
	__u16 sk_protocol;
	__u32 sk_mark;
	__u8 sk_kern_sock : 1;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u32 icsk_rto;
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_backoff;
	__u8 icsk_probes_out;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
	__u32 icsk_probes_tstamp;
	__u32 icsk_user_timeout;
};

struct tcp_options_received {
	__u32 ts_recent;
	__u16 tstamp_ok : 1;
	__u16 rcv_wscale : 4;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 packets_out;
	__u32 srtt_us;
	__u32 retrans_stamp;
	__u32 rcv_tstamp;
	__u32 snd_una;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 rcv_wnd;
	__u32 tsoffset;
	struct tcp_options_received rx_opt;
	struct tcp_md5sig_info *md5sig_info; /* with CONFIG_TCP_MD5SIG */
	struct tcp_ao_info *ao_info;	     /* since Linux 6.7, with CONFIG_TCP_AO */
	unsigned int keepalive_time;
	unsigned int keepalive_intvl;
	__u8 keepalive_probes;
	__u8 bpf_sock_ops_cb_flags;
	__u8 tcp_usec_ts : 1; /* since Linux 6.7 */
};

/* What a struct bpf_sockopt stands for. */
struct bpf_sockopt_kern {
	struct sock *sk;
};

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
};

enum sock_flags {
	SOCK_DEAD = 0,
	SOCK_KEEPOPEN = 3,
};

#pragma clang attribute pop

#endif
