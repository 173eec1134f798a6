/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/tracked.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/bpf/tracked.h"
#include "tracked.skel.h"

#define FRAME 64	   /* bytes of a packet to run on: at least an Ethernet header */
#define WINDOW_LEAST 66000 /* what the table grants however small a window was offered */

struct hf_tracked {
	struct tracked_bpf *bpf;
};

struct hf_tracked *hf_tracked_open(void)
{
	struct hf_tracked *tracked = calloc(1, sizeof(*tracked));
	libbpf_print_fn_t before;
	int error;

	if (!tracked)
		return NULL;
	before = libbpf_set_print(NULL);
	tracked->bpf = tracked_bpf__open_and_load();
	error = errno;
	libbpf_set_print(before);
	if (!tracked->bpf)
		hf_tracked_close(&tracked);
	errno = error;
	return tracked;
}

void hf_tracked_close(struct hf_tracked **tracked)
{
	struct hf_tracked *old = *tracked;

	*tracked = NULL;
	if (old)
		tracked_bpf__destroy(old->bpf);
	free(old);
}

static void put_question(const struct hf_segment *segment, struct hf_tracked_question *out)
{
	const struct hf_endpoint *ends[2] = { &segment->source, &segment->destination };

	out->v6 = segment->source.family == HF_IPV6;
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(out->address[i], ends[i]->address.byte, sizeof(out->address[i]));
		memcpy(&out->address_v4[i], ends[i]->address.byte + 12, sizeof(*out->address_v4));
		out->port[i] = htons(ends[i]->port);
	}
}

static bool ask(struct hf_tracked *tracked, const struct hf_segment *segment)
{
	static const uint8_t frame[FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = FRAME);

	put_question(segment, &tracked->bpf->bss->hf_question);
	return !bpf_prog_test_run_opts(bpf_program__fd(tracked->bpf->progs.hf_track), &run);
}

static bool within(uint32_t number, uint32_t end, uint32_t window)
{
	return number - end + window <= 2 * window;
}

bool hf_tracked_denies(struct hf_tracked *tracked, const struct hf_segment *segment)
{
	const struct hf_tracked_answer *answer;
	uint32_t window;

	if (!tracked || !ask(tracked, segment))
		return false;
	answer = &tracked->bpf->bss->hf_answer;
	window = answer->window > WINDOW_LEAST ? answer->window : WINDOW_LEAST;
	return answer->known && !answer->liberal && window < UINT32_C(1) << 30 &&
	       !(within(segment->seq, answer->end[0], window) &&
		 within(segment->ack, answer->end[1], window));
}
