/* SPDX-License-Identifier: BSD-2-Clause */
/* What is heard of flows: segments, one or many, and what others know: see engine.c. */
#include <core/engine_private.h>

#include <string.h>

struct hf_before hf_engine_before(const struct hf_record *record)
{
	const struct hf_keepalive *keepalive = &record->keepalive;

	return (struct hf_before){
		.pending = hf_keepalive_pending(keepalive),
		.over = hf_keepalive_over(keepalive),
		.awaited = { hf_end_has(&keepalive->end[0], HF_END_AWAITED),
			     hf_end_has(&keepalive->end[1], HF_END_AWAITED) },
	};
}

void hf_engine_after(struct hf_engine *engine, hf_flow flow, const struct hf_before *before)
{
	const struct hf_keepalive *keepalive = &engine->records[flow].keepalive;

	engine->statistics.dialogues += (uint32_t)hf_keepalive_pending(keepalive) - before->pending;
	if (before->over && !hf_keepalive_over(keepalive))
		hf_engine_rearm(engine, flow);
}

void hf_engine_count(struct hf_engine *engine, enum hf_event event)
{
	struct hf_engine_statistics *count = &engine->statistics;
	uint64_t *counts[] = {
		[HF_ALIVE] = &count->alive,	[HF_DEAD] = &count->dead,
		[HF_RESET] = &count->reset,	[HF_CLOSED] = &count->closed,
		[HF_REVIVED] = &count->revived,
	};

	if (event != HF_NOTHING)
		(*counts[event])++;
}

void hf_engine_segment(struct hf_engine *engine, hf_flow flow, enum hf_side side,
		       const struct hf_segment *segment, struct hf_heard *out)
{
	struct hf_record *record;
	struct hf_before before;

	memset(out, 0, sizeof(*out));
	out->flow = HF_NO_FLOW;
	if (!hf_engine_exists(engine, flow))
		return;
	record = &engine->records[flow];
	before = hf_engine_before(record);
	out->flow = flow;
	out->side = (uint8_t)side;
	out->event = (uint8_t)hf_keepalive_segment(&record->keepalive, side, segment,
						   hf_engine_now(engine), &out->evidence);
	engine->statistics.segments++;
	if (before.awaited[side] && !hf_end_has(&record->keepalive.end[side], HF_END_AWAITED))
		engine->statistics.answers++;
	hf_engine_count(engine, out->event);
	hf_engine_after(engine, flow, &before);
}

static void key_of(const struct hf_segment *segment, struct hf_table_key *out)
{
	memcpy(out->address[0], segment->source.address.byte, sizeof(out->address[0]));
	memcpy(out->address[1], segment->destination.address.byte, sizeof(out->address[1]));
	out->port[0] = segment->source.port;
	out->port[1] = segment->destination.port;
}

static void hear_batch(struct hf_engine *engine, const struct hf_segment *segments, size_t n,
		       struct hf_heard *out)
{
	struct hf_table_key keys[HF_TABLE_BATCH];
	uint32_t flows[HF_TABLE_BATCH];
	bool reversed[HF_TABLE_BATCH];

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		key_of(&segments[i], &keys[i]);
	hf_table_find_all(&engine->table, keys, n, flows, reversed);
	for (size_t i = 0; i < n; i++)
		hf_engine_segment(engine, flows[i],
				  flows[i] != HF_NO_FLOW && reversed[i] ? HF_RESPONDER :
									  HF_ORIGINATOR,
				  &segments[i], &out[i]);
}

void hf_engine_segments(struct hf_engine *engine, const struct hf_segment *segments, size_t n,
			struct hf_heard *out)
{
	for (size_t done = 0; done < n; done += HF_TABLE_BATCH)
		hear_batch(engine, segments + done,
			   n - done < HF_TABLE_BATCH ? n - done : HF_TABLE_BATCH, out + done);
}

void hf_engine_learn(struct hf_engine *engine, hf_flow flow, enum hf_side target,
		     const struct hf_numbers *numbers)
{
	if (hf_engine_exists(engine, flow))
		hf_keepalive_learn(&engine->records[flow].keepalive, target, numbers);
}

void hf_engine_heard(struct hf_engine *engine, hf_flow flow, uint32_t idle_ms)
{
	struct hf_record *record;
	struct hf_before before;

	if (!hf_engine_exists(engine, flow))
		return;
	record = &engine->records[flow];
	before = hf_engine_before(record);
	if (hf_keepalive_heard(&record->keepalive, hf_engine_now(engine), idle_ms))
		hf_engine_count(engine, HF_REVIVED);
	hf_engine_after(engine, flow, &before);
}
