/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows by their two endpoints: open addressing over cache-line buckets of tags and numbers.
 *
 * Theory of operation. A bucket is one 64-byte line of 12 one-byte tags and 12 flow numbers. A
 * key's hash gives bucket and tag; a full bucket overflows into the next one and counts that: how
 * many entries passed it by. So a search knows where to stop. A removal fills the place left free
 * with an entry that had passed it by, so that no bucket that was passed by has room, and how
 * far entries are from home depends on the keys alone, not on what came and went before. One
 * bucket at least is never passed by, the one filled last, so that every search ends. The keys
 * themselves stand in the flows' records: a lookup is two misses, which overlap when many are
 * looked up at once. Both orders of the endpoints give the same hash. SipHash-1-3 with a secret
 * key: endpoints come from the wire.
 */
#ifndef HF_CORE_TABLE_H
#define HF_CORE_TABLE_H

#include <holdfast/engine.h>

#define HF_BUCKET_FLOWS 12
#define HF_BUCKET_LOAD 10 /* of them are used when the table is as full as it was made for */
#define HF_TABLE_BATCH 32 /* lookups that overlap */

#define HF_AWAY (UINT32_C(1) << 31) /* set in the number of a flow that passed its own bucket by */

struct hf_bucket {
	uint32_t flow[HF_BUCKET_FLOWS];
	uint8_t tag[HF_BUCKET_FLOWS]; /* 0 = free */
	uint32_t overflowed; /* entries that passed this bucket by, it being full, on from theirs */
};

/* A key as a record holds it: 36 bytes, no padding; the family lies in the addresses. */
struct hf_table_key {
	uint32_t address[2][4]; /* by side, network order */
	uint16_t port[2];
};

struct hf_table {
	struct hf_bucket *bucket;
	uint32_t buckets;
	uint32_t count;
	uint64_t key[2];
	/* where flow n's key is: records + n * stride */
	const uint8_t *records;
	size_t stride;
};

/*
 * Bytes in which so many keys always fit, whatever they are: 6.4 per key. A fifth more fits as
 * well, at growing cost. flows: 1..2^31.
 */
size_t hf_table_size(uint32_t flows);

/* An empty table; memory: 64-byte aligned, at least hf_table_size(1), zeroed or not. */
void hf_table_init(struct hf_table *table, void *memory, size_t size, const uint64_t key[2],
		   const void *records, size_t stride);

uint64_t hf_table_hash(const struct hf_table *table, const struct hf_table_key *key);

/*
 * By hash and key, in either order; *reversed: the key's ends stand the other way round. A key
 * whose ends are equal is not reversed. HF_NO_FLOW, and *reversed untouched, if it is not there.
 */
uint32_t hf_table_find(const struct hf_table *table, uint64_t hash, const struct hf_table_key *key,
		       bool *reversed);

/* A key that is not there yet; false if no bucket has room (the table is full). flow: < 2^31. */
bool hf_table_add(struct hf_table *table, uint64_t hash, uint32_t flow);

/*
 * The hash it was added with; nothing happens if it is not there. Its record is not looked at;
 * those of other flows are, and must hold the keys they were added with.
 */
void hf_table_remove(struct hf_table *table, uint64_t hash, uint32_t flow);

/*
 * n of them at once, flow[i] = HF_NO_FLOW where there is none; the records found are on their way
 * into the cache, all stride bytes of them. Best by HF_TABLE_BATCH: more are done in turn.
 */
void hf_table_find_all(const struct hf_table *table, const struct hf_table_key *keys, size_t n,
		       uint32_t *flow, bool *reversed);

/* NULL, or which invariant is broken: counts, overflows, every key found by its hash. */
const char *hf_table_check(const struct hf_table *table);

#endif
