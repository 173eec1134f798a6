/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/check_channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (64 << 20) /* a limit: what waits for neighbours that are gone counts, too */
#define SEND_MS 100		/* then a queue is stuck */
#define PACKET 256		/* of a bare ACK: headers and all options */
#define AT_ONCE 4096		/* heard before something else is done */
#define IPV6_HEADER 40
#define HOPS_IPV4 8 /* where they stand in the header */
#define HOPS_IPV6 7
#define MAPPED 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */

enum {
	V4,
	V6
};

uint64_t hf_channel_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Raw IPv4 sockets get the IP header, IPv6 ones begin with TCP's. */
static int filter(int fd, int family)
{
	struct sock_filter code[] = {
		/* X: where TCP begins */
		BPF_STMT(family == V4 ? BPF_LDX | BPF_B | BPF_MSH : BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, HF_RST, 9, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, HF_ACK | HF_SYN | HF_FIN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HF_ACK, 0, 8),
		/* both headers and nothing else? */
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3c),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Without CAP_NET_ADMIN the usual limits stay: fewer at once, and what overflows is asked again. */
static void widen(int fd)
{
	const int bytes = BUFFER_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
}

static int prepare(int fd, int family)
{
	const struct timeval patience = { .tv_usec = SEND_MS * 1000 };
	const int on = 1;

	widen(fd);
	if (filter(fd, family) || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return -1;
	if (family == V4)
		return setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ||
	       /* a transparent proxy's address is not this host's */
	       setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
}

static int open_raw(int family)
{
	int fd = socket(family == V4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	int error;

	if (fd < 0)
		return -errno;
	if (!prepare(fd, family))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

int hf_channel_open(struct hf_channel *out, struct hf_problem *problem)
{
	struct hf_channel channel = { { open_raw(V4), -1 } };
	int error = channel.fd[V4] < 0 ? -channel.fd[V4] : 0;

	if (!error) {
		channel.fd[V6] = open_raw(V6);
		if (channel.fd[V6] < 0 && channel.fd[V6] != -EAFNOSUPPORT)
			error = -channel.fd[V6];
	}
	if (!error) {
		*out = channel;
		return 0;
	}
	hf_channel_close(&channel);
	return hf_problem_set(problem, error == EPERM ? HF_EXIT_MISSING : HF_EXIT_FAILED,
			      error == EPERM ? "run as root, or with CAP_NET_RAW, too" : NULL,
			      "cannot open a raw socket to send probes: %s", strerror(error));
}

void hf_channel_close(struct hf_channel *channel)
{
	for (int i = 0; i < 2; i++)
		if (channel->fd[i] >= 0)
			close(channel->fd[i]);
	*channel = (struct hf_channel){ { -1, -1 } };
}

/* --- out --- */

union address {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void *add_control(struct msghdr *message, int level, int type, size_t size)
{
	struct cmsghdr *header =
		(struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);

	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	message->msg_controllen += CMSG_SPACE(size);
	return CMSG_DATA(header);
}

/* The route is looked up as for the connection: by its source, mark and device, too. */
static void address_ipv4(const struct hf_segment *segment, const struct hf_route *route,
			 struct msghdr *message, union address *to)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)route->device };

	to->v4 = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&to->v4.sin_addr, segment->destination.address.byte + MAPPED, 4);
	message->msg_namelen = sizeof(to->v4);
	memcpy(&info.ipi_spec_dst, segment->source.address.byte + MAPPED, 4);
	memcpy(add_control(message, IPPROTO_IP, IP_PKTINFO, sizeof(info)), &info, sizeof(info));
}

static void address_ipv6(const struct hf_segment *segment, const struct hf_route *route,
			 struct msghdr *message, union address *to)
{
	struct in6_pktinfo info = { .ipi6_ifindex = route->device };

	to->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_scope_id = route->device };
	memcpy(&to->v6.sin6_addr, segment->destination.address.byte, 16);
	message->msg_namelen = sizeof(to->v6);
	/* A link-local source (to a peer that is none) without its device would be refused. */
	if (route->device || !IN6_IS_ADDR_LINKLOCAL(segment->source.address.byte))
		memcpy(&info.ipi6_addr, segment->source.address.byte, 16);
	memcpy(add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)), &info, sizeof(info));
}

