/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of flows against a naive model: every record is looked at, one after the other.
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
#include <core/siphash.h>
#include <core/table.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static uint64_t seed;

static uint32_t between(uint32_t least, uint32_t most)
{
	return least + (uint32_t)(hf_mix(seed++) % ((uint64_t)most - least + 1));
}

struct record {
	struct hf_table_key key;
	uint32_t rest[12]; /* 84 bytes, as the engine's */
};

struct owner {
	struct hf_table table;
	void *memory;
	struct record *record; /* those of removed flows keep their keys */
	bool *used;
	uint32_t records;
};

static void check(const struct owner *owner)
{
	const char *broken = hf_table_check(&owner->table);

	if (broken)
		fail_msg("%s", broken);
}

/* A table for so many flows, and records for as many as it has places, and one more. */
static struct owner *owner_new(uint32_t flows)
{
	size_t size = hf_table_size(flows);
	uint64_t key[2] = { hf_mix(seed), hf_mix(~seed) };
	struct owner *owner = calloc(1, sizeof(*owner));

	seed++;
	assert_non_null(owner);
	owner->records = (uint32_t)(size / sizeof(struct hf_bucket)) * HF_BUCKET_FLOWS + 1;
	owner->memory = aligned_alloc(64, size);
	owner->record = calloc(owner->records, sizeof(*owner->record));
	owner->used = calloc(owner->records, sizeof(*owner->used));
	assert_non_null(owner->memory);
	assert_non_null(owner->record);
	assert_non_null(owner->used);
	memset(owner->memory, 0xa5, size);
	hf_table_init(&owner->table, owner->memory, size, key, owner->record,
		      sizeof(*owner->record));
	check(owner);
	return owner;
}

static void owner_free(struct owner *owner)
{
	free(owner->used);
	free(owner->record);
	free(owner->memory);
	free(owner);
}

/* The n-th key of a universe in which ends are shared by many, IPv4 and IPv6, none the reverse. */
static struct hf_table_key key_number(uint32_t n)
{
	uint32_t rest = n / 7, far = 10 + rest / 50000;
	struct hf_table_key key = {
		.port = { (uint16_t)(50000 + n % 7), (uint16_t)(rest % 50000) },
	};

	if (n % 2) {
		memset((uint8_t *)key.address[0] + 10, 0xff, 2);
		memset((uint8_t *)key.address[1] + 10, 0xff, 2);
		key.address[0][3] = 10 + rest % 3;
		key.address[1][3] = far;
	} else {
		key.address[0][rest % 4] = 1;
		key.address[1][0] = far;
		key.address[1][3] = 0xfe80;
	}
	return key;
}

static struct hf_table_key reverse(const struct hf_table_key *key)
{
	struct hf_table_key out = { .port = { key->port[1], key->port[0] } };

	memcpy(out.address[0], key->address[1], sizeof(out.address[0]));
	memcpy(out.address[1], key->address[0], sizeof(out.address[1]));
	return out;
}

static bool same(const struct hf_table_key *a, const struct hf_table_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The model: look at all. */
static uint32_t search(const struct owner *owner, const struct hf_table_key *key, bool *reversed)
{
	struct hf_table_key other = reverse(key);

	for (uint32_t i = 0; i < owner->records; i++) {
		if (!owner->used[i])
			continue;
		if (!same(&owner->record[i].key, key) && !same(&owner->record[i].key, &other))
			continue;
		*reversed = !same(&owner->record[i].key, key);
		return i;
	}
	return HF_NO_FLOW;
}

static uint32_t find(const struct owner *owner, const struct hf_table_key *key, bool *reversed)
{
	return hf_table_find(&owner->table, hf_table_hash(&owner->table, key), key, reversed);
}

static bool add(struct owner *owner, uint32_t flow, const struct hf_table_key *key)
{
	owner->record[flow].key = *key;
	owner->used[flow] = hf_table_add(&owner->table, hf_table_hash(&owner->table, key), flow);
	return owner->used[flow];
}

static void take_out(struct owner *owner, uint32_t flow)
{
	hf_table_remove(&owner->table, hf_table_hash(&owner->table, &owner->record[flow].key),
			flow);
	owner->used[flow] = false;
}

static void compare_many(const struct owner *owner, uint32_t universe)
{
	struct hf_table_key keys[3 * HF_TABLE_BATCH] = { 0 };
	uint32_t flow[COUNT(keys) + 1], n = between(0, COUNT(keys));
	bool reversed[COUNT(keys)], expected = false;

	for (uint32_t i = 0; i < n; i++) {
		keys[i] = key_number(between(0, universe - 1));
		if (between(0, 1))
			keys[i] = reverse(&keys[i]);
	}
	flow[n] = 4711;
	hf_table_find_all(&owner->table, keys, n, flow, reversed);
	assert_int_equal(flow[n], 4711);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t model = search(owner, &keys[i], &expected);

		assert_int_equal(flow[i], model);
		if (model != HF_NO_FLOW)
			assert_int_equal(reversed[i], expected);
	}
}

