/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/nat.h"

#include <errno.h>
#include <stdlib.h>

int hf_nat_init(struct hf_nat *nat, const struct hf_nat_spec *spec, uint32_t flows,
		hf_nat_forgotten forgotten, void *context)
{
	*nat = (struct hf_nat){ .spec = spec, .forgotten = forgotten, .context = context };
	nat->entry = calloc(flows, sizeof(*nat->entry));
	nat->box = calloc(spec->count, sizeof(*nat->box));
	if (!nat->entry || !nat->box) {
		hf_nat_free(nat);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < spec->count; i++)
		nat->box[i] = (struct hf_nat_box){ HF_NONE, HF_NONE, 0 };
	return 0;
}

void hf_nat_free(struct hf_nat *nat)
{
	free(nat->entry);
	free(nat->box);
	nat->entry = NULL;
	nat->box = NULL;
}

/* --- A box's entries, in the order of their use. --- */

static void take_out(struct hf_nat *nat, struct hf_nat_box *box, uint32_t flow)
{
	const struct hf_nat_entry *entry = &nat->entry[flow];

	if (entry->earlier == HF_NONE)
		box->oldest = entry->later;
	else
		nat->entry[entry->earlier].later = entry->later;
	if (entry->later == HF_NONE)
		box->newest = entry->earlier;
	else
		nat->entry[entry->later].earlier = entry->earlier;
}

static void put_newest(struct hf_nat *nat, struct hf_nat_box *box, uint32_t flow)
{
	struct hf_nat_entry *entry = &nat->entry[flow];

	entry->earlier = box->newest;
	entry->later = HF_NONE;
	entry->used_ms = nat->now_ms;
	if (box->newest == HF_NONE)
		box->oldest = flow;
	else
		nat->entry[box->newest].later = flow;
	box->newest = flow;
}

static void drop(struct hf_nat *nat, struct hf_nat_box *box, uint32_t flow)
{
	take_out(nat, box, flow);
	nat->entry[flow].there = false;
	box->count--;
	nat->count--;
}

static void expire(struct hf_nat *nat, struct hf_nat_box *box)
{
	while (box->oldest != HF_NONE) {
		uint32_t flow = box->oldest;

		if (nat->now_ms - nat->entry[flow].used_ms < nat->spec->timeout_ms)
			return;
		drop(nat, box, flow);
		nat->expired += nat->forgotten(nat->context, flow);
	}
}

/* Segments are reckoned ahead by their latencies: time as seen here never goes back. */
static void tell_time(struct hf_nat *nat, struct hf_nat_box *box, uint32_t now_ms)
{
	if (now_ms > nat->now_ms)
		nat->now_ms = now_ms;
	expire(nat, box);
}

static void make_entry(struct hf_nat *nat, struct hf_nat_box *box, uint32_t flow,
		       uint8_t generation)
{
	if (box->count >= nat->spec->capacity) {
		uint32_t oldest = box->oldest;

		drop(nat, box, oldest);
		nat->evicted += nat->forgotten(nat->context, oldest);
	}
	put_newest(nat, box, flow);
	nat->entry[flow].there = true;
	nat->entry[flow].generation = generation;
	box->count++;
	nat->count++;
}

void hf_nat_open(struct hf_nat *nat, uint32_t box, uint32_t flow, uint32_t now_ms)
{
	tell_time(nat, &nat->box[box], now_ms);
	hf_nat_close(nat, box, flow);
	make_entry(nat, &nat->box[box], flow, 0);
}

void hf_nat_close(struct hf_nat *nat, uint32_t box, uint32_t flow)
{
	if (nat->entry[flow].there)
		drop(nat, &nat->box[box], flow);
}

static enum hf_passage refuse(const struct hf_nat *nat)
{
	return nat->spec->on_expiry == HF_EXPIRES_RESET ? HF_RESET_BACK : HF_DROPPED;
}

/* From outside a NAT nothing can be taken up: nobody knows whom it is for. */
static enum hf_passage take_up(struct hf_nat *nat, struct hf_nat_box *box, uint32_t flow,
			       bool outward, uint8_t *generation)
{
	const struct hf_nat_spec *spec = nat->spec;

	if (!spec->loose || (spec->rewrites && !outward))
		return refuse(nat);
	make_entry(nat, box, flow,
		   (uint8_t)(nat->entry[flow].generation + (spec->rewrites ? 1 : 0)));
	*generation = nat->entry[flow].generation;
	return HF_PASSES;
}

enum hf_passage hf_nat_cross(struct hf_nat *nat, uint32_t box_number, uint32_t flow,
			     uint32_t now_ms, bool outward, uint8_t *generation)
{
	struct hf_nat_box *box = &nat->box[box_number];
	struct hf_nat_entry *entry = &nat->entry[flow];

	tell_time(nat, box, now_ms);
	if (!entry->there)
		return take_up(nat, box, flow, outward, generation);
	if (!outward && *generation != entry->generation)
		return refuse(nat);
	take_out(nat, box, flow);
	put_newest(nat, box, flow);
	if (outward)
		*generation = entry->generation;
	return HF_PASSES;
}

void hf_nat_expire(struct hf_nat *nat, uint32_t now_ms)
{
	for (uint32_t i = 0; i < nat->spec->count; i++)
		tell_time(nat, &nat->box[i], now_ms);
}

void hf_nat_flush(struct hf_nat *nat, uint32_t number)
{
	struct hf_nat_box *box = &nat->box[number];

	while (box->oldest != HF_NONE) {
		uint32_t flow = box->oldest;

		drop(nat, box, flow);
		nat->forgotten(nat->context, flow);
	}
}

bool hf_nat_holds(const struct hf_nat *nat, uint32_t flow)
{
	const struct hf_nat_entry *entry = &nat->entry[flow];

	if (!nat->spec->rewrites && nat->spec->loose)
		return true;
	return entry->there && !entry->generation;
}
