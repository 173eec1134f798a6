/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a stream of operations on an engine of a few flows: each byte says what is done
 * and with which flow, the next ones are its numbers. All invariants hold, no flow acts twice at
 * one time, and what is told is so.
 */
#include <stdlib.h>
#include <string.h>

#include <holdfast/engine.h>

#define FLOWS 6
#define NAMES 8 /* more than fit */
#define POLICIES 2
/*
 * To look at all the wheel takes longer than most inputs do: it is done while inputs of
 * every 32nd length run, after each so many steps.
 */
#define CHECK_LENGTHS 32
#define CHECK_EVERY 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

struct world {
	struct hf_engine *engine;
	void *memory;
	uint64_t now;
	uint32_t flows;
};

static void expect(bool held)
{
	if (!held)
		abort();
}

/* The next bytes as a number; zeros where there are no more. */
static uint32_t take(struct input *in, size_t wanted)
{
	uint32_t number = 0;

	for (size_t i = 0; i < wanted && in->size; i++, in->size--)
		number = number << 8 | *in->data++;
	return number;
}

/* From milliseconds to days. */
static uint64_t take_time(struct input *in)
{
	uint32_t number = take(in, 2);

	return (uint64_t)(number & 0xfff) << (number >> 12) * 2;
}

static struct hf_flow_key key_of(unsigned int name)
{
	struct hf_flow_key key;

	memset(&key, 0, sizeof(key));
	for (unsigned int side = 0; side < 2; side++) {
		key.end[side].family = HF_IPV6;
		key.end[side].address.byte[15] = (uint8_t)side;
		key.end[side].port = (uint16_t)name;
	}
	return key;
}

/* Numbers close to each other, so that some of them fit. */
static uint32_t take_number(struct input *in)
{
	uint32_t byte = take(in, 1);

	return byte == 255 ? take(in, 4) : byte - 8;
}

static struct hf_segment take_segment(struct input *in, unsigned int name, enum hf_side side)
{
	struct hf_flow_key key = key_of(name % NAMES);
	uint32_t flags = take(in, 1);
	struct hf_segment segment = {
		.source = key.end[side],
		.destination = key.end[!side],
		.seq = take_number(in),
		.ack = take_number(in),
		.flags = flags & 0x80 ? HF_ACK : flags & 0x3f,
		.has_timestamps = flags & 0x40,
	};

	if (segment.has_timestamps) {
		segment.tsval = take_number(in);
		segment.tsecr = take_number(in);
	}
	if (!(flags & 0x80))
		segment.payload = take_number(in);
	return segment;
}

static void op_segment(struct world *world, struct input *in, unsigned int which)
{
	struct hf_segment segments[40];
	struct hf_heard heard[40];
	size_t n = which & 0x10 ? 40 : 1;

	segments[0] = take_segment(in, which, which & 8 ? HF_RESPONDER : HF_ORIGINATOR);
	for (size_t i = 1; i < n; i++)
		segments[i] = i % 3 ? segments[0] :
				      take_segment(in, which + (unsigned int)i, i & 1);
	hf_engine_segments(world->engine, segments, n, heard);
	for (size_t i = 0; i < n; i++) {
		expect(heard[i].flow == HF_NO_FLOW ||
		       hf_engine_exists(world->engine, heard[i].flow));
		expect(heard[i].event != HF_DEAD && heard[i].event <= HF_REVIVED);
	}
}

static void op_add(struct world *world, struct input *in, unsigned int which)
{
	struct hf_flow_key key = key_of(which % NAMES);
	unsigned int how = take(in, 1);
	hf_flow flow = HF_NO_FLOW;
	struct hf_engine_statistics count;
	enum hf_add added;

	added = hf_engine_add(world->engine, &key, how & 15, how >> 4 & 3,
			      how & 0x40 ? (uint32_t)take_time(in) : 0, &flow);
	hf_engine_statistics(world->engine, &count);
	expect((added == HF_ADDED || added == HF_ADD_EXISTS) == (flow != HF_NO_FLOW));
	expect(flow == HF_NO_FLOW || hf_engine_exists(world->engine, flow));
	expect(added != HF_ADD_FULL || count.flows == world->flows);
}

static void op_learn(struct world *world, struct input *in, unsigned int which)
{
	struct hf_numbers numbers = { .expected = take_number(in), .next = take_number(in) };
	struct hf_numbers told;
	hf_flow flow = which % FLOWS;
	enum hf_side side = which & 8 ? HF_RESPONDER : HF_ORIGINATOR;

	numbers.has_timestamps = which & 0x10;
	hf_engine_learn(world->engine, flow, side, &numbers);
	if (hf_engine_exists(world->engine, flow)) {
		expect(hf_engine_numbers(world->engine, flow, side, &told));
		expect(told.expected == numbers.expected && told.next == numbers.next);
	}
}

