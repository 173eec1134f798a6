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
#include "gateway/flows.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/mix.h"

#define LINE 64
#define FIRST_CAPACITY 4096
#define JITTER 10
#define SIDES 2
#define SLACK_MS 1500 /* remaining times are whole seconds, and are read a little later */
#define PACE_MIN_MS 500
#define PACE_MAX_MS 30000
#define DOUBT_MS 1000 /* a RST that was believed has closed the entry by then, or was forged */
#define GOAL_POLICY 0
#define UNACKNOWLEDGED 0x10 /* IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED, not among the exported ones */

struct hf_flows {
	struct hf_engine *engine;
	struct hf_crossing *crossing;
	struct hf_table replies; /* reply tuples of flows under NAT */
	void *reply_memory;
	uint64_t key[2];
	uint32_t capacity;

	struct hf_goals goals;
	struct hf_flow_filter filter;
	struct hf_probing probing[HF_PROBINGS_MAX]; /* count 0: not derived yet */
	uint32_t pace_ms, shortest_ms; /* what the dump going on has seen forgotten soonest */

	struct hf_address *own; /* sorted */
	size_t owns;
	uint32_t dump;
	struct hf_flows_counts counts, counting;
};

/* --- Policies --- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * Traffic is seen a dump later, and a verdict may wait for the other end's turn: the goals less
 * that, or as they are where nothing is to spare.
 */
static enum hf_derivation derive(const struct hf_flows *flows, uint32_t keep_open_ms,
				 struct hf_probing *out)
{
	struct hf_goals goals = flows->goals, sharper;
	enum hf_derivation derivation;
	uint32_t late;

	if (keep_open_ms && (!goals.keep_open_ms || keep_open_ms < goals.keep_open_ms))
		goals.keep_open_ms = keep_open_ms;
	sharper = goals;
	if (sharper.dead_within_ms) {
		late = flows->pace_ms + larger(HF_INTERVAL_MIN_MS, sharper.dead_within_ms / 16);
		sharper.dead_within_ms -= smaller(late, sharper.dead_within_ms - 1);
	}
	derivation = hf_probing_derive(&sharper, SIDES, HF_GATEWAY_TICK_MS, out);
	if (derivation > HF_DERIVED_ONE_LOSS)
		derivation = hf_probing_derive(&goals, SIDES, HF_GATEWAY_TICK_MS, out);
	return derivation;
}

/* The class of times that a time of at least 4 ms belongs to: four to an octave. */
static unsigned int class_of(uint32_t ms)
{
	unsigned int octave = 31 - (unsigned int)__builtin_clz(ms);

	return octave * 4 + (ms >> (octave - 2) & 3);
}

static uint32_t least_of(unsigned int class)
{
	return (4u + class % 4) << (class / 4 - 2);
}

/* The policy of entries forgotten after so long. */
static uint8_t policy_of(struct hf_flows *flows, uint32_t forgotten_ms)
{
	unsigned int class = class_of(larger(forgotten_ms, HF_KEEP_OPEN_MIN));
	struct hf_probing *probing = &flows->probing[1 + class], *usual = flows->probing;

	if (!probing->count) {
		for (unsigned int nearest = class;
		     derive(flows, least_of(nearest), probing) > HF_DERIVED_ONE_LOSS;)
			nearest++;
		hf_engine_set_probing(flows->engine, (uint8_t)(1 + class), probing);
	}
	return probing->idle_ms < usual->idle_ms ? (uint8_t)(1 + class) : GOAL_POLICY;
}

/* --- Memory --- */

static void key_of(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		   struct hf_table_key *out)
{
	memcpy(out->address[0], source->address.byte, sizeof(out->address[0]));
	memcpy(out->address[1], destination->address.byte, sizeof(out->address[1]));
	out->port[0] = source->port;
	out->port[1] = destination->port;
}

static size_t in_lines(size_t size)
{
	return (size + LINE - 1) / LINE * LINE;
}

/* The table of reply tuples for so many flows; those under NAT are entered again. */
static int furnish(struct hf_flows *flows, uint32_t capacity)
{
	size_t size = in_lines(hf_table_size(capacity));
	void *memory = aligned_alloc(LINE, size);

	if (!memory)
		return -ENOMEM;
	free(flows->reply_memory);
	flows->reply_memory = memory;
	hf_table_init(&flows->replies, memory, size, flows->key, flows->crossing,
		      sizeof(struct hf_crossing));
	for (hf_flow flow = 0; flow < flows->capacity; flow++)
		if (hf_engine_exists(flows->engine, flow) &&
		    flows->crossing[flow].flags & HF_CROSSING_NATED)
			hf_table_add(&flows->replies,
				     hf_table_hash(&flows->replies, &flows->crossing[flow].reply),
				     flow);
	return 0;
}

