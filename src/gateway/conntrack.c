/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three sockets: one for dumps, read in parts; one for events; one for orders, each of which is
 * answered at once. The attributes are walked by hand: a dump of a full table is what costs.
 */
#include "gateway/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PART 32768	       /* what the kernel writes of a dump at once, at most */
#define ORDER 4096	       /* a request, its answer */
#define EVENT_BUFFER (4 << 20) /* bytes of events that may wait */
#define EVENT_READS 64	       /* messages before others have their turn */

struct hf_conntrack {
	struct mnl_socket *dump, *events, *orders;
	uint32_t sequence, dump_sequence;
	char buffer[PART];
	char order[ORDER]; /* its own: orders are given while entries are read */
};

struct reader {
	hf_entry_fn fn;
	void *arg;
};

static void read_address(const struct nlattr *ip, struct hf_endpoint *source,
			 struct hf_endpoint *destination)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, ip)
	{
		uint16_t type = mnl_attr_get_type(attribute);
		bool first = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
		struct hf_endpoint *end = first ? source : destination;
		uint16_t length = mnl_attr_get_payload_len(attribute);

		memset(end->address.byte, 0, sizeof(end->address.byte));
		if (length == 4) {
			end->family = HF_IPV4;
			memset(end->address.byte + 10, 0xff, 2);
			memcpy(end->address.byte + 12, mnl_attr_get_payload(attribute), 4);
		} else if (length == 16) {
			end->family = HF_IPV6;
			memcpy(end->address.byte, mnl_attr_get_payload(attribute), 16);
		}
	}
}

static bool read_ports(const struct nlattr *proto, struct hf_endpoint *source,
		       struct hf_endpoint *destination)
{
	const struct nlattr *attribute;
	bool tcp = false;

	mnl_attr_for_each_nested(attribute, proto)
	{
		switch (mnl_attr_get_type(attribute)) {
		case CTA_PROTO_NUM:
			tcp = mnl_attr_get_u8(attribute) == IPPROTO_TCP;
			break;
		case CTA_PROTO_SRC_PORT:
			source->port = ntohs(mnl_attr_get_u16(attribute));
			break;
		case CTA_PROTO_DST_PORT:
			destination->port = ntohs(mnl_attr_get_u16(attribute));
			break;
		default:
			break;
		}
	}
	return tcp;
}

/* false: not TCP. */
static bool read_tuple(const struct nlattr *tuple, struct hf_endpoint out[2])
{
	const struct nlattr *attribute;
	bool tcp = false;

	mnl_attr_for_each_nested(attribute, tuple)
	{
		if (mnl_attr_get_type(attribute) == CTA_TUPLE_IP)
			read_address(attribute, &out[0], &out[1]);
		else if (mnl_attr_get_type(attribute) == CTA_TUPLE_PROTO)
			tcp = read_ports(attribute, &out[0], &out[1]);
	}
	return tcp;
}

static void read_tcp(const struct nlattr *info, struct hf_entry *out)
{
	const struct nlattr *tcp, *attribute;

	mnl_attr_for_each_nested(tcp, info)
	{
		if (mnl_attr_get_type(tcp) != CTA_PROTOINFO_TCP)
			continue;
		mnl_attr_for_each_nested(attribute, tcp)
		{
			const struct nf_ct_tcp_flags *flags = mnl_attr_get_payload(attribute);

			switch (mnl_attr_get_type(attribute)) {
			case CTA_PROTOINFO_TCP_STATE:
				out->state = mnl_attr_get_u8(attribute);
				break;
			case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
				out->flags[0] = flags->flags;
				break;
			case CTA_PROTOINFO_TCP_FLAGS_REPLY:
				out->flags[1] = flags->flags;
				break;
			default:
				break;
			}
		}
	}
}

