/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet sockets bound to one protocol see what comes in, and not what goes out; what comes in is
 * still as it was on the wire, before any NAT. The filter lets up what may be an answer; the rest
 * of the traffic costs the filter's run.
 */
#include "gateway/sniff.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/sniff_filter.h"

#define BUFFER (8 << 20) /* bytes that may wait */

static int open_socket(const struct hf_sniff *sniff, uint16_t protocol)
{
	struct sockaddr_ll everywhere = { .sll_family = AF_PACKET,
					  .sll_protocol = htons(protocol) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, size = BUFFER;

	/* It hears nothing until it is bound: by then the filter stands. */
	if (fd >= 0 && !hf_sniff_filter_attach(sniff->filter, fd, protocol == ETH_P_IPV6) &&
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
	sniff->filter = hf_sniff_filter_make(own_device);
	if (sniff->filter) {
		sniff->fd[0] = open_socket(sniff, ETH_P_IP);
		sniff->fd[1] = open_socket(sniff, ETH_P_IPV6);
	}
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
	hf_sniff_filter_free(&sniff->filter);
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
	static uint8_t packet[HF_SNIFF_BATCH][HF_ANSWERS_SNAP];
	static _Alignas(struct cmsghdr)
		uint8_t beside[HF_SNIFF_BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec part[HF_SNIFF_BATCH];
	struct mmsghdr message[HF_SNIFF_BATCH];
	size_t segments = 0;
	int count;

	for (size_t i = 0; i < HF_SNIFF_BATCH; i++) {
		part[i] = (struct iovec){ packet[i], HF_ANSWERS_SNAP };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &part[i],
						      .msg_iovlen = 1,
						      .msg_control = beside[i],
						      .msg_controllen = sizeof(beside[i]) };
	}
	count = recvmmsg(fd, message, HF_SNIFF_BATCH, MSG_DONTWAIT, NULL);
	sniff->heard += count > 0 ? (unsigned int)count : 0;
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

void hf_sniff_listen(struct hf_sniff *sniff, const struct hf_table_key ends[2], bool on)
{
	for (unsigned int side = 0; side < 2; side++)
		hf_sniff_filter_listen(sniff->filter, &ends[side], on);
}
