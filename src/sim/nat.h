/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NATs and stateful firewalls: a section's boxes, each with a table of connections that forgets
 * what is silent and, when full, what was silent longest.
 *
 * An entry is known by the flow's number. All entries of a box time out alike, so that the order
 * in which they were last used is the order in which they go: one list per box does both.
 * A NAT that takes up a connection in mid-stream gives it another outside port: its entry has a
 * new generation, which tells the far end's segments of the old one apart.
 */
#ifndef HF_SIM_NAT_H
#define HF_SIM_NAT_H

#include "sim/scenario.h"

struct hf_nat_entry {
	uint32_t earlier, later; /* used before and after it, in the same box */
	uint32_t used_ms;
	uint8_t generation;
	bool there;
};

struct hf_nat_box {
	uint32_t oldest, newest, count;
};

/* Called when an entry was forgotten, and is gone: did its connection live still? */
typedef bool (*hf_nat_forgotten)(void *context, uint32_t flow);

struct hf_nat {
	const struct hf_nat_spec *spec;
	struct hf_nat_entry *entry; /* by flow */
	struct hf_nat_box *box;	    /* spec->count of them */
	uint32_t now_ms;
	uint64_t count;
	uint64_t evicted, expired; /* entries of connections that lived */
	hf_nat_forgotten forgotten;
	void *context;
};

/* Flows 0..flows - 1 can be held. 0 or -ENOMEM. */
int hf_nat_init(struct hf_nat *nat, const struct hf_nat_spec *spec, uint32_t flows,
		hf_nat_forgotten forgotten, void *context);
void hf_nat_free(struct hf_nat *nat);

/* A connection is opened through the box: a new entry, of generation 0. */
void hf_nat_open(struct hf_nat *nat, uint32_t box, uint32_t flow, uint32_t now_ms);

/* It is over: the entry goes, if there is one; nobody is told. */
void hf_nat_close(struct hf_nat *nat, uint32_t box, uint32_t flow);

enum hf_passage {
	HF_PASSES,
	HF_DROPPED,
	HF_RESET_BACK, /* answered with RST, as if by the other end */
};

/*
 * A segment of an open connection crosses; outward: from the originator's side. *generation: of
 * the outside port it is sent to or, when outward, from then on bears.
 */
enum hf_passage hf_nat_cross(struct hf_nat *nat, uint32_t box, uint32_t flow, uint32_t now_ms,
			     bool outward, uint8_t *generation);

/* Let all boxes forget what they should have by now. */
void hf_nat_expire(struct hf_nat *nat, uint32_t now_ms);

/* A box is empty. */
void hf_nat_flush(struct hf_nat *nat, uint32_t box);

/* Could a segment of this connection, opened with generation 0, still get across? */
bool hf_nat_holds(const struct hf_nat *nat, uint32_t flow);

#endif