static bool read_entry(const struct nlmsghdr *message, struct hf_entry *out)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attribute)) {
		case CTA_TUPLE_ORIG:
			if (!read_tuple(attribute, out->original))
				return false;
			break;
		case CTA_TUPLE_REPLY:
			read_tuple(attribute, out->reply);
			break;
		case CTA_PROTOINFO:
			read_tcp(attribute, out);
			break;
		case CTA_STATUS:
			out->status = ntohl(mnl_attr_get_u32(attribute));
			break;
		case CTA_TIMEOUT:
			out->remaining_s = ntohl(mnl_attr_get_u32(attribute));
			break;
		case CTA_MARK:
			out->mark = ntohl(mnl_attr_get_u32(attribute));
			break;
		case CTA_ID:
			out->id = ntohl(mnl_attr_get_u32(attribute));
			break;
		case CTA_ZONE:
			out->zone = ntohs(mnl_attr_get_u16(attribute));
			break;
		default:
			break;
		}
	}
	return out->original[0].family && out->reply[0].family;
}

static int on_message(const struct nlmsghdr *message, void *arg)
{
	const struct reader *reader = arg;
	struct hf_entry entry = { 0 };

	if (read_entry(message, &entry))
		reader->fn(reader->arg, &entry,
			   (message->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE);
	return MNL_CB_OK;
}

static struct nlmsghdr *begin(struct hf_conntrack *conntrack, uint8_t family, uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(conntrack->order);
	struct nfgenmsg *head;

	message->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++conntrack->sequence;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	return message;
}

static int send_message(struct mnl_socket *socket, const struct nlmsghdr *message)
{
	return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

int hf_conntrack_dump(struct hf_conntrack *conntrack)
{
	struct nlmsghdr *message = begin(conntrack, AF_UNSPEC, IPCTNL_MSG_CT_GET, NLM_F_DUMP);

	conntrack->dump_sequence = message->nlmsg_seq;
	return send_message(conntrack->dump, message);
}

int hf_conntrack_dump_read(struct hf_conntrack *conntrack, hf_entry_fn fn, void *arg)
{
	ssize_t size = mnl_socket_recvfrom(conntrack->dump, conntrack->buffer, PART);
	struct reader reader = { fn, arg };
	int result;

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	result = mnl_cb_run(conntrack->buffer, (size_t)size, conntrack->dump_sequence,
			    mnl_socket_get_portid(conntrack->dump), on_message, &reader);
	if (result == MNL_CB_ERROR)
		return errno == EINTR ? 1 : -errno; /* EINTR: the table changed meanwhile */
	return result == MNL_CB_STOP;
}

int hf_conntrack_events_read(struct hf_conntrack *conntrack, hf_entry_fn fn, void *arg)
{
	struct reader reader = { fn, arg };

	for (unsigned int i = 0; i < EVENT_READS; i++) {
		ssize_t size = mnl_socket_recvfrom(conntrack->events, conntrack->buffer, PART);

		if (size < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		mnl_cb_run(conntrack->buffer, (size_t)size, 0, 0, on_message, &reader);
	}
	return 0;
}

static void put_tuple(struct nlmsghdr *message, const struct hf_endpoint original[2])
{
	struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG), *nest;
	bool v4 = original[0].family == HF_IPV4;
	size_t skip = v4 ? 12 : 0;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, 16 - skip,
		     original[0].address.byte + skip);
	mnl_attr_put(message, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, 16 - skip,
		     original[1].address.byte + skip);
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(original[0].port));
	mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(original[1].port));
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
}

/* What is answered goes to fn, if that is given. */
static int obey(struct hf_conntrack *conntrack, const struct nlmsghdr *message,
		struct reader *reader)
{
	uint32_t sequence = message->nlmsg_seq;
	int error = send_message(conntrack->orders, message);
	ssize_t size;

	if (error)
		return error;
	size = mnl_socket_recvfrom(conntrack->orders, conntrack->order, ORDER);
	if (size < 0)
		return -errno;
	return mnl_cb_run(conntrack->order, (size_t)size, sequence,
			  mnl_socket_get_portid(conntrack->orders), reader ? on_message : NULL,
			  reader) < 0 ?
		       -errno :
		       0;
}

