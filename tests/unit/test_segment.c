/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/segment.h>

#include "packet.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define STAMPS 8, 10, 1, 2, 3, 4, 5, 6, 7, 8
#define TSVAL 0x01020304
#define TSECR 0x05060708

/* Parse a copy of exactly that size, so that a sanitizer sees a byte read too far. */
static enum hf_parse parse_bytes(const uint8_t *bytes, size_t size, enum hf_checksums checksums,
				 struct hf_segment *out)
{
	uint8_t *copy = malloc(size + 1);
	enum hf_parse result;

	assert_non_null(copy);
	memcpy(copy + 1, bytes, size); /* and at an odd address */
	result = hf_segment_parse(copy + 1, size, checksums, out);
	free(copy);
	return result;
}

static struct hf_segment parsed(const struct packet *packet)
{
	struct hf_segment segment;

	assert_int_equal(parse_bytes(packet->byte, packet->size, HF_VERIFY_CHECKSUMS, &segment),
			 HF_PARSED);
	return segment;
}

static void assert_refused(const struct packet *packet, enum hf_parse why)
{
	struct hf_segment segment, before;

	memset(&before, 0xa5, sizeof(before));
	memcpy(&segment, &before, sizeof(before));
	assert_int_equal(parse_bytes(packet->byte, packet->size, HF_VERIFY_CHECKSUMS, &segment),
			 why);
	assert_memory_equal(&segment, &before, sizeof(before));
}

static void every_number_is_read(void **state)
{
	struct hf_endpoint ends[2][2];

	(void)state;
	assert_true(hf_endpoint_parse("[2001:db8::1]:40000", &ends[0][0]));
	assert_true(hf_endpoint_parse("[2001:db8::2]:443", &ends[0][1]));
	assert_true(hf_endpoint_parse("10.0.200.1:40000", &ends[1][0]));
	assert_true(hf_endpoint_parse("192.0.2.7:443", &ends[1][1]));
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);
		struct hf_segment segment;

		add_payload(&packet, 100);
		segment = parsed(&packet);
		assert_memory_equal(&segment.source, &ends[v4][0],
				    offsetof(struct hf_endpoint, family));
		assert_memory_equal(&segment.destination, &ends[v4][1],
				    offsetof(struct hf_endpoint, family));
		assert_int_equal(segment.source.family, v4 ? HF_IPV4 : HF_IPV6);
		assert_int_equal(segment.destination.family, v4 ? HF_IPV4 : HF_IPV6);
		assert_int_equal(segment.seq, 0xfedcba98);
		assert_int_equal(segment.ack, 0x01234567);
		assert_int_equal(segment.payload, 100);
		assert_int_equal(segment.window, 502);
		assert_int_equal(segment.flags, HF_ACK | HF_PSH);
		assert_false(segment.has_timestamps);
		assert_int_equal(segment.tsval, 0);
		assert_int_equal(segment.tsecr, 0);
	}
}

static void each_flag_is_told_but_for_those_of_ecn(void **state)
{
	struct packet packet = plain_packet(true);

	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		packet.byte[packet.tcp + 13] = (uint8_t)flags;
		seal(&packet);
		assert_int_equal(parsed(&packet).flags, flags & 0x3f);
	}
}

static void every_truncation_is_short(void **state)
{
	static const uint8_t options[] = { 1, 1, STAMPS };
	struct hf_segment segment;

	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);

		add_options(&packet, options, sizeof(options));
		add_payload(&packet, 5);
		parsed(&packet);
		for (size_t size = 0; size < packet.size; size++) {
			assert_int_equal(parse_bytes(packet.byte, size, HF_VERIFY_CHECKSUMS,
						     &segment),
					 HF_PARSE_SHORT);
			assert_int_equal(parse_bytes(packet.byte, size, HF_TRUST_CHECKSUMS,
						     &segment),
					 HF_PARSE_SHORT);
		}
	}
}

/* As Ethernet pads a frame to 46 bytes; the padding need not be zero. */
static void bytes_behind_the_packet_are_ignored(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);

		for (int i = 0; i < 27; i++) {
			packet.byte[packet.size++] = (uint8_t)(0xff - i);
			assert_int_equal(parsed(&packet).payload, 0);
		}
	}
}

static void a_length_beyond_the_capture_is_short(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);

		packet.size++;
		seal(&packet);
		packet.size--;
		assert_refused(&packet, HF_PARSE_SHORT);
	}
}

