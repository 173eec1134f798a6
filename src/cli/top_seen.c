/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections lie packed in one array; slots finds them by cookie (open addressing, linear
 * probing). What a pass did not see is taken out at its end, and the slots are made anew.
 */
#include "cli/top_seen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUSPICIOUS 2   /* one may be on its way at any moment */
#define LEAST_SLOTS 64 /* a power of two */

enum known_flag {
	OWNED = 1 << 0,
	RESENDING = 1 << 1, /* unanswered are retransmissions */
	SUSPECTED = 1 << 2,
};

struct hf_top_seen {
	struct hf_top_known *known;
	size_t count, room;
	uint32_t *slot; /* index + 1, 0 = empty */
	size_t slots;	/* a power of two, at least twice the count */
	uint32_t pass;
	uint64_t unclaimed; /* timeouts of the last pass that no death accounts for yet */
	hf_top_change_fn fn;
	void *arg;
};
static_assert(sizeof(struct hf_top_known) == 80, "what is kept of 100 000 is 8 MB");

const char *hf_top_change_name(enum hf_top_change change)
{
	static const char *const names[] = {
		[HF_TOP_APPEARED] = "appeared", [HF_TOP_GONE] = "gone",
		[HF_TOP_SUSPECTED] = "probing", [HF_TOP_ANSWERED] = "answered",
		[HF_TOP_DIED] = "dead",
	};

	static_assert(sizeof(names) / sizeof(*names) == HF_TOP_CHANGES, "a change has no name");
	return names[change];
}

/* Where the cookie is, or would be. Cookies are counted up: multiplying spreads them. */
static size_t place_of(const struct hf_top_seen *seen, uint64_t cookie)
{
	size_t mask = seen->slots - 1;
	size_t place = (size_t)(cookie * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (seen->slot[place] && seen->known[seen->slot[place] - 1].cookie != cookie)
		place = (place + 1) & mask;
	return place;
}

static void fill_slots(struct hf_top_seen *seen)
{
	memset(seen->slot, 0, seen->slots * sizeof(*seen->slot));
	for (size_t i = 0; i < seen->count; i++)
		seen->slot[place_of(seen, seen->known[i].cookie)] = (uint32_t)i + 1;
}

static int grow(struct hf_top_seen *seen)
{
	size_t slots = seen->slots ? 2 * seen->slots : LEAST_SLOTS;
	struct hf_top_known *known = realloc(seen->known, slots / 2 * sizeof(*known));
	uint32_t *slot;

	if (!known)
		return -ENOMEM;
	seen->known = known;
	slot = realloc(seen->slot, slots * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	seen->slot = slot;
	seen->slots = slots;
	seen->room = slots / 2;
	fill_slots(seen);
	return 0;
}

struct hf_top_seen *hf_top_seen_new(hf_top_change_fn fn, void *arg)
{
	struct hf_top_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return NULL;
	seen->fn = fn;
	seen->arg = arg;
	if (grow(seen))
		hf_top_seen_free(&seen);
	return seen;
}

void hf_top_seen_free(struct hf_top_seen **slot)
{
	if (!*slot)
		return;
	free((*slot)->known);
	free((*slot)->slot);
	free(*slot);
	*slot = NULL;
}

static uint8_t unanswered_of(const struct hf_record *record)
{
	uint32_t number = record->retransmits ? record->retransmits : record->unanswered;

	if (!(HF_STATES_JUDGED >> record->state & 1))
		return 0;
	return number < UINT8_MAX ? (uint8_t)number : UINT8_MAX;
}

static void update(const struct hf_top_seen *seen, struct hf_top_known *known,
		   const struct hf_record *record)
{
	known->pass = seen->pass;
	known->state = record->state;
	known->unanswered = unanswered_of(record);
	known->silent_ms = record->silent_ms;
	known->flags &= SUSPECTED;
	if (known->unanswered && record->retransmits)
		known->flags |= RESENDING;
	if (!(record->flags & HF_RECORD_OWNER))
		return;
	known->flags |= OWNED;
	known->pid = record->pid;
	memcpy(known->process, record->process, sizeof(known->process));
}

static void suspect(const struct hf_top_seen *seen, struct hf_top_known *known)
{
	if (known->unanswered >= SUSPICIOUS && !(known->flags & SUSPECTED)) {
		known->flags |= SUSPECTED;
		seen->fn(seen->arg, HF_TOP_SUSPECTED, known);
	} else if (!known->unanswered && (known->flags & SUSPECTED)) {
		known->flags &= (uint8_t)~SUSPECTED;
		seen->fn(seen->arg, HF_TOP_ANSWERED, known);
	}
}

static int enter(struct hf_top_seen *seen, const struct hf_record *record)
{
	struct hf_top_known *known;
	int error = seen->count == seen->room ? grow(seen) : 0;

	if (error)
		return error;
	seen->slot[place_of(seen, record->cookie)] = (uint32_t)seen->count + 1;
	known = &seen->known[seen->count++];
	*known = (struct hf_top_known){
		.cookie = record->cookie,
		.local = record->local,
		.remote = record->remote,
		.local_port = record->local_port,
		.remote_port = record->remote_port,
		.netns = record->netns,
		.family = record->family,
	};
	update(seen, known, record);
	if (seen->pass > 1)
		seen->fn(seen->arg, HF_TOP_APPEARED, known);
	suspect(seen, known);
	return 0;
}

void hf_top_seen_begin(struct hf_top_seen *seen)
{
	seen->pass++;
}

int hf_top_seen_record(struct hf_top_seen *seen, const struct hf_record *record, bool enters)
{
	struct hf_top_known *known;
	uint32_t index;

	if (!(record->flags & HF_RECORD_FULL) || !record->cookie)
		return 0;
	index = seen->slot[place_of(seen, record->cookie)];
	if (!index)
		return enters ? enter(seen, record) : 0;
	known = &seen->known[index - 1];
	update(seen, known, record);
	suspect(seen, known);
	return 0;
}

void hf_top_seen_end(struct hf_top_seen *seen, uint64_t timeouts)
{
	/* One given up right after a pass has seen it is missed by the next one only. */
	uint64_t unclaimed = seen->unclaimed + timeouts;
	size_t left = 0;

	for (size_t i = 0; i < seen->count; i++) {
		const struct hf_top_known *known = &seen->known[i];
		bool died = known->unanswered && unclaimed;

		if (known->pass == seen->pass) {
			seen->known[left++] = *known;
			continue;
		}
		unclaimed -= died;
		seen->fn(seen->arg, died ? HF_TOP_DIED : HF_TOP_GONE, known);
	}
	seen->unclaimed = unclaimed < timeouts ? unclaimed : timeouts;
	if (left == seen->count)
		return;
	seen->count = left;
	fill_slots(seen);
}

void hf_top_known_record(const struct hf_top_known *known, bool died, struct hf_record *out)
{
	*out = (struct hf_record){
		.cookie = known->cookie,
		.local = known->local,
		.remote = known->remote,
		.local_port = known->local_port,
		.remote_port = known->remote_port,
		.family = known->family,
		.state = died ? HF_CLOSE : known->state,
		.flags = HF_RECORD_FULL | HF_RECORD_HIDDEN,
		.netns = known->netns,
		.pid = known->pid,
		.silent_ms = known->silent_ms,
		.next_probe_ms = HF_NO_PROBE,
	};
	memcpy(out->process, known->process, sizeof(out->process));
	if (known->flags & OWNED)
		out->flags |= HF_RECORD_OWNER;
	if (known->flags & RESENDING)
		out->retransmits = known->unanswered;
	else
		out->unanswered = known->unanswered;
}
