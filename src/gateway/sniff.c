/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet sockets bound to one protocol see what comes in, and not what goes out; what comes in is
 * still as it was on the wire, before any NAT. The filter lets up segments without data and with
 * nothing but ACK, and RSTs, whole packets only; the rest of the traffic costs the filter's run.
 */
#include "gateway/sniff.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SNAP 128	 /* bytes of a packet: two headers with all their options */
#define BUFFER (8 << 20) /* bytes that may wait */
#define FLAGS_ASKED (HF_FIN | HF_SYN | HF_RST | HF_ACK)

#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD_HALF(at) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define BYTE_BEHIND(at) BPF_STMT(BPF_LD | BPF_B | BPF_IND, at) /* at + X */
#define IF_EQUAL(what, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what, yes, no)
#define IF_BITS(what, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, what, yes, no)
#define IF_EQUAL_X(yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, yes, no)
#define DO(operation, what) BPF_STMT(BPF_ALU | (operation) | BPF_K, what)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

/* Packets begin with the IP header. The device's index is put into the second instruction. */
static struct sock_filter ipv4[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
	IF_EQUAL(0, 17, 0),
	LOAD_BYTE(9),
	IF_EQUAL(IPPROTO_TCP, 0, 15),
	LOAD_HALF(6),
	IF_BITS(0x3fff, 13, 0), /* a fragment */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BYTE_BEHIND(13),
	IF_BITS(HF_RST, 9, 0),
	DO(BPF_AND, FLAGS_ASKED),
	IF_EQUAL(HF_ACK, 0, 8),
	BYTE_BEHIND(12), /* the length of both headers is that of the packet */
	DO(BPF_RSH, 4),
	DO(BPF_LSH, 2),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD_HALF(2),
	IF_EQUAL_X(0, 1),
	RETURN(SNAP),
	RETURN(0),
};

static struct sock_filter ipv6[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
	IF_EQUAL(0, 13, 0),
	LOAD_BYTE(6),
	IF_EQUAL(IPPROTO_TCP, 0, 11),
	LOAD_BYTE(40 + 13),
	IF_BITS(HF_RST, 8, 0),
	DO(BPF_AND, FLAGS_ASKED),
	IF_EQUAL(HF_ACK, 0, 7),
	LOAD_BYTE(40 + 12),
	DO(BPF_RSH, 4),
	DO(BPF_LSH, 2),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD_HALF(4),
	IF_EQUAL_X(0, 1),
	RETURN(SNAP),
	RETURN(0),
};

static int open_socket(uint16_t protocol, struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { length, filter };
	struct sockaddr_ll everywhere = { .sll_family = AF_PACKET,
					  .sll_protocol = htons(protocol) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, size = BUFFER;

	/* It hears nothing until it is bound: by then the filter stands. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&everywhere, sizeof(everywhere))) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		return fd;
	}
	on = errno;
	if (fd >= 0)
		close(fd);
	errno = on;
	return -1;
}

int hf_sniff_open(struct hf_sniff *sniff, unsigned int own_device, struct hf_problem *problem)
{
	ipv4[1].k = ipv6[1].k = own_device;
	sniff->fd[0] = open_socket(ETH_P_IP, ipv4, sizeof(ipv4) / sizeof(*ipv4));
	sniff->fd[1] = open_socket(ETH_P_IPV6, ipv6, sizeof(ipv6) / sizeof(*ipv6));
	if (sniff->fd[0] >= 0 && sniff->fd[1] >= 0)
		return 0;
	hf_problem_set(problem, HF_EXIT_MISSING,
		       "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
		       "cannot open a packet socket: %s", strerror(errno));
	hf_sniff_close(sniff);
	return -1;
}

void hf_sniff_close(struct hf_sniff *sniff)
{
	for (size_t i = 0; i < HF_SNIFF_SOCKETS; i++) {
		if (sniff->fd[i] >= 0)
			close(sniff->fd[i]);
		sniff->fd[i] = -1;
	}
}

/* Whether a checksum was verified, or is not filled in yet, the kernel tells beside the packet. */
static enum hf_checksums checksums_of(struct msghdr *message)
{
	const uint32_t fine = TP_STATUS_CSUM_VALID | TP_STATUS_CSUMNOTREADY;
	struct tpacket_auxdata *auxiliary;

	for (struct cmsghdr *beside = CMSG_FIRSTHDR(message); beside;
	     beside = CMSG_NXTHDR(message, beside)) {
		if (beside->cmsg_level != SOL_PACKET || beside->cmsg_type != PACKET_AUXDATA)
			continue;
		auxiliary = (struct tpacket_auxdata *)(void *)CMSG_DATA(beside);
		return auxiliary->tp_status & fine ? HF_TRUST_CHECKSUMS : HF_VERIFY_CHECKSUMS;
	}
	return HF_VERIFY_CHECKSUMS;
}

size_t hf_sniff_read(struct hf_sniff *sniff, int fd, struct hf_segment out[HF_SNIFF_BATCH])
{
	static uint8_t packet[HF_SNIFF_BATCH][SNAP];
	static _Alignas(struct cmsghdr)
		uint8_t beside[HF_SNIFF_BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec part[HF_SNIFF_BATCH];
	struct mmsghdr message[HF_SNIFF_BATCH];
	size_t segments = 0;
	int count;

	for (size_t i = 0; i < HF_SNIFF_BATCH; i++) {
		part[i] = (struct iovec){ packet[i], SNAP };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &part[i],
						      .msg_iovlen = 1,
						      .msg_control = beside[i],
						      .msg_controllen = sizeof(beside[i]) };
	}
	count = recvmmsg(fd, message, HF_SNIFF_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		if (hf_segment_parse(packet[i], message[i].msg_len,
				     checksums_of(&message[i].msg_hdr),
				     &out[segments]) == HF_PARSED)
			segments++;
		else
			sniff->refused++;
	}
	return segments;
}

uint64_t hf_sniff_lost(const struct hf_sniff *sniff)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < HF_SNIFF_SOCKETS; i++) {
		struct tpacket_stats stats = { 0 };
		socklen_t size = sizeof(stats);

		if (!getsockopt(sniff->fd[i], SOL_PACKET, PACKET_STATISTICS, &stats, &size))
			lost += stats.tp_drops;
	}
	return lost;
}
