/* SPDX-License-Identifier: BSD-2-Clause */
#include <core/table.h>

#include <assert.h>
#include <string.h>

#include <core/bytes.h>
#include <core/mix.h>
#include <core/siphash.h>

static_assert(sizeof(struct hf_bucket) == 64, "a bucket is a cache line");
static_assert(sizeof(struct hf_table_key) == 36, "a key has no padding");

size_t hf_table_size(uint32_t flows)
{
	return ((size_t)flows + HF_BUCKET_LOAD - 1) / HF_BUCKET_LOAD * sizeof(struct hf_bucket);
}

void hf_table_init(struct hf_table *table, void *memory, size_t size, const uint64_t key[2],
		   const void *records, size_t stride)
{
	*table = (struct hf_table){
		.bucket = memory,
		.buckets = (uint32_t)(size / sizeof(struct hf_bucket)),
		.key = { key[0], key[1] },
		.records = records,
		.stride = stride,
	};
	memset(table->bucket, 0, table->buckets * sizeof(struct hf_bucket));
}

static const struct hf_table_key *key_of(const struct hf_table *table, uint32_t flow)
{
	return (const void *)(table->records + flow * table->stride);
}

/* One end of a key, in an order of its own: it only has to be one. */
struct end {
	uint64_t address[2], port;
};

static struct end end_of(const struct hf_table_key *key, unsigned int side)
{
	struct end end = { .port = key->port[side] };

	memcpy(end.address, key->address[side], sizeof(end.address));
	return end;
}

static bool end_before(const struct end *a, const struct end *b)
{
	return (a->address[0] < b->address[0]) |
	       ((a->address[0] == b->address[0]) &
		((a->address[1] < b->address[1]) |
		 ((a->address[1] == b->address[1]) & (a->port < b->port))));
}

static uint64_t end_differs(const struct end *a, const struct end *b)
{
	return (a->address[0] ^ b->address[0]) | (a->address[1] ^ b->address[1]) |
	       (a->port ^ b->port);
}

/* Exchange two words or not. Which end comes first is a coin toss: no branch on it. */
static void swap_if(bool swap, uint64_t *a, uint64_t *b)
{
	uint64_t differs = (*a ^ *b) & (0 - (uint64_t)swap);

	*a ^= differs;
	*b ^= differs;
}

static uint64_t hash_any(const struct hf_table *table, const struct hf_table_key *key)
{
	struct end a = end_of(key, 0), b = end_of(key, 1);
	bool swap = end_before(&b, &a);

	swap_if(swap, &a.address[0], &b.address[0]);
	swap_if(swap, &a.address[1], &b.address[1]);
	swap_if(swap, &a.port, &b.port);
	uint64_t words[5] = { a.address[0], a.address[1], b.address[0], b.address[1],
			      a.port | b.port << 16 };
	return hf_siphash13_words(table->key, words, sizeof(words) / sizeof(*words));
}

/* Without what all IPv4 addresses share: two words, where all of a key would be five. */
static uint64_t hash_ipv4(const struct hf_table *table, const struct hf_table_key *key)
{
	uint64_t a = (uint64_t)key->address[0][3] << 16 | key->port[0];
	uint64_t b = (uint64_t)key->address[1][3] << 16 | key->port[1];

	swap_if(b < a, &a, &b);
	return hf_siphash13_words(table->key, (uint64_t[2]){ a, b }, 2);
}

static bool is_ipv4(const struct hf_table_key *key)
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return !memcmp(key->address[0], prefix, sizeof(prefix)) &&
	       !memcmp(key->address[1], prefix, sizeof(prefix));
}

uint64_t hf_table_hash(const struct hf_table *table, const struct hf_table_key *key)
{
	return is_ipv4(key) ? hash_ipv4(table, key) : hash_any(table, key);
}

static uint32_t home_of(const struct hf_table *table, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * table->buckets >> 32);
}

static uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)hash ? (uint8_t)hash : 1;
}

static uint32_t next_of(const struct hf_table *table, uint32_t bucket)
{
	return bucket + 1 < table->buckets ? bucket + 1 : 0;
}

/* Bit i: byte i of the word is 0. Exact: a free place must not pass for one with tag 1. */
static uint32_t zero_bytes(uint64_t word)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	uint64_t zero = ~(((word & low) + low) | word | low);

	return (uint32_t)(((zero >> 7) * 0x0102040810204080) >> 56);
}

/* Four tags as a word, whatever the byte order; in a form that compilers know for one load. */
static uint64_t four_tags(const uint8_t *tag)
{
	return (uint64_t)tag[0] | (uint64_t)tag[1] << 8 | (uint64_t)tag[2] << 16 |
	       (uint64_t)tag[3] << 24;
}

