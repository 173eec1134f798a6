/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/address.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char v4_lead[12] = { [10] = '\xff', [11] = '\xff' };

static struct hf_endpoint parsed(const char *text)
{
	struct hf_endpoint endpoint;

	memset(&endpoint, 0, sizeof(endpoint));
	if (!hf_endpoint_parse(text, &endpoint))
		fail_msg("\"%s\" was refused", text);
	return endpoint;
}

static struct hf_prefix prefix_of(const char *text)
{
	struct hf_prefix prefix;

	if (!hf_prefix_parse(text, &prefix))
		fail_msg("\"%s\" was refused", text);
	return prefix;
}

static bool holds(const char *prefix_text, const char *endpoint_text)
{
	struct hf_prefix prefix = prefix_of(prefix_text);
	struct hf_endpoint endpoint = parsed(endpoint_text);

	return hf_prefix_holds(&prefix, &endpoint.address, endpoint.port);
}

static void an_ipv4_endpoint_is_held_as_a_mapped_address(void **state)
{
	struct hf_endpoint endpoint = parsed("10.0.200.1:80");

	(void)state;
	assert_memory_equal(endpoint.address.byte, v4_lead, 12);
	assert_memory_equal(endpoint.address.byte + 12, "\x0a\x00\xc8\x01", 4);
	assert_int_equal(endpoint.port, 80);
	assert_int_equal(endpoint.family, HF_IPV4);
}

static void an_ipv6_endpoint_is_held_in_network_order(void **state)
{
	struct hf_endpoint endpoint = parsed("[2001:DB8::a:1]:65535");
	static const uint8_t bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, [13] = 0x0a, [15] = 1 };

	(void)state;
	assert_memory_equal(endpoint.address.byte, bytes, 16);
	assert_int_equal(endpoint.port, 65535);
	assert_int_equal(endpoint.family, HF_IPV6);
}

static void a_mapped_endpoint_has_the_bytes_of_ipv4_and_the_family_of_ipv6(void **state)
{
	struct hf_endpoint v4 = parsed("10.0.0.1:80");
	struct hf_endpoint dotted = parsed("[::ffff:10.0.0.1]:80");
	struct hf_endpoint groups = parsed("[::ffff:a00:1]:80");

	(void)state;
	assert_memory_equal(&dotted.address, &v4.address, 16);
	assert_memory_equal(&groups.address, &v4.address, 16);
	assert_int_equal(dotted.family, HF_IPV6);
	assert_int_equal(groups.family, HF_IPV6);
}

static void what_was_formatted_is_what_was_written(void **state)
{
	static const char *const canonical[] = {
		"0.0.0.0:0",
		"255.255.255.255:65535",
		"[::]:0",
		"[::1]:1",
		"[1::]:1",
		"[::2:0:0:3]:9",
		"[1:2:3:4:5:6:7:8]:80",
		"[::ffff:255.255.255.255]:65535",
		"[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"[::ffff:0:102:304]:5",
		"[fe80::200:5aee:feaa:20a2]:22",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(canonical); i++) {
		struct hf_endpoint endpoint = parsed(canonical[i]);
		char text[HF_ENDPOINT_TEXT];

		assert_int_equal(hf_endpoint_format(&endpoint, text), strlen(canonical[i]));
		assert_string_equal(text, canonical[i]);
	}
}