static void random_operation(struct owner *owner, uint32_t universe, uint32_t pressure)
{
	struct hf_table_key key = key_number(between(0, universe - 1)), other = reverse(&key);
	bool reversed = false, expected = false;
	uint32_t flow = find(owner, &key, &reversed);

	assert_int_equal(flow, search(owner, &key, &expected));
	assert_int_equal(reversed, expected);
	if (flow != HF_NO_FLOW) {
		assert_int_equal(find(owner, &other, &reversed), flow);
		assert_int_not_equal(reversed, expected);
		if (between(0, 99) >= pressure)
			take_out(owner, flow);
	} else if (between(0, 99) < pressure) {
		for (flow = between(0, owner->records - 1); owner->used[flow];)
			flow = (flow + 1) % owner->records;
		assert_int_equal(add(owner, flow, between(0, 1) ? &key : &other),
				 owner->table.count < owner->records - 1 || owner->used[flow]);
	}
}

static void random_operations_agree_with_a_model(void **state)
{
	static const uint32_t sizes[] = { 1, 10, 11, 50, 200 };

	(void)state;
	for (uint32_t round = 0; round < 6 * COUNT(sizes); round++) {
		uint32_t flows = sizes[round % COUNT(sizes)], universe = 2 * flows + 10;
		struct owner *owner = owner_new(flows);

		for (uint32_t i = 0; i < 3000; i++) {
			random_operation(owner, universe, i / 500 % 2 ? 20 : 80);
			check(owner);
			if (i % 10 == 0)
				compare_many(owner, universe);
		}
		owner_free(owner);
	}
}

/* Fill it, find everything, take everything out in another order. */
static void fill_and_empty(uint32_t flows)
{
	struct owner *owner = owner_new(flows);
	uint32_t places = owner->records - 1, step = places;
	struct hf_table_key key;
	bool reversed;

	for (uint32_t i = 0; i < places; i++) {
		key = key_number(i);
		assert_true(add(owner, i, &key));
		if (i + 1 == flows)
			check(owner);
	}
	assert_true(places >= flows + flows / 5);
	check(owner);
	key = key_number(places);
	assert_false(add(owner, places, &key));
	assert_int_equal(find(owner, &key, &reversed), HF_NO_FLOW);
	for (uint32_t i = 0; i < places; i++)
		assert_int_equal(find(owner, &owner->record[i].key, &reversed), i);
	while (places % step == 0 || step % 2 == 0 || step % 3 == 0) /* 12 * n: coprime to it */
		step = between(1, 2 * places) | 1;
	for (uint32_t i = 0, flow = 0; i < places; i++, flow = (flow + step) % places) {
		while (!owner->used[flow])
			flow = (flow + 1) % places;
		take_out(owner, flow);
	}
	check(owner);
	assert_int_equal(owner->table.count, 0);
	for (uint32_t i = 0; i < owner->table.buckets; i++)
		assert_int_equal(owner->table.bucket[i].overflowed, 0);
	owner_free(owner);
}

static void as_many_keys_as_asked_for_always_fit(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 1000; round++)
		fill_and_empty(between(1, 1u << between(1, 10)));
	fill_and_empty(100000);
}

static uint64_t overflows(const struct owner *owner)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < owner->table.buckets; i++)
		sum += owner->table.bucket[i].overflowed;
	return sum;
}