/* Bit i: place i of the bucket has this tag. */
static uint32_t places_with(const struct hf_bucket *bucket, uint8_t tag)
{
	uint64_t tags = tag * UINT64_C(0x0101010101010101);
	uint64_t first = four_tags(bucket->tag) | four_tags(bucket->tag + 4) << 32;
	uint64_t last = four_tags(bucket->tag + 8) | ~tags << 32;

	return zero_bytes(first ^ tags) | zero_bytes(last ^ tags) << 8;
}

/* 1 if the word is not 0: of a comparison compilers like to make a branch. */
static uint64_t not_zero(uint64_t word)
{
	return (word | (0 - word)) >> 63;
}

/* Is it the flow's key, in either order? Which of them is a coin toss again. */
static bool match(const struct hf_table *table, uint32_t flow, const struct hf_table_key *key,
		  bool *reversed)
{
	const struct hf_table_key *own = key_of(table, flow);
	struct end a = end_of(key, 0), b = end_of(key, 1), c = end_of(own, 0), d = end_of(own, 1);
	uint64_t differs = not_zero(end_differs(&a, &c) | end_differs(&b, &d));
	uint64_t differs_reversed = not_zero(end_differs(&a, &d) | end_differs(&b, &c));

	if (differs & differs_reversed)
		return false;
	*reversed = differs;
	return true;
}

uint32_t hf_table_find(const struct hf_table *table, uint64_t hash, const struct hf_table_key *key,
		       bool *reversed)
{
	for (uint32_t at = home_of(table, hash);; at = next_of(table, at)) {
		const struct hf_bucket *bucket = &table->bucket[at];
		uint32_t places = places_with(bucket, tag_of(hash));

		for (; places; places &= places - 1) {
			uint32_t flow = bucket->flow[__builtin_ctz(places)] & ~HF_AWAY;

			if (match(table, flow, key, reversed))
				return flow;
		}
		if (!bucket->overflowed)
			return HF_NO_FLOW;
	}
}

/* Into a free place of its own bucket, or of one after it. */
static void bucket_add(struct hf_bucket *bucket, uint32_t place, uint64_t hash, uint32_t flow,
		       bool away)
{
	bucket->flow[place] = flow | (away ? HF_AWAY : 0);
	bucket->tag[place] = tag_of(hash);
}

bool hf_table_add(struct hf_table *table, uint64_t hash, uint32_t flow)
{
	uint32_t home = home_of(table, hash), at = home, places;

	if (table->count == (uint64_t)table->buckets * HF_BUCKET_FLOWS)
		return false;
	while (!(places = places_with(&table->bucket[at], 0))) {
		table->bucket[at].overflowed++;
		at = next_of(table, at);
	}
	bucket_add(&table->bucket[at], (uint32_t)__builtin_ctz(places), hash, flow, at != home);
	table->count++;
	return true;
}

/* Where in the bucket the flow is; HF_BUCKET_FLOWS = not there. */
static uint32_t place_in(const struct hf_bucket *bucket, uint8_t tag, uint32_t flow)
{
	uint32_t places = places_with(bucket, tag);

	for (; places; places &= places - 1) {
		uint32_t place = (uint32_t)__builtin_ctz(places);

		if ((bucket->flow[place] & ~HF_AWAY) == flow)
			return place;
	}
	return HF_BUCKET_FLOWS;
}

/* An entry goes from a place to one before it, or for good: those between were passed by. */
static void vacate(struct hf_table *table, uint32_t since, uint32_t at, uint32_t place)
{
	table->bucket[at].tag[place] = 0;
	for (; since != at; since = next_of(table, since))
		table->bucket[since].overflowed--;
}

/* An entry of bucket `at` that passed `hole` by moves there; false if there is none. */
static bool pull(struct hf_table *table, uint32_t hole, uint32_t at)
{
	struct hf_bucket *to = &table->bucket[hole];
	const struct hf_bucket *from = &table->bucket[at];

	for (uint32_t place = 0; place < HF_BUCKET_FLOWS; place++) {
		uint32_t flow = from->flow[place], home;
		uint64_t hash;

		if (!from->tag[place] || !(flow & HF_AWAY))
			continue;
		hash = hf_table_hash(table, key_of(table, flow & ~HF_AWAY));
		home = home_of(table, hash);
		if (at - home < at - hole) /* forward, modulo 2^32: right on a ring, too */
			continue;
		bucket_add(to, (uint32_t)__builtin_ctz(places_with(to, 0)), hash, flow & ~HF_AWAY,
			   home != hole);
		vacate(table, hole, at, place);
		return true;
	}
	return false;
}

