/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine: one piece of memory, and in it records, table and wheel.
 *
 * Theory of operation. A flow's number is its record's index. The table finds it by its
 * endpoints, the wheel brings it up when something may be due. Segments only store stamps and
 * numbers in the record: what follows from them is reckoned when the timer runs out, and the
 * flow put into a later slot. Only what makes a flow due earlier than its entry in the wheel
 * (shorter settings, an end revived) moves it at once.
 *
 * Actions are not queued: hf_engine_next looks at one flow after the other, each yields one
 * action at most and is put back into the wheel, so nothing can overflow.
 */
#include <core/engine_private.h>

#include <assert.h>
#include <string.h>

#include <core/mix.h>

static_assert(sizeof(struct hf_record) == 84, "84 bytes a flow, and its share of table and wheel");

#define LINE 64

struct layout {
	uint64_t records, table, wheel, size; /* where they begin */
};

static uint64_t in_lines(uint64_t size)
{
	return (size + LINE - 1) / LINE * LINE;
}

static struct layout layout_of(uint32_t flows)
{
	struct layout at;

	at.records = in_lines(sizeof(struct hf_engine));
	at.table = at.records + in_lines((uint64_t)flows * sizeof(struct hf_record));
	at.wheel = at.table + in_lines(hf_table_size(flows));
	at.size = at.wheel + in_lines(hf_wheel_size(flows));
	return at;
}

static bool possible(const struct hf_engine_options *options)
{
	return options->flows && options->flows <= UINT32_C(1) << 31 && options->tick_ms &&
	       options->tick_ms <= HF_WHEEL_TICK_MAX;
}

size_t hf_engine_size(const struct hf_engine_options *options)
{
	uint64_t size;

	if (!possible(options))
		return 0;
	size = layout_of(options->flows).size;
	return size <= SIZE_MAX ? (size_t)size : 0;
}

/* Empty records, table and wheel behind the engine; the wheel's slots follow on `begin`. */
static void furnish(struct hf_engine *engine, uint64_t begin)
{
	struct layout at = layout_of(engine->options.flows);
	uint8_t *memory = (uint8_t *)engine;

	engine->records = (struct hf_record *)(void *)(memory + at.records);
	engine->touched = 0;
	engine->free = HF_NO_FLOW;
	engine->batch_at = engine->batch_size = 0;
	hf_table_init(&engine->table, memory + at.table, at.wheel - at.table, engine->options.key,
		      engine->records, sizeof(struct hf_record));
	hf_wheel_init(&engine->wheel, memory + at.wheel, at.size - at.wheel,
		      engine->options.tick_ms, begin);
}

static bool fits(const void *memory, size_t size, const struct hf_engine_options *options)
{
	size_t wanted = hf_engine_size(options);

	return memory && (uintptr_t)memory % LINE == 0 && wanted && size >= wanted;
}

struct hf_engine *hf_engine_init(void *memory, size_t size, const struct hf_engine_options *options,
				 uint64_t now_ms)
{
	struct hf_engine *engine = memory;

	if (!fits(memory, size, options))
		return NULL;
	memset(engine, 0, sizeof(*engine));
	engine->options = *options;
	engine->told = now_ms;
	engine->clock = engine->served = (uint32_t)now_ms + (uint64_t)HF_LONG_MS;
	engine->jumped = engine->clock - HF_LONG_MS;
	engine->leap = 4 * options->tick_ms;
	furnish(engine, engine->clock);
	return engine;
}

void hf_engine_moment(const struct hf_engine *engine, hf_flow flow, struct hf_moment *out)
{
	uint64_t since_jump = engine->clock - engine->jumped;

	out->now = hf_engine_now(engine);
	out->jumped = out->now - (since_jump < HF_LONG_MS ? (uint32_t)since_jump : HF_LONG_MS);
	out->tick = engine->options.tick_ms;
	out->random = (uint32_t)(hf_mix(engine->options.seed + flow) >> 32);
	out->jitter = engine->options.jitter;
}

uint64_t hf_engine_slot_due(const struct hf_engine *engine, uint16_t slot)
{
	const struct hf_wheel *wheel = &engine->wheel;
	uint32_t offset = (slot - wheel->cursor) % HF_WHEEL_SLOTS;

	return wheel->next_ms + (uint64_t)offset * wheel->tick_ms -
	       (uint64_t)wheel->behind * wheel->tick_ms;
}

