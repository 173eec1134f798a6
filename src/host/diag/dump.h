/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP sockets as sock_diag tells of them: everything but their settings, and without privileges. */
#ifndef HF_HOST_DIAG_DUMP_H
#define HF_HOST_DIAG_DUMP_H

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/bpf/wire.h"

struct mnl_socket;

struct hf_diag_socket {
	/* A full socket is HF_RECORD_HIDDEN; netns and retries2 are left to the caller. */
	struct hf_record record;
	struct inet_diag_sockid id;
	uint32_t inode;	   /* of its file; 0 = no program holds it, not yet or not any more */
	uint32_t segments; /* received, also those that were of no use */
};

/* A link to sock_diag, of the network namespace that the thread is in now; NULL with errno. */
struct mnl_socket *hf_diag_open(void);

/*
 * Call fn for each socket in one of the states (bit n: TCP state n). While sockets come and go one
 * may come twice or not at all. 0, the first result of fn other than 0, or -errno.
 */
typedef int (*hf_diag_fn)(void *arg, const struct hf_diag_socket *socket);
int hf_diag_dump(struct mnl_socket *link, uint32_t states, hf_diag_fn fn, void *arg);

/* Is this very socket still connected? True where that cannot be told. */
bool hf_diag_lives(struct mnl_socket *link, const struct hf_diag_socket *socket);

/*
 * A link that is told of each socket of the thread's namespace once nobody holds it any more, as it
 * was then, no privilege needed; NULL with errno. Reading never waits; what was too much to be kept is
 * lost.
 */
struct mnl_socket *hf_diag_open_ends(void);
void hf_diag_read_ends(struct mnl_socket *ends, hf_diag_fn fn, void *arg);

/* From a descriptor of the same socket: state, silence, what is unanswered; 0 or -errno. */
int hf_diag_refresh(int fd, struct hf_diag_socket *socket);

/* Of one connection, whose record holds the cookie; in the namespace that the thread is in: */

/* The inode number that /proc/PID/fd shows of its socket, 0 = unknown or held by nobody. */
uint32_t hf_diag_inode(const struct hf_record *record);

/*
 * End it from outside, as `ss -K` does: the program is told ECONNABORTED, the peer gets a RST. The
 * record must hold the device, too (HF_GATHER_NUMBERS). 0 or -errno: -ENOENT where it is gone, or
 * the kernel's module tcp_diag is not there, -EOPNOTSUPP where the kernel was built without
 * CONFIG_INET_DIAG_DESTROY, -EPERM without CAP_NET_ADMIN.
 */
int hf_diag_destroy(const struct hf_record *record);

#endif