static int make_engine(struct hf_flows *flows, uint64_t now_ms)
{
	struct hf_engine_options options = { .flows = FIRST_CAPACITY,
					     .tick_ms = HF_GATEWAY_TICK_MS,
					     .jitter = JITTER };
	size_t size;
	void *memory;

	if (getrandom(options.key, sizeof(options.key), 0) < 0 ||
	    getrandom(&options.seed, sizeof(options.seed), 0) < 0 ||
	    getrandom(flows->key, sizeof(flows->key), 0) < 0)
		return -errno;
	size = in_lines(hf_engine_size(&options));
	memory = aligned_alloc(LINE, size);
	flows->engine = memory ? hf_engine_init(memory, size, &options, now_ms) : NULL;
	flows->crossing = calloc(FIRST_CAPACITY, sizeof(*flows->crossing));
	if (!flows->engine || !flows->crossing || furnish(flows, FIRST_CAPACITY))
		return -ENOMEM;
	flows->capacity = FIRST_CAPACITY;
	return 0;
}

static int grow(struct hf_flows *flows)
{
	struct hf_engine_options options = { .flows = flows->capacity * 2,
					     .tick_ms = HF_GATEWAY_TICK_MS };
	size_t size = in_lines(hf_engine_size(&options));
	struct hf_crossing *crossing =
		reallocarray(flows->crossing, options.flows, sizeof(*crossing));
	void *memory = aligned_alloc(LINE, size);
	struct hf_engine *old = flows->engine;

	if (crossing)
		flows->crossing = crossing;
	if (!crossing || !memory || furnish(flows, options.flows)) {
		free(memory);
		return -ENOMEM;
	}
	flows->engine = hf_engine_move(old, memory, size, options.flows);
	free(old);
	flows->capacity = options.flows;
	return 0;
}

static void set_pace(struct hf_flows *flows)
{
	uint32_t pace = PACE_MAX_MS;

	if (flows->goals.dead_within_ms)
		pace = smaller(pace, flows->goals.dead_within_ms / 8);
	if (flows->goals.keep_open_ms)
		pace = smaller(pace, flows->goals.keep_open_ms / 8);
	if (flows->shortest_ms)
		pace = smaller(pace, flows->shortest_ms / 4);
	flows->pace_ms = larger(pace, PACE_MIN_MS);
}

static int refuse(const struct hf_goals *goals, enum hf_derivation derivation,
		  struct hf_problem *problem)
{
	bool dead = derivation == HF_DEAD_WITHIN_TOO_SHORT;

	return hf_problem_set(problem, HF_EXIT_USAGE,
			      dead ? "try: --dead-within 6s" : "try: --keep-open 6s",
			      "%s %u ms cannot be kept by probing two ends in turns",
			      dead ? "--dead-within" : "--keep-open",
			      dead ? goals->dead_within_ms : goals->keep_open_ms);
}

int hf_flows_open(struct hf_flows **out, const struct hf_goals *goals,
		  const struct hf_flow_filter *filter, uint64_t now_ms, struct hf_problem *problem)
{
	struct hf_flows *flows = calloc(1, sizeof(*flows));
	enum hf_derivation derivation;

	if (!flows || make_engine(flows, now_ms)) {
		hf_flows_close(&flows);
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	}
	flows->goals = *goals;
	flows->filter = *filter;
	set_pace(flows);
	derivation = derive(flows, 0, &flows->probing[GOAL_POLICY]);
	if (derivation > HF_DERIVED_ONE_LOSS) {
		hf_flows_close(&flows);
		return refuse(goals, derivation, problem);
	}
	hf_engine_set_probing(flows->engine, GOAL_POLICY, &flows->probing[GOAL_POLICY]);
	*out = flows;
	return 0;
}

void hf_flows_close(struct hf_flows **flows)
{
	struct hf_flows *old = *flows;

	*flows = NULL;
	if (!old)
		return;
	free(old->engine);
	free(old->crossing);
	free(old->reply_memory);
	free(old->own);
	free(old);
}

struct hf_engine *hf_flows_engine(struct hf_flows *flows)
{
	return flows->engine;
}

struct hf_crossing *hf_flows_at(struct hf_flows *flows, hf_flow flow)
{
	return &flows->crossing[flow];
}

/* --- Which entries --- */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hf_address));
}

