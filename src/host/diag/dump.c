/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/diag/dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DUMP_BYTES 65536
#define ENDS_BYTES (8 << 20) /* a second in which 10 000 connections end; less without privileges */
#define TIMER_KEEPALIVE 2    /* idiag_timer */
#define MAPPED 12	     /* where the IPv4 address begins in ::ffff:a.b.c.d */

struct dump {
	hf_diag_fn fn;
	void *arg;
	int result;
};

struct mnl_socket *hf_diag_open(void)
{
	struct mnl_socket *link = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);

	if (link && mnl_socket_bind(link, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(link);
		return NULL;
	}
	return link;
}

static void read_address(uint8_t family, const uint32_t *words, struct hf_address *out)
{
	*out = (struct hf_address){ 0 };
	if (family == AF_INET) {
		out->byte[10] = out->byte[11] = 0xff;
		memcpy(out->byte + MAPPED, words, 4);
	} else {
		memcpy(out->byte, words, sizeof(out->byte));
	}
}

static uint64_t cookie_of(const struct inet_diag_sockid *id)
{
	return (uint64_t)id->idiag_cookie[1] << 32 | id->idiag_cookie[0];
}

/* Linux keepalive_time_elapsed: since data or an acceptable ACK was received. */
static uint32_t silence_of(const struct tcp_info *info)
{
	return info->tcpi_last_data_recv < info->tcpi_last_ack_recv ? info->tcpi_last_data_recv :
								      info->tcpi_last_ack_recv;
}

static void read_info(const struct tcp_info *info, struct hf_diag_socket *out)
{
	struct hf_record *r = &out->record;

	r->flags |= HF_RECORD_FULL | HF_RECORD_HIDDEN;
	r->silent_ms = silence_of(info);
	r->unanswered = info->tcpi_probes;
	r->in_flight = info->tcpi_unacked;
	r->retransmits = info->tcpi_retransmits;
	r->srtt_us = info->tcpi_rtt;
	r->rto_ms = info->tcpi_rto / 1000;
	out->segments = info->tcpi_segs_in;
}

static int read_attribute(const struct nlattr *attribute, void *data)
{
	struct hf_diag_socket *out = data;
	uint16_t length = mnl_attr_get_payload_len(attribute);
	struct tcp_info info = { 0 };

	if (mnl_attr_get_type(attribute) == INET_DIAG_INFO) {
		memcpy(&info, mnl_attr_get_payload(attribute),
		       length < sizeof(info) ? length : sizeof(info));
		read_info(&info, out);
	} else if (mnl_attr_get_type(attribute) == INET_DIAG_CGROUP_ID && length >= 8) {
		out->record.cgroup = mnl_attr_get_u64(attribute);
	}
	return MNL_CB_OK;
}

/* Nobody holds it: closed by its program, or not accepted by one yet. */
static bool is_nobodys(const struct inet_diag_msg *message)
{
	return !message->idiag_inode && message->idiag_state != HF_LISTEN;
}

static void read_message(const struct nlmsghdr *header, struct hf_diag_socket *out)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);

	*out = (struct hf_diag_socket){
		.id = message->id,
		.inode = message->idiag_inode,
		.record = {
			.cookie = cookie_of(&message->id),
			.local_port = ntohs(message->id.idiag_sport),
			.remote_port = ntohs(message->id.idiag_dport),
			.family = message->idiag_family == AF_INET ? HF_IPV4 : HF_IPV6,
			.state = message->idiag_state,
			.uid = message->idiag_uid,
			.next_probe_ms = message->idiag_timer == TIMER_KEEPALIVE ?
						 message->idiag_expires :
						 HF_NO_PROBE,
		},
	};
	read_address(message->idiag_family, message->id.idiag_src, &out->record.local);
	read_address(message->idiag_family, message->id.idiag_dst, &out->record.remote);
	mnl_attr_parse(header, sizeof(*message), read_attribute, out);
	if ((out->record.flags & HF_RECORD_FULL) && is_nobodys(message))
		out->record.flags |= HF_RECORD_ORPHAN;
}

static int take_message(const struct nlmsghdr *header, void *data)
{
	struct hf_diag_socket socket;
	struct dump *dump = data;

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_nlmsg_get_payload_len(header) < sizeof(struct inet_diag_msg))
		return MNL_CB_OK;
	read_message(header, &socket);
	if (!dump->result) /* what else is sent has to be read all the same */
		dump->result = dump->fn(dump->arg, &socket);
	return MNL_CB_OK;
}

static unsigned int next_sequence(void)
{
	static unsigned int sequence;

	return ++sequence;
}

