/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mix.h"

#define ROOM 1024 /* slots to begin with, a power of two */

/* Where the cookie is, or would go. */
static struct hf_owned *slot_of(const struct hf_owners *owners, uint64_t cookie)
{
	size_t i = (size_t)hf_mix(cookie);

	for (;; i++) {
		struct hf_owned *slot = &owners->slot[i & (owners->room - 1)];

		if (!slot->cookie || slot->cookie == cookie)
			return slot;
	}
}

/* At most three quarters of the slots are taken. */
static int make_room(struct hf_owners *owners)
{
	struct hf_owners grown = *owners;

	if (4 * (owners->count + 1) <= 3 * owners->room)
		return 0;
	grown.room = owners->room ? 4 * owners->room : ROOM;
	grown.slot = calloc(grown.room, sizeof(*grown.slot));
	if (!grown.slot)
		return -ENOMEM;
	for (size_t i = 0; i < owners->room; i++)
		if (owners->slot[i].cookie)
			*slot_of(&grown, owners->slot[i].cookie) = owners->slot[i];
	free(owners->slot);
	*owners = grown;
	return 0;
}

/* It becomes the last one, unless it is already. */
static int note_holder(struct hf_owners *owners, const struct hf_holder *holder)
{
	struct hf_holder *grown;

	if (owners->holders && owners->holder[owners->holders - 1].pid == holder->pid)
		return 0;
	if (owners->holders == owners->holders_room) {
		size_t room = owners->holders_room ? 2 * owners->holders_room : 64;

		grown = reallocarray(owners->holder, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		owners->holder = grown;
		owners->holders_room = room;
	}
	owners->holder[owners->holders++] = *holder;
	return 0;
}

int hf_owners_add(struct hf_owners *owners, uint64_t cookie, const struct hf_holder *holder)
{
	struct hf_owned *slot;

	if (make_room(owners) || note_holder(owners, holder))
		return -ENOMEM;
	slot = slot_of(owners, cookie);
	if (slot->cookie && owners->holder[slot->holder].pid <= holder->pid)
		return 0;
	owners->count += !slot->cookie;
	*slot = (struct hf_owned){ cookie, owners->holders - 1 };
	return 0;
}

const struct hf_holder *hf_owners_find(const struct hf_owners *owners, uint64_t cookie)
{
	const struct hf_owned *slot;

	if (!owners->room || !cookie)
		return NULL;
	slot = slot_of(owners, cookie);
	return slot->cookie ? &owners->holder[slot->holder] : NULL;
}

void hf_owners_free(struct hf_owners *owners)
{
	free(owners->slot);
	free(owners->holder);
	*owners = (struct hf_owners){ 0 };
}

void hf_owners_empty(struct hf_owners *owners)
{
	if (owners->room)
		memset(owners->slot, 0, owners->room * sizeof(*owners->slot));
	owners->count = owners->holders = 0;
}
