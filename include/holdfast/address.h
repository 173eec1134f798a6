/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints and prefixes, IPv4 and IPv6 in one form.
 *
 * Every address is held as 16 bytes in network order; an IPv4 address as
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2). The family says how it travels: a v4-mapped
 * address of an AF_INET6 socket has family HF_IPV6 and the same bytes as its
 * IPv4 form, so that a prefix matches both.
 */
#ifndef HOLDFAST_ADDRESS_H
#define HOLDFAST_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holdfast/api.h>

HF_API_BEGIN

enum hf_family {
	HF_ANY_FAMILY = 0,
	HF_IPV4 = 4,
	HF_IPV6 = 6,
};

struct hf_address {
	union {
		uint8_t byte[16];
		uint64_t word[2]; /* the same bytes, for comparing; no numeric meaning */
	};
};

/* Is it the form of an IPv4 address, ::ffff:a.b.c.d? */
static inline bool hf_address_is_mapped(const struct hf_address *address)
{
	const uint8_t *byte = address->byte;

	return !address->word[0] && !byte[8] && !byte[9] && byte[10] == 0xff && byte[11] == 0xff;
}

/* An address and a TCP port (host byte order, 0..65535). */
struct hf_endpoint {
	struct hf_address address;
	uint16_t port;
	uint8_t family; /* enum hf_family */
};

/*
 * Addresses under a mask, and a range of ports, both ends included.
 * The all-zero mask matches every address; 0-65535 every port. An IPv4 prefix
 * (0.0.0.0/0 too) has the mask of ::ffff:0:0/96 in it: it matches IPv4 and v4-mapped
 * addresses alike.
 */
struct hf_prefix {
	struct hf_address address; /* bits outside the mask are zero */
	struct hf_address mask;
	uint16_t port_first, port_last;
};

/* "[2001:db8::1]:65535" and "[::ffff:255.255.255.255]:65535" fit, NUL included. */
#define HF_ENDPOINT_TEXT 56

extern const struct hf_prefix hf_prefix_any;

/*
 * Parse "10.0.0.1:80", "[2001:db8::1]:80" or "[::ffff:10.0.0.1]:80" (family HF_IPV6).
 * false, and *out untouched, for anything else.
 */
bool hf_endpoint_parse(const char *text, struct hf_endpoint *out);

/*
 * Write the endpoint as above (IPv6 as RFC 5952, v4-mapped dotted) and return its
 * length without the NUL; text has room for HF_ENDPOINT_TEXT bytes.
 */
size_t hf_endpoint_format(const struct hf_endpoint *endpoint, char *text);

/*
 * Parse a filter's ADDR[/LEN][:PORT[-PORT]]: "10.0.0.0/8", "10.0.0.1:80", ":5432",
 * ":1000-2000", "2001:db8::/32", "[2001:db8::1]:80", "[2001:db8::]/32:80-90",
 * "[2001:db8::/32]:80". LEN counts from the family's own first bit (0..32, 0..128).
 * false, and *out untouched, for anything else, a descending range included.
 */
bool hf_prefix_parse(const char *text, struct hf_prefix *out);

/* Does the prefix hold this address and port? */
static inline bool hf_prefix_holds(const struct hf_prefix *prefix, const struct hf_address *address,
				   uint16_t port)
{
	uint64_t differs = ((address->word[0] ^ prefix->address.word[0]) & prefix->mask.word[0]) |
			   ((address->word[1] ^ prefix->address.word[1]) & prefix->mask.word[1]);

	return !differs && port >= prefix->port_first && port <= prefix->port_last;
}

HF_API_END

#endif