static void a_length_that_leaves_no_room_for_the_headers_is_impossible(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);
		size_t size = packet.size;

		add_payload(&packet, 60);
		for (packet.size = packet.tcp; packet.size < size; packet.size++) {
			struct packet cut = packet;

			put16(cut.byte + (v4 ? 2 : 4),
			      (unsigned int)(v4 ? cut.size : cut.size - 40));
			put16(cut.byte + 10, v4 ? ipv4_checksum(&cut) : 0);
			assert_refused(&cut, HF_PARSE_BAD_TCP);
			cut.size = size + 60; /* not for want of bytes */
			assert_refused(&cut, HF_PARSE_BAD_TCP);
		}
	}
}

static void an_ipv4_length_below_its_header_is_impossible(void **state)
{
	struct packet packet = plain_packet(true);

	(void)state;
	for (unsigned int total = 0; total < 20; total++) {
		put16(packet.byte + 2, total);
		put16(packet.byte + 10, ipv4_checksum(&packet));
		assert_refused(&packet, HF_PARSE_NOT_IP);
	}
}

static void no_other_version_is_ip(void **state)
{
	struct packet packet = plain_packet(true);

	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		packet.byte[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			assert_refused(&packet, HF_PARSE_NOT_IP);
	}
}

static void ip_options_are_passed_over(void **state)
{
	(void)state;
	for (unsigned int words = 1; words <= 10; words++) {
		struct packet packet = plain_packet(true);
		uint8_t options[40];

		memset(options, 1, sizeof(options));
		insert(&packet, 20, options, (size_t)words * 4);
		packet.byte[0] = (uint8_t)(0x45 + words);
		seal(&packet);
		assert_int_equal(packet.tcp, 20 + words * 4);
		assert_int_equal(parsed(&packet).seq, 0xfedcba98);
	}
}

static void an_ipv4_header_too_small_or_beyond_the_packet_is_impossible(void **state)
{
	struct packet packet = plain_packet(true);

	(void)state;
	for (unsigned int words = 0; words < 16; words++) {
		packet.byte[0] = (uint8_t)(0x40 | words);
		if (words < 5 || words > 10)
			assert_refused(&packet, HF_PARSE_NOT_IP);
	}
}

static void ipv4_fragments_are_refused(void **state)
{
	static const unsigned int fragment[] = { 0x2000, 0x2001, 0x1fff, 0x0001, 0x3fff, 0x1000 };
	static const unsigned int whole[] = { 0, 0x4000, 0x8000, 0xc000 };
	struct packet packet = plain_packet(true);

	(void)state;
	for (size_t i = 0; i < COUNT(fragment); i++) {
		put16(packet.byte + 6, fragment[i]);
		seal(&packet);
		assert_refused(&packet, HF_PARSE_FRAGMENT);
	}
	for (size_t i = 0; i < COUNT(whole); i++) {
		put16(packet.byte + 6, whole[i]);
		seal(&packet);
		parsed(&packet);
	}
}

/* An IPv6 packet with these extension headers before TCP's; the last one's "next" is `last`. */
static struct packet extended(const void *headers, size_t size, uint8_t first)
{
	struct packet packet = plain_packet(false);

	insert(&packet, 40, headers, size);
	packet.byte[6] = first;
	seal(&packet);
	return packet;
}

static void extension_headers_before_tcp_are_told(void **state)
{
	static const uint8_t alike[] = { 0, 43, 60, 135, 139, 140 };
	static const uint8_t one[8] = { 6 }, two[16] = { 6, 1 };
	static const uint8_t authentication[16] = { 6, 2 };
	/* routing in hop-by-hop and so on; what lies within them says "no next header" */
	static const uint8_t chain[8 + 16 + 24 + 8] = {
		43, 0,	59, 59, 59, 59, 59, 59,					/* hop-by-hop */
		51, 1,	59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, /* routing */
		60, 4,	59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, /* authentication */
		59, 59, 59, 59, 59, 59, 59, 59, 6,  0,
	};
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < COUNT(alike); i++) {
		packet = extended(one, sizeof(one), alike[i]);
		assert_refused(&packet, HF_PARSE_EXTENSION);
		packet = extended(two, sizeof(two), alike[i]);
		assert_refused(&packet, HF_PARSE_EXTENSION);
	}
	packet = extended(authentication, sizeof(authentication), 51);
	assert_refused(&packet, HF_PARSE_EXTENSION);
	packet = extended(chain, sizeof(chain), 0);
	assert_refused(&packet, HF_PARSE_EXTENSION);
}

