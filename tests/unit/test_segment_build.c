/* SPDX-License-Identifier: BSD-2-Clause */
/* The seed is printed; HOLDFAST_SEED=N runs the same values again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <holdfast/segment.h>

#include "packet.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define TRIALS 50000

static uint64_t seed;

/* splitmix64 */
static uint64_t random_word(void)
{
	uint64_t word = seed += 0x9e3779b97f4a7c15u;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
	word = (word ^ word >> 27) * 0x94d049bb133111ebu;
	return word ^ word >> 31;
}

/* Any number; the ends of the range as often as all the rest. */
static uint32_t random_number(void)
{
	uint64_t word = random_word();
	uint32_t number = (uint32_t)word;

	return word >> 62 ? number : (word >> 32 & 3) - 2;
}

static struct hf_endpoint random_endpoint(uint8_t family)
{
	static const uint8_t lead[12] = { [10] = 0xff, [11] = 0xff };
	struct hf_endpoint endpoint = { .port = (uint16_t)random_number(), .family = family };

	endpoint.address.word[0] = random_word();
	endpoint.address.word[1] = random_word();
	if (family == HF_IPV4)
		memcpy(endpoint.address.byte, lead, sizeof(lead));
	return endpoint;
}

static struct hf_segment segment_of(uint8_t family)
{
	struct hf_segment segment = {
		.source = random_endpoint(family),
		.destination = random_endpoint(family),
		.seq = random_number(),
		.ack = random_number(),
		.payload = random_word() & 1,
		.window = (uint16_t)random_number(),
		.flags = random_word() & HF_FLAGS,
		.has_timestamps = random_word() & 1,
	};

	if (family == HF_IPV6)
		segment.flow_label = random_word() & HF_FLOW_LABEL;
	if (segment.has_timestamps) {
		segment.tsval = random_number();
		segment.tsecr = random_number();
	}
	return segment;
}

static struct hf_segment random_segment(void)
{
	return segment_of(random_word() & 1 ? HF_IPV4 : HF_IPV6);
}

static void assert_same_endpoint(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
	assert_memory_equal(&a->address, &b->address, sizeof(a->address));
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->family, b->family);
}

static void assert_same(const struct hf_segment *a, const struct hf_segment *b)
{
	assert_same_endpoint(&a->source, &b->source);
	assert_same_endpoint(&a->destination, &b->destination);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->payload, b->payload);
	assert_int_equal(a->tsval, b->tsval);
	assert_int_equal(a->tsecr, b->tsecr);
	assert_int_equal(a->flow_label, b->flow_label);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->has_timestamps, b->has_timestamps);
}

static size_t length_of(const struct hf_segment *segment)
{
	return (segment->source.family == HF_IPV4 ? 20 : 40) + 20u +
	       (segment->has_timestamps ? 12 : 0) + segment->payload;
}

static struct packet built(const struct hf_segment *segment)
{
	struct packet packet = { .tcp = segment->source.family == HF_IPV4 ? 20 : 40 };

	packet.size = hf_segment_build(segment, packet.byte, HF_PACKET_MAX);
	assert_int_equal(packet.size, length_of(segment));
	return packet;
}

static void what_was_built_is_parsed_to_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < TRIALS; i++) {
		struct hf_segment segment = random_segment(), back;
		struct packet packet = built(&segment);

		assert_int_equal(hf_segment_parse(packet.byte, packet.size, HF_VERIFY_CHECKSUMS,
						  &back),
				 HF_PARSED);
		assert_same(&segment, &back);
	}
}

static void lengths_and_checksums_are_those_of_the_naive_way(void **state)
{
	(void)state;
	for (int i = 0; i < TRIALS; i++) {
		struct hf_segment segment = random_segment();
		struct packet packet = built(&segment), sealed = packet;

		seal(&sealed);
		assert_memory_equal(packet.byte, sealed.byte, packet.size);
	}
}

static void a_packet_is_not_to_be_fragmented_and_has_64_hops(void **state)
{
	struct hf_segment segment = segment_of(HF_IPV4);
	struct packet packet = built(&segment);
	static const uint8_t v4[] = { 0, 0, 0x40, 0, 64, 6 }, v6[] = { 0x60, 0x0a, 0xbc, 0xde };

	(void)state;
	assert_int_equal(packet.byte[0], 0x45);
	assert_int_equal(packet.byte[1], 0);
	assert_memory_equal(packet.byte + 4, v4, sizeof(v4));
	segment = segment_of(HF_IPV6);
	segment.flow_label = 0xabcde;
	packet = built(&segment);
	assert_memory_equal(packet.byte, v6, sizeof(v6));
	assert_int_equal(packet.byte[6], 6);
	assert_int_equal(packet.byte[7], 64);
}

