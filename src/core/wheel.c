/* SPDX-License-Identifier: BSD-2-Clause */
#include <core/wheel.h>

#include <assert.h>
#include <string.h>

#include <core/mix.h>

/* A place of no chunk; its index is past the last number, as that of a full chunk. */
#define NOWHERE UINT32_MAX
#define CHUNKS_MAX (NOWHERE / (HF_CHUNK_IDS + 1))

/* The last slot that hf_wheel_put uses: one stays empty, for when all others are due. */
#define LAST (HF_WHEEL_SLOTS - 2)
#define BEHIND_MAX (HF_WHEEL_SLOTS - 1)

static_assert(sizeof(struct hf_chunk) == 64, "a chunk is a cache line");

static uint32_t place_of(uint32_t chunk)
{
	return chunk * (HF_CHUNK_IDS + 1);
}

static uint32_t chunk_of(uint32_t place)
{
	return place / (HF_CHUNK_IDS + 1);
}

static uint32_t index_of(uint32_t place)
{
	return place % (HF_CHUNK_IDS + 1);
}

/*
 * Entries in n slots need at most a chunk each and one more per HF_CHUNK_IDS further entries;
 * and one for what was taken already from the head of the slot being drained.
 */
static uint64_t chunks_for(uint64_t entries)
{
	if (entries <= HF_WHEEL_SLOTS)
		return entries + 1;
	return HF_WHEEL_SLOTS + (entries - HF_WHEEL_SLOTS + HF_CHUNK_IDS - 1) / HF_CHUNK_IDS + 1;
}

static uint32_t entries_in(uint32_t chunks)
{
	if (chunks <= HF_WHEEL_SLOTS + 1)
		return chunks ? chunks - 1 : 0;
	return HF_WHEEL_SLOTS + (chunks - HF_WHEEL_SLOTS - 1) * HF_CHUNK_IDS;
}

size_t hf_wheel_size(uint32_t numbers)
{
	return chunks_for((uint64_t)numbers + numbers / 16 + 16) * sizeof(struct hf_chunk);
}

void hf_wheel_init(struct hf_wheel *wheel, void *memory, size_t size, uint32_t tick_ms,
		   uint64_t now_ms)
{
	memset(wheel, 0, sizeof(*wheel));
	memset(wheel->head, 0xff, sizeof(wheel->head)); /* NOWHERE */
	memset(wheel->end, 0xff, sizeof(wheel->end));
	wheel->chunk = memory;
	size /= sizeof(struct hf_chunk);
	wheel->chunks = size < CHUNKS_MAX ? (uint32_t)size : CHUNKS_MAX;
	wheel->free = NOWHERE;
	wheel->capacity = entries_in(wheel->chunks);
	wheel->tick_ms = tick_ms;
	wheel->next_ms = now_ms + tick_ms;
}

static uint32_t chunk_take(struct hf_wheel *wheel)
{
	uint32_t chunk = wheel->free;

	if (chunk == NOWHERE)
		return wheel->unused++;
	wheel->free = wheel->chunk[chunk].next;
	return chunk;
}

static void chunk_release(struct hf_wheel *wheel, uint32_t chunk)
{
	wheel->chunk[chunk].next = wheel->free;
	wheel->free = chunk;
}

