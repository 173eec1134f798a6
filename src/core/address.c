/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers take the place to read at and return the place behind what they read, or NULL where
 * that is not there; so they chain, and the caller alone decides what may follow.
 */
#include <holdfast/address.h>

#define GROUPS 8   /* of an IPv6 address, 16 bits each */
#define V4_BYTE 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */
#define V4_BITS 96
#define NO_GAP 17

const struct hf_prefix hf_prefix_any = { .port_last = UINT16_MAX };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static unsigned int hex_digit(char c) /* 16 if it is none */
{
	if (is_digit(c))
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A' + 10);
	return 16;
}

/* Decimal up to max, without leading zeros: some read those as octal. */
static const char *read_decimal(const char *at, unsigned int max, unsigned int *out)
{
	unsigned int number = 0;

	if (!is_digit(*at) || (at[0] == '0' && is_digit(at[1])))
		return NULL;
	for (; is_digit(*at); at++) {
		number = number * 10 + (unsigned int)(*at - '0');
		if (number > max)
			return NULL;
	}
	*out = number;
	return at;
}

static const char *read_ipv4(const char *at, uint8_t *byte)
{
	unsigned int number;

	for (unsigned int i = 0; i < 4; i++) {
		if (i && *at++ != '.')
			return NULL;
		at = read_decimal(at, 255, &number);
		if (!at)
			return NULL;
		byte[i] = (uint8_t)number;
	}
	return at;
}

static const char *read_group(const char *at, uint8_t *byte)
{
	unsigned int number = 0, digits;

	for (digits = 0; hex_digit(*at) < 16; digits++)
		number = number << 4 | hex_digit(*at++);
	if (digits < 1 || digits > 4)
		return NULL;
	byte[0] = (uint8_t)(number >> 8);
	byte[1] = (uint8_t)number;
	return at;
}

/* The bytes before and after the "::". */
struct written {
	uint8_t byte[16];
	unsigned int size;
	unsigned int gap; /* where the "::" stands, or NO_GAP */
};

/* The colons behind a group, where another group or the end of a "::" follows. */
static const char *read_colons(const char *at, struct written *written)
{
	if (at[0] != ':')
		return at;
	if (at[1] != ':')
		return hex_digit(at[1]) < 16 ? at + 1 : NULL;
	if (written->gap != NO_GAP)
		return NULL;
	written->gap = written->size;
	return at + 2;
}

static const char *read_groups(const char *at, struct written *written)
{
	while (at && written->size < 16 && hex_digit(*at) < 16) {
		uint8_t *byte = written->byte + written->size;
		const char *dotted = written->size <= V4_BYTE ? read_ipv4(at, byte) : NULL;

		if (dotted) {
			written->size += 4;
			return dotted;
		}
		at = read_group(at, byte);
		written->size += 2;
		if (at)
			at = read_colons(at, written);
	}
	return at;
}

static const char *read_ipv6(const char *at, struct hf_address *out)
{
	struct written written = { .gap = NO_GAP };
	unsigned int zeros;

	if (at[0] == ':' && at[1] == ':') {
		written.gap = 0;
		at += 2;
	}
	at = read_groups(at, &written);
	zeros = 16 - written.size;
	if (!at || (written.gap == NO_GAP) != (zeros == 0))
		return NULL;
	for (unsigned int i = 0; i < 16; i++) {
		if (i < written.gap)
			out->byte[i] = written.byte[i];
		else
			out->byte[i] = i < written.gap + zeros ? 0 : written.byte[i - zeros];
	}
	return at;
}

/* An address without brackets. */
static const char *read_address(const char *at, struct hf_address *out, uint8_t *family)
{
	struct hf_address mapped = { .byte = { [10] = 0xff, [11] = 0xff } };
	const char *end = read_ipv4(at, mapped.byte + V4_BYTE);

	*family = end ? HF_IPV4 : HF_IPV6;
	if (!end)
		return read_ipv6(at, out);
	*out = mapped;
	return end;
}

static const char *read_port(const char *at, uint16_t *out)
{
	unsigned int number;

	at = read_decimal(at, UINT16_MAX, &number);
	if (at)
		*out = (uint16_t)number;
	return at;
}

bool hf_endpoint_parse(const char *text, struct hf_endpoint *out)
{
	struct hf_endpoint endpoint = { 0 };
	bool bracket = *text == '[';
	const char *at = read_address(text + bracket, &endpoint.address, &endpoint.family);

	if (!at || bracket != (endpoint.family == HF_IPV6) || (bracket && *at++ != ']'))
		return false;
	at = *at == ':' ? read_port(at + 1, &endpoint.port) : NULL;
	if (!at || *at)
		return false;
	*out = endpoint;
	return true;
}