static void op_set_probing(struct world *world, struct input *in, unsigned int which)
{
	struct hf_probing probing = {
		.idle_ms = (uint32_t)take_time(in),
		.interval_ms = (uint32_t)take_time(in),
		.in_flight_ms = (uint32_t)take_time(in),
		.count = (uint8_t)take(in, 1),
		.garbage_last = which & 8,
	};

	hf_engine_set_probing(world->engine, which % POLICIES, &probing);
}

static void op_move(struct world *world, unsigned int which)
{
	struct hf_engine_options options = { .flows = 1 + which % (2 * FLOWS), .tick_ms = 1 };
	size_t size = hf_engine_size(&options);
	void *memory = aligned_alloc(64, size);
	struct hf_engine *moved;

	expect(memory);
	moved = hf_engine_move(world->engine, memory, size, options.flows);
	free(moved ? world->memory : memory);
	if (!moved)
		return;
	world->engine = moved;
	world->memory = memory;
	world->flows = options.flows;
}

/* What is to be done: each flow at most once before time goes on. */
static void pull(struct world *world)
{
	bool acted[2 * FLOWS] = { false };
	struct hf_numbers numbers;
	struct hf_action action;

	while (hf_engine_next(world->engine, &action)) {
		expect(hf_engine_exists(world->engine, action.flow));
		expect(!acted[action.flow]);
		acted[action.flow] = true;
		if (action.kind == HF_VERDICT)
			expect(action.event == HF_DEAD && action.evidence.unanswered >= 3);
		if (action.kind == HF_SEND_PROBE)
			expect(hf_engine_numbers(world->engine, action.flow, action.target,
						 &numbers));
		expect(!action.garbage || action.kind == HF_SEND_PROBE);
	}
}

static void op_advance(struct world *world, struct input *in, unsigned int which)
{
	uint64_t due = hf_engine_due(world->engine);

	if (which & 8 && due != UINT64_MAX && due - world->now < UINT64_MAX / 2)
		world->now = due;
	else
		world->now += take_time(in);
	hf_engine_advance(world->engine, world->now, which & 0x10 ? which & 7 : 0);
	pull(world);
}

static void step(struct world *world, struct input *in)
{
	unsigned int what = take(in, 1), which = what >> 3;

	switch (what & 7) {
	case 0:
		op_add(world, in, which);
		break;
	case 1:
		hf_engine_remove(world->engine, which % FLOWS);
		break;
	case 2:
		op_learn(world, in, which);
		break;
	case 3:
		op_set_probing(world, in, which);
		break;
	case 4:
		if (which & 0x10)
			hf_engine_heard(world->engine, which % FLOWS, (uint32_t)take_time(in));
		else
			hf_engine_assign(world->engine, which % FLOWS, which >> 3 & 3);
		break;
	case 5:
		if (which & 0x10)
			op_move(world, which);
		else
			hf_engine_next(world->engine, &(struct hf_action){ 0 });
		break;
	case 6:
		op_segment(world, in, which);
		break;
	case 7:
		op_advance(world, in, which);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hf_probing probing = {
		.idle_ms = 2000,
		.interval_ms = 1000,
		.in_flight_ms = 3000,
		.count = 3,
	};
	struct input in = { data, size };
	struct hf_engine_options options = { .flows = FLOWS, .seed = 1 };
	struct world world = { .flows = FLOWS };
	bool checked = size % CHECK_LENGTHS == 0;

	options.tick_ms = 1 + take(&in, 1);
	options.jitter = take(&in, 1) % 11;
	world.now = (uint64_t)take(&in, 4) << 32 | take(&in, 4);
	size = hf_engine_size(&options);
	world.memory = aligned_alloc(64, (size + 63) / 64 * 64);
	expect(world.memory);
	memset(world.memory, 0xa5, size);
	world.engine = hf_engine_init(world.memory, size, &options, world.now);
	expect(world.engine && hf_engine_set_probing(world.engine, 0, &probing));
	for (unsigned int i = 0; in.size && i < 200; i++) {
		step(&world, &in);
		expect(!checked || i % CHECK_EVERY || !hf_engine_check(world.engine));
	}
	expect(!checked || !hf_engine_check(world.engine));
	free(world.memory);
	return 0;
}