void hf_engine_put(struct hf_engine *engine, hf_flow flow, uint64_t due)
{
	struct hf_keepalive *keepalive = &engine->records[flow].keepalive;
	uint16_t slot;

	keepalive->slot = HF_WHEEL_NO_SLOT; /* stale is what it had */
	while ((slot = hf_wheel_put(&engine->wheel, flow, due)) == HF_WHEEL_NO_SLOT)
		hf_wheel_compact(&engine->wheel, &engine->records->keepalive.slot,
				 sizeof(struct hf_record));
	keepalive->slot = slot;
}

void hf_engine_rearm(struct hf_engine *engine, hf_flow flow)
{
	struct hf_record *record = &engine->records[flow];
	const struct hf_probing *probing = hf_record_probing(engine, record);
	uint32_t wait, spread, width = 0;
	struct hf_moment moment;
	uint64_t due;

	hf_engine_moment(engine, flow, &moment);
	wait = hf_keepalive_wait(&record->keepalive, probing, &moment);
	if (moment.jitter)
		width = probing->idle_ms / moment.jitter;
	spread = (uint32_t)((uint64_t)width * moment.random >> 32);
	due = engine->clock + (wait < spread ? spread : wait);
	if (record->keepalive.slot == HF_WHEEL_NO_SLOT ||
	    hf_engine_slot_due(engine, record->keepalive.slot) > due)
		hf_engine_put(engine, flow, due);
}

/* An unused record; HF_NO_FLOW if there is none. */
static hf_flow take_free(struct hf_engine *engine)
{
	hf_flow flow = engine->free;

	if (flow != HF_NO_FLOW) {
		engine->free = engine->records[flow].key.address[0][0];
		return flow;
	}
	if (engine->touched == engine->options.flows)
		return HF_NO_FLOW;
	if (engine->walked == engine->touched)
		engine->walked++; /* a new one needs no walk */
	flow = engine->touched++;
	engine->records[flow].keepalive.slot = HF_WHEEL_NO_SLOT;
	return flow;
}

static void give_free(struct hf_engine *engine, hf_flow flow)
{
	engine->records[flow].keepalive.mode = 0;
	engine->records[flow].key.address[0][0] = engine->free;
	engine->free = flow;
}

static void key_of(const struct hf_endpoint *first, const struct hf_endpoint *second,
		   struct hf_table_key *out)
{
	memcpy(out->address[0], first->address.byte, sizeof(out->address[0]));
	memcpy(out->address[1], second->address.byte, sizeof(out->address[1]));
	out->port[0] = first->port;
	out->port[1] = second->port;
}

static bool wrong(const struct hf_engine *engine, const struct hf_flow_key *key,
		  unsigned int options, uint8_t policy)
{
	return key->end[0].family != key->end[1].family ||
	       hf_address_is_mapped(&key->end[0].address) !=
		       hf_address_is_mapped(&key->end[1].address) ||
	       !(options & HF_WATCH_BOTH) || options & ~HF_MODE_OPTIONS ||
	       !engine->probing[policy].count;
}

enum hf_add hf_engine_add(struct hf_engine *engine, const struct hf_flow_key *key,
			  unsigned int options, uint8_t policy, uint32_t idle_ms, hf_flow *out)
{
	struct hf_record *record;
	struct hf_table_key name;
	bool reversed;
	uint64_t hash;
	hf_flow flow;

	if (wrong(engine, key, options, policy))
		return HF_ADD_WRONG;
	key_of(&key->end[0], &key->end[1], &name);
	hash = hf_table_hash(&engine->table, &name);
	flow = hf_table_find(&engine->table, hash, &name, &reversed);
	if (flow != HF_NO_FLOW) {
		*out = flow;
		return HF_ADD_EXISTS;
	}
	flow = take_free(engine);
	if (flow == HF_NO_FLOW)
		return HF_ADD_FULL;
	record = &engine->records[flow];
	record->key = name;
	if (!hf_table_add(&engine->table, hash, flow)) {
		give_free(engine, flow);
		return HF_ADD_FULL;
	}
	hf_keepalive_init(&record->keepalive, options, hf_engine_now(engine), idle_ms);
	record->keepalive.mode |= HF_MODE_USED;
	record->keepalive.policy = policy;
	engine->statistics.flows++;
	hf_engine_rearm(engine, flow);
	*out = flow;
	return HF_ADDED;
}

bool hf_engine_exists(const struct hf_engine *engine, hf_flow flow)
{
	return flow < engine->touched && hf_record_used(&engine->records[flow]);
}

