/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/destroy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAPPED 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static void put_address(const struct hf_record *record, const struct hf_address *address,
			__be32 out[4])
{
	if (record->family == HF_IPV4)
		memcpy(out, address->byte + MAPPED, 4);
	else
		memcpy(out, address->byte, 16);
}

static void name_socket(const struct hf_record *record, struct inet_diag_sockid *id)
{
	id->idiag_sport = htons(record->local_port);
	id->idiag_dport = htons(record->remote_port);
	put_address(record, &record->local, id->idiag_src);
	put_address(record, &record->remote, id->idiag_dst);
	id->idiag_if = record->numbers.device;
	id->idiag_cookie[0] = (uint32_t)record->cookie;
	id->idiag_cookie[1] = (uint32_t)(record->cookie >> 32);
}

static int ask(int fd, const struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} answer;

	if (send(fd, request, sizeof(*request), 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.body.error : -EPROTO;
}

int hf_destroy(const struct hf_record *record)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .sdiag_family = record->family == HF_IPV4 ? AF_INET : AF_INET6,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = UINT32_MAX },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int result;

	if (fd < 0)
		return -errno;
	name_socket(record, &request.body.id);
	result = ask(fd, &request);
	close(fd);
	return result;
}