/* A table that saw ten times its flows is as good as a new one of the same keys. */
static void a_full_table_does_not_age(void **state)
{
	enum {
		FLOWS = 50000
	};
	struct owner *owner = owner_new(FLOWS), *young = owner_new(FLOWS);
	uint32_t next = FLOWS;
	struct hf_table_key key;

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		key = key_number(i);
		assert_true(add(owner, i, &key));
	}
	for (uint32_t i = 0; i < 10 * FLOWS; i++) {
		uint32_t flow = between(0, FLOWS - 1);

		take_out(owner, flow);
		key = key_number(next++);
		assert_true(add(owner, flow, &key));
	}
	check(owner);
	memcpy(young->table.key, owner->table.key, sizeof(young->table.key));
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_true(add(young, i, &owner->record[i].key));
	for (uint32_t i = 0; i < owner->table.buckets; i++)
		assert_int_equal(owner->table.bucket[i].overflowed,
				 young->table.bucket[i].overflowed);
	assert_in_range(overflows(owner), 1, FLOWS / 5); /* hardly more than one line a lookup */
	owner_free(owner);
	owner_free(young);
}

/* Keys whose tags are 1 or 2: in a full table nearly every lookup meets another's tag. */
static void keys_of_equal_tags_are_told_apart(void **state)
{
	struct owner *owner = owner_new(200);
	uint32_t places = owner->records - 1, next = 0;

	(void)state;
	for (uint32_t i = 0; i < places; i++) {
		struct hf_table_key key;

		do
			key = key_number(next++);
		while ((uint8_t)hf_table_hash(&owner->table, &key) > 2);
		assert_true(add(owner, i, &key));
	}
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t i = between(0, places - 1);
		struct hf_table_key own = owner->record[i].key, other = reverse(&own);
		bool reversed = false, turn = between(0, 1);

		assert_int_equal(find(owner, turn ? &other : &own, &reversed),
				 owner->used[i] ? i : HF_NO_FLOW);
		assert_int_equal(reversed, owner->used[i] && turn);
		if (between(0, 1))
			continue;
		if (owner->used[i])
			take_out(owner, i);
		else
			assert_true(add(owner, i, &own));
		check(owner);
	}
	for (uint32_t i = 0; i < 2 * places; i++) /* what is not there stays so */
		take_out(owner, i % places);
	assert_int_equal(owner->table.count, 0);
	assert_int_equal(overflows(owner), 0);
	owner_free(owner);
}

static void the_hash_knows_no_direction_but_every_bit(void **state)
{
	struct owner *owner = owner_new(1);

	(void)state;
	for (uint32_t round = 0; round < 5000; round++) {
		struct hf_table_key key, other;
		uint64_t hash;

		for (uint32_t i = 0; i < sizeof(key); i++)
			((uint8_t *)&key)[i] = (uint8_t)between(0, 255);
		if (between(0, 1)) /* IPv4, and nearly so */
			key.address[0][0] = key.address[0][1] = key.address[1][0] =
				key.address[1][1] = 0;
		if (between(0, 1))
			memset(key.address[0] + 2, 0xff, sizeof(uint32_t));
		((uint8_t *)key.address[0])[8] = ((uint8_t *)key.address[0])[9] = 0;
		if (between(0, 1))
			memcpy(key.address[1], key.address[0], between(8, 16));
		hash = hf_table_hash(&owner->table, &key);
		other = reverse(&key);
		assert_true(hf_table_hash(&owner->table, &other) == hash);
		((uint8_t *)&other)[between(0, sizeof(key) - 1)] ^= 1 << between(0, 7);
		assert_false(hf_table_hash(&owner->table, &other) == hash);
		owner->table.key[between(0, 1)] ^= UINT64_C(1) << between(0, 63);
		assert_false(hf_table_hash(&owner->table, &key) == hash);
	}
	owner_free(owner);
}

/* A connection of an end with itself has one direction. */
static void equal_ends_are_not_reversed(void **state)
{
	struct owner *owner = owner_new(10);
	struct hf_table_key key = { .address = { { 1, 2, 3, 4 }, { 1, 2, 3, 4 } },
				    .port = { 5, 5 } };
	bool reversed = true;

	(void)state;
	assert_true(add(owner, 3, &key));
	assert_int_equal(find(owner, &key, &reversed), 3);
	assert_false(reversed);
	reversed = true;
	assert_int_equal(find(owner, &(struct hf_table_key){ 0 }, &reversed), HF_NO_FLOW);
	assert_true(reversed);
	owner_free(owner);
}