static void the_one_byte_of_data_is_zero(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct hf_segment segment = random_segment();
		uint8_t packet[HF_PACKET_MAX];

		segment.payload = 1;
		memset(packet, 0xa5, sizeof(packet));
		assert_int_equal(hf_segment_build(&segment, packet, sizeof(packet)),
				 length_of(&segment));
		assert_int_equal(packet[length_of(&segment) - 1], 0);
	}
}

static void no_byte_is_written_outside_the_packet(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct hf_segment segment = random_segment();
		size_t length = length_of(&segment);

		for (size_t room = 0; room <= length; room++) {
			uint8_t *packet = malloc(length + 1), before[HF_PACKET_MAX];

			assert_non_null(packet);
			memset(before, 0xa5, sizeof(before));
			memset(packet, 0xa5, length + 1);
			assert_int_equal(hf_segment_build(&segment, packet, room),
					 room < length ? 0 : length);
			if (room < length)
				assert_memory_equal(packet, before, length);
			assert_int_equal(packet[length], 0xa5);
			free(packet);
		}
	}
}

/* What cannot be a packet of ours, made of one that can. */
static struct hf_segment impossible(unsigned int why)
{
	struct hf_segment segment = segment_of(why & 1 ? HF_IPV4 : HF_IPV6);
	struct hf_endpoint *source = &segment.source, *destination = &segment.destination;
	uint8_t other = why & 1 ? HF_IPV6 : HF_IPV4;

	switch (why / 2) {
	case 0:
		segment.payload = 2;
		break;
	case 1:
		segment.payload = UINT32_MAX;
		break;
	case 2:
		*source = random_endpoint(other);
		break;
	case 3:
		source->family = other;
		break;
	case 4:
		destination->family = other;
		break;
	case 5: /* an IPv4 address that is none, mapped ones in IPv6 */
		source->family = destination->family = other;
		break;
	case 6:
		source->address = random_endpoint(other).address;
		break;
	case 7:
		destination->address = random_endpoint(other).address;
		break;
	default:
		source->family = destination->family = HF_ANY_FAMILY;
		break;
	}
	return segment;
}

static void what_cannot_travel_is_refused(void **state)
{
	struct hf_template template, before;
	uint8_t packet[HF_PACKET_MAX];

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	memcpy(&template, &before, sizeof(before));
	for (unsigned int why = 0; why < 18; why++) {
		struct hf_segment segment = impossible(why);

		assert_int_equal(hf_segment_build(&segment, packet, sizeof(packet)), 0);
		assert_false(hf_template_init(&template, &segment));
		assert_memory_equal(&template, &before, sizeof(before));
	}
}

static void a_packet_needs_no_alignment(void **state)
{
	uint8_t room[HF_PACKET_MAX + 8];

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		struct hf_segment segment = random_segment();
		struct packet packet = built(&segment);
		struct hf_template template;

		assert_int_equal(hf_segment_build(&segment, room + at, HF_PACKET_MAX), packet.size);
		assert_memory_equal(room + at, packet.byte, packet.size);
		memset(room, 0, sizeof(room));
		assert_true(hf_template_init(&template, &segment));
		hf_template_write(&template, segment.seq, segment.ack, segment.tsval, segment.tsecr,
				  segment.window, room + at);
		assert_memory_equal(room + at, packet.byte, packet.size);
	}
}

static void a_template_writes_what_would_be_built(void **state)
{
	struct hf_segment segment;
	struct hf_template template;

	(void)state;
	for (int i = 0; i < TRIALS; i++) {
		uint8_t packet[HF_PACKET_MAX];
		struct packet wanted;

		if (i % 16 == 0) {
			segment = random_segment();
			assert_true(hf_template_init(&template, &segment));
		}
		segment.seq = random_number();
		segment.ack = random_number();
		segment.tsval = random_number();
		segment.tsecr = random_number();
		segment.window = (uint16_t)random_number();
		wanted = built(&segment);
		assert_int_equal(hf_template_write(&template, segment.seq, segment.ack,
						   segment.tsval, segment.tsecr, segment.window,
						   packet),
				 wanted.size);
		assert_memory_equal(packet, wanted.byte, wanted.size);
	}
}

static void a_probe_is_one_before_what_is_expected(void **state)
{
	struct hf_numbers numbers = { 0, 77, 5, 6, 502, true };
	struct hf_endpoint a = random_endpoint(HF_IPV4), b = random_endpoint(HF_IPV4);
	struct hf_segment probe, wanted = { a, b, UINT32_MAX, 77, 0, 5, 6, 0, 502, HF_ACK, true };

	(void)state;
	hf_segment_probe(&a, &b, &numbers, false, &probe);
	assert_same(&probe, &wanted);
	assert_true(hf_segment_is_probe(&probe, numbers.expected));
	hf_segment_probe(&a, &b, &numbers, true, &probe);
	wanted.payload = 1;
	assert_same(&probe, &wanted);
	assert_true(hf_segment_is_probe(&probe, numbers.expected));
	assert_int_equal(hf_segment_end(&probe), numbers.expected);
}

