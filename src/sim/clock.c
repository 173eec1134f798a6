/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/clock.h"

#include <stdlib.h>
#include <string.h>

#define NO_CHUNK UINT32_MAX
#define WAYS 4

static bool before(const struct hf_happening *a, const struct hf_happening *b)
{
	return a->at != b->at ? a->at < b->at : (int32_t)(a->order - b->order) < 0;
}

void hf_clock_init(struct hf_clock *clock)
{
	memset(clock, 0, sizeof(*clock));
	clock->chunk_free = NO_CHUNK;
	for (size_t i = 0; i < HF_CLOCK_SLOTS; i++)
		clock->ring[i] = NO_CHUNK;
}

void hf_clock_free(struct hf_clock *clock)
{
	free(clock->heap);
	free(clock->chunk);
	hf_clock_init(clock);
}

/* --- Near: the heap. --- */

static bool grow_heap(struct hf_clock *clock)
{
	size_t size = clock->heap_size ? 2 * clock->heap_size : 1024;
	struct hf_happening *heap = realloc(clock->heap, size * sizeof(*heap));

	if (!heap) {
		clock->failed = true;
		return false;
	}
	clock->heap = heap;
	clock->heap_size = size;
	return true;
}

static void push(struct hf_clock *clock, const struct hf_happening *happening)
{
	size_t place = clock->near;

	if (clock->near == clock->heap_size && !grow_heap(clock))
		return;
	clock->near++;
	while (place && before(happening, &clock->heap[(place - 1) / WAYS])) {
		clock->heap[place] = clock->heap[(place - 1) / WAYS];
		place = (place - 1) / WAYS;
	}
	clock->heap[place] = *happening;
}

static size_t least_child(const struct hf_clock *clock, size_t first)
{
	size_t least = first, end = first + WAYS < clock->near ? first + WAYS : clock->near;

	for (size_t i = first + 1; i < end; i++)
		if (before(&clock->heap[i], &clock->heap[least]))
			least = i;
	return least;
}

static void pop(struct hf_clock *clock)
{
	const struct hf_happening *last = &clock->heap[--clock->near];
	size_t place = 0;

	for (;;) {
		size_t child = WAYS * place + 1;

		if (child >= clock->near)
			break;
		child = least_child(clock, child);
		if (!before(&clock->heap[child], last))
			break;
		clock->heap[place] = clock->heap[child];
		place = child;
	}
	clock->heap[place] = *last;
}

/* --- Far: the ring. --- */

static bool grow_chunks(struct hf_clock *clock)
{
	uint32_t size = clock->chunks_size ? 2 * clock->chunks_size : 256;
	struct hf_clock_chunk *chunk = realloc(clock->chunk, size * sizeof(*chunk));

	if (!chunk) {
		clock->failed = true;
		return false;
	}
	clock->chunk = chunk;
	clock->chunks_size = size;
	return true;
}

static uint32_t new_chunk(struct hf_clock *clock)
{
	uint32_t number = clock->chunk_free;

	if (number != NO_CHUNK) {
		clock->chunk_free = clock->chunk[number].next;
		return number;
	}
	if (clock->chunks == clock->chunks_size && !grow_chunks(clock))
		return NO_CHUNK;
	return clock->chunks++;
}

static void put_far(struct hf_clock *clock, const struct hf_happening *happening)
{
	uint64_t slot = happening->at >> HF_CLOCK_SLOT_BITS;
	uint32_t *head, number;

	if (slot >= clock->slot + HF_CLOCK_SLOTS)
		slot = clock->slot + HF_CLOCK_SLOTS - 1; /* comes up again there */
	head = &clock->ring[slot % HF_CLOCK_SLOTS];
	number = *head;
	if (number == NO_CHUNK || clock->chunk[number].count == HF_CLOCK_CHUNK) {
		number = new_chunk(clock);
		if (number == NO_CHUNK)
			return;
		clock->chunk[number].next = *head;
		clock->chunk[number].count = 0;
		*head = number;
	}
	clock->chunk[number].happening[clock->chunk[number].count++] = *happening;
	clock->far++;
}

static void put(struct hf_clock *clock, const struct hf_happening *happening)
{
	if (happening->at >> HF_CLOCK_SLOT_BITS < clock->slot)
		push(clock, happening);
	else
		put_far(clock, happening);
}

/* The next slot of the ring begins: what is in it is near now. */
static void begin_slot(struct hf_clock *clock)
{
	uint32_t *head = &clock->ring[clock->slot % HF_CLOCK_SLOTS], number = *head;

	*head = NO_CHUNK;
	clock->slot++;
	while (number != NO_CHUNK) {
		struct hf_clock_chunk chunk = clock->chunk[number];

		clock->chunk[number].next = clock->chunk_free;
		clock->chunk_free = number;
		clock->far -= chunk.count;
		for (uint32_t i = 0; i < chunk.count; i++)
			put(clock, &chunk.happening[i]);
		number = chunk.next;
	}
}

void hf_clock_post(struct hf_clock *clock, uint64_t at, unsigned int kind, uint32_t index)
{
	struct hf_happening happening = {
		.at = at > clock->now ? at : clock->now,
		.order = clock->order++,
		.what = kind << HF_HAPPENING_BITS | index,
	};

	put(clock, &happening);
}

uint64_t hf_clock_due(struct hf_clock *clock)
{
	while (!clock->near && clock->far)
		begin_slot(clock);
	return clock->near ? clock->heap[0].at : UINT64_MAX;
}

void hf_clock_take(struct hf_clock *clock, unsigned int *kind, uint32_t *index)
{
	*kind = clock->heap[0].what >> HF_HAPPENING_BITS;
	*index = clock->heap[0].what & ((1u << HF_HAPPENING_BITS) - 1);
	clock->now = clock->heap[0].at;
	pop(clock);
}
