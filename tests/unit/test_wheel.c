/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wheel against a naive model: an array of deadlines that is searched from end to end.
 *
 * The seed is printed; HOLDFAST_SEED=N runs the same operations again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <core/mix.h>
#include <core/wheel.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define BATCH 32
#define HORIZON (HF_WHEEL_SLOTS - 2) /* ticks that a deadline may be ahead of a drained wheel */

static uint64_t seed;

static uint32_t between(uint32_t least, uint32_t most)
{
	return least + (uint32_t)(hf_mix(seed++) % ((uint64_t)most - least + 1));
}

/* As many small values as large ones. */
static uint32_t of_any_size(uint32_t most)
{
	return between(0, most >> between(0, 31));
}

/* What the owner keeps of a number, and what the model knows of it. */
struct number {
	uint64_t due;	   /* when it shall expire, if armed */
	uint64_t put_due;  /* what its live entry was put for, */
	uint64_t put_at;   /* and when */
	uint32_t taken_in; /* the advance during which it was last taken, live */
	uint16_t slot;
	bool armed;
	bool exact;    /* its entry may not come up before put_due */
	bool may_wait; /* put while all slots but one were due: the next advance adds none */
};

struct owner {
	struct hf_wheel wheel;
	void *memory;
	struct number *number;
	uint32_t numbers, advances, compacted;
	uint64_t now;
	uint32_t stride_ms; /* how far time goes in one step, jumps apart */
	bool drained;	    /* nothing that is due is left in the wheel */
};

static void check(const struct owner *owner)
{
	const char *broken = hf_wheel_check(&owner->wheel);

	if (broken)
		fail_msg("%s", broken);
}

/* Memory of exactly the size asked for, so that a sanitizer sees what is beyond it. */
static struct owner *owner_new(uint32_t numbers, size_t size, uint32_t tick_ms, uint64_t now)
{
	struct owner *owner = calloc(1, sizeof(*owner));

	assert_non_null(owner);
	owner->memory = aligned_alloc(64, size);
	owner->number = calloc(numbers, sizeof(*owner->number));
	assert_non_null(owner->memory);
	assert_non_null(owner->number);
	memset(owner->memory, 0xa5, size);
	owner->numbers = numbers;
	owner->now = now;
	owner->advances = 1;
	owner->drained = true;
	owner->stride_ms = HF_WHEEL_SLOTS * tick_ms;
	for (uint32_t i = 0; i < numbers; i++)
		owner->number[i].slot = HF_WHEEL_NO_SLOT;
	hf_wheel_init(&owner->wheel, owner->memory, size, tick_ms, now);
	check(owner);
	return owner;
}

static void owner_free(struct owner *owner)
{
	free(owner->number);
	free(owner->memory);
	free(owner);
}

/* Put a number as an owner should: with one compaction if there is no room. */
static void put(struct owner *owner, uint32_t number, uint64_t due)
{
	struct number *it = &owner->number[number];
	bool full = owner->wheel.entries == owner->wheel.capacity;
	uint16_t slot = hf_wheel_put(&owner->wheel, number, due);
	int64_t ahead = (int64_t)(due - owner->now);

	assert_int_equal(slot == HF_WHEEL_NO_SLOT, full);
	if (full) {
		assert_true(hf_wheel_compact(&owner->wheel, &owner->number->slot,
					     sizeof(*owner->number)) > 0);
		owner->compacted++;
		check(owner);
		slot = hf_wheel_put(&owner->wheel, number, due);
		assert_int_not_equal(slot, HF_WHEEL_NO_SLOT);
	}
	assert_in_range(slot, 0, HF_WHEEL_SLOTS - 1);
	it->slot = slot;
	it->put_due = due;
	it->put_at = owner->now;
	it->may_wait = owner->wheel.behind > HORIZON;
	it->exact = owner->drained && ahead <= (int64_t)HORIZON * owner->wheel.tick_ms;
}

/* Later deadlines are only noted; an earlier one makes a second entry. */
static void arm(struct owner *owner, uint32_t number, uint64_t due)
{
	struct number *it = &owner->number[number];

	it->armed = true;
	it->due = due;
	if (it->slot == HF_WHEEL_NO_SLOT || (int64_t)(due - it->put_due) < 0)
		put(owner, number, due);
}

