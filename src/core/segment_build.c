/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building: one form of each header, so that every number has one fixed place behind the start of
 * TCP's header and a template has only these to rewrite.
 *
 * IPv4 packets have DF set and the identification 0, as RFC 6864 4.1 allows for what is never
 * fragmented. Timestamps are laid out as RFC 7323 appendix A has them: NOP, NOP, option.
 */
#include <holdfast/segment.h>

#include "core/bytes.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define TIMESTAMPS 12
#define V4_BYTE 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */
#define HOPS 64
#define TCP 6

enum place { /* within TCP's header */
	PORTS = 0,
	SEQ = 4,
	ACK = 8,
	OFFSET = 12,
	FLAGS = 13,
	WINDOW = 14,
	CHECKSUM = 16,
	OPTIONS = 20,
	TSVAL = 24,
	TSECR = 28,
};

/* Questions update no window unless they hit by chance: then it shall neither close nor gape. */
#define QUESTION_WINDOW 1024

static void write_ipv4(const struct hf_segment *segment, size_t length, uint8_t *packet)
{
	static const uint8_t form[IPV4_HEADER] = { 0x45, [6] = 0x40, [8] = HOPS, [9] = TCP };

	memcpy(packet, form, sizeof(form));
	hf_store16(packet + 2, (uint16_t)(IPV4_HEADER + length));
	memcpy(packet + 12, segment->source.address.byte + V4_BYTE, 4);
	memcpy(packet + 16, segment->destination.address.byte + V4_BYTE, 4);
	hf_sum_store(packet + 10, hf_sum_add(0, packet, IPV4_HEADER));
}

static void write_ipv6(const struct hf_segment *segment, size_t length, uint8_t *packet)
{
	static const uint8_t form[8] = { 0x60, [6] = TCP, [7] = HOPS };

	memcpy(packet, form, sizeof(form));
	hf_store32(packet, hf_load32(packet) | (segment->flow_label & HF_FLOW_LABEL));
	hf_store16(packet + 4, (uint16_t)length);
	memcpy(packet + 8, segment->source.address.byte, 16);
	memcpy(packet + 24, segment->destination.address.byte, 16);
}

/* All but the checksum, which is 0. */
static void write_tcp(const struct hf_segment *segment, size_t header, uint8_t *tcp)
{
	static const uint8_t lead[4] = { 1, 1, 8, 10 }; /* NOP, NOP, timestamps of 10 bytes */

	memset(tcp, 0, header + segment->payload);
	hf_store16(tcp + PORTS, segment->source.port);
	hf_store16(tcp + PORTS + 2, segment->destination.port);
	hf_store32(tcp + SEQ, segment->seq);
	hf_store32(tcp + ACK, segment->ack);
	tcp[OFFSET] = (uint8_t)(header / 4 << 4);
	tcp[FLAGS] = segment->flags;
	hf_store16(tcp + WINDOW, segment->window);
	if (!segment->has_timestamps)
		return;
	memcpy(tcp + OPTIONS, lead, sizeof(lead));
	hf_store32(tcp + TSVAL, segment->tsval);
	hf_store32(tcp + TSECR, segment->tsecr);
}

/* Do both ends travel in the same kind of packet? */
static bool is_sendable(const struct hf_endpoint *source, const struct hf_endpoint *destination)
{
	bool mapped = hf_address_is_mapped(&source->address);

	return source->family == destination->family &&
	       source->family == (mapped ? HF_IPV4 : HF_IPV6) &&
	       mapped == hf_address_is_mapped(&destination->address);
}

