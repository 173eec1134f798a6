/* SPDX-License-Identifier: BSD-2-Clause */
/* Time is told, timers run out, actions come of it: see engine.c. */
#include <core/engine_private.h>

#include <core/bytes.h>

/* ms overdue, from where on time stands still. */
#define STANDSTILL (UINT64_C(1) << 29)

void hf_engine_advance(struct hf_engine *engine, uint64_t now_ms, uint32_t budget)
{
	uint64_t passed = now_ms - engine->told;
	uint64_t most = engine->served + STANDSTILL - engine->clock;

	engine->limited = budget;
	engine->budget = budget;
	if (passed > INT64_MAX)
		return;
	engine->told = now_ms;
	engine->clock += passed < most ? passed : most;
	if (passed > engine->leap)
		engine->jumped = engine->clock;
	hf_wheel_advance(&engine->wheel, engine->clock);
}

static bool spend(struct hf_engine *engine)
{
	if (!engine->limited)
		return true;
	if (!engine->budget)
		return false;
	engine->budget--;
	return true;
}

/* The next numbers that are due, their records on the way; false when nothing is. */
static bool refill(struct hf_engine *engine)
{
	struct hf_wheel *wheel = &engine->wheel;

	engine->batch_at = 0;
	engine->batch_size =
		(uint32_t)hf_wheel_take(wheel, engine->batch, HF_ENGINE_BATCH, &engine->batch_slot);
	engine->batch_due = wheel->next_ms - (uint64_t)wheel->behind * wheel->tick_ms;
	for (uint32_t i = 0; i < engine->batch_size; i++)
		hf_prefetch(&engine->records[engine->batch[i]], sizeof(struct hf_record));
	return engine->batch_size;
}

static void count_action(struct hf_engine *engine, const struct hf_action *action)
{
	if (action->kind == HF_VERDICT)
		hf_engine_count(engine, action->event);
	else if (action->kind == HF_SEND_PROBE)
		engine->statistics.probes++;
	else
		engine->statistics.questions++;
}

/*
 * Timers that ran out long before the end of a jump all come up at once then: silence that none
 * of them asked for. They get a random share of the jitter's width, so as not to act in step.
 */
static bool came_up_in_jump(const struct hf_engine *engine, const struct hf_record *record)
{
	return engine->options.jitter && engine->jumped > engine->batch_due + engine->leap &&
	       !hf_keepalive_pending(&record->keepalive);
}

static bool visit(struct hf_engine *engine, hf_flow flow, struct hf_action *out)
{
	struct hf_record *record = &engine->records[flow];
	const struct hf_probing *probing = hf_record_probing(engine, record);
	struct hf_before before = hf_engine_before(record);
	uint64_t late = engine->clock - engine->batch_due;
	struct hf_moment moment;
	bool acts;

	record->keepalive.slot = HF_WHEEL_NO_SLOT;
	if (!hf_record_used(record))
		return false;
	if (late > engine->statistics.late_max_ms)
		engine->statistics.late_max_ms = late;
	if (came_up_in_jump(engine, record)) {
		hf_keepalive_hold(&record->keepalive, hf_engine_now(engine));
		hf_engine_rearm(engine, flow);
		return false;
	}
	hf_engine_moment(engine, flow, &moment);
	acts = hf_keepalive_expire(&record->keepalive, probing, &moment, out);
	hf_engine_put(engine, flow,
		      engine->clock + hf_keepalive_wait(&record->keepalive, probing, &moment));
	hf_engine_after(engine, flow, &before);
	if (!acts)
		return false;
	out->flow = flow;
	count_action(engine, out);
	return true;
}

/* Flows whose policy was changed, or may have been: their timers are moved where that is earlier. */
static void walk(struct hf_engine *engine)
{
	while (engine->walked < engine->touched && spend(engine)) {
		hf_flow flow = engine->walked++;

		if (hf_record_used(&engine->records[flow]))
			hf_engine_rearm(engine, flow);
	}
}

bool hf_engine_next(struct hf_engine *engine, struct hf_action *out)
{
	hf_flow flow;

	for (;;) {
		if (engine->batch_at == engine->batch_size && !refill(engine))
			break;
		if (!spend(engine))
			return false;
		flow = engine->batch[engine->batch_at++];
		if (engine->records[flow].keepalive.slot == engine->batch_slot &&
		    visit(engine, flow, out))
			return true;
	}
	engine->served = engine->clock;
	walk(engine);
	return false;
}

/*
 * While dialogues go on, time is to be told so often that a jump can be told from mere leisure:
 * at half of what makes one.
 */
uint64_t hf_engine_due(const struct hf_engine *engine)
{
	uint64_t due = hf_wheel_due(&engine->wheel), at;

	if (engine->batch_at < engine->batch_size || engine->walked < engine->touched)
		return engine->told;
	if (due == UINT64_MAX)
		return due;
	if (engine->statistics.dialogues && due > engine->clock + engine->leap / 2)
		due = engine->clock + engine->leap / 2;
	at = engine->told + (due < engine->clock ? 0 : due - engine->clock);
	return at == UINT64_MAX ? at - 1 : at; /* which means never */
}
