/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of flows, and whether it holds together: see engine.c. */
#include <core/engine_private.h>

#include <string.h>

static void endpoint_of(const struct hf_table_key *key, unsigned int side, struct hf_endpoint *out)
{
	memcpy(out->address.byte, key->address[side], sizeof(out->address.byte));
	out->port = key->port[side];
	out->family = hf_address_is_mapped(&out->address) ? HF_IPV4 : HF_IPV6;
}

void hf_engine_look(const struct hf_engine *engine, hf_flow flow, struct hf_flow_view *out)
{
	const struct hf_record *record = &engine->records[flow];
	const struct hf_keepalive *keepalive = &record->keepalive;

	memset(out, 0, sizeof(*out));
	if (!hf_engine_exists(engine, flow))
		return;
	for (unsigned int side = 0; side < 2; side++) {
		const struct hf_end *end = &keepalive->end[side];

		endpoint_of(&record->key, side, &out->key.end[side]);
		out->unanswered[side] = end->unanswered;
		out->dead[side] = hf_end_has(end, HF_END_DEAD);
		out->learned[side] = hf_end_has(end, HF_END_KNOWN);
		out->silent_ms[side] = hf_end_silent(end, hf_engine_now(engine));
		out->in_flight |= hf_keepalive_owes(keepalive, side);
	}
	out->options = keepalive->mode & HF_MODE_OPTIONS;
	out->policy = keepalive->policy;
	out->dialogue = hf_keepalive_pending(keepalive);
	out->half_closed = hf_end_has(&keepalive->end[0], HF_END_FIN) !=
			   hf_end_has(&keepalive->end[1], HF_END_FIN);
}

bool hf_engine_numbers(const struct hf_engine *engine, hf_flow flow, enum hf_side target,
		       struct hf_numbers *out)
{
	return hf_engine_exists(engine, flow) &&
	       hf_keepalive_numbers(&engine->records[flow].keepalive, target, out);
}

void hf_engine_statistics(const struct hf_engine *engine, struct hf_engine_statistics *out)
{
	*out = engine->statistics;
	out->capacity = engine->options.flows;
}

static const char *check_numbers(const struct hf_engine *engine)
{
	uint32_t used = 0, unused = 0, dialogues = 0;

	for (hf_flow flow = 0; flow < engine->touched; flow++) {
		const struct hf_record *record = &engine->records[flow];

		used += hf_record_used(record);
		dialogues += hf_record_used(record) && hf_keepalive_pending(&record->keepalive);
	}
	for (hf_flow flow = engine->free; flow != HF_NO_FLOW;
	     flow = engine->records[flow].key.address[0][0], unused++)
		if (flow >= engine->touched || hf_record_used(&engine->records[flow]) ||
		    unused == engine->touched)
			return "the chain of unused records holds something else";
	if (engine->walked > engine->touched)
		return "more flows were re-armed than there are";
	if (used + unused != engine->touched)
		return "a record is neither used nor free";
	if (used != engine->statistics.flows || used != engine->table.count)
		return "records, table and statistics differ on how many flows there are";
	if (dialogues != engine->statistics.dialogues)
		return "the count of dialogues is wrong";
	return NULL;
}

static bool in_batch(const struct hf_engine *engine, hf_flow flow, uint16_t slot)
{
	for (uint32_t i = engine->batch_at; i < engine->batch_size; i++)
		if (engine->batch[i] == flow && slot == engine->batch_slot)
			return true;
	return false;
}

/* Does the chain of a slot, as wheel.h describes it, hold the number? */
static bool in_slot(const struct hf_wheel *wheel, hf_flow flow, uint16_t slot)
{
	const uint32_t per_chunk = HF_CHUNK_IDS + 1;
	uint32_t place = wheel->head[slot];

	while (place != wheel->end[slot]) {
		const struct hf_chunk *chunk = &wheel->chunk[place / per_chunk];

		if (place % per_chunk == HF_CHUNK_IDS)
			place = chunk->next * per_chunk;
		else if (chunk->id[place++ % per_chunk] == flow)
			return true;
	}
	return false;
}

static const char *check_end(const struct hf_keepalive *flow, unsigned int side)
{
	const struct hf_end *end = &flow->end[side];

	if (hf_end_has(end, HF_END_CONFIRMED) && !hf_end_has(end, HF_END_KNOWN))
		return "numbers are confirmed that are not known";
	if (hf_end_has(end, HF_END_PENDING) && !(flow->mode & HF_WATCH_ORIGINATOR << side))
		return "an end is in question that is not watched";
	if (hf_end_has(end, HF_END_AWAITED) && !(end->flags & (HF_END_PENDING | HF_END_DEAD)))
		return "an answer is awaited, and no dialogue goes on";
	if (hf_end_has(end, HF_END_PROBED) && !hf_end_has(end, HF_END_AWAITED))
		return "a probe is out whose answer is not awaited";
	return NULL;
}

static const char *check_flow(const struct hf_engine *engine, hf_flow flow)
{
	const struct hf_record *record = &engine->records[flow];
	const struct hf_keepalive *keepalive = &record->keepalive;
	const char *broken;
	bool reversed = true;

	if (!hf_record_used(record))
		return NULL;
	if (keepalive->slot == HF_WHEEL_NO_SLOT)
		return "a flow is not in the wheel";
	if (hf_table_find(&engine->table, hf_table_hash(&engine->table, &record->key), &record->key,
			  &reversed) != flow ||
	    reversed)
		return "a flow is not in the table";
	if (!engine->probing[keepalive->policy].count)
		return "a flow's policy was never set";
	broken = check_end(keepalive, 0);
	return broken ? broken : check_end(keepalive, 1);
}

const char *hf_engine_check(const struct hf_engine *engine)
{
	const char *broken = hf_wheel_check(&engine->wheel);

	if (!broken)
		broken = hf_table_check(&engine->table);
	if (!broken)
		broken = check_numbers(engine);
	for (hf_flow flow = 0; !broken && flow < engine->touched; flow++) {
		uint16_t slot = engine->records[flow].keepalive.slot;

		broken = check_flow(engine, flow);
		if (!broken && slot != HF_WHEEL_NO_SLOT && !in_batch(engine, flow, slot) &&
		    !in_slot(&engine->wheel, flow, slot))
			broken = "a flow has no entry in its slot";
	}
	return broken;
}