static void ipv6_fragments_are_told_even_the_only_one(void **state)
{
	static const uint8_t offset[][2] = { { 0, 0 }, { 0, 1 }, { 0, 9 }, { 0xff, 0xf8 } };

	(void)state;
	for (size_t i = 0; i < COUNT(offset); i++) {
		uint8_t header[16] = { 44, 0, [8] = 6, 0, offset[i][0], offset[i][1] };
		struct packet packet = extended(header + 8, 8, 44);

		assert_refused(&packet, HF_PARSE_FRAGMENT);
		packet = extended(header, 16, 60);
		assert_refused(&packet, HF_PARSE_FRAGMENT);
	}
}

static void what_is_not_tcp_behind_extensions_is_not_tcp(void **state)
{
	static const uint8_t other[] = { 17, 50, 58, 59, 41, 255 };

	(void)state;
	for (size_t i = 0; i < COUNT(other); i++) {
		uint8_t header[8] = { other[i] };
		struct packet packet = extended(header, sizeof(header), 0);

		assert_refused(&packet, HF_PARSE_NOT_TCP);
	}
}

static void a_packet_may_end_with_an_extension(void **state)
{
	uint8_t header[16] = { 59 };

	(void)state;
	for (size_t size = 8; size <= 16; size += 8) {
		struct packet packet = extended(header, sizeof(header), 60);

		header[1] = (uint8_t)(size / 8 - 1);
		memcpy(packet.byte + 40, header, sizeof(header));
		packet.size = 40 + size;
		put16(packet.byte + 4, (unsigned int)size);
		assert_refused(&packet, HF_PARSE_NOT_TCP);
	}
}

static void extensions_beyond_the_packet_are_impossible(void **state)
{
	struct packet packet = plain_packet(false);
	uint8_t endless[1600];

	(void)state;
	packet.byte[6] = 0;
	for (unsigned int words = 2; words < 256; words++) {
		packet.byte[41] = (uint8_t)words; /* 20 bytes are there */
		assert_refused(&packet, HF_PARSE_NOT_IP);
	}
	memset(endless, 0, sizeof(endless));
	packet = extended(endless, sizeof(endless), 0);
	packet.size = 40 + sizeof(endless);
	put16(packet.byte + 4, sizeof(endless));
	assert_refused(&packet, HF_PARSE_NOT_IP);
}

static void no_other_protocol_is_tcp(void **state)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 60, 135, 139, 140 };

	(void)state;
	for (unsigned int protocol = 0; protocol < 256; protocol++) {
		struct packet v4 = plain_packet(true), v6 = plain_packet(false);

		v4.byte[9] = v6.byte[6] = (uint8_t)protocol;
		put16(v4.byte + 10, ipv4_checksum(&v4));
		if (protocol == 6)
			continue;
		assert_refused(&v4, HF_PARSE_NOT_TCP);
		if (!memchr(extensions, (int)protocol, sizeof(extensions)))
			assert_refused(&v6, HF_PARSE_NOT_TCP);
	}
}

/* It would be taken for a segment of the IPv4 flow whose addresses it writes. */
static void a_mapped_address_does_not_travel_in_ipv6(void **state)
{
	static const uint8_t lead[12] = { [10] = 0xff, [11] = 0xff };

	(void)state;
	for (size_t at = 8; at <= 24; at += 16) {
		struct packet packet = plain_packet(false);

		memcpy(packet.byte + at, lead, sizeof(lead));
		seal(&packet);
		assert_refused(&packet, HF_PARSE_NOT_IP);
		packet.byte[at + 9] = 1; /* ::1:ffff:0:1 is none */
		seal(&packet);
		assert_int_equal(parsed(&packet).source.family, HF_IPV6);
	}
}

static void an_impossible_data_offset_is_refused(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);

		for (unsigned int words = 0; words < 16; words++) {
			packet.byte[packet.tcp + 12] = (uint8_t)(words << 4);
			seal(&packet);
			if (words != 5)
				assert_refused(&packet, HF_PARSE_BAD_TCP);
		}
	}
}