int hf_channel_send(const struct hf_channel *channel, const struct hf_segment *segment,
		    const struct hf_route *route)
{
	char control[128] __attribute__((aligned(8))) = { 0 };
	int family = segment->source.family == HF_IPV4 ? V4 : V6;
	uint8_t packet[HF_PACKET_MAX];
	union address to;
	struct iovec part = { packet, hf_segment_build(segment, packet, sizeof(packet)) };
	struct msghdr message = {
		.msg_name = &to, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control
	};

	if (!part.iov_len)
		return -EINVAL;
	packet[family == V4 ? HOPS_IPV4 : HOPS_IPV6] = UINT8_MAX; /* the kernel adds IPv4's sum */
	if (family == V4)
		address_ipv4(segment, route, &message, &to);
	else
		address_ipv6(segment, route, &message, &to);
	if (route->mark)
		memcpy(add_control(&message, SOL_SOCKET, SO_MARK, sizeof(route->mark)),
		       &route->mark, sizeof(route->mark));
	return sendmsg(channel->fd[family], &message, 0) < 0 ? -errno : 0;
}

/* --- in --- */

/* The kernel's stamp is of the wall clock: how long ago was it? */
static uint64_t arrival(const struct timespec *stamp)
{
	uint64_t now = hf_channel_now();
	struct timespec wall;
	int64_t ago;

	clock_gettime(CLOCK_REALTIME, &wall);
	ago = (wall.tv_sec - stamp->tv_sec) * INT64_C(1000000000) + wall.tv_nsec - stamp->tv_nsec;
	return ago > 0 && (uint64_t)ago < now ? now - (uint64_t)ago : now;
}

/* What raw IPv6 sockets leave out, so that the packet is whole again. */
static void rebuild_ipv6(uint8_t *packet, size_t size, const struct sockaddr_in6 *from,
			 const struct in6_pktinfo *to)
{
	memset(packet, 0, IPV6_HEADER);
	packet[0] = 0x60;
	packet[4] = (uint8_t)(size >> 8);
	packet[5] = (uint8_t)size;
	packet[6] = IPPROTO_TCP;
	memcpy(packet + 8, &from->sin6_addr, 16);
	memcpy(packet + 24, &to->ipi6_addr, 16);
}

struct arrived {
	uint8_t packet[IPV6_HEADER + PACKET];
	size_t size; /* behind the room for the header that IPv6 leaves out */
	struct sockaddr_in6 from;
	struct in6_pktinfo to;
	uint64_t at;
};

/* False if nothing more lies there. */
static bool receive(int fd, struct arrived *out)
{
	char control[256] __attribute__((aligned(8)));
	struct iovec part = { out->packet + IPV6_HEADER, PACKET };
	struct msghdr message = {
		.msg_name = &out->from,
		.msg_namelen = sizeof(out->from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);

	if (size < 0)
		return false;
	out->size = (size_t)size;
	out->at = hf_channel_now();
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			out->at = arrival((const struct timespec *)CMSG_DATA(c));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&out->to, CMSG_DATA(c), sizeof(out->to));
	}
	return true;
}

static void hear(int fd, int family, hf_channel_fn fn, void *arg)
{
	struct hf_segment segment;
	struct arrived arrived;
	uint8_t *packet;
	size_t size;

	for (int i = 0; i < AT_ONCE && receive(fd, &arrived); i++) {
		packet = arrived.packet + IPV6_HEADER;
		size = arrived.size;
		if (family == V6) {
			rebuild_ipv6(arrived.packet, size, &arrived.from, &arrived.to);
			packet = arrived.packet;
			size += IPV6_HEADER;
		}
		if (hf_segment_parse(packet, size, HF_TRUST_CHECKSUMS, &segment) == HF_PARSED)
			fn(arg, &segment, arrived.at);
	}
}

void hf_channel_hear(const struct hf_channel *channel, hf_channel_fn fn, void *arg)
{
	for (int family = V4; family <= V6; family++)
		if (channel->fd[family] >= 0)
			hear(channel->fd[family], family, fn, arg);
}