/* One request, and all there is of an answer. */
static int ask(struct mnl_socket *link, uint16_t type, uint16_t flags,
	       const struct inet_diag_req_v2 *request, struct dump *dump, char *buffer)
{
	unsigned int sequence = next_sequence(), port = mnl_socket_get_portid(link);
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	ssize_t length;
	int more = 1;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = sequence;
	memcpy(mnl_nlmsg_put_extra_header(header, sizeof(*request)), request, sizeof(*request));
	if (mnl_socket_sendto(link, header, header->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		length = mnl_socket_recvfrom(link, buffer, DUMP_BYTES);
		if (length < 0 && errno == EINTR)
			continue;
		more = length < 0 ? -1 :
				    mnl_cb_run(buffer, (size_t)length, sequence, port, take_message,
					       dump);
		if (more > 0 && !(flags & NLM_F_DUMP))
			break;
	}
	return more < 0 ? -errno : 0;
}

int hf_diag_dump(struct mnl_socket *link, uint32_t states, hf_diag_fn fn, void *arg)
{
	struct inet_diag_req_v2 request = {
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = states,
	};
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct dump dump = { .fn = fn, .arg = arg };
	char *buffer = malloc(DUMP_BYTES);
	int failed = buffer ? 0 : -ENOMEM;

	for (size_t i = 0; !failed && !dump.result && i < sizeof(families); i++) {
		request.sdiag_family = families[i];
		failed = ask(link, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, &dump, buffer);
	}
	free(buffer);
	return failed ? failed : dump.result;
}

/* One of one connection, with what its record knows of its name. */
static int ask_of(struct mnl_socket *link, uint16_t type, uint16_t flags,
		  const struct hf_record *record, const struct inet_diag_sockid *id,
		  struct dump *dump)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = record->family == HF_IPV4 ? AF_INET : AF_INET6,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = UINT32_MAX,
		.id = *id,
	};
	char *buffer = malloc(DUMP_BYTES);
	int failed = buffer ? ask(link, type, flags, &request, dump, buffer) : -ENOMEM;

	free(buffer);
	return failed;
}

static int note_state(void *arg, const struct hf_diag_socket *socket)
{
	*(uint8_t *)arg = socket->record.state;
	return 0;
}

bool hf_diag_lives(struct mnl_socket *link, const struct hf_diag_socket *socket)
{
	uint8_t state = HF_CLOSE;
	struct dump dump = { .fn = note_state, .arg = &state };
	int failed = ask_of(link, SOCK_DIAG_BY_FAMILY, 0, &socket->record, &socket->id, &dump);

	if (failed)
		return failed != -ENOENT && failed != -ESTALE;
	return state != HF_CLOSE && state != HF_TIME_WAIT;
}

struct mnl_socket *hf_diag_open_ends(void)
{
	const unsigned int groups = 1 << (SKNLGRP_INET_TCP_DESTROY - 1) |
				    1 << (SKNLGRP_INET6_TCP_DESTROY - 1);
	struct mnl_socket *ends = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const int bytes = ENDS_BYTES;
	int fd;

	if (!ends)
		return NULL;
	if (mnl_socket_bind(ends, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(ends);
		return NULL;
	}
	fd = mnl_socket_get_fd(ends);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return ends;
}

void hf_diag_read_ends(struct mnl_socket *ends, hf_diag_fn fn, void *arg)
{
	struct dump dump = { .fn = fn, .arg = arg };
	char *buffer = malloc(DUMP_BYTES);
	ssize_t length = 0;

	while (buffer && (length >= 0 || errno == EINTR || errno == ENOBUFS)) {
		length = mnl_socket_recvfrom(ends, buffer, DUMP_BYTES);
		if (length > 0)
			mnl_cb_run(buffer, (size_t)length, 0, 0, take_message, &dump);
	}
	free(buffer);
}

int hf_diag_refresh(int fd, struct hf_diag_socket *socket)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return -errno;
	socket->record.state = info.tcpi_state;
	read_info(&info, socket);
	return 0;
}

/* ------ of one that eBPF told of */

static void put_address(uint8_t family, const struct hf_address *address, uint32_t words[4])
{
	if (family == HF_IPV4)
		memcpy(words, address->byte + MAPPED, 4);
	else
		memcpy(words, address->byte, sizeof(address->byte));
}

static struct inet_diag_sockid name_of(const struct hf_record *record)
{
	struct inet_diag_sockid id = {
		.idiag_sport = htons(record->local_port),
		.idiag_dport = htons(record->remote_port),
		.idiag_cookie = { (uint32_t)record->cookie, (uint32_t)(record->cookie >> 32) },
	};

	put_address(record->family, &record->local, id.idiag_src);
	put_address(record->family, &record->remote, id.idiag_dst);
	return id;
}

/* With a link of its own. */
static int ask_once(uint16_t type, uint16_t flags, const struct hf_record *record,
		    const struct inet_diag_sockid *id, struct dump *dump)
{
	struct mnl_socket *link = hf_diag_open();
	int failed;

	if (!link)
		return -errno;
	failed = ask_of(link, type, flags, record, id, dump);
	mnl_socket_close(link);
	return failed;
}

struct sought {
	uint64_t cookie;
	uint32_t inode;
};

static int note_inode(void *arg, const struct hf_diag_socket *socket)
{
	struct sought *sought = arg;

	if (socket->record.cookie == sought->cookie)
		sought->inode = socket->inode;
	return 0;
}

/* Dumped are those of the same ports: to be looked up, one bound to a device wants it to be named. */
uint32_t hf_diag_inode(const struct hf_record *record)
{
	struct sought sought = { .cookie = record->cookie };
	struct dump dump = { .fn = note_inode, .arg = &sought };
	struct inet_diag_sockid id = name_of(record);

	return ask_once(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, record, &id, &dump) ? 0 : sought.inode;
}

int hf_diag_destroy(const struct hf_record *record)
{
	struct inet_diag_sockid id = name_of(record);
	struct dump ignored = { 0 };

	id.idiag_if = record->numbers.device;
	return ask_once(SOCK_DESTROY, NLM_F_ACK, record, &id, &ignored);
}
