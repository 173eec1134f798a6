/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets put together byte by byte, independently of the code that is tested with them. */
#ifndef HF_TESTS_PACKET_H
#define HF_TESTS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct packet {
	uint8_t byte[2048];
	size_t size;
	size_t tcp; /* where TCP's header begins */
};

static inline void put16(uint8_t *at, unsigned int number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

static inline void put32(uint8_t *at, uint32_t number)
{
	put16(at, number >> 16);
	put16(at + 2, number & 0xffff);
}

/* RFC 1071 as it is defined: a sum of big-endian pairs, the carry added at once. */
static inline uint16_t add_bytes(uint16_t sum, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t next = sum + (i % 2 ? at[i] : (uint32_t)at[i] << 8);

		sum = (uint16_t)(next > 0xffff ? next - 0xffff : next);
	}
	return sum;
}

/* TCP's checksum over a packet whose lengths are right. */
static inline uint16_t tcp_checksum(const struct packet *packet)
{
	bool v4 = packet->byte[0] >> 4 == 4;
	size_t length = packet->size - packet->tcp;
	uint8_t rest[4] = { 0, 6, (uint8_t)(length >> 8), (uint8_t)length };
	uint16_t sum = add_bytes(0, packet->byte + (v4 ? 12 : 8), v4 ? 8 : 32);
	const uint8_t *tcp = packet->byte + packet->tcp;

	sum = add_bytes(add_bytes(sum, rest, 4), tcp, 16);
	return (uint16_t)~add_bytes(sum, tcp + 18, length - 18);
}

static inline uint16_t ipv4_checksum(const struct packet *packet)
{
	size_t header = (packet->byte[0] & 0xfu) * 4;

	return (uint16_t)~add_bytes(add_bytes(0, packet->byte, 10), packet->byte + 12, header - 12);
}

/* Make lengths and checksums right. */
static inline void seal(struct packet *packet)
{
	if (packet->byte[0] >> 4 == 4) {
		put16(packet->byte + 2, (unsigned int)packet->size);
		put16(packet->byte + 10, ipv4_checksum(packet));
	} else {
		put16(packet->byte + 4, (unsigned int)packet->size - 40);
	}
	put16(packet->byte + packet->tcp + 16, tcp_checksum(packet));
}

/* Bytes in, before `at`; lengths and checksums are not right then. */
static inline void insert(struct packet *packet, size_t at, const void *bytes, size_t size)
{
	memmove(packet->byte + at + size, packet->byte + at, packet->size - at);
	memcpy(packet->byte + at, bytes, size);
	packet->size += size;
	packet->tcp += at <= packet->tcp ? size : 0;
}

/* 10.0.200.1:40000 > 192.0.2.7:443 or the like in IPv6: seq, ack, ACK|PSH, a window, no data. */
static inline struct packet plain_packet(bool v4)
{
	static const uint8_t ipv4[20] = { 0x45, [5] = 9, [8] = 55, [9] = 6, 10, 0, [12] = 10,
					  0,	200,	 1,	   192,	    0,	2, 7 };
	static const uint8_t ipv6[40] = {
		0x60, 1,    2,	      3,    [6] = 6, 55,   0x20, 0x01,
		0x0d, 0xb8, [23] = 1, 0x20, 0x01,    0x0d, 0xb8, [39] = 2,
	};
	struct packet packet = { .tcp = v4 ? 20 : 40, .size = v4 ? 40 : 60 };
	uint8_t *tcp = packet.byte + packet.tcp;

	memcpy(packet.byte, v4 ? ipv4 : ipv6, packet.tcp);
	put16(tcp, 40000);
	put16(tcp + 2, 443);
	put32(tcp + 4, 0xfedcba98);
	put32(tcp + 8, 0x01234567);
	tcp[12] = 5 << 4;
	tcp[13] = 0x18;
	put16(tcp + 14, 502);
	seal(&packet);
	return packet;
}

/* TCP options, whole words of them, into a packet without. */
static inline void add_options(struct packet *packet, const void *options, size_t size)
{
	insert(packet, packet->tcp + 20, options, size);
	packet->byte[packet->tcp + 12] = (uint8_t)((5 + size / 4) << 4);
	seal(packet);
}

static inline void add_payload(struct packet *packet, size_t size)
{
	for (size_t i = 0; i < size; i++)
		packet->byte[packet->size++] = (uint8_t)(0xff - i * 7);
	seal(packet);
}

#endif