static uint8_t family_of(const struct hf_endpoint *endpoint)
{
	return endpoint->family == HF_IPV4 ? AF_INET : AF_INET6;
}

int hf_conntrack_delete(struct hf_conntrack *conntrack, const struct hf_endpoint original[2],
			uint32_t id)
{
	struct nlmsghdr *message =
		begin(conntrack, family_of(original), IPCTNL_MSG_CT_DELETE, NLM_F_ACK);

	put_tuple(message, original);
	mnl_attr_put_u32(message, CTA_ID, htonl(id));
	return obey(conntrack, message, NULL);
}

struct search {
	uint32_t id;
	int state;
};

static void on_found(void *arg, const struct hf_entry *entry, bool gone)
{
	struct search *search = arg;

	if (!gone && entry->id == search->id)
		search->state = entry->state;
}

int hf_conntrack_state(struct hf_conntrack *conntrack, const struct hf_endpoint original[2],
		       uint32_t id)
{
	struct nlmsghdr *message = begin(conntrack, family_of(original), IPCTNL_MSG_CT_GET, 0);
	struct search search = { .id = id, .state = -ENOENT };
	struct reader reader = { on_found, &search };
	int error;

	put_tuple(message, original);
	error = obey(conntrack, message, &reader);
	return error ? error : search.state;
}

static struct mnl_socket *open_socket(int flags, unsigned int groups)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);
	int error;

	if (!socket || !mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID))
		return socket;
	error = errno;
	mnl_socket_close(socket);
	errno = error;
	return NULL;
}

#define GROUP(number) (1u << ((number)-1))

static int open_sockets(struct hf_conntrack *conntrack, struct hf_problem *problem)
{
	int size = EVENT_BUFFER;

	conntrack->dump = open_socket(SOCK_NONBLOCK, 0);
	conntrack->orders = open_socket(0, 0);
	conntrack->events = open_socket(SOCK_NONBLOCK, GROUP(NFNLGRP_CONNTRACK_UPDATE) |
							       GROUP(NFNLGRP_CONNTRACK_DESTROY));
	if (!conntrack->dump || !conntrack->orders || !conntrack->events)
		return hf_problem_set(problem, HF_EXIT_MISSING,
				      "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
				      "cannot read the connection tracking table: %s",
				      strerror(errno));
	setsockopt(mnl_socket_get_fd(conntrack->events), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		   sizeof(size));
	conntrack->sequence = (uint32_t)time(NULL);
	return 0;
}

int hf_conntrack_open(struct hf_conntrack **out, struct hf_problem *problem)
{
	struct hf_conntrack *conntrack = calloc(1, sizeof(*conntrack));

	if (!conntrack)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	if (open_sockets(conntrack, problem)) {
		hf_conntrack_close(&conntrack);
		return -1;
	}
	*out = conntrack;
	return 0;
}

void hf_conntrack_close(struct hf_conntrack **conntrack)
{
	struct hf_conntrack *old = *conntrack;

	*conntrack = NULL;
	if (!old)
		return;
	if (old->dump)
		mnl_socket_close(old->dump);
	if (old->events)
		mnl_socket_close(old->events);
	if (old->orders)
		mnl_socket_close(old->orders);
	free(old);
}

int hf_conntrack_dump_fd(const struct hf_conntrack *conntrack)
{
	return mnl_socket_get_fd(conntrack->dump);
}

int hf_conntrack_events_fd(const struct hf_conntrack *conntrack)
{
	return mnl_socket_get_fd(conntrack->events);
}

static uint32_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint32_t number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu32, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

void hf_conntrack_fill(uint32_t *count, uint32_t *most)
{
	*count = read_number("/proc/sys/net/netfilter/nf_conntrack_count");
	*most = read_number("/proc/sys/net/netfilter/nf_conntrack_max");
}