static void check_finds_what_is_broken(void **state)
{
	struct owner *owner = owner_new(100);
	struct hf_bucket *bucket = owner->table.bucket;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct hf_table_key key = key_number(i);

		assert_true(add(owner, i, &key));
	}
#define BREAK(what, mend)                                       \
	do {                                                    \
		what;                                           \
		assert_non_null(hf_table_check(&owner->table)); \
		mend;                                           \
		check(owner);                                   \
	} while (0)
	BREAK(owner->table.count++, owner->table.count--);
	BREAK(bucket->overflowed++, bucket->overflowed--);
	BREAK(bucket->tag[0] ^= 0x80, bucket->tag[0] ^= 0x80);
	BREAK(bucket->flow[0] ^= 1, bucket->flow[0] ^= 1);
	BREAK(owner->record[bucket->flow[0]].key.port[0]++,
	      owner->record[bucket->flow[0]].key.port[0]--);
#undef BREAK
	owner_free(owner);
}

/* The low words of hsiphash, which is SipHash-1-3 on 64-bit Linux: its lib/siphash_kunit.c. */
static void siphash_agrees_with_the_vectors_of_linux(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const struct {
		uint32_t size, low;
	} vectors[] = {
		{ 0, 0x050fc4dc },  { 1, 0x7d57ca93 },	{ 7, 0x9bb11140 },  { 8, 0x8d299a8e },
		{ 9, 0x6c063de4 },  { 15, 0x2a519956 }, { 16, 0x7d908b66 }, { 36, 0xada26206 },
		{ 40, 0x99e41531 }, { 63, 0xb7bbb3a8 },
	};
	uint8_t data[64];

	(void)state;
	for (uint32_t i = 0; i < COUNT(data); i++)
		data[i] = (uint8_t)i;
	for (uint32_t i = 0; i < COUNT(vectors); i++)
		assert_int_equal((uint32_t)hf_siphash13(key, data, vectors[i].size),
				 vectors[i].low);
}

/* hash(bytes(range(size))) of CPython 3.11, PYTHONHASHSEED=0 (key 0) and 2026, modulo 2^64. */
static void siphash_agrees_with_cpython(void **state)
{
	static const uint64_t none[2] = { 0, 0 },
			      key[2] = { 0x7acf78c71621b6fe, 0xed62c1e85b536394 };
	static const struct {
		uint32_t size;
		uint64_t none, keyed;
	} vectors[] = {
		{ 1, 0x68a914128e01e473, 0x48664e5965ef8061 },
		{ 7, 0x2f098ab0c751325a, 0x9346d6cdd9c99869 },
		{ 8, 0xead411e67ebe2eea, 0x1e365aefee8e7508 },
		{ 15, 0xf30eb725bb91c9ea, 0x6cab2bc554193e9d },
		{ 16, 0x8972188433a5c5b7, 0x775c3704e16f6032 },
		{ 40, 0x95bc321ab41d8206, 0xba9ce09d82949026 },
		{ 64, 0x75e05fd5bbc870c6, 0x4a1ff384691f1e3a },
		{ 255, 0x5dc1f93ea135eb43, 0xa4b86faefec07c3a },
	};
	uint64_t words[32] = { 0 };
	uint8_t data[256];

	(void)state;
	for (uint32_t i = 0; i < COUNT(data); i++) {
		data[i] = (uint8_t)i;
		words[i / 8] |= (uint64_t)i << 8 * (i % 8);
	}
	for (uint32_t i = 0; i < COUNT(vectors); i++) {
		uint32_t size = vectors[i].size;

		assert_true(hf_siphash13(none, data, size) == vectors[i].none);
		assert_true(hf_siphash13(key, data, size) == vectors[i].keyed);
		if (size % 8 == 0)
			assert_true(hf_siphash13_words(key, words, size / 8) == vectors[i].keyed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_model),
		cmocka_unit_test(as_many_keys_as_asked_for_always_fit),
		cmocka_unit_test(a_full_table_does_not_age),
		cmocka_unit_test(keys_of_equal_tags_are_told_apart),
		cmocka_unit_test(the_hash_knows_no_direction_but_every_bit),
		cmocka_unit_test(equal_ends_are_not_reversed),
		cmocka_unit_test(check_finds_what_is_broken),
		cmocka_unit_test(siphash_agrees_with_the_vectors_of_linux),
		cmocka_unit_test(siphash_agrees_with_cpython),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
