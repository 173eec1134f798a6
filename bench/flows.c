/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows [N...]: what it costs to find a flow by its endpoints among N (1000000 and 10000000), in
 * our table and in uthash, and how much memory a flow takes.
 *
 * Flows are looked up in random order, half of them from their other end (for uthash, which does
 * not know that, as they are), and what is found is written to: time, seq and ack of a segment.
 * The keys to look up are read in sequence, as from a ring of packets.
 *
 * Each operation prints a line, `flows N=1000000 impl=holdfast op=batch ns=43.2`:
 *	add	a flow that is not there yet
 *	batch	32 at a time are hashed, looked up and updated (ours only)
 *	single	one after the other is
 *	absent	32 at a time are looked up that are not there (ours only)
 *	remove
 * in processor time, the best of several rounds; then `flows N=1000000 against=uthash ratio=7.8`,
 * which is uthash's single by our batch, and `flows N=1000000 impl=holdfast bytes_per_flow=95.6`:
 * record, table and wheel. For uthash: record and table, without what malloc adds.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <uthash.h>

#include <core/mix.h>
#include <core/table.h>
#include <core/wheel.h>

#define LOOKUPS 2000000
#define ROUNDS 5

struct record {
	struct hf_table_key key;
	struct {
		uint32_t heard_ms, seq, ack, rest[2];
	} end[2];
	uint32_t segments, rest;
};
_Static_assert(sizeof(struct record) == 84, "a record as the engine's");

struct hashed {
	struct record record;
	UT_hash_handle hh;
};

static struct hf_table table;
static struct record *records;
static struct hashed *hashed, *head;
static struct hf_table_key *asked; /* LOOKUPS of them */

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Zeroed and touched, in huge pages if the kernel gives them. */
static void *allocate(size_t size)
{
	size_t huge = 2u << 20, all = (size + huge - 1) / huge * huge;
	void *memory = aligned_alloc(huge, all);

	if (!memory)
		err(1, "%zu bytes", all);
	madvise(memory, all, MADV_HUGEPAGE);
	memset(memory, 0, all);
	return memory;
}

/* The i-th flow's endpoints: IPv4, clients anywhere, few servers. */
static struct hf_table_key key_number(uint32_t i)
{
	uint64_t word = hf_mix(i);
	struct hf_table_key key = {
		.address = { { 0, 0, 0xffff0000, i }, { 0, 0, 0xffff0000, (uint32_t)word & 255 } },
		.port = { (uint16_t)(word >> 16), 443 },
	};

	return key;
}

static void reverse(struct hf_table_key *key)
{
	struct hf_table_key other = { .port = { key->port[1], key->port[0] } };

	memcpy(other.address[0], key->address[1], sizeof(other.address[0]));
	memcpy(other.address[1], key->address[0], sizeof(other.address[1]));
	*key = other;
}

/* Keys from number `from` on, n of them, in random order. */
static void ask(uint32_t from, uint32_t n, uint32_t round, bool both_ways)
{
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		uint64_t word = hf_mix((uint64_t)round << 32 | i);

		asked[i] = key_number(from + (uint32_t)(word % n));
		if (both_ways && word >> 63)
			reverse(&asked[i]);
	}
}

static void update(struct record *record, uint32_t i, bool reversed)
{
	record->end[reversed].heard_ms = i;
	record->end[reversed].seq = i + 1;
	record->end[!reversed].ack = i + 2;
	record->segments++;
}

static uint32_t find_batched(void)
{
	uint32_t flow[HF_TABLE_BATCH], found = 0;
	bool reversed[HF_TABLE_BATCH];

	for (uint32_t i = 0; i < LOOKUPS; i += HF_TABLE_BATCH) {
		hf_table_find_all(&table, asked + i, HF_TABLE_BATCH, flow, reversed);
		for (uint32_t k = 0; k < HF_TABLE_BATCH; k++) {
			if (flow[k] == HF_NO_FLOW)
				continue;
			update(&records[flow[k]], i, reversed[k]);
			found++;
		}
	}
	return found;
}

static uint32_t find_singly(void)
{
	uint32_t found = 0;
	bool reversed;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		uint32_t flow = hf_table_find(&table, hf_table_hash(&table, &asked[i]), &asked[i],
					      &reversed);

		if (flow == HF_NO_FLOW)
			continue;
		update(&records[flow], i, reversed);
		found++;
	}
	return found;
}

