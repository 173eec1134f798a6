/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP segments in IPv4 and IPv6 packets: what a keepalive dialogue sends, and what comes back.
 *
 * Parsing takes any bytes: every length is checked before it is believed, fragments and
 * extension headers are recognised and refused. Building writes whole packets, checksums
 * included, as a TUN device or a raw socket takes them. All numbers are in host byte order.
 */
#ifndef HOLDFAST_SEGMENT_H
#define HOLDFAST_SEGMENT_H

#include <holdfast/address.h>

HF_API_BEGIN

enum hf_tcp_flag { /* RFC 9293 3.1 */
	HF_FIN = 0x01,
	HF_SYN = 0x02,
	HF_RST = 0x04,
	HF_PSH = 0x08,
	HF_ACK = 0x10,
	HF_URG = 0x20,
};
#define HF_FLAGS 0x3f /* all of them; the two of ECN are not told */

/* One TCP segment, without its data. */
struct hf_segment {
	struct hf_endpoint source, destination;
	uint32_t seq, ack;     /* ack only with HF_ACK */
	uint32_t payload;      /* bytes of data; 0 or 1 when built */
	uint32_t tsval, tsecr; /* only with has_timestamps */
	uint32_t flow_label; /* of IPv6, 20 bits; 0 with IPv4. Routers choose ways by it (RFC 6438) */
	uint16_t window;     /* raw, as in the header: not scaled */
	uint8_t flags;	     /* enum hf_tcp_flag */
	bool has_timestamps; /* RFC 7323 */
};

#define HF_FLOW_LABEL 0xfffff /* the bits that it has */

enum hf_parse {
	HF_PARSED = 0,
	HF_PARSE_SHORT,	 /* fewer bytes than its headers say; a truncated capture */
	HF_PARSE_NOT_IP, /* neither IPv4 nor IPv6, or an impossible IP header, or IPv6 with a
			     * v4-mapped address: that would pass for a segment of an IPv4 flow */
	HF_PARSE_NOT_TCP,
	HF_PARSE_FRAGMENT,  /* any fragment, the first one too */
	HF_PARSE_EXTENSION, /* IPv6 extension headers before TCP (RFC 8200 4) */
	HF_PARSE_BAD_TCP,   /* impossible data offset or malformed options */
	HF_PARSE_CHECKSUM,  /* the IPv4 header's or TCP's is wrong */
};
#define HF_PARSES 8

enum hf_checksums {
	HF_VERIFY_CHECKSUMS,
	HF_TRUST_CHECKSUMS, /* a kernel hands over local packets before they are filled in */
};

/*
 * packet: from the IP header's first byte on, size bytes of it; bytes behind the packet's own
 * length are ignored. Anything but HF_PARSED leaves *out untouched.
 */
enum hf_parse hf_segment_parse(const void *packet, size_t size, enum hf_checksums checksums,
			       struct hf_segment *out);

/* The longest packet built here, IPv6 + TCP + timestamps + one byte, rounded up to whole words. */
#define HF_PACKET_MAX 76

/*
 * Write the segment as a packet and return its length; 0 if room is too small, the endpoints'
 * families differ or payload is above 1 (its byte is 0). packet needs no alignment. TTL and hop
 * limit are 64. A v4-mapped pair of family HF_IPV4 is written as IPv4; addresses that are no such
 * pair, and v4-mapped ones of family HF_IPV6, are refused with 0: they do not travel.
 */
size_t hf_segment_build(const struct hf_segment *segment, void *packet, size_t room);

/* How far the segment reaches: seq + data + SYN + FIN (RFC 9293 3.4, SEG.SEQ + SEG.LEN). */
static inline uint32_t hf_segment_end(const struct hf_segment *segment)
{
	return segment->seq + segment->payload + !!(segment->flags & HF_SYN) +
	       !!(segment->flags & HF_FIN);
}

/* Sequence numbers wrap: is a before b (RFC 9293 3.4)? */
static inline bool hf_seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* What is known of a flow toward one end, the target; enough to speak in the other end's name. */
struct hf_numbers {
	uint32_t expected; /* highest ACK number seen from the target: its RCV.NXT */
	uint32_t next;	   /* highest ACK number seen from the other end: the target's SND.NXT */
	uint32_t tsval;	   /* newest seen from the other end */
	uint32_t tsecr;	   /* newest TSval seen from the target */
	uint16_t window;   /* the other end's last, raw */
	bool has_timestamps;
};

/*
 * The segments of a dialogue. source speaks, destination is the target.
 *
 * probe: an ACK at expected - 1 (RFC 9293 3.8.4); garbage adds the one octet of MAY-6.
 * reset: RST|ACK at exactly expected, which is what RFC 5961 3.2 asks of one.
 * tickle: an ACK with numbers 0/0, 0/2^31, 2^31/0, 2^31/2^31 (which: 0..3), no timestamps:
 *	an established endpoint answers one of them with its own numbers, no box can take all
 *	for valid. HF_TICKLES of them make a question.
 * handshake: SYN toward a flow's responder, SYN|ACK 0/0 toward its originator; draws a
 *	challenge ACK (RFC 5961 4.2). Never the other way round: that is invalid to firewalls.
 */
void hf_segment_probe(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		      const struct hf_numbers *numbers, bool garbage, struct hf_segment *out);
void hf_segment_reset(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		      const struct hf_numbers *numbers, struct hf_segment *out);
#define HF_TICKLES 4
void hf_segment_tickle(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		       unsigned int which, struct hf_segment *out);
void hf_segment_handshake(const struct hf_endpoint *source, const struct hf_endpoint *destination,
			  bool to_responder, struct hf_segment *out);

/*
 * Does the segment look like a keepalive probe to a receiver that expects byte `expected`: an
 * ACK at expected - 1 with no data or one octet, no SYN, FIN or RST, with or without timestamps
 * (Linux, BSD and XNU, lwIP, smoltcp)?
 */
bool hf_segment_is_probe(const struct hf_segment *segment, uint32_t expected);

/* A packet prepared once per flow: later ones cost a few stores and no pass over the bytes. */
struct hf_template {
	uint8_t packet[HF_PACKET_MAX];
	uint8_t length, tcp_offset;
	uint32_t sum; /* of all that does not change */
};

/* From a segment as for hf_segment_build; false under the same conditions. */
bool hf_template_init(struct hf_template *out, const struct hf_segment *segment);

/*
 * Write the packet with these numbers; its length is returned. tsval and tsecr are left out of
 * account where the template's segment had no timestamps. packet has HF_PACKET_MAX bytes.
 */
size_t hf_template_write(const struct hf_template *prepared, uint32_t seq, uint32_t ack,
			 uint32_t tsval, uint32_t tsecr, uint16_t window, void *packet);

HF_API_END

#endif
