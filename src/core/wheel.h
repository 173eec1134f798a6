/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers for millions of flows: a ring of slots, each one tick wide, each a chain of chunks of
 * flow numbers, appended to only.
 *
 * Theory of operation. The wheel knows numbers, not deadlines. Whoever owns them keeps, for each
 * number, in which slot its one live entry is (16 bits), and when it is really due. An entry
 * drained from a slot that is not the number's own is stale and dropped: so a timer is cancelled
 * or moved earlier by changing the owner's slot, at the cost of a store, and activity costs the
 * wheel nothing at all: the deadline is reckoned anew when the entry comes up, and the number put
 * into a later slot. Draining reads numbers in sequence, so that the records they stand for can
 * be prefetched.
 *
 * Only a move to an earlier slot, and an entry put for a number cancelled before its entry came
 * up, leave stale entries. An owner makes few of them that leaves a cancelled number's slot as it
 * is: should the number be used again, its old entry serves any deadline not before that slot.
 * hf_wheel_compact gets rid of them without waiting for their slots to come up.
 *
 * Slots count from the next one to be drained: first those that are due (behind), then one for
 * each tick to come. So time may jump by any amount: at most all slots become due, none of them
 * twice, and nothing is reckoned from absolute time, which may start anywhere and wrap.
 *
 * A deadline beyond the ring is put into its last slot and comes up again there. Never early,
 * late by one tick at most if drained in time.
 */
#ifndef HF_CORE_WHEEL_H
#define HF_CORE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_WHEEL_SLOTS 8192
#define HF_WHEEL_NO_SLOT UINT16_MAX
#define HF_WHEEL_TICK_MAX 10000 /* ms */
#define HF_CHUNK_IDS 15

/* One cache line. All but the last of a chain are full: a slot's end says how far the last is. */
struct hf_chunk {
	uint32_t id[HF_CHUNK_IDS];
	uint32_t next; /* chunk number, valid if there is a next one */
};

struct hf_wheel {
	struct hf_chunk *chunk;
	uint32_t chunks;   /* how many there are */
	uint32_t free;	   /* head of the free chain */
	uint32_t unused;   /* chunks never used start here */
	uint32_t entries;  /* numbers in all slots, stale ones included */
	uint32_t capacity; /* entries that fit, however they lie */
	uint32_t tick_ms;
	uint32_t cursor;    /* the slot being drained, or the next one to be */
	uint32_t behind;    /* slots from it on that are due, 0..HF_WHEEL_SLOTS - 1 */
	uint32_t compacted; /* the slot that hf_wheel_compact looks at next */
	uint64_t next_ms;   /* when the first slot becomes due that is not */
	/* Places in chunks, chunk number * 16 + index: the next number to take, and to put. */
	uint32_t head[HF_WHEEL_SLOTS], end[HF_WHEEL_SLOTS];
	uint64_t filled[HF_WHEEL_SLOTS / 64]; /* bit n: slot n holds something */
};

/*
 * Bytes for chunks such that the wheel holds at least numbers * 17 / 16 + 16 entries, stale ones
 * included, however they are spread; numbers: 1..2^31. About 4.6 bytes per number from 10^7 on,
 * 5.1 at 10^6, 65 below 8192 (a chunk for each).
 */
size_t hf_wheel_size(uint32_t numbers);

/* memory: 64-byte aligned, zeroed or not. tick_ms: 1..HF_WHEEL_TICK_MAX. */
void hf_wheel_init(struct hf_wheel *wheel, void *memory, size_t size, uint32_t tick_ms,
		   uint64_t now_ms);

/*
 * Put a number into the slot of due_ms (rounded up to a tick; what is due already: the first slot
 * that is not, so that no hf_wheel_take before the next hf_wheel_advance returns it; too far, or
 * 2^63 ms away: the last). Returns the slot, which the owner keeps.
 *
 * HF_WHEEL_NO_SLOT if and only if `capacity` entries are in the wheel already. So a number just
 * taken can always be put again, and as long as no more numbers than the wheel was made for have
 * an entry, hf_wheel_compact makes room.
 */
uint16_t hf_wheel_put(struct hf_wheel *wheel, uint32_t number, uint64_t due_ms);

/* Slots up to now may be drained. Time that goes back stands still. */
void hf_wheel_advance(struct hf_wheel *wheel, uint64_t now_ms);

/*
 * Up to n numbers out of one slot that is due; returns how many, 0 when nothing is, and the slot
 * they were in: those whose own slot that is are live, and have none (HF_WHEEL_NO_SLOT) until put
 * again. Deal with them before the next call of this one. A drained chunk is free again at once.
 */
size_t hf_wheel_take(struct hf_wheel *wheel, uint32_t *numbers, size_t n, uint16_t *slot);

/*
 * Drop the stale entries of the next slot that has any; returns how many, 0 if there are none in
 * the whole wheel. slots: number n's is the uint16_t at slots + n * stride (written to, and put
 * back, while looking). Of two entries of a number in one slot one is stale.
 */
uint32_t hf_wheel_compact(struct hf_wheel *wheel, void *slots, size_t stride);

/*
 * When the earliest slot that holds anything is or was due, in ms; UINT64_MAX = none (what is due
 * at that very number is said to be so 1 ms before).
 */
uint64_t hf_wheel_due(const struct hf_wheel *wheel);

/* NULL, or which invariant is broken (chains, counts, every chunk in exactly one of them). */
const char *hf_wheel_check(const struct hf_wheel *wheel);

#endif