void hf_table_remove(struct hf_table *table, uint64_t hash, uint32_t flow)
{
	uint32_t home = home_of(table, hash), hole = home, place;

	while ((place = place_in(&table->bucket[hole], tag_of(hash), flow)) == HF_BUCKET_FLOWS) {
		if (!table->bucket[hole].overflowed)
			return;
		hole = next_of(table, hole);
	}
	vacate(table, home, hole, place);
	table->count--;
	for (uint32_t at = next_of(table, hole); table->bucket[hole].overflowed;
	     at = next_of(table, at)) {
		if (pull(table, hole, at))
			hole = at;
	}
}

/* The bucket has come: which flow it may be, and fetch its record; HF_NO_FLOW if none of it. */
static uint32_t guess(const struct hf_table *table, uint32_t at, uint64_t hash)
{
	const struct hf_bucket *bucket = &table->bucket[at];
	uint32_t places = places_with(bucket, tag_of(hash)), flow;

	if (!places) {
		if (bucket->overflowed)
			__builtin_prefetch(&table->bucket[next_of(table, at)]);
		return HF_NO_FLOW;
	}
	flow = bucket->flow[__builtin_ctz(places)] & ~HF_AWAY;
	hf_prefetch(key_of(table, flow), table->stride);
	return flow;
}

/* Each step for all of them, so that what the next one needs has come by then. */
static void find_batch(const struct hf_table *table, const struct hf_table_key *keys, size_t n,
		       uint32_t *flow, bool *reversed)
{
	uint64_t hash[HF_TABLE_BATCH];
	uint32_t home[HF_TABLE_BATCH];

	for (size_t i = 0; i < n; i++) {
		hash[i] = hf_table_hash(table, &keys[i]);
		home[i] = home_of(table, hash[i]);
		__builtin_prefetch(&table->bucket[home[i]]);
	}
	for (size_t i = 0; i < n; i++)
		flow[i] = guess(table, home[i], hash[i]);
	for (size_t i = 0; i < n; i++) {
		if (flow[i] == HF_NO_FLOW && table->bucket[home[i]].overflowed)
			flow[i] = guess(table, next_of(table, home[i]), hash[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (flow[i] == HF_NO_FLOW || !match(table, flow[i], &keys[i], &reversed[i]))
			flow[i] = hf_table_find(table, hash[i], &keys[i], &reversed[i]);
	}
}

void hf_table_find_all(const struct hf_table *table, const struct hf_table_key *keys, size_t n,
		       uint32_t *flow, bool *reversed)
{
	for (size_t at = 0; at < n; at += HF_TABLE_BATCH)
		find_batch(table, keys + at, n - at < HF_TABLE_BATCH ? n - at : HF_TABLE_BATCH,
			   flow + at, reversed + at);
}

/*
 * What the overflow counters should be, as a fingerprint: each bucket's mix as often as an entry
 * passed it by. Adds one entry; false if its hash does not lead to where it is.
 */
static bool check_entry(const struct hf_table *table, uint32_t at, uint32_t place,
			uint64_t *fingerprint)
{
	uint32_t flow = table->bucket[at].flow[place];
	const struct hf_table_key *key = key_of(table, flow & ~HF_AWAY);
	uint64_t hash = hf_table_hash(table, key);
	bool reversed;

	if (table->bucket[at].tag[place] != tag_of(hash))
		return false;
	if (!(flow & HF_AWAY) != (home_of(table, hash) == at))
		return false;
	for (uint32_t home = home_of(table, hash); home != at; home = next_of(table, home))
		*fingerprint += hf_mix(home);
	return hf_table_find(table, hash, key, &reversed) == (flow & ~HF_AWAY);
}

const char *hf_table_check(const struct hf_table *table)
{
	uint64_t fingerprint = 0, count = 0;

	for (uint32_t at = 0; at < table->buckets; at++) {
		const struct hf_bucket *bucket = &table->bucket[at];

		for (uint32_t place = 0; place < HF_BUCKET_FLOWS; place++) {
			if (!bucket->tag[place])
				continue;
			count++;
			if (!check_entry(table, at, place, &fingerprint))
				return "an entry is not found by its key";
		}
		fingerprint -= bucket->overflowed * hf_mix(at);
		if (bucket->overflowed && places_with(bucket, 0))
			return "an entry passed room by";
	}
	if (count != table->count)
		return "the entries are miscounted";
	return fingerprint ? "an overflow is miscounted" : NULL;
}