static void take_live(struct owner *owner, uint32_t number)
{
	struct number *it = &owner->number[number];

	it->slot = HF_WHEEL_NO_SLOT;
	assert_int_not_equal(it->taken_in, owner->advances);
	it->taken_in = owner->advances;
	if (it->exact)
		assert_true((int64_t)(owner->now - it->put_due) >= 0);
	if (it->armed && (int64_t)(owner->now - it->due) >= 0)
		it->armed = false; /* expired */
	else if (it->armed)
		put(owner, number, it->due);
}

/* One batch; false if nothing was due. */
static bool drain_some(struct owner *owner, size_t n)
{
	uint32_t taken[BATCH];
	uint16_t slot;
	size_t count = hf_wheel_take(&owner->wheel, taken, n, &slot);

	assert_true(count <= n);
	owner->drained = !count;
	for (size_t i = 0; i < count; i++) {
		assert_in_range(taken[i], 0, owner->numbers - 1);
		if (owner->number[taken[i]].slot == slot)
			take_live(owner, taken[i]);
	}
	return count > 0;
}

static void advance(struct owner *owner, uint64_t by_ms)
{
	owner->now += by_ms;
	owner->advances++;
	owner->drained = false;
	hf_wheel_advance(&owner->wheel, owner->now);
}

/* Nothing is left that should have expired, and the wheel knows when to ask again. */
static void compare(const struct owner *owner)
{
	uint64_t due = hf_wheel_due(&owner->wheel);
	uint32_t tick_ms = owner->wheel.tick_ms;

	if (due < UINT64_MAX - 1) /* which stands for the next one, too */
		assert_true((int64_t)(due - owner->now) > 0);
	for (uint32_t i = 0; i < owner->numbers; i++) {
		const struct number *it = &owner->number[i];

		if (!it->armed)
			continue;
		assert_int_not_equal(it->slot, HF_WHEEL_NO_SLOT);
		assert_int_not_equal(due, UINT64_MAX);
		assert_true(it->may_wait || (int64_t)(owner->now - it->due) < tick_ms ||
			    owner->now - it->put_at < tick_ms);
		assert_true((int64_t)(due - it->due) < tick_ms || due - owner->now <= tick_ms);
	}
}

static void drain(struct owner *owner)
{
	while (drain_some(owner, between(1, BATCH)))
		;
	check(owner);
	compare(owner);
}

static void random_advance(struct owner *owner)
{
	uint32_t ring_ms = HF_WHEEL_SLOTS * owner->wheel.tick_ms;

	switch (between(0, 9)) {
	case 0:
		hf_wheel_advance(&owner->wheel,
				 owner->now - of_any_size(ring_ms)); /* stands still */
		break;
	case 1:
		if (owner->stride_ms == ring_ms)
			advance(owner, (uint64_t)between(ring_ms / 2, ring_ms) * between(1, 1000));
		break;
	case 2:
		if (hf_wheel_due(&owner->wheel) < UINT64_MAX - 1 && owner->drained) {
			advance(owner, hf_wheel_due(&owner->wheel) - owner->now);
			assert_true(drain_some(owner, BATCH));
		}
		break;
	default:
		advance(owner, of_any_size(owner->stride_ms));
	}
}

static void random_operation(struct owner *owner)
{
	uint32_t number = between(0, owner->numbers - 1), kind = between(0, 99);
	uint32_t ring_ms = HF_WHEEL_SLOTS * owner->wheel.tick_ms;
	struct number *it = &owner->number[number];

	if (kind < 50)
		arm(owner, number, owner->now + of_any_size(ring_ms / 8 * 9));
	else if (kind < 52)
		arm(owner, number, owner->now - of_any_size(ring_ms));
	else if (kind < 54)
		arm(owner, number, owner->now + (uint64_t)between(1, 1000) * ring_ms);
	else if (kind < 70 && it->armed)
		arm(owner, number, it->due + of_any_size(ring_ms)); /* activity */
	else if (kind < 80)
		it->armed = false; /* cancelled, its entry left to serve again */
	else if (kind < 85)
		*it = (struct number){ .slot = HF_WHEEL_NO_SLOT, .taken_in = it->taken_in };
	else if (kind < 90)
		random_advance(owner);
	else if (kind < 95)
		drain_some(owner, between(1, BATCH));
	else
		drain(owner);
}