static void timestamps_are_found_anywhere(void **state)
{
	(void)state;
	for (size_t before = 0; before <= 30; before++) {
		static const uint8_t stamps[] = { STAMPS };
		struct packet packet = plain_packet(before % 2);
		struct hf_segment segment;
		uint8_t options[40];

		memset(options, 1, sizeof(options));
		memcpy(options + before, stamps, sizeof(stamps));
		add_options(&packet, options, (before + sizeof(stamps) + 3) / 4 * 4);
		segment = parsed(&packet);
		assert_true(segment.has_timestamps);
		assert_int_equal(segment.tsval, TSVAL);
		assert_int_equal(segment.tsecr, TSECR);
		assert_int_equal(segment.payload, 0);
	}
}

static void unknown_options_are_passed_over(void **state)
{
	(void)state;
	for (unsigned int kind = 2; kind < 256; kind++) {
		for (unsigned int length = 2; length <= 30; length++) {
			static const uint8_t stamps[] = { STAMPS };
			struct packet packet = plain_packet(true);
			uint8_t options[40] = { (uint8_t)kind, (uint8_t)length };

			if (kind == 8)
				continue;
			memcpy(options + length, stamps, sizeof(stamps));
			add_options(&packet, options, sizeof(options));
			assert_int_equal(parsed(&packet).tsecr, TSECR);
		}
	}
}

static void the_last_option_may_end_where_the_header_does(void **state)
{
	static const uint8_t options[] = { 1, 1, STAMPS, 1, 1, 4, 2 };
	struct packet packet = plain_packet(true);

	(void)state;
	add_options(&packet, options, sizeof(options));
	assert_int_equal(parsed(&packet).tsval, TSVAL);
}

static void nothing_is_read_behind_the_end_of_options(void **state)
{
	static const uint8_t options[] = { 1, 0, STAMPS, 2, 255, 99, 0 };
	struct packet packet = plain_packet(true);

	(void)state;
	add_options(&packet, options, sizeof(options));
	assert_false(parsed(&packet).has_timestamps);
}

/* As Linux does. */
static void of_two_timestamps_the_last_counts(void **state)
{
	static const uint8_t options[] = { 8, 10, 9, 9, 9, 9, 9, 9, 9, 9, STAMPS };
	struct packet packet = plain_packet(true);

	(void)state;
	add_options(&packet, options, sizeof(options));
	assert_int_equal(parsed(&packet).tsval, TSVAL);
}