static bool address_of(const struct sockaddr *from, struct hf_address *out)
{
	memset(out, 0, sizeof(*out));
	if (from && from->sa_family == AF_INET) {
		memset(out->byte + 10, 0xff, 2);
		memcpy(out->byte + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr,
		       4);
		return true;
	}
	if (from && from->sa_family == AF_INET6) {
		memcpy(out->byte, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
		       16);
		return true;
	}
	return false;
}

/* Addresses come and go; where they cannot be read, those known last are kept. */
static void read_own_addresses(struct hf_flows *flows)
{
	struct ifaddrs *all = NULL;
	struct hf_address *own;
	size_t count = 0;

	if (getifaddrs(&all))
		return;
	for (struct ifaddrs *one = all; one; one = one->ifa_next)
		count++;
	own = calloc(count + 1, sizeof(*own));
	count = 0;
	for (struct ifaddrs *one = all; own && one; one = one->ifa_next)
		count += address_of(one->ifa_addr, &own[count]);
	freeifaddrs(all);
	if (!own)
		return;
	qsort(own, count, sizeof(*own), compare);
	free(flows->own);
	flows->own = own;
	flows->owns = count;
}

static bool is_own(const struct hf_flows *flows, const struct hf_endpoint *end)
{
	bool loopback = end->family == HF_IPV4 && end->address.byte[12] == 127;

	return loopback ||
	       bsearch(&end->address, flows->own, flows->owns, sizeof(*flows->own), compare);
}

static bool holds(const struct hf_prefix *prefix, const struct hf_endpoint *end)
{
	return hf_prefix_holds(prefix, &end->address, end->port);
}

static bool passes(const struct hf_flow_filter *filter, const struct hf_entry *entry)
{
	if (!holds(&filter->source, &entry->original[0]) ||
	    !holds(&filter->destination, &entry->original[1]) ||
	    (entry->mark & filter->mark_mask) != filter->mark)
		return false;
	for (size_t i = 0; i < filter->excludes; i++)
		if (holds(&filter->exclude[i], &entry->original[0]) ||
		    holds(&filter->exclude[i], &entry->original[1]) ||
		    holds(&filter->exclude[i], &entry->reply[0]))
			return false;
	return true;
}

/*
 * Is it established, or half-closed? A responder that has forgotten the connection, but listens,
 * takes our SYN for a new one, and the table goes back to SYN_RECV while the originator lives.
 */
static bool is_open(const struct hf_entry *entry)
{
	switch (entry->state) {
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return true;
	case TCP_CONNTRACK_SYN_RECV:
		return entry->status & IPS_ASSURED;
	default:
		return false;
	}
}

/* Is it one to be probed? What is left out is counted by why. */
static bool wanted(struct hf_flows *flows, const struct hf_entry *entry)
{
	struct hf_flows_counts *count = &flows->counting;

	if (!(entry->status & IPS_SEEN_REPLY) || entry->status & IPS_DYING || !is_open(entry))
		return false;
	if (is_own(flows, &entry->original[0]) || is_own(flows, &entry->reply[0]))
		return count->own++, false;
	if (entry->status & (IPS_OFFLOAD | IPS_HW_OFFLOAD))
		return count->offloaded++, false;
	if (entry->status & IPS_SEQ_ADJUST)
		return count->altered++, false;
	if (entry->zone || !passes(&flows->filter, entry))
		return count->filtered++, false;
	return true;
}

/* --- Entries come, change and go --- */

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
	uint64_t forgotten = (uint64_t)entry->remaining_s * 1000 +
			     larger(view->silent_ms[0], view->silent_ms[1]);
	uint32_t ms = forgotten < HF_PROBING_MAX ? (uint32_t)forgotten : HF_PROBING_MAX;
	uint8_t policy = policy_of(flows, ms);

	if (policy != view->policy)
		hf_engine_assign(flows->engine, flow, policy);
	if (policy != GOAL_POLICY && (!flows->shortest_ms || ms < flows->shortest_ms))
		flows->shortest_ms = ms;
}

/*
 * How long a new flow is taken to have been silent. Of those that are there at the start nobody
 * knows: each is taken for another part of the way to its first probe, lest all begin at once.
 */
static uint32_t presumed_silence(const struct hf_flows *flows, uint32_t id)
{
	uint32_t part = (uint32_t)hf_mix(flows->key[0] + id);

	return flows->dump > 1 ? 0 : (uint32_t)((uint64_t)flows->probing->idle_ms * part >> 32);
}