static void random_operations_agree_with_a_model(void **state)
{
	static const uint32_t ticks[] = { 1, 10, 250, 1000, HF_WHEEL_TICK_MAX };
	static const uint32_t sizes[] = { 1, 3, 60, 500 };
	uint32_t compacted = 0;

	(void)state;
	for (uint32_t round = 0; round < COUNT(ticks) * COUNT(sizes); round++) {
		uint32_t numbers = sizes[round / COUNT(ticks)], tick = ticks[round % COUNT(ticks)];
		uint64_t start = between(0, 1) ? hf_mix(seed++) :
						 0 - (uint64_t)of_any_size(1u << 30);
		struct owner *owner = owner_new(numbers, hf_wheel_size(numbers), tick, start);

		if (round % 2) /* time goes slowly: stale entries pile up */
			owner->stride_ms = tick;
		for (uint32_t i = 0; i < 4000; i++) {
			random_operation(owner);
			check(owner);
		}
		compacted += owner->compacted;
		owner_free(owner);
	}
	assert_true(compacted > 100); /* or the rounds have not tried it */
}

/* Drain all; how many came up, stale ones included. Live ones lose their slot. */
static uint32_t drain_count(struct owner *owner, uint32_t *takes)
{
	static uint32_t taken[1 << 20];
	uint32_t total = 0;
	uint16_t slot;
	size_t count;

	while ((count = hf_wheel_take(&owner->wheel, taken, COUNT(taken), &slot))) {
		for (size_t i = 0; i < count; i++) {
			if (owner->number[taken[i]].slot == slot)
				owner->number[taken[i]].slot = HF_WHEEL_NO_SLOT;
		}
		total += (uint32_t)count;
		++*takes;
	}
	return total;
}

static void a_number_comes_up_within_a_tick_of_its_time_and_never_before(void **state)
{
	(void)state;
	for (uint64_t due = 0; due < 2000; due += 7) {
		struct owner *owner = owner_new(1, hf_wheel_size(1), 250, 1000);
		uint64_t now = 1000;
		uint32_t takes = 0;

		put(owner, 0, 1000 + due);
		while (!takes) {
			assert_true(now <= 1000 + due + 250);
			hf_wheel_advance(&owner->wheel, ++now);
			drain_count(owner, &takes);
		}
		assert_true(now >= 1000 + due);
		owner_free(owner);
	}
}

static void what_is_due_already_waits_for_the_next_tick(void **state)
{
	struct owner *owner = owner_new(10, hf_wheel_size(10), 100, 0);
	uint32_t takes = 0;

	(void)state;
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 10; i++)
			put(owner, i, owner->now - of_any_size((uint32_t)owner->now));
		assert_int_equal(drain_count(owner, &takes), 0);
		advance(owner, 100);
		assert_int_equal(drain_count(owner, &takes), 10);
	}
	owner_free(owner);
}

static void a_jump_of_any_length_visits_every_slot_once_and_every_number(void **state)
{
	static const uint64_t jumps[] = { HF_WHEEL_SLOTS - 1, HF_WHEEL_SLOTS, HF_WHEEL_SLOTS + 1,
					  3 * HF_WHEEL_SLOTS, 1u << 31,	      UINT32_MAX,
					  UINT64_C(1) << 40 };
	enum {
		NUMBERS = 100000
	};

	(void)state;
	for (uint32_t jump = 0; jump < COUNT(jumps); jump++) {
		struct owner *owner =
			owner_new(NUMBERS, hf_wheel_size(NUMBERS), 250, hf_mix(seed++));
		uint32_t takes = 0;

		advance(owner, 250 * (uint64_t)between(0, 2 * HF_WHEEL_SLOTS));
		assert_int_equal(drain_count(owner, &takes), 0);
		for (uint32_t i = 0; i < NUMBERS; i++)
			put(owner, i, owner->now + 250 * (uint64_t)between(0, HORIZON));
		advance(owner, 250 * jumps[jump]);
		assert_true(hf_wheel_due(&owner->wheel) - owner->now > INT64_MAX);
		assert_int_equal(drain_count(owner, &takes), NUMBERS);
		assert_in_range(takes, 1, HORIZON + 1);
		check(owner);
		put(owner, 0, owner->now + 1000);
		advance(owner, 1250);
		assert_int_equal(drain_count(owner, &takes), 1);
		owner_free(owner);
	}
}