void hf_engine_remove(struct hf_engine *engine, hf_flow flow)
{
	struct hf_record *record = &engine->records[flow];

	if (!hf_engine_exists(engine, flow))
		return;
	hf_table_remove(&engine->table, hf_table_hash(&engine->table, &record->key), flow);
	engine->statistics.flows--;
	engine->statistics.dialogues -= hf_keepalive_pending(&record->keepalive);
	give_free(engine, flow);
}

hf_flow hf_engine_find(const struct hf_engine *engine, const struct hf_endpoint *source,
		       const struct hf_endpoint *destination, enum hf_side *side)
{
	struct hf_table_key key;
	bool reversed = false;
	hf_flow flow;

	key_of(source, destination, &key);
	flow = hf_table_find(&engine->table, hf_table_hash(&engine->table, &key), &key, &reversed);
	if (flow != HF_NO_FLOW)
		*side = reversed ? HF_RESPONDER : HF_ORIGINATOR;
	return flow;
}

static bool valid(const struct hf_probing *probing)
{
	return probing->idle_ms && probing->idle_ms <= HF_PROBING_MAX &&
	       probing->interval_ms >= HF_INTERVAL_MIN_MS &&
	       probing->interval_ms <= HF_PROBING_MAX && probing->in_flight_ms &&
	       probing->in_flight_ms <= HF_PROBING_MAX && probing->count >= HF_COUNT_MIN &&
	       probing->count <= HF_COUNT_MAX;
}

/* A jump is a time in which an answer might have come and gone, by the shortest interval. */
static void set_leap(struct hf_engine *engine)
{
	uint32_t shortest = HF_PROBING_MAX;

	for (size_t i = 0; i < HF_PROBINGS_MAX; i++)
		if (engine->probing[i].count && engine->probing[i].interval_ms < shortest)
			shortest = engine->probing[i].interval_ms;
	engine->leap = 4 * engine->options.tick_ms;
	if (engine->leap < shortest / 2)
		engine->leap = shortest / 2;
}

bool hf_engine_set_probing(struct hf_engine *engine, uint8_t policy,
			   const struct hf_probing *probing)
{
	bool changed = engine->probing[policy].count;

	if (!valid(probing))
		return false;
	engine->probing[policy] = *probing;
	set_leap(engine);
	if (changed)
		engine->walked = 0;
	return true;
}

void hf_engine_assign(struct hf_engine *engine, hf_flow flow, uint8_t policy)
{
	if (!hf_engine_exists(engine, flow) || !engine->probing[policy].count)
		return;
	engine->records[flow].keepalive.policy = policy;
	hf_engine_rearm(engine, flow);
}

/* Records, in the same places; the table and the chain of unused ones are made anew. */
static void adopt(struct hf_engine *engine, const struct hf_engine *old)
{
	uint32_t flows = engine->options.flows;

	engine->touched = old->touched < flows ? old->touched : flows;
	if (engine->walked > engine->touched)
		engine->walked = engine->touched;
	memcpy(engine->records, old->records, engine->touched * sizeof(struct hf_record));
	for (hf_flow flow = engine->touched; flow-- > 0;) {
		struct hf_record *record = &engine->records[flow];
		uint16_t slot = record->keepalive.slot;

		record->keepalive.slot = HF_WHEEL_NO_SLOT;
		if (!hf_record_used(record)) {
			give_free(engine, flow);
			continue;
		}
		hf_table_add(&engine->table, hf_table_hash(&engine->table, &record->key), flow);
		hf_engine_put(engine, flow, hf_engine_slot_due(old, slot));
	}
}

struct hf_engine *hf_engine_move(const struct hf_engine *old, void *memory, size_t size,
				 uint32_t flows)
{
	struct hf_engine_options options = old->options;
	struct hf_engine *engine = memory;

	options.flows = flows;
	if (!fits(memory, size, &options))
		return NULL;
	for (hf_flow flow = flows; flow < old->touched; flow++)
		if (hf_record_used(&old->records[flow]))
			return NULL;
	*engine = *old;
	engine->options = options;
	/* The same slots, at the same times: those that are due are so again after the advance. */
	furnish(engine, hf_engine_slot_due(old, (uint16_t)old->wheel.cursor) - options.tick_ms);
	adopt(engine, old);
	hf_wheel_advance(&engine->wheel, engine->clock);
	return engine;
}
