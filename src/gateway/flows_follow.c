/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From entries to flows.
 *
 * Silence. The table tells how long an entry has left, not when its last packet passed: every
 * packet winds the time up again, to what depends on the state, on sysctls, on policies. So what
 * remained at some time (the base) is compared with what remains now: if that is what was left
 * then, less the time since, nothing has passed. Else something has, and the base is set anew. Our
 * own questions and their answers wind up, too: after a dialogue the base is set without a
 * conclusion. While one goes on, what passes concludes nothing: the ends answer for themselves. Nor
 * where data of an end stays unacknowledged from look to look: it may be repeated to nobody.
 *
 * What remains and the silence so far are the time in which the entry would be forgotten: flows
 * for which the goals alone would be too slow are probed by a policy of their own, one of a
 * quarter of an octave each.
 */
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <string.h>

#include "core/mix.h"
#include "gateway/flows_private.h"

#define SLACK_MS 1500	    /* remaining times are whole seconds, and are read a little later */
#define UNACKNOWLEDGED 0x10 /* IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED, not among the exported ones */

static bool same_end(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
	return a->port == b->port && !memcmp(&a->address, &b->address, sizeof(a->address));
}

static uint8_t unacked_of(const struct hf_entry *entry)
{
	return (uint8_t)((entry->flags[0] & UNACKNOWLEDGED ? 1 : 0) |
			 (entry->flags[1] & UNACKNOWLEDGED ? 2 : 0));
}

static void set_base(struct hf_crossing *crossing, const struct hf_entry *entry, uint32_t now)
{
	crossing->base_ms = now;
	crossing->base_s = entry->remaining_s;
	crossing->state = entry->state;
	crossing->unacked = unacked_of(entry);
}

static void assign(struct hf_flows *flows, hf_flow flow, const struct hf_flow_view *view,
		   const struct hf_entry *entry)
{
	uint8_t policy =
		hf_flows_policy(flows, (uint64_t)entry->remaining_s * 1000 +
					       hf_larger(view->silent_ms[0], view->silent_ms[1]));

	if (policy != view->policy)
		hf_engine_assign(flows->engine, flow, policy);
}

/*
 * How long a new flow is taken to have been silent. Of those that are there at the start nobody
 * knows: each is taken for another part of the way to its first probe, lest all begin at once.
 */
static uint32_t presumed_silence(const struct hf_flows *flows, uint32_t id, uint8_t policy)
{
	uint32_t part = (uint32_t)hf_mix(flows->key[0] + id);

	return flows->dump > 1 ? 0 :
				 (uint32_t)((uint64_t)flows->probing[policy].idle_ms * part >> 32);
}

static bool enter(struct hf_flows *flows, const struct hf_entry *entry, hf_flow *flow)
{
	struct hf_flow_key key = { { entry->original[0], entry->original[1] } };
	uint8_t policy = hf_flows_policy(flows, (uint64_t)entry->remaining_s * 1000);
	uint32_t silent = presumed_silence(flows, entry->id, policy);
	enum hf_add added;

	while ((added = hf_engine_add(flows->engine, &key, HF_WATCH_BOTH | HF_ASK, policy, silent,
				      flow)) == HF_ADD_FULL)
		if (hf_flows_grow(flows))
			return false;
	return added == HF_ADDED;
}

static void add(struct hf_flows *flows, const struct hf_entry *entry, uint32_t now)
{
	struct hf_crossing *crossing;
	hf_flow flow;

	if (!enter(flows, entry, &flow))
		return;
	crossing = &flows->crossing[flow];
	*crossing = (struct hf_crossing){
		.id = entry->id, .dump = flows->dump, .added_ms = now, .touched_ms = now
	};
	hf_flows_key(&entry->reply[0], &entry->reply[1], &crossing->reply);
	if (entry->flags[0] & entry->flags[1] & IP_CT_TCP_FLAG_BE_LIBERAL)
		crossing->flags |= HF_CROSSING_MIDWAY;
	set_base(crossing, entry, now);
	if (!same_end(&entry->original[0], &entry->reply[1]) ||
	    !same_end(&entry->original[1], &entry->reply[0])) {
		crossing->flags |= HF_CROSSING_NATED;
		hf_table_add(&flows->replies, hf_table_hash(&flows->replies, &crossing->reply),
			     flow);
	}
}