static char *write_decimal(char *at, unsigned int number)
{
	if (number >= 10)
		at = write_decimal(at, number / 10);
	*at++ = (char)('0' + number % 10);
	return at;
}

static char *write_group(char *at, unsigned int group)
{
	if (group >= 16)
		at = write_group(at, group / 16);
	*at++ = "0123456789abcdef"[group % 16];
	return at;
}

static char *write_ipv4(char *at, const uint8_t *byte)
{
	for (unsigned int i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = write_decimal(at, byte[i]);
	}
	return at;
}

static unsigned int group_of(const struct hf_address *address, unsigned int i)
{
	return (unsigned int)address->byte[2 * i] << 8 | address->byte[2 * i + 1];
}

/* The longest run of zero groups, the first of equals; *size 0 if none has two (RFC 5952 4.2). */
static unsigned int longest_zeros(const struct hf_address *address, unsigned int *size)
{
	unsigned int best = 0, run = 0;

	*size = 0;
	for (unsigned int i = 0; i < GROUPS; i++) {
		run = group_of(address, i) ? 0 : run + 1;
		if (run > 1 && run > *size) {
			*size = run;
			best = i + 1 - run;
		}
	}
	return best;
}

static char *write_ipv6(char *at, const struct hf_address *address)
{
	unsigned int zeros, first = longest_zeros(address, &zeros);

	for (unsigned int i = 0; i < GROUPS; i++) {
		if (zeros && i == first) {
			*at++ = ':';
			*at++ = ':';
			i += zeros - 1;
			continue;
		}
		if (i && i != first + zeros)
			*at++ = ':';
		at = write_group(at, group_of(address, i));
	}
	return at;
}

static char *write_mapped(char *at, const struct hf_address *address)
{
	for (const char *lead = "::ffff:"; *lead; lead++)
		*at++ = *lead;
	return write_ipv4(at, address->byte + V4_BYTE);
}

size_t hf_endpoint_format(const struct hf_endpoint *endpoint, char *text)
{
	const struct hf_address *address = &endpoint->address;
	char *at = text;

	if (endpoint->family == HF_IPV4) {
		at = write_ipv4(at, address->byte + V4_BYTE);
	} else {
		*at++ = '[';
		at = hf_address_is_mapped(address) ? write_mapped(at, address) :
						     write_ipv6(at, address);
		*at++ = ']';
	}
	*at++ = ':';
	at = write_decimal(at, endpoint->port);
	*at = '\0';
	return (size_t)(at - text);
}

static void set_address(const struct hf_address *address, unsigned int bits, struct hf_prefix *out)
{
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int rest = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = (uint8_t)(rest < 8 ? 0xff00u >> rest : 0xff);

		out->mask.byte[i] = mask;
		out->address.byte[i] = address->byte[i] & mask;
	}
}

/* ADDR[/LEN]; the brackets of an IPv6 address close before or behind the length. */
static const char *read_masked(const char *at, struct hf_prefix *out)
{
	bool open = *at == '[';
	unsigned int skipped, bits;
	struct hf_address address;
	uint8_t family;

	at = read_address(at + open, &address, &family);
	if (!at || (open && family == HF_IPV4))
		return NULL;
	/* Behind a bare IPv6 address nobody can tell a port from a group. */
	if (!open && family == HF_IPV6 && *at == ':')
		return NULL;
	if (open && *at == ']') {
		open = false;
		at++;
	}
	skipped = family == HF_IPV4 ? V4_BITS : 0;
	bits = 128 - skipped;
	if (*at == '/')
		at = read_decimal(at + 1, bits, &bits);
	if (!at || (open && *at++ != ']'))
		return NULL;
	set_address(&address, skipped + bits, out);
	return at;
}

static const char *read_ports(const char *at, struct hf_prefix *out)
{
	at = read_port(at, &out->port_first);
	out->port_last = out->port_first;
	if (at && *at == '-')
		at = read_port(at + 1, &out->port_last);
	return at && out->port_first <= out->port_last ? at : NULL;
}

bool hf_prefix_parse(const char *text, struct hf_prefix *out)
{
	struct hf_prefix prefix = hf_prefix_any;
	const char *at = text;

	if (at[0] != ':' || at[1] == ':')
		at = read_masked(at, &prefix);
	if (at && *at == ':')
		at = read_ports(at + 1, &prefix);
	if (!at || *at)
		return false;
	*out = prefix;
	return true;
}