/* While a jump is made up for, what is put comes up after it, in time. */
static void what_is_put_in_the_midst_of_a_jump_is_neither_lost_nor_taken_twice(void **state)
{
	enum {
		NUMBERS = 20000
	};
	struct owner *owner = owner_new(NUMBERS, hf_wheel_size(NUMBERS), 250, 0);

	(void)state;
	for (uint32_t i = 0; i < NUMBERS; i++)
		arm(owner, i, between(0, 250 * HORIZON));
	advance(owner, 24 * 3600 * 1000);
	for (uint32_t i = 0; i < NUMBERS; i++) /* activity: all of them are put again */
		owner->number[i].due = owner->now + between(0, 250 * HORIZON);
	for (uint32_t tick = 0; tick < HF_WHEEL_SLOTS + 1; tick++) {
		for (uint32_t i = 0; i < 20; i++) /* a budget: never drained whole at first */
			drain_some(owner, BATCH);
		advance(owner, 250);
	}
	drain(owner);
	for (uint32_t i = 0; i < NUMBERS; i++)
		assert_false(owner->number[i].armed);
	owner_free(owner);
}

static void a_deadline_beyond_the_ring_comes_up_early_and_often_enough(void **state)
{
	struct owner *owner = owner_new(1, hf_wheel_size(1), HF_WHEEL_TICK_MAX, 77);
	uint64_t due = 77 + (uint64_t)1000 * HF_WHEEL_SLOTS * HF_WHEEL_TICK_MAX;

	(void)state;
	arm(owner, 0, due);
	for (uint32_t steps = 0; owner->number[0].armed; steps++) {
		assert_in_range(steps, 0, 1002);
		advance(owner, hf_wheel_due(&owner->wheel) - owner->now);
		drain(owner);
	}
	assert_in_range(owner->now - due, 0, HF_WHEEL_TICK_MAX - 1);
	owner_free(owner);
}

/* A wheel that is due at the number that means never says so a millisecond early. */
static void the_last_millisecond_is_a_time_like_others(void **state)
{
	struct owner *owner = owner_new(2, hf_wheel_size(2), 250, UINT64_MAX - 500);
	uint32_t takes = 0;

	(void)state;
	assert_true(hf_wheel_due(&owner->wheel) == UINT64_MAX);
	put(owner, 0, UINT64_MAX - 1);
	put(owner, 1, 200); /* 701 ms from the start */
	assert_true(hf_wheel_due(&owner->wheel) == UINT64_MAX - 1);
	advance(owner, 499);
	assert_int_equal(drain_count(owner, &takes), 0);
	advance(owner, 1);
	assert_int_equal(drain_count(owner, &takes), 1);
	assert_int_equal(hf_wheel_due(&owner->wheel), 249);
	advance(owner, 249);
	assert_int_equal(drain_count(owner, &takes), 0);
	advance(owner, 1);
	assert_int_equal(drain_count(owner, &takes), 1);
	owner_free(owner);
}

/*
 * What costs most chunks: every slot has one entry more than fills its chunks, and the one being
 * drained is begun. As many entries as the wheel was made for must fit all the same.
 */
static void the_capacity_holds_however_entries_lie(void **state)
{
	static const uint32_t sizes[] = { 1, 100, 8000, 8192, 9000, 30000, 200000 };

	(void)state;
	for (uint32_t i = 0; i < COUNT(sizes); i++) {
		struct owner *owner = owner_new(sizes[i], hf_wheel_size(sizes[i]), 1, 5);
		uint32_t n, slots = HORIZON,
			    each = 1 + sizes[i] / slots / HF_CHUNK_IDS * HF_CHUNK_IDS;

		assert_true(owner->wheel.capacity >= sizes[i] + sizes[i] / 16 + 16);
		for (n = 0; n < owner->wheel.capacity; n++) {
			uint32_t slot = n < each * slots ? n / each : n % slots;

			assert_int_not_equal(hf_wheel_put(&owner->wheel, 0, 6 + slot),
					     HF_WHEEL_NO_SLOT);
		}
		assert_int_equal(hf_wheel_put(&owner->wheel, 0, 6), HF_WHEEL_NO_SLOT);
		check(owner);
		for (n = 0; n < 3 * owner->wheel.capacity; n++) {
			uint32_t taken;
			uint16_t slot;

			while (!hf_wheel_take(&owner->wheel, &taken, 1, &slot))
				advance(owner, 1);
			assert_int_not_equal(hf_wheel_put(&owner->wheel, 0,
							  owner->now + between(0, HORIZON)),
					     HF_WHEEL_NO_SLOT);
			assert_int_equal(hf_wheel_put(&owner->wheel, 0, 6), HF_WHEEL_NO_SLOT);
		}
		check(owner);
		owner_free(owner);
	}
}