/* Has anything passed since the base was set? Of what we had pass ourselves nothing is known. */
static bool was_active(struct hf_crossing *crossing, const struct hf_entry *entry, uint32_t now)
{
	uint32_t passed = now - crossing->base_ms;
	int64_t more =
		(int64_t)entry->remaining_s * 1000 - (int64_t)crossing->base_s * 1000 + passed;
	bool ours = (int32_t)(crossing->touched_ms - crossing->base_ms) >= 0;
	bool repeated = crossing->unacked & unacked_of(entry);
	bool same = entry->state == crossing->state && more < SLACK_MS && more > -SLACK_MS;

	if (!same || ours) /* else what comes later would be taken for ours, too */
		set_base(crossing, entry, now);
	return !same && !ours && !repeated;
}

static void update(struct hf_flows *flows, hf_flow flow, const struct hf_entry *entry, uint32_t now)
{
	struct hf_crossing *crossing = &flows->crossing[flow];
	struct hf_flow_view view;
	bool heard = false;

	crossing->dump = flows->dump;
	hf_engine_look(flows->engine, flow, &view);
	if (was_active(crossing, entry, now) && !view.dialogue)
		heard = true;
	if (heard) {
		hf_engine_heard(flows->engine, flow, 0);
		view.silent_ms[0] = view.silent_ms[1] = 0;
	}
	if (!view.dialogue)
		assign(flows, flow, &view, entry);
}

static void remove_flow(struct hf_flows *flows, hf_flow flow)
{
	struct hf_crossing *crossing = &flows->crossing[flow];

	hf_flows_listen(flows, flow, false);
	if (crossing->flags & HF_CROSSING_NATED)
		hf_table_remove(&flows->replies, hf_table_hash(&flows->replies, &crossing->reply),
				flow);
	crossing->flags = 0;
	hf_engine_remove(flows->engine, flow);
}

/* After a FIN a RST is an ordinary end. A dump may show both at once. */
static bool was_closing(const struct hf_entry *entry)
{
	return (entry->flags[0] | entry->flags[1]) & IP_CT_TCP_FLAG_CLOSE_INIT;
}

/* What became of a dialogue is told, unless it is known, or known to be in doubt. */
static void tell_closed(struct hf_flows *flows, hf_flow flow, const struct hf_entry *entry)
{
	struct hf_flow_view view;

	hf_engine_look(flows->engine, flow, &view);
	if (entry->state == TCP_CONNTRACK_CLOSE && view.dialogue && !was_closing(entry) &&
	    !(flows->crossing[flow].flags &
	      (HF_CROSSING_RST | HF_CROSSING_TOLD_0 | HF_CROSSING_TOLD_1)))
		flows->user.closed(flows->user.arg, flow);
}

void hf_flows_look(struct hf_flows *flows, const struct hf_entry *entry, bool gone, uint64_t now_ms)
{
	enum hf_side side = HF_ORIGINATOR;
	hf_flow flow =
		hf_engine_find(flows->engine, &entry->original[0], &entry->original[1], &side);
	bool known = flow != HF_NO_FLOW && side == HF_ORIGINATOR;
	bool same = known && flows->crossing[flow].id == entry->id;
	bool ending = known && flows->crossing[flow].flags & HF_CROSSING_ENDING;

	if (gone && !same)
		return; /* an older one */
	if (known && (!same || (gone && !ending))) {
		remove_flow(flows, flow);
		known = false;
	}
	if (known && ending) {
		if (!(flows->crossing[flow].flags & HF_CROSSING_FREED))
			flows->crossing[flow].dump = flows->dump;
		return; /* its time is up in a moment */
	}
	if (gone)
		return;
	if (!hf_flows_want(flows, entry)) {
		if (known) {
			tell_closed(flows, flow, entry);
			remove_flow(flows, flow);
		}
		return;
	}
	if (!known) {
		add(flows, entry, (uint32_t)now_ms);
		return;
	}
	update(flows, flow, entry, (uint32_t)now_ms);
}

void hf_flows_retire(struct hf_flows *flows, hf_flow flow)
{
	flows->crossing[flow].flags |= HF_CROSSING_ENDING | HF_CROSSING_FREED;
	flows->crossing[flow].dump = flows->dump;
}

void hf_flows_begin(struct hf_flows *flows)
{
	hf_flows_read_own(flows);
	flows->dump++;
	flows->shortest_ms = 0;
	flows->counting = (struct hf_flows_counts){ 0 };
}

void hf_flows_end(struct hf_flows *flows)
{
	struct hf_flow_view view;

	flows->need = 0;
	for (hf_flow flow = 0; flow < flows->capacity; flow++) {
		if (!hf_engine_exists(flows->engine, flow))
			continue;
		if (flows->crossing[flow].dump != flows->dump) {
			remove_flow(flows, flow);
			continue;
		}
		hf_engine_look(flows->engine, flow, &view);
		flows->need += hf_flows_need_of(flows, &view);
	}
	flows->counts = flows->counting;
	hf_flows_set_pace(flows);
}