static void ipv6_is_written_as_rfc_5952_wants(void **state)
{
	static const struct {
		const char *read, *written;
	} cases[] = {
		{ "[2001:0db8::0001]:1", "[2001:db8::1]:1" },		   /* 4.1 */
		{ "[2001:db8:0:0:0:0:2:1]:1", "[2001:db8::2:1]:1" },	   /* 4.2.1 */
		{ "[2001:db8::1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1" }, /* 4.2.2 */
		{ "[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1" },	   /* 4.2.3 */
		{ "[2001:db8:0:0:1:0:0:1]:1", "[2001:db8::1:0:0:1]:1" },   /* 4.2.3 */
		{ "[2001:DB8::ABCD]:1", "[2001:db8::abcd]:1" },		   /* 4.3 */
		{ "[0:0:0:0:0:ffff:c000:201]:1", "[::ffff:192.0.2.1]:1" }, /* 5 */
		{ "[64:ff9b::192.0.2.33]:1", "[64:ff9b::c000:221]:1" },
		{ "[1:2:3:4:5:6:7::]:1", "[1:2:3:4:5:6:7:0]:1" },
		{ "[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1" },
		{ "[1:2:3:4:5:6:1.2.3.4]:1", "[1:2:3:4:5:6:102:304]:1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hf_endpoint endpoint = parsed(cases[i].read);
		char text[HF_ENDPOINT_TEXT];

		hf_endpoint_format(&endpoint, text);
		assert_string_equal(text, cases[i].written);
	}
}

static void nothing_else_is_an_endpoint(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		":80",
		"10.0.0.1",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0.1:-1",
		"10.0.0.1:080",
		"10.0.0.1:8x",
		"10.0.0.1:80 ",
		" 10.0.0.1:80",
		"10.0.0:80",
		"10.0.0.1.2:80",
		"10.0.0.256:80",
		"010.0.0.1:80",
		"10..0.1:80",
		"1.2.3.:80",
		"0x0a.0.0.1:80",
		"10.0.0.1/8:80",
		"10.0.0.1:4294967376",
		"[10.0.0.1]:80",
		"[",
		"[]",
		"[]:80",
		"[::1]",
		"[::1]:",
		"[::1:80",
		"::1:80",
		"[::1]80",
		"[::1]]:80",
		"[::1]:80-90",
		"[:1]:80",
		"[1:]:80",
		"[1::2::3]:80",
		"[:::]:80",
		"[1:::2]:80",
		"[12345::]:80",
		"[g::]:80",
		"[::1%lo]:80",
		"[1:2:3:4:5:6:7]:80",
		"[1:2:3:4:5:6:7:8:9]:80",
		"[1:2:3:4:5:6:7:8::]:80",
		"[::1:2:3:4:5:6:7:8]:80",
		"[1:2:3:4::5:6:7:8]:80",
		"[::1.2.3.4a]:80",
		"[::1.2.3.4:5]:80",
		"[::1.2.3]:80",
		"[1:2:3:4:5:6:7:1.2.3.4]:80",
		"[1.2.3.4::]:80",
		"[::1:2:3:4:5:6:7:]:80",
		"[00000::1]:80",
		"[::1]:\xd9\xa1",
		"10.0.0.1;80",
		"localhost:80",
	};
	struct hf_endpoint before, endpoint;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	memcpy(&endpoint, &before, sizeof(before));
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (hf_endpoint_parse(wrong[i], &endpoint))
			fail_msg("\"%s\" was accepted", wrong[i]);
		assert_memory_equal(&endpoint, &before, sizeof(before));
	}
}

static void a_foreign_byte_anywhere_is_refused(void **state)
{
	static const char *const right[] = { "10.20.30.40:50", "[2001:db8::1]:80" };
	struct hf_endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < COUNT(right); i++) {
		for (size_t at = 0; at < strlen(right[i]); at++) {
			for (int byte = 1; byte < 256; byte++) {
				char changed[32];

				if (strchr("0123456789abcdefABCDEF.:[]", byte))
					continue;
				strcpy(changed, right[i]);
				changed[at] = (char)byte;
				if (hf_endpoint_parse(changed, &endpoint))
					fail_msg("\"%s\" was accepted", changed);
			}
		}
	}
}