static uint32_t find_hashed(void)
{
	struct hashed *it;
	uint32_t found = 0;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		HASH_FIND(hh, head, &asked[i], sizeof(asked[i]), it);
		if (!it)
			continue;
		update(&it->record, i, i & 1);
		found++;
	}
	return found;
}

static void tell(uint32_t n, const char *name, const char *operation, double ns)
{
	printf("flows N=%u impl=%s op=%s ns=%.1f\n", n, name, operation, ns);
	fflush(stdout);
}

/* The best of several rounds over keys from..from + n; each must find all of them, or none. */
static double time_finds(uint32_t from, uint32_t n, uint32_t (*find)(void), bool both_ways,
			 uint32_t expected)
{
	double best = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		double since;

		ask(from, n, round, both_ways);
		since = cpu_ns();
		if (find() != expected)
			errx(1, "not what was to be found");
		since = cpu_ns() - since;
		if (!round || since < best)
			best = since;
	}
	return best / LOOKUPS;
}

static double time_ours(uint32_t n)
{
	static const uint64_t key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
	size_t size = hf_table_size(n);
	void *memory = allocate(size);
	double since, batch;

	records = allocate(n * sizeof(*records));
	hf_table_init(&table, memory, size, key, records, sizeof(*records));
	since = cpu_ns();
	for (uint32_t i = 0; i < n; i++) {
		records[i].key = key_number(i);
		if (!hf_table_add(&table, hf_table_hash(&table, &records[i].key), i))
			errx(1, "the table is full");
	}
	tell(n, "holdfast", "add", (cpu_ns() - since) / n);
	batch = time_finds(0, n, find_batched, true, LOOKUPS);
	tell(n, "holdfast", "batch", batch);
	tell(n, "holdfast", "single", time_finds(0, n, find_singly, true, LOOKUPS));
	tell(n, "holdfast", "absent", time_finds(n, n, find_batched, true, 0));
	since = cpu_ns();
	for (uint32_t i = 0; i < n; i++)
		hf_table_remove(&table, hf_table_hash(&table, &records[i].key), i);
	tell(n, "holdfast", "remove", (cpu_ns() - since) / n);
	printf("flows N=%u impl=holdfast bytes_per_flow=%.2f\n", n,
	       (double)(n * sizeof(*records) + size + hf_wheel_size(n) + sizeof(table) +
			sizeof(struct hf_wheel)) /
		       n);
	free(records);
	free(memory);
	return batch;
}

static double time_uthash(uint32_t n)
{
	double since, single;
	size_t size;

	hashed = allocate(n * sizeof(*hashed));
	since = cpu_ns();
	for (uint32_t i = 0; i < n; i++) {
		hashed[i].record.key = key_number(i);
		HASH_ADD(hh, head, record.key, sizeof(struct hf_table_key), &hashed[i]);
	}
	tell(n, "uthash", "add", (cpu_ns() - since) / n);
	single = time_finds(0, n, find_hashed, false, LOOKUPS);
	tell(n, "uthash", "single", single);
	size = n * sizeof(*hashed) + HASH_OVERHEAD(hh, head) - n * sizeof(UT_hash_handle);
	printf("flows N=%u impl=uthash bytes_per_flow=%.2f\n", n, (double)size / n);
	since = cpu_ns();
	for (uint32_t i = 0; i < n; i++)
		HASH_DEL(head, &hashed[i]);
	tell(n, "uthash", "remove", (cpu_ns() - since) / n);
	free(hashed);
	return single;
}

static void run(uint32_t n)
{
	double ours = time_ours(n);

	printf("flows N=%u against=uthash ratio=%.1f\n", n, time_uthash(n) / ours);
}

int main(int count, char **words)
{
	static const uint32_t usual[] = { 1000000, 10000000 };

	asked = allocate(LOOKUPS * sizeof(*asked));
	for (int i = 1; i < count; i++)
		run((uint32_t)strtoul(words[i], NULL, 0));
	for (uint32_t i = 0; count < 2 && i < sizeof(usual) / sizeof(*usual); i++)
		run(usual[i]);
	return 0;
}