static void compaction_leaves_what_is_live_and_nothing_else(void **state)
{
	enum {
		NUMBERS = 5000
	};

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		struct owner *owner = owner_new(NUMBERS, hf_wheel_size(8 * NUMBERS), 100, 0);
		uint32_t slots = 1u << between(0, 12), live = 0, dropped = 0, some, takes = 0;

		for (uint32_t i = 0; i < 7 * NUMBERS; i++) /* doubles within a slot as well */
			put(owner, between(0, NUMBERS - 1), 100 * (uint64_t)between(0, slots));
		if (between(0, 1)) { /* the first slot is begun */
			advance(owner, 100);
			drain_some(owner, 7);
		}
		for (uint32_t i = 0; i < NUMBERS; i++) {
			if (between(0, 9) == 0)
				owner->number[i].slot = HF_WHEEL_NO_SLOT;
			live += owner->number[i].slot != HF_WHEEL_NO_SLOT;
		}
		while ((some = hf_wheel_compact(&owner->wheel, &owner->number->slot,
						sizeof(*owner->number)))) {
			dropped += some;
			check(owner);
		}
		assert_true(dropped > 0);
		assert_int_equal(owner->wheel.entries, live);
		advance(owner, 100 * HF_WHEEL_SLOTS);
		assert_int_equal(drain_count(owner, &takes), live);
		for (uint32_t i = 0; i < NUMBERS; i++)
			assert_int_equal(owner->number[i].slot, HF_WHEEL_NO_SLOT);
		owner_free(owner);
	}
}

/* A number used again and again, with the same patience, needs no second entry. */
static void churn_leaves_no_stale_entries(void **state)
{
	enum {
		NUMBERS = 100
	};
	struct owner *owner = owner_new(NUMBERS, hf_wheel_size(NUMBERS), 250, 0);

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t number = between(0, NUMBERS - 1);

		owner->number[number].armed = false;
		arm(owner, number, owner->now + 60000);
		assert_in_range(owner->wheel.entries, 1, NUMBERS);
		advance(owner, between(0, 20));
		drain(owner);
	}
	owner_free(owner);
}

static void check_finds_what_is_broken(void **state)
{
	struct owner *owner = owner_new(1000, hf_wheel_size(1000), 250, 0);
	struct hf_wheel *wheel = &owner->wheel, sound;
	uint32_t slot;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		put(owner, i, 250 * (uint64_t)(i % 20));
	advance(owner, 1000);
	assert_int_equal(drain_some(owner, 1), 1);
	slot = (wheel->cursor + 7) % HF_WHEEL_SLOTS;
	sound = *wheel;
#define BREAK(what)                                     \
	do {                                            \
		what;                                   \
		assert_non_null(hf_wheel_check(wheel)); \
		*wheel = sound;                         \
		check(owner);                           \
	} while (0)
	BREAK(wheel->entries++);
	BREAK(wheel->unused--);
	BREAK(wheel->free = wheel->head[slot] / 16);
	BREAK(wheel->cursor++);
	BREAK(wheel->end[slot]++);
	BREAK(wheel->head[slot] = wheel->head[slot + 1]);
	BREAK(wheel->filled[0] = 0);
	BREAK(wheel->head[slot] = wheel->end[slot] = UINT32_MAX);
	BREAK(wheel->capacity = 10);
#undef BREAK
	owner_free(owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_model),
		cmocka_unit_test(a_number_comes_up_within_a_tick_of_its_time_and_never_before),
		cmocka_unit_test(what_is_due_already_waits_for_the_next_tick),
		cmocka_unit_test(a_jump_of_any_length_visits_every_slot_once_and_every_number),
		cmocka_unit_test(
			what_is_put_in_the_midst_of_a_jump_is_neither_lost_nor_taken_twice),
		cmocka_unit_test(a_deadline_beyond_the_ring_comes_up_early_and_often_enough),
		cmocka_unit_test(the_last_millisecond_is_a_time_like_others),
		cmocka_unit_test(the_capacity_holds_however_entries_lie),
		cmocka_unit_test(compaction_leaves_what_is_live_and_nothing_else),
		cmocka_unit_test(churn_leaves_no_stale_entries),
		cmocka_unit_test(check_finds_what_is_broken),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
