/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text through both parsers: what an endpoint parses to is written so that it parses to the
 * same again, and is then in its one canonical form. Any endpoint: parse(format(x)) == x.
 */
#include <stdlib.h>
#include <string.h>

#include <holdfast/address.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
	return !memcmp(&a->address, &b->address, sizeof(a->address)) && a->port == b->port &&
	       a->family == b->family;
}

static void expect(bool held)
{
	if (!held)
		abort();
}

static void check_round_trip(const struct hf_endpoint *endpoint)
{
	char text[HF_ENDPOINT_TEXT], again[HF_ENDPOINT_TEXT];
	size_t length = hf_endpoint_format(endpoint, text);
	struct hf_endpoint back;

	expect(length == strlen(text) && length < sizeof(text));
	expect(hf_endpoint_parse(text, &back) && same(endpoint, &back));
	hf_endpoint_format(&back, again);
	expect(!strcmp(text, again));
}

static void check_bytes(const uint8_t *data, size_t size)
{
	struct hf_endpoint endpoint = { 0 };

	if (size < 19)
		return;
	memcpy(&endpoint.address, data, 16);
	memcpy(&endpoint.port, data + 16, 2);
	endpoint.family = data[18] & 1 ? HF_IPV6 : HF_IPV4;
	if (endpoint.family == HF_IPV4) {
		memset(endpoint.address.byte, 0, 10);
		memset(endpoint.address.byte + 10, 0xff, 2);
	}
	check_round_trip(&endpoint);
}

static void check_prefix(const char *text)
{
	struct hf_prefix prefix;

	if (!hf_prefix_parse(text, &prefix))
		return;
	expect(prefix.port_first <= prefix.port_last);
	for (unsigned int i = 0; i < 16; i++)
		expect(!(prefix.address.byte[i] & ~prefix.mask.byte[i]));
	expect(hf_prefix_holds(&prefix, &prefix.address, prefix.port_first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exactly as long: a byte read too far is seen */
	struct hf_endpoint endpoint;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (hf_endpoint_parse(text, &endpoint))
		check_round_trip(&endpoint);
	check_prefix(text);
	check_bytes(data, size);
	free(text);
	return 0;
}
