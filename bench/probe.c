/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe N: makes N keepalive probes of 60 bytes each (IPv6, no timestamps) in three ways, prints
 * the nanoseconds that one took: by a template, built in full, and with the packet kept but its
 * checksum taken over every byte. For 1024 flows in turn, which are more than the first cache
 * holds. The ways take turns, 64 times each, and the best time counts, as others use the machine:
 * many short rounds (N = 100000) find a quiet moment sooner than few long ones.
 *
 * Target: the first is at most 10.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <holdfast/segment.h>

#define FLOWS 1024
#define ROUNDS 64
#define LENGTH 60
#define TCP 40

struct flow {
	struct hf_segment probe;
	struct hf_template template;
};

typedef size_t make(const struct flow *flow, uint32_t seq, uint8_t *packet);

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static size_t by_template(const struct flow *flow, uint32_t seq, uint8_t *packet)
{
	return hf_template_write(&flow->template, seq, ~seq, 0, 0, 502, packet);
}

static size_t in_full(const struct flow *flow, uint32_t seq, uint8_t *packet)
{
	struct hf_segment probe = flow->probe;

	probe.seq = seq;
	probe.ack = ~seq;
	probe.window = 502;
	return hf_segment_build(&probe, packet, HF_PACKET_MAX);
}

static void put32(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint32_t add_bytes(uint32_t sum, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return sum;
}

static size_t byte_by_byte(const struct flow *flow, uint32_t seq, uint8_t *packet)
{
	uint32_t sum = LENGTH - TCP + 6; /* the rest of the pseudo header */

	memcpy(packet, flow->template.packet, LENGTH);
	put32(packet + TCP + 4, seq);
	put32(packet + TCP + 8, ~seq);
	packet[TCP + 14] = 502 >> 8;
	packet[TCP + 15] = 502 & 0xff;
	packet[TCP + 16] = packet[TCP + 17] = 0;
	sum = add_bytes(sum, packet + 8, LENGTH - 8); /* addresses and segment are adjacent */
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	packet[TCP + 16] = (uint8_t)(~sum >> 8);
	packet[TCP + 17] = (uint8_t)~sum;
	return LENGTH;
}

/* Make n probes and return what one took; their checksums are all used, none is optimised away. */
static double make_ns(make *one, const struct flow *flows, int n, uint32_t *sums)
{
	double start = now_ns();

	for (int i = 0; i < n; i++) {
		uint8_t packet[HF_PACKET_MAX];

		if (one(&flows[i % FLOWS], (uint32_t)i * 2654435761u, packet) != LENGTH)
			errx(1, "a probe is not %d bytes long", LENGTH);
		*sums += packet[TCP + 16] << 8 | packet[TCP + 17];
	}
	return (now_ns() - start) / n;
}

static void prepare(struct flow *flows)
{
	struct hf_numbers numbers = { 0 };

	for (unsigned int i = 0; i < FLOWS; i++) {
		struct hf_endpoint ends[2] = { { .family = HF_IPV6 }, { .family = HF_IPV6 } };

		put32(ends[0].address.byte, 0x20010db8);
		put32(ends[1].address.byte, 0x20010db8);
		put32(ends[1].address.byte + 12, i);
		ends[0].port = (uint16_t)i;
		ends[1].port = 443;
		hf_segment_probe(&ends[0], &ends[1], &numbers, false, &flows[i].probe);
		if (!hf_template_init(&flows[i].template, &flows[i].probe))
			errx(1, "no template");
	}
}

int main(int argc, char **argv)
{
	static make *const ways[] = { by_template, in_full, byte_by_byte };
	double best[3] = { 1e9, 1e9, 1e9 };
	static struct flow flows[FLOWS];
	int n = argc == 2 ? atoi(argv[1]) : 0;

	if (n <= 0)
		errx(2, "usage: probe N");
	prepare(flows);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t sums[3] = { 0 };

		for (int way = 0; way < 3; way++) {
			double ns = make_ns(ways[way], flows, n, &sums[way]);

			best[way] = ns < best[way] ? ns : best[way];
		}
		if (sums[0] != sums[1] || sums[0] != sums[2])
			errx(1, "the three ways make different probes");
	}
	printf("%.2f %.2f %.2f\n", best[0], best[1], best[2]);
	return 0;
}
