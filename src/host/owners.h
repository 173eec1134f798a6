/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds which socket, as a pass over open files told it. */
#ifndef HF_HOST_OWNERS_H
#define HF_HOST_OWNERS_H

#include <stddef.h>
#include <stdint.h>

#include "host/holders.h"

/* Zeroed, it is empty. */
struct hf_owners {
	struct hf_owned {
		uint64_t cookie;
		size_t holder;
	} * slot; /* a hash table, cookie 0 = free */
	size_t room, count;
	struct hf_holder *holder; /* in the order in which they were told */
	size_t holders_room, holders;
};

/*
 * The socket of this cookie (not 0) is held by that process. All sockets of a process are told in
 * one go; of several processes that hold one the lowest counts. 0 or -ENOMEM.
 */
int hf_owners_add(struct hf_owners *owners, uint64_t cookie, const struct hf_holder *holder);

/* NULL: nobody was told to hold it. Valid until the next hf_owners_add. */
const struct hf_holder *hf_owners_find(const struct hf_owners *owners, uint64_t cookie);

/* Forget all of it: for good, or to be told anew. */
void hf_owners_free(struct hf_owners *owners);
void hf_owners_empty(struct hf_owners *owners);

#endif