static void malformed_options_are_refused(void **state)
{
	static const uint8_t wrong[][12] = {
		{ 2, 0 },
		{ 2, 1 },
		{ 8, 0 },
		{ 8, 1 },
		{ 253, 0 },
		{ 253, 13 },
		{ 253, 255 },
		{ 8, 9, [9] = 1, 1, 1 },
		{ 8, 11 },
		{ 8, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
		{ 1, 1, 1, 8, 10 },
		{ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8 },
		{ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 253 },
		{ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 253, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct packet packet = plain_packet(i % 2);

		add_options(&packet, wrong[i], sizeof(wrong[i]));
		add_payload(&packet, 40); /* so that it is not the packet's end that stops it */
		assert_refused(&packet, HF_PARSE_BAD_TCP);
	}
}

static void right_checksums_are_believed_at_every_length(void **state)
{
	(void)state;
	for (size_t payload = 0; payload <= 1461; payload++) {
		for (int v4 = 0; v4 < 2; v4++) {
			struct packet packet = plain_packet(v4);

			add_payload(&packet, payload);
			assert_int_equal(parsed(&packet).payload, payload);
		}
	}
}

/* All ones: every addition carries. */
static void carries_are_not_lost(void **state)
{
	(void)state;
	for (size_t payload = 0; payload <= 1461; payload++) {
		struct packet packet = plain_packet(payload & 1);

		memset(packet.byte + packet.size, 0xff, payload);
		packet.size += payload;
		seal(&packet);
		parsed(&packet);
	}
}

static void every_flipped_bit_that_a_checksum_covers_is_seen(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);

		add_payload(&packet, 3);
		for (size_t bit = v4 ? 0 : 64; bit < packet.size * 8; bit++) {
			struct hf_segment segment;

			packet.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(parse_bytes(packet.byte, packet.size,
							 HF_VERIFY_CHECKSUMS, &segment),
					     HF_PARSED);
			packet.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void a_wrong_checksum_is_told_unless_it_is_to_be_trusted(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		struct packet packet = plain_packet(v4);
		struct hf_segment segment;

		packet.byte[packet.tcp + 17] ^= 1;
		assert_refused(&packet, HF_PARSE_CHECKSUM);
		packet.byte[10] ^= (uint8_t)v4;
		packet.byte[packet.tcp + 17] ^= (uint8_t)v4;
		assert_refused(&packet, HF_PARSE_CHECKSUM);
		assert_int_equal(parse_bytes(packet.byte, packet.size, HF_TRUST_CHECKSUMS,
					     &segment),
				 HF_PARSED);
		assert_int_equal(segment.seq, 0xfedcba98);
	}
}

/* SEMANTICS 1, and what must not be taken for one. */
static void the_probes_of_all_stacks_are_known(void **state)
{
	static const struct {
		uint32_t expected, seq;
		uint32_t payload;
		uint8_t flags;
		bool stamps, probe;
	} cases[] = {
		{ 1000, 999, 0, HF_ACK, true, true },  /* Linux, FreeBSD */
		{ 1000, 999, 0, HF_ACK, false, true }, /* XNU, lwIP, gVisor */
		{ 1000, 999, 1, HF_ACK, false, true }, /* smoltcp */
		{ 1000, 999, 1, HF_ACK | HF_PSH, false, true },
		{ 0, UINT32_MAX, 0, HF_ACK, true, true },
		{ 1, 0, 1, HF_ACK, true, true },
		{ 1000, 1000, 0, HF_ACK, true, false },
		{ 1000, 998, 0, HF_ACK, true, false },
		{ 1000, 998, 1, HF_ACK, true, false },
		{ 1000, 999, 2, HF_ACK, true, false },
		{ 1000, 999, 0, 0, true, false },
		{ 1000, 999, 0, HF_ACK | HF_RST, true, false },
		{ 1000, 999, 0, HF_ACK | HF_FIN, true, false },
		{ 1000, 999, 0, HF_ACK | HF_SYN, true, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hf_segment segment = {
			.seq = cases[i].seq,
			.payload = cases[i].payload,
			.flags = cases[i].flags,
			.has_timestamps = cases[i].stamps,
		};

		if (hf_segment_is_probe(&segment, cases[i].expected) != cases[i].probe)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_read),
		cmocka_unit_test(each_flag_is_told_but_for_those_of_ecn),
		cmocka_unit_test(every_truncation_is_short),
		cmocka_unit_test(bytes_behind_the_packet_are_ignored),
		cmocka_unit_test(a_length_beyond_the_capture_is_short),
		cmocka_unit_test(a_length_that_leaves_no_room_for_the_headers_is_impossible),
		cmocka_unit_test(an_ipv4_length_below_its_header_is_impossible),
		cmocka_unit_test(no_other_version_is_ip),
		cmocka_unit_test(ip_options_are_passed_over),
		cmocka_unit_test(an_ipv4_header_too_small_or_beyond_the_packet_is_impossible),
		cmocka_unit_test(ipv4_fragments_are_refused),
		cmocka_unit_test(extension_headers_before_tcp_are_told),
		cmocka_unit_test(ipv6_fragments_are_told_even_the_only_one),
		cmocka_unit_test(what_is_not_tcp_behind_extensions_is_not_tcp),
		cmocka_unit_test(a_packet_may_end_with_an_extension),
		cmocka_unit_test(extensions_beyond_the_packet_are_impossible),
		cmocka_unit_test(no_other_protocol_is_tcp),
		cmocka_unit_test(a_mapped_address_does_not_travel_in_ipv6),
		cmocka_unit_test(an_impossible_data_offset_is_refused),
		cmocka_unit_test(timestamps_are_found_anywhere),
		cmocka_unit_test(unknown_options_are_passed_over),
		cmocka_unit_test(the_last_option_may_end_where_the_header_does),
		cmocka_unit_test(nothing_is_read_behind_the_end_of_options),
		cmocka_unit_test(of_two_timestamps_the_last_counts),
		cmocka_unit_test(malformed_options_are_refused),
		cmocka_unit_test(right_checksums_are_believed_at_every_length),
		cmocka_unit_test(carries_are_not_lost),
		cmocka_unit_test(every_flipped_bit_that_a_checksum_covers_is_seen),
		cmocka_unit_test(a_wrong_checksum_is_told_unless_it_is_to_be_trusted),
		cmocka_unit_test(the_probes_of_all_stacks_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