static void the_longest_endpoint_fits_its_text(void **state)
{
	struct hf_endpoint endpoint = { .port = 65535, .family = HF_IPV6 };
	char text[HF_ENDPOINT_TEXT];

	(void)state;
	memset(endpoint.address.byte, 0xff, 16);
	assert_true(hf_endpoint_format(&endpoint, text) < HF_ENDPOINT_TEXT);
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void any_prefix_holds_everything(void **state)
{
	static const char *const everything[] = { "0.0.0.0:0", "255.255.255.255:65535", "[::]:0",
						  "[ffff::ffff]:65535" };

	(void)state;
	for (size_t i = 0; i < COUNT(everything); i++) {
		struct hf_endpoint endpoint = parsed(everything[i]);

		assert_true(hf_prefix_holds(&hf_prefix_any, &endpoint.address, endpoint.port));
	}
}

static void a_prefix_holds_what_is_under_its_mask(void **state)
{
	static const struct {
		const char *prefix, *inside, *outside;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1:1", "11.0.0.1:1" },
		{ "10.1.2.3/8", "10.255.0.1:1", "11.0.0.1:1" },
		{ "10.0.0.0/9", "10.127.0.1:1", "10.128.0.0:1" },
		{ "10.0.0.1", "10.0.0.1:65535", "10.0.0.0:1" },
		{ "10.0.0.1/32", "10.0.0.1:0", "10.0.0.3:1" },
		{ "10.0.0.0/8", "[::ffff:10.9.9.9]:1", "[::10.0.0.1]:1" },
		{ "0.0.0.0/0", "1.2.3.4:1", "[::1]:1" },
		{ "2001:db8::/32", "[2001:db8:ffff::1]:1", "[2001:db9::1]:1" },
		{ "2001:db8::/33", "[2001:db8:7fff::1]:1", "[2001:db8:8000::1]:1" },
		{ "2001:db8::1", "[2001:db8::1]:7", "[2001:db8::2]:7" },
		{ "::/1", "[7fff::]:7", "[8000::]:7" },
		{ "::1/128", "[::1]:7", "[::]:7" },
		{ "::ffff:10.0.0.0/104", "10.0.0.1:7", "11.0.0.1:7" },
		{ "[2001:db8::1]", "[2001:db8::1]:7", "[2001:db8::2]:7" },
		{ "10.0.0.1:80", "10.0.0.1:80", "10.0.0.1:81" },
		{ "10.0.0.0/8:80-90", "10.0.0.1:90", "10.0.0.1:91" },
		{ ":5432", "[::1]:5432", "[::1]:5433" },
		{ ":1000-2000", "1.2.3.4:1000", "1.2.3.4:999" },
		{ ":0-65535", "1.2.3.4:0", NULL },
		{ "::/0", "1.2.3.4:5", NULL },
		{ "[2001:db8::1]:80", "[2001:db8::1]:80", "[2001:db8::1]:8" },
		{ "[2001:db8::]/32:80-90", "[2001:db8::5]:85", "[2001:db8::5]:79" },
		{ "[2001:db8::/32]:80", "[2001:db8::5]:80", "[2001:db8::5]:81" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (!holds(cases[i].prefix, cases[i].inside))
			fail_msg("%s does not hold %s", cases[i].prefix, cases[i].inside);
		if (cases[i].outside && holds(cases[i].prefix, cases[i].outside))
			fail_msg("%s holds %s", cases[i].prefix, cases[i].outside);
	}
}

static void a_prefix_keeps_no_bits_outside_its_mask(void **state)
{
	struct hf_prefix ragged = prefix_of("10.255.255.255/9"), clean = prefix_of("10.128.0.0/9");

	(void)state;
	assert_memory_equal(&ragged, &clean, sizeof(clean));
	for (unsigned int bits = 0; bits <= 128; bits++) {
		char text[64] = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/";
		char digits[4] = { (char)('0' + bits / 100), (char)('0' + bits / 10 % 10),
				   (char)('0' + bits % 10), 0 };
		unsigned int set = 0;
		struct hf_prefix prefix;

		prefix = prefix_of(strcat(text, digits + (bits < 10) + (bits < 100)));
		for (unsigned int i = 0; i < 128; i++)
			set += prefix.mask.byte[i / 8] >> (7 - i % 8) & 1 && set == i;
		assert_int_equal(set, bits);
		assert_memory_equal(&prefix.address, &prefix.mask, 16);
	}
}

static void nothing_else_is_a_prefix(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0.0.0/8/8",
		"10.0.0.0:80/8",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0.1:80-",
		"10.0.0.1:-80",
		"10.0.0.1:90-80",
		"10.0.0.1:80-90-100",
		"10.0.0.1:80,90",
		"10.0.0",
		"10.0.0.1 ",
		":80:",
		":80x",
		"[10.0.0.0/8]:80",
		"::/129",
		"[::1",
		"[::1/64",
		"[::/32]/32",
		"[::1]80",
		"]",
		"[]",
		"[]:80",
		"2001:db8:::80",
		"::1.2.3.4:80",
		"1:2:3:4:5:6:7:8:80",
		"2001:db8::1:",
		"*",
		"*:80",
		"any",
		":http",
		"10.0.0.0/8 :80",
	};
	struct hf_prefix before, prefix;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	memcpy(&prefix, &before, sizeof(before));
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (hf_prefix_parse(wrong[i], &prefix))
			fail_msg("\"%s\" was accepted", wrong[i]);
		assert_memory_equal(&prefix, &before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_endpoint_is_held_as_a_mapped_address),
		cmocka_unit_test(an_ipv6_endpoint_is_held_in_network_order),
		cmocka_unit_test(a_mapped_endpoint_has_the_bytes_of_ipv4_and_the_family_of_ipv6),
		cmocka_unit_test(what_was_formatted_is_what_was_written),
		cmocka_unit_test(ipv6_is_written_as_rfc_5952_wants),
		cmocka_unit_test(nothing_else_is_an_endpoint),
		cmocka_unit_test(a_foreign_byte_anywhere_is_refused),
		cmocka_unit_test(the_longest_endpoint_fits_its_text),
		cmocka_unit_test(any_prefix_holds_everything),
		cmocka_unit_test(a_prefix_holds_what_is_under_its_mask),
		cmocka_unit_test(a_prefix_keeps_no_bits_outside_its_mask),
		cmocka_unit_test(nothing_else_is_a_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