static void add(struct hf_flows *flows, const struct hf_entry *entry, uint32_t now)
{
	struct hf_flow_key key = { { entry->original[0], entry->original[1] } };
	struct hf_crossing *crossing;
	struct hf_flow_view view;
	enum hf_add added;
	hf_flow flow;

	while ((added = hf_engine_add(flows->engine, &key, HF_WATCH_BOTH | HF_ASK, GOAL_POLICY,
				      presumed_silence(flows, entry->id), &flow)) == HF_ADD_FULL)
		if (grow(flows))
			return;
	if (added != HF_ADDED)
		return;
	crossing = &flows->crossing[flow];
	*crossing = (struct hf_crossing){
		.id = entry->id, .dump = flows->dump, .added_ms = now, .touched_ms = now
	};
	key_of(&entry->reply[0], &entry->reply[1], &crossing->reply);
	if (entry->flags[0] & entry->flags[1] & IP_CT_TCP_FLAG_BE_LIBERAL)
		crossing->flags |= HF_CROSSING_MIDWAY;
	set_base(crossing, entry, now);
	hf_engine_look(flows->engine, flow, &view);
	assign(flows, flow, &view, entry);
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

	if (entry->state == crossing->state && more < SLACK_MS && more > -SLACK_MS)
		return false;
	set_base(crossing, entry, now);
	return !ours && !repeated;
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
	if (crossing->flags & HF_CROSSING_RST && now - crossing->touched_ms > DOUBT_MS) {
		crossing->flags &= (uint16_t)~HF_CROSSING_RST;
		heard = true;
	}
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

	if (crossing->flags & HF_CROSSING_NATED)
		hf_table_remove(&flows->replies, hf_table_hash(&flows->replies, &crossing->reply),
				flow);
	crossing->flags = 0;
	hf_engine_remove(flows->engine, flow);
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
	if (!wanted(flows, entry)) {
		if (known)
			remove_flow(flows, flow);
		return;
	}
	if (!known)
		add(flows, entry, (uint32_t)now_ms);
	else
		update(flows, flow, entry, (uint32_t)now_ms);
}

void hf_flows_retire(struct hf_flows *flows, hf_flow flow)
{
	flows->crossing[flow].flags |= HF_CROSSING_ENDING | HF_CROSSING_FREED;
	flows->crossing[flow].dump = flows->dump;
}

void hf_flows_begin(struct hf_flows *flows)
{
	read_own_addresses(flows);
	flows->dump++;
	flows->shortest_ms = 0;
	flows->counting = (struct hf_flows_counts){ 0 };
}

void hf_flows_end(struct hf_flows *flows)
{
	for (hf_flow flow = 0; flow < flows->capacity; flow++)
		if (hf_engine_exists(flows->engine, flow) &&
		    flows->crossing[flow].dump != flows->dump)
			remove_flow(flows, flow);
	flows->counts = flows->counting;
	set_pace(flows);
}

/* --- Addresses --- */

static void endpoint_of(const struct hf_table_key *key, unsigned int which, struct hf_endpoint *out)
{
	memcpy(out->address.byte, key->address[which], sizeof(out->address.byte));
	out->port = key->port[which];
	out->family = hf_address_is_mapped(&out->address) ? HF_IPV4 : HF_IPV6;
}

void hf_flows_address(const struct hf_flows *flows, hf_flow flow, enum hf_side target,
		      struct hf_endpoint *source, struct hf_endpoint *destination)
{
	struct hf_flow_view view;

	if (target == HF_ORIGINATOR) {
		endpoint_of(&flows->crossing[flow].reply, 0, source);
		endpoint_of(&flows->crossing[flow].reply, 1, destination);
		return;
	}
	hf_engine_look(flows->engine, flow, &view);
	*source = view.key.end[HF_ORIGINATOR];
	*destination = view.key.end[HF_RESPONDER];
}

hf_flow hf_flows_find(const struct hf_flows *flows, const struct hf_segment *segment,
		      enum hf_side *side)
{
	struct hf_table_key key;
	bool reversed = false;
	hf_flow flow = hf_engine_find(flows->engine, &segment->source, &segment->destination, side);

	if (flow != HF_NO_FLOW &&
	    (*side == HF_ORIGINATOR || !(flows->crossing[flow].flags & HF_CROSSING_NATED)))
		return flow;
	key_of(&segment->source, &segment->destination, &key);
	flow = hf_table_find(&flows->replies, hf_table_hash(&flows->replies, &key), &key,
			     &reversed);
	if (flow == HF_NO_FLOW || reversed)
		return HF_NO_FLOW;
	*side = HF_RESPONDER;
	return flow;
}

uint32_t hf_flows_pace(const struct hf_flows *flows)
{
	return flows->pace_ms;
}

void hf_flows_count(const struct hf_flows *flows, struct hf_flows_counts *out)
{
	*out = flows->counts;
}