size_t hf_segment_build(const struct hf_segment *segment, void *packet, size_t room)
{
	bool v4 = segment->source.family == HF_IPV4;
	size_t ip = v4 ? IPV4_HEADER : IPV6_HEADER;
	size_t header = TCP_HEADER + (segment->has_timestamps ? TIMESTAMPS : 0);
	size_t length = header + segment->payload;
	uint8_t *bytes = packet;
	uint64_t sum;

	if (segment->payload > 1 || room < ip + length ||
	    !is_sendable(&segment->source, &segment->destination))
		return 0;
	if (v4)
		write_ipv4(segment, length, bytes);
	else
		write_ipv6(segment, length, bytes);
	write_tcp(segment, header, bytes + ip);
	sum = v4 ? hf_sum_pseudo(bytes + 12, 8, (uint16_t)length) :
		   hf_sum_pseudo(bytes + 8, 32, (uint16_t)length);
	hf_sum_store(bytes + ip + CHECKSUM, hf_sum_add(sum, bytes + ip, length));
	return ip + length;
}

bool hf_template_init(struct hf_template *out, const struct hf_segment *segment)
{
	struct hf_template template = { 0 };
	struct hf_segment fixed = *segment;
	uint16_t checksum;

	fixed.seq = fixed.ack = fixed.tsval = fixed.tsecr = 0;
	fixed.window = 0;
	template.length = (uint8_t)hf_segment_build(&fixed, template.packet, HF_PACKET_MAX);
	if (!template.length)
		return false;
	template.tcp_offset = segment->source.family == HF_IPV4 ? IPV4_HEADER : IPV6_HEADER;
	checksum = hf_load16(template.packet + template.tcp_offset + CHECKSUM);
	template.sum = (uint16_t)~checksum;
	*out = template;
	return true;
}

size_t hf_template_write(const struct hf_template *prepared, uint32_t seq, uint32_t ack,
			 uint32_t tsval, uint32_t tsecr, uint16_t window, void *packet)
{
	uint8_t *tcp = (uint8_t *)packet + prepared->tcp_offset;
	uint64_t sum = prepared->sum;

	memcpy(packet, prepared->packet, HF_PACKET_MAX); /* a fixed size: no call, no loop */
	hf_store32(tcp + SEQ, seq);
	hf_store32(tcp + ACK, ack);
	hf_store16(tcp + WINDOW, window);
	sum += (uint64_t)seq + ack + window; /* 2^16 is 1 to a sum: halves need no parting */
	if (prepared->packet[prepared->tcp_offset + OFFSET] >> 4 > TCP_HEADER / 4) {
		hf_store32(tcp + TSVAL, tsval);
		hf_store32(tcp + TSECR, tsecr);
		sum += (uint64_t)tsval + tsecr;
	}
	hf_store16(tcp + CHECKSUM, (uint16_t)~hf_sum_fold(sum));
	return prepared->length;
}

void hf_segment_probe(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		      const struct hf_numbers *numbers, bool garbage, struct hf_segment *out)
{
	*out = (struct hf_segment){
		.source = *source,
		.destination = *destination,
		.seq = numbers->expected - 1,
		.ack = numbers->next,
		.payload = garbage,
		.tsval = numbers->tsval,
		.tsecr = numbers->tsecr,
		.window = numbers->window,
		.flags = HF_ACK,
		.has_timestamps = numbers->has_timestamps,
	};
}

void hf_segment_reset(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		      const struct hf_numbers *numbers, struct hf_segment *out)
{
	hf_segment_probe(source, destination, numbers, false, out);
	out->seq = numbers->expected;
	out->flags = HF_RST | HF_ACK;
}

void hf_segment_tickle(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		       unsigned int which, struct hf_segment *out)
{
	*out = (struct hf_segment){
		.source = *source,
		.destination = *destination,
		.seq = which & 2 ? UINT32_C(1) << 31 : 0,
		.ack = which & 1 ? UINT32_C(1) << 31 : 0,
		.window = QUESTION_WINDOW,
		.flags = HF_ACK,
	};
}

void hf_segment_handshake(const struct hf_endpoint *source, const struct hf_endpoint *destination,
			  bool to_responder, struct hf_segment *out)
{
	*out = (struct hf_segment){
		.source = *source,
		.destination = *destination,
		.window = QUESTION_WINDOW,
		.flags = to_responder ? HF_SYN : HF_SYN | HF_ACK,
	};
}