static void slot_empty(struct hf_wheel *wheel, uint32_t slot)
{
	wheel->head[slot] = wheel->end[slot] = NOWHERE;
	wheel->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

/* A chunk more for a slot that is empty or whose last chunk is full; returns its first place. */
static uint32_t slot_extend(struct hf_wheel *wheel, uint32_t slot)
{
	uint32_t chunk = chunk_take(wheel), end = wheel->end[slot];

	if (end == NOWHERE) {
		wheel->head[slot] = place_of(chunk);
		wheel->filled[slot / 64] |= UINT64_C(1) << slot % 64;
	} else {
		wheel->chunk[chunk_of(end)].next = chunk;
	}
	return place_of(chunk);
}

/* How many slots from the cursor on; those of what is due already come before. */
static uint32_t offset_of(const struct hf_wheel *wheel, uint64_t due_ms)
{
	uint64_t ahead = due_ms - wheel->next_ms;
	uint32_t last = wheel->behind > LAST ? wheel->behind : LAST, offset;

	if (ahead > INT64_MAX || !ahead) /* the past */
		return wheel->behind;
	if (ahead > (uint64_t)HF_WHEEL_SLOTS * HF_WHEEL_TICK_MAX)
		return last;
	offset = wheel->behind + ((uint32_t)ahead + wheel->tick_ms - 1) / wheel->tick_ms;
	return offset < last ? offset : last;
}

uint16_t hf_wheel_put(struct hf_wheel *wheel, uint32_t number, uint64_t due_ms)
{
	uint32_t slot = (wheel->cursor + offset_of(wheel, due_ms)) % HF_WHEEL_SLOTS;
	uint32_t end = wheel->end[slot];

	if (wheel->entries >= wheel->capacity)
		return HF_WHEEL_NO_SLOT;
	if (index_of(end) == HF_CHUNK_IDS)
		end = slot_extend(wheel, slot);
	wheel->chunk[chunk_of(end)].id[index_of(end)] = number;
	wheel->end[slot] = end + 1;
	wheel->entries++;
	return (uint16_t)slot;
}

void hf_wheel_advance(struct hf_wheel *wheel, uint64_t now_ms)
{
	uint64_t ahead = now_ms - wheel->next_ms, ticks;

	if (ahead > INT64_MAX)
		return;
	ticks = ahead / wheel->tick_ms + 1;
	wheel->next_ms += ticks * wheel->tick_ms;
	wheel->behind = ticks < BEHIND_MAX - wheel->behind ? wheel->behind + (uint32_t)ticks :
							     BEHIND_MAX;
}

/* How many slots from `slot` on, before the first that holds something; HF_WHEEL_SLOTS = none. */
static uint32_t slots_empty(const struct hf_wheel *wheel, uint32_t slot)
{
	uint32_t word = slot / 64;
	uint64_t filled = wheel->filled[word] >> slot % 64 << slot % 64;

	for (uint32_t i = 0; !filled && i < HF_WHEEL_SLOTS / 64; i++) {
		word = (word + 1) % (HF_WHEEL_SLOTS / 64);
		filled = wheel->filled[word];
	}
	if (!filled)
		return HF_WHEEL_SLOTS;
	return (word * 64 + (uint32_t)__builtin_ctzll(filled) - slot) % HF_WHEEL_SLOTS;
}

/* Pass over slots; false if none is left that is due. */
static bool pass(struct hf_wheel *wheel, uint32_t slots)
{
	if (slots > wheel->behind)
		slots = wheel->behind;
	wheel->cursor = (wheel->cursor + slots) % HF_WHEEL_SLOTS;
	wheel->behind -= slots;
	return wheel->behind;
}

/* Up to n numbers out of the first chunk of the cursor's slot, which holds something. */
static uint32_t chunk_drain(struct hf_wheel *wheel, uint32_t *numbers, size_t n)
{
	uint32_t slot = wheel->cursor, head = wheel->head[slot], end = wheel->end[slot];
	const struct hf_chunk *chunk = &wheel->chunk[chunk_of(head)];
	bool last = chunk_of(head) == chunk_of(end);
	uint32_t count = (last ? index_of(end) : HF_CHUNK_IDS) - index_of(head);

	if (!last)
		__builtin_prefetch(&wheel->chunk[chunk->next]);
	if (count > n) {
		memcpy(numbers, chunk->id + index_of(head), n * sizeof(*numbers));
		wheel->head[slot] += (uint32_t)n;
		return (uint32_t)n;
	}
	memcpy(numbers, chunk->id + index_of(head), count * sizeof(*numbers));
	if (last)
		slot_empty(wheel, slot);
	else
		wheel->head[slot] = place_of(chunk->next);
	chunk_release(wheel, chunk_of(head));
	return count;
}

size_t hf_wheel_take(struct hf_wheel *wheel, uint32_t *numbers, size_t n, uint16_t *slot)
{
	size_t taken = 0;

	if (!pass(wheel, slots_empty(wheel, wheel->cursor)))
		return 0;
	*slot = (uint16_t)wheel->cursor;
	while (taken < n && wheel->head[*slot] != NOWHERE)
		taken += chunk_drain(wheel, numbers + taken, n - taken);
	wheel->entries -= (uint32_t)taken;
	return taken;
}

/* The place itself, or where the chain goes on if its chunk is over. */
static uint32_t place_follow(const struct hf_wheel *wheel, uint32_t place)
{
	if (index_of(place) < HF_CHUNK_IDS)
		return place;
	return place_of(wheel->chunk[chunk_of(place)].next);
}

static uint32_t *number_at(struct hf_wheel *wheel, uint32_t place)
{
	return &wheel->chunk[chunk_of(place)].id[index_of(place)];
}

/* The owner's slot of a number. */
static uint16_t *slot_of(void *slots, size_t stride, uint32_t number)
{
	return (uint16_t *)(void *)((uint8_t *)slots + number * stride);
}

/* Give back the chunks after place `to`; that of `to` as well if nothing of the slot is left. */
static void slot_cut(struct hf_wheel *wheel, uint32_t slot, uint32_t to)
{
	uint32_t first = chunk_of(to), last = chunk_of(wheel->end[slot]), next;
	bool all = to == wheel->head[slot];

	for (uint32_t chunk = first;; chunk = next) {
		next = wheel->chunk[chunk].next;
		if (all || chunk != first)
			chunk_release(wheel, chunk);
		if (chunk == last)
			break;
	}
	wheel->end[slot] = to;
	if (all)
		slot_empty(wheel, slot);
}

/*
 * Move what is live to the front of the slot. The owner's slot is taken away at the first entry
 * of a number, so that a second one in the same slot counts as stale, and given back after.
 */
static uint32_t slot_compact(struct hf_wheel *wheel, uint32_t slot, void *slots, size_t stride)
{
	uint32_t head = wheel->head[slot], end = wheel->end[slot], to = head, dropped = 0;

	for (uint32_t from = head; from != end; from++) {
		from = place_follow(wheel, from);
		uint32_t number = *number_at(wheel, from);
		uint16_t *own = slot_of(slots, stride, number);

		if (*own != slot) {
			dropped++;
			continue;
		}
		*own = HF_WHEEL_NO_SLOT;
		to = place_follow(wheel, to);
		*number_at(wheel, to++) = number;
	}
	for (uint32_t place = head; place != to; place++) {
		place = place_follow(wheel, place);
		*slot_of(slots, stride, *number_at(wheel, place)) = (uint16_t)slot;
	}
	if (dropped)
		slot_cut(wheel, slot, to);
	return dropped;
}

uint32_t hf_wheel_compact(struct hf_wheel *wheel, void *slots, size_t stride)
{
	uint32_t dropped = 0;

	for (uint32_t i = 0; !dropped && i < HF_WHEEL_SLOTS; i++) {
		dropped = slot_compact(wheel, wheel->compacted, slots, stride);
		wheel->compacted = (wheel->compacted + 1) % HF_WHEEL_SLOTS;
	}
	wheel->entries -= dropped;
	return dropped;
}

uint64_t hf_wheel_due(const struct hf_wheel *wheel)
{
	uint32_t offset = slots_empty(wheel, wheel->cursor);
	uint64_t due = wheel->next_ms + (uint64_t)offset * wheel->tick_ms -
		       (uint64_t)wheel->behind * wheel->tick_ms;

	if (offset == HF_WHEEL_SLOTS)
		return UINT64_MAX;
	return due - (due == UINT64_MAX); /* a time; too early does no harm */
}

/* What a walk over chains has seen. */
struct census {
	uint64_t fingerprint;
	uint32_t chunks, entries;
};

static bool count_chunk(const struct hf_wheel *wheel, uint32_t chunk, struct census *census)
{
	census->fingerprint += hf_mix(chunk);
	return chunk < wheel->unused && census->chunks++ < wheel->unused;
}

static const char *check_slot(const struct hf_wheel *wheel, uint32_t slot, struct census *census)
{
	uint32_t head = wheel->head[slot], end = wheel->end[slot], chunk = chunk_of(head);
	bool filled = wheel->filled[slot / 64] >> slot % 64 & 1;

	if (head == NOWHERE || end == NOWHERE)
		return head != end || filled ? "an empty slot is not marked so" : NULL;
	if (!filled)
		return "a slot that holds something is marked empty";
	if (!index_of(end) || index_of(head) == HF_CHUNK_IDS)
		return "a slot begins or ends outside a chunk";
	if (index_of(head) && (slot != wheel->cursor || !wheel->behind))
		return "a slot is begun that is not being drained";
	census->entries -= index_of(head);
	for (; count_chunk(wheel, chunk, census); chunk = wheel->chunk[chunk].next) {
		if (chunk != chunk_of(end)) {
			census->entries += HF_CHUNK_IDS;
			continue;
		}
		census->entries += index_of(end);
		return chunk == chunk_of(head) && head >= end ? "a slot ends before it begins" :
								NULL;
	}
	return "a slot's chain does not come to its end";
}

static const char *check_free(const struct hf_wheel *wheel, struct census *census)
{
	for (uint32_t chunk = wheel->free; chunk != NOWHERE; chunk = wheel->chunk[chunk].next) {
		if (!count_chunk(wheel, chunk, census))
			return "the free chain does not end";
	}
	for (uint32_t chunk = 0; chunk < wheel->unused; chunk++)
		census->fingerprint -= hf_mix(chunk);
	if (census->chunks != wheel->unused || census->fingerprint)
		return "a chunk is not in exactly one chain";
	return NULL;
}

const char *hf_wheel_check(const struct hf_wheel *wheel)
{
	struct census census = { 0 };
	const char *broken;

	if (wheel->cursor >= HF_WHEEL_SLOTS || wheel->behind > BEHIND_MAX)
		return "the cursor is outside the ring";
	if (wheel->unused > wheel->chunks)
		return "there are not so many chunks";
	for (uint32_t slot = 0; slot < HF_WHEEL_SLOTS; slot++) {
		broken = check_slot(wheel, slot, &census);
		if (broken)
			return broken;
	}
	if (census.entries != wheel->entries || wheel->entries > wheel->capacity)
		return "the entries are miscounted";
	return check_free(wheel, &census);
}
