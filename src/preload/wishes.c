/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preload/wishes.h"

#include <stdatomic.h>

#define ENTRIES 4096

/* A version that is odd, or another one afterwards, tells who reads that somebody wrote meanwhile. */
static struct {
	_Atomic uint64_t cookie; /* 0 = empty */
	_Atomic uint64_t timers;
	_Atomic uint32_t timeout_ms;
	_Atomic uint32_t version;
} table[ENTRIES];

/* What no socket option takes is a sysctl's, and only needs to stay that large. */
static uint64_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

static uint64_t pack(const struct hf_wishes *wishes)
{
	return at_most(wishes->settings.idle, 0xffff) |
	       at_most(wishes->settings.interval, 0xffff) << 16 |
	       at_most(wishes->settings.count, 0xff) << 32 |
	       (uint64_t)(wishes->settings.keepalive & 1) << 40 | (uint64_t)wishes->finished << 41;
}

static void unpack(uint64_t timers, struct hf_wishes *out)
{
	out->settings.idle = timers & 0xffff;
	out->settings.interval = timers >> 16 & 0xffff;
	out->settings.count = timers >> 32 & 0xff;
	out->settings.keepalive = timers >> 40 & 1;
	out->finished = timers >> 41 & 1;
}

bool hf_wishes_recall(int fd, uint64_t cookie, struct hf_wishes *out)
{
	unsigned int i = (unsigned int)fd % ENTRIES;
	uint32_t version = table[i].version, timeout_ms;
	uint64_t timers;

	if (version % 2 || table[i].cookie != cookie)
		return false;
	timers = table[i].timers;
	timeout_ms = table[i].timeout_ms;
	if (table[i].version != version)
		return false;
	unpack(timers, out);
	out->settings.user_timeout_ms = timeout_ms;
	return true;
}

/* Whoever meets another writer gives way: a signal handler must not wait for what it interrupted. */
void hf_wishes_keep(int fd, uint64_t cookie, const struct hf_wishes *wishes)
{
	unsigned int i = (unsigned int)fd % ENTRIES;
	uint32_t version = table[i].version;

	if (version % 2 ||
	    !atomic_compare_exchange_strong(&table[i].version, &version, version + 1))
		return;
	table[i].cookie = cookie;
	table[i].timers = pack(wishes);
	table[i].timeout_ms = wishes->settings.user_timeout_ms;
	table[i].version = version + 2;
}
