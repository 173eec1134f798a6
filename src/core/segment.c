/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsing goes outside in: the IP header gives the packet's own length, the segment must lie
 * within that, its options within its header. SHORT is said only of bytes that the packet has and
 * the caller has not; what contradicts itself is refused as the header it stands in.
 */
#include <holdfast/segment.h>

#include "core/bytes.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define V4_BYTE 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */

enum protocol { /* IANA's numbers; those of RFC 8200 4 and RFC 7045 that stand before TCP */
	HOP_BY_HOP = 0,
	TCP = 6,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION_OPTIONS = 60,
	MOBILITY = 135,
	HOST_IDENTITY = 139,
	SHIM6 = 140,
};

enum option { /* of TCP: RFC 9293 3.1, RFC 7323 3.2 */
	OPTION_END = 0,
	OPTION_NOTHING = 1,
	OPTION_TIMESTAMPS = 8,
};
#define TIMESTAMPS_LENGTH 10

/* Where the segment lies in its packet. */
struct body {
	const uint8_t *tcp;
	size_t length;
	const uint8_t *addresses; /* source and destination, as they stand in the IP header */
	size_t addresses_size;
};

static bool sums_up(uint64_t sum)
{
	return hf_sum_fold(sum) == UINT16_MAX;
}

static void read_ipv4_address(const uint8_t *at, struct hf_endpoint *out)
{
	out->family = HF_IPV4;
	out->address.byte[10] = out->address.byte[11] = 0xff;
	memcpy(out->address.byte + V4_BYTE, at, 4);
}

static enum hf_parse read_ipv4(const uint8_t *packet, size_t size, enum hf_checksums checksums,
			       struct body *body, struct hf_segment *out)
{
	size_t header, total;

	if (size < IPV4_HEADER)
		return HF_PARSE_SHORT;
	header = (packet[0] & 0xfu) * 4;
	total = hf_load16(packet + 2);
	if (header < IPV4_HEADER || total < header)
		return HF_PARSE_NOT_IP;
	if (size < total)
		return HF_PARSE_SHORT;
	if (checksums == HF_VERIFY_CHECKSUMS && !sums_up(hf_sum_add(0, packet, header)))
		return HF_PARSE_CHECKSUM;
	if (hf_load16(packet + 6) & 0x3fff) /* more fragments, offset */
		return HF_PARSE_FRAGMENT;
	if (packet[9] != TCP)
		return HF_PARSE_NOT_TCP;
	read_ipv4_address(packet + 12, &out->source);
	read_ipv4_address(packet + 16, &out->destination);
	*body = (struct body){ packet + header, total - header, packet + 12, 8 };
	return HF_PARSED;
}

/* Follow the extension headers to what comes behind them. */
static enum hf_parse skip_extensions(uint8_t next, const uint8_t *at, const uint8_t *end)
{
	for (;;) {
		size_t left = (size_t)(end - at), length;

		switch (next) {
		case TCP:
			return HF_PARSE_EXTENSION;
		case FRAGMENT:
			return HF_PARSE_FRAGMENT;
		case HOP_BY_HOP:
		case ROUTING:
		case AUTHENTICATION:
		case DESTINATION_OPTIONS:
		case MOBILITY:
		case HOST_IDENTITY:
		case SHIM6:
			break;
		default: /* ESP, too: what it holds is not to be seen */
			return HF_PARSE_NOT_TCP;
		}
		if (left < 8)
			return HF_PARSE_NOT_IP;
		length = next == AUTHENTICATION ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8;
		if (left < length)
			return HF_PARSE_NOT_IP;
		next = at[0];
		at += length;
	}
}

static void read_ipv6_address(const uint8_t *at, struct hf_endpoint *out)
{
	out->family = HF_IPV6;
	memcpy(out->address.byte, at, sizeof(out->address.byte));
}

static enum hf_parse read_ipv6(const uint8_t *packet, size_t size, struct body *body,
			       struct hf_segment *out)
{
	size_t length;

	if (size < IPV6_HEADER)
		return HF_PARSE_SHORT;
	length = hf_load16(packet + 4);
	if (size - IPV6_HEADER < length)
		return HF_PARSE_SHORT;
	out->flow_label = hf_load32(packet) & HF_FLOW_LABEL;
	read_ipv6_address(packet + 8, &out->source);
	read_ipv6_address(packet + 24, &out->destination);
	if (hf_address_is_mapped(&out->source.address) ||
	    hf_address_is_mapped(&out->destination.address))
		return HF_PARSE_NOT_IP;
	*body = (struct body){ packet + IPV6_HEADER, length, packet + 8, 32 };
	return packet[6] == TCP ? HF_PARSED :
				  skip_extensions(packet[6], body->tcp, body->tcp + length);
}

static bool read_options(const uint8_t *at, const uint8_t *end, struct hf_segment *out)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOTHING) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || end - at < at[1])
			return false;
		if (*at == OPTION_TIMESTAMPS) {
			if (at[1] != TIMESTAMPS_LENGTH)
				return false;
			out->has_timestamps = true;
			out->tsval = hf_load32(at + 2);
			out->tsecr = hf_load32(at + 6);
		}
		at += at[1];
	}
	return true;
}

static enum hf_parse read_tcp(const struct body *body, enum hf_checksums checksums,
			      struct hf_segment *out)
{
	const uint8_t *tcp = body->tcp;
	size_t header;

	if (body->length < TCP_HEADER)
		return HF_PARSE_BAD_TCP;
	header = (tcp[12] >> 4) * 4u;
	if (header < TCP_HEADER || body->length < header)
		return HF_PARSE_BAD_TCP;
	if (checksums == HF_VERIFY_CHECKSUMS) {
		uint64_t sum = hf_sum_pseudo(body->addresses, body->addresses_size,
					     (uint16_t)body->length);

		if (!sums_up(hf_sum_add(sum, tcp, body->length)))
			return HF_PARSE_CHECKSUM;
	}
	out->source.port = hf_load16(tcp);
	out->destination.port = hf_load16(tcp + 2);
	out->seq = hf_load32(tcp + 4);
	out->ack = hf_load32(tcp + 8);
	out->flags = tcp[13] & HF_FLAGS;
	out->window = hf_load16(tcp + 14);
	out->payload = (uint32_t)(body->length - header);
	return read_options(tcp + TCP_HEADER, tcp + header, out) ? HF_PARSED : HF_PARSE_BAD_TCP;
}

enum hf_parse hf_segment_parse(const void *packet, size_t size, enum hf_checksums checksums,
			       struct hf_segment *out)
{
	enum hf_parse result = HF_PARSE_NOT_IP;
	struct hf_segment segment = { 0 };
	const uint8_t *bytes = packet;
	struct body body;

	if (!size)
		return HF_PARSE_SHORT;
	if (bytes[0] >> 4 == 4)
		result = read_ipv4(bytes, size, checksums, &body, &segment);
	else if (bytes[0] >> 4 == 6)
		result = read_ipv6(bytes, size, &body, &segment);
	if (result == HF_PARSED)
		result = read_tcp(&body, checksums, &segment);
	if (result == HF_PARSED)
		*out = segment;
	return result;
}

bool hf_segment_is_probe(const struct hf_segment *segment, uint32_t expected)
{
	return (segment->flags & (HF_ACK | HF_SYN | HF_FIN | HF_RST)) == HF_ACK &&
	       segment->seq == expected - 1 && segment->payload <= 1;
}
