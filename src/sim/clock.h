/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time, and what happens at which time. Microseconds since the run began.
 *
 * Theory of operation. What is near lies in a 4-ary heap, ordered by time, then by order of
 * posting; what is far lies unordered in a ring of slots, each about a second wide, and goes to
 * the heap when its slot begins. So a million flows that think for minutes keep the heap small.
 * Slots are chains of chunks from one growing array: nothing is allocated per event.
 */
#ifndef HF_SIM_CLOCK_H
#define HF_SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_CLOCK_SLOTS 4096
#define HF_CLOCK_SLOT_BITS 20 /* a slot is 2^20 us wide */
#define HF_CLOCK_CHUNK 63

#define HF_HAPPENING_BITS 28 /* of an index; the kind has the rest */

struct hf_happening {
	uint64_t at; /* us */
	uint32_t order;
	uint32_t what; /* kind and index */
};

struct hf_clock_chunk {
	uint32_t next, count;
	struct hf_happening happening[HF_CLOCK_CHUNK];
};

struct hf_clock {
	uint64_t now;	/* us; whoever drives the clock may move it on, never past what is due */
	uint64_t slot;	/* number of the next slot to go to the heap */
	uint32_t order; /* of the next posted */
	bool failed;	/* out of memory: happenings were lost */
	struct hf_happening *heap;
	size_t near, heap_size;
	uint64_t far; /* happenings in the ring */
	struct hf_clock_chunk *chunk;
	uint32_t chunks, chunks_size, chunk_free;
	uint32_t ring[HF_CLOCK_SLOTS]; /* first chunk of each slot */
};

void hf_clock_init(struct hf_clock *clock);
void hf_clock_free(struct hf_clock *clock);

/* kind 0..15, index below 2^HF_HAPPENING_BITS. A time that is past is now. */
void hf_clock_post(struct hf_clock *clock, uint64_t at, unsigned int kind, uint32_t index);

/* When the next one happens; UINT64_MAX = never. */
uint64_t hf_clock_due(struct hf_clock *clock);

/* Take what hf_clock_due found, and go to its time. */
void hf_clock_take(struct hf_clock *clock, unsigned int *kind, uint32_t *index);

#endif
