/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a packet. What is refused leaves no trace; what is parsed ends within the bytes,
 * is nothing once cut shorter, and, where it has a byte of data at most, is built so that it
 * parses to the same again, by a template, too.
 */
#include <stdlib.h>
#include <string.h>

#include <holdfast/segment.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool held)
{
	if (!held)
		abort();
}

static bool same_endpoint(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
	return !memcmp(&a->address, &b->address, sizeof(a->address)) && a->port == b->port &&
	       a->family == b->family;
}

static bool same(const struct hf_segment *a, const struct hf_segment *b)
{
	return same_endpoint(&a->source, &b->source) &&
	       same_endpoint(&a->destination, &b->destination) && a->seq == b->seq &&
	       a->ack == b->ack && a->payload == b->payload && a->tsval == b->tsval &&
	       a->tsecr == b->tsecr && a->flow_label == b->flow_label && a->window == b->window &&
	       a->flags == b->flags && a->has_timestamps == b->has_timestamps;
}

static void check_build(const struct hf_segment *segment)
{
	uint8_t packet[HF_PACKET_MAX], again[HF_PACKET_MAX];
	size_t length = hf_segment_build(segment, packet, sizeof(packet));
	struct hf_template template;
	struct hf_segment back;

	expect((length > 0) == (segment->payload <= 1));
	if (!length)
		return;
	expect(hf_segment_parse(packet, length, HF_VERIFY_CHECKSUMS, &back) == HF_PARSED);
	expect(same(segment, &back));
	expect(hf_template_init(&template, segment));
	expect(hf_template_write(&template, segment->seq, segment->ack, segment->tsval,
				 segment->tsecr, segment->window, again) == length);
	expect(!memcmp(packet, again, length));
}

/* A copy of exactly that size: a byte read too far is seen. */
static enum hf_parse parse(const uint8_t *data, size_t size, enum hf_checksums checksums,
			   struct hf_segment *out)
{
	struct hf_segment untouched;
	uint8_t *packet = malloc(size);
	enum hf_parse result;

	expect(packet || !size);
	memset(out, 0xa5, sizeof(*out));
	memset(&untouched, 0xa5, sizeof(untouched));
	memcpy(packet, data, size);
	result = hf_segment_parse(packet, size, checksums, out);
	expect(result == HF_PARSED || !memcmp(out, &untouched, sizeof(*out)));
	expect(result < HF_PARSES);
	free(packet);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_segment verified, trusted, cut;
	enum hf_parse result = parse(data, size, HF_VERIFY_CHECKSUMS, &verified);
	size_t length;

	if (parse(data, size, HF_TRUST_CHECKSUMS, &trusted) != HF_PARSED) {
		expect(result != HF_PARSED);
		return 0;
	}
	expect(result == HF_PARSE_CHECKSUM || (result == HF_PARSED && same(&verified, &trusted)));
	length = data[0] >> 4 == 4 ? data[2] << 8 | data[3] : 40 + (data[4] << 8 | data[5]);
	expect(length <= size && trusted.payload <= length - 40);
	expect(parse(data, length - 1, HF_TRUST_CHECKSUMS, &cut) == HF_PARSE_SHORT);
	check_build(&trusted);
	return 0;
}