static void a_reset_is_exactly_at_what_is_expected(void **state)
{
	struct hf_numbers numbers = { 1000, 77, 0, 0, 502, false };
	struct hf_endpoint a = random_endpoint(HF_IPV6), b = random_endpoint(HF_IPV6);
	struct hf_segment wanted = { a, b, 1000, 77, 0, 0, 0, 0, 502, HF_RST | HF_ACK, false };
	struct hf_segment reset;

	(void)state;
	hf_segment_reset(&a, &b, &numbers, &reset);
	assert_same(&reset, &wanted);
	assert_false(hf_segment_is_probe(&reset, 1001));
}

/* Wherever an endpoint's own numbers are, one of four is out of its window, or acks too much. */
static void tickles_ask_from_all_corners(void **state)
{
	static const uint32_t numbers[4][2] = {
		{ 0, 0 },
		{ 0, 1u << 31 },
		{ 1u << 31, 0 },
		{ 1u << 31, 1u << 31 },
	};
	struct hf_endpoint a = random_endpoint(HF_IPV4), b = random_endpoint(HF_IPV4);

	(void)state;
	for (unsigned int which = 0; which < 4; which++) {
		struct hf_segment tickle;

		hf_segment_tickle(&a, &b, which, &tickle);
		assert_same_endpoint(&tickle.source, &a);
		assert_same_endpoint(&tickle.destination, &b);
		assert_int_equal(tickle.seq, numbers[which][0]);
		assert_int_equal(tickle.ack, numbers[which][1]);
		assert_int_equal(tickle.flags, HF_ACK);
		assert_int_equal(tickle.payload, 0);
		assert_false(tickle.has_timestamps);
		assert_int_not_equal(tickle.window, 0); /* should it hit: no window is closed */
	}
}

static void a_handshake_goes_the_way_of_a_handshake(void **state)
{
	struct hf_endpoint a = random_endpoint(HF_IPV6), b = random_endpoint(HF_IPV6);
	struct hf_segment question;

	(void)state;
	for (int to_responder = 0; to_responder < 2; to_responder++) {
		hf_segment_handshake(&a, &b, to_responder, &question);
		assert_same_endpoint(&question.source, &a);
		assert_same_endpoint(&question.destination, &b);
		assert_int_equal(question.flags, to_responder ? HF_SYN : HF_SYN | HF_ACK);
		assert_int_equal(question.seq, 0);
		assert_int_equal(question.ack, 0);
		assert_int_equal(question.payload, 0);
		assert_false(question.has_timestamps);
	}
}

static void syn_and_fin_take_a_number_each(void **state)
{
	struct hf_segment segment = { .seq = UINT32_MAX, .payload = 10, .flags = HF_ACK };

	(void)state;
	assert_int_equal(hf_segment_end(&segment), 9);
	segment.flags = HF_SYN;
	assert_int_equal(hf_segment_end(&segment), 10);
	segment.flags = HF_FIN | HF_ACK;
	assert_int_equal(hf_segment_end(&segment), 10);
	segment.flags = HF_SYN | HF_FIN;
	assert_int_equal(hf_segment_end(&segment), 11);
}

static void sequence_numbers_wrap(void **state)
{
	(void)state;
	for (int i = 0; i < TRIALS; i++) {
		uint32_t a = random_number(), ahead = (uint32_t)(random_word() >> 33) | 1;

		assert_true(hf_seq_before(a, a + ahead));
		assert_false(hf_seq_before(a + ahead, a));
		assert_false(hf_seq_before(a, a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_built_is_parsed_to_the_same),
		cmocka_unit_test(lengths_and_checksums_are_those_of_the_naive_way),
		cmocka_unit_test(a_packet_is_not_to_be_fragmented_and_has_64_hops),
		cmocka_unit_test(the_one_byte_of_data_is_zero),
		cmocka_unit_test(no_byte_is_written_outside_the_packet),
		cmocka_unit_test(what_cannot_travel_is_refused),
		cmocka_unit_test(a_packet_needs_no_alignment),
		cmocka_unit_test(a_template_writes_what_would_be_built),
		cmocka_unit_test(a_probe_is_one_before_what_is_expected),
		cmocka_unit_test(a_reset_is_exactly_at_what_is_expected),
		cmocka_unit_test(tickles_ask_from_all_corners),
		cmocka_unit_test(a_handshake_goes_the_way_of_a_handshake),
		cmocka_unit_test(syn_and_fin_take_a_number_each),
		cmocka_unit_test(sequence_numbers_wrap),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
