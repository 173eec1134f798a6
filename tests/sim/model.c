/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every interleaving of loss, delay, death, reboot and data for one flow and few probes: no end
 * that answers is taken for dead, and every death is told in time.
 *
 * A run is a sequence of choices. The first DEPTH times that the engine sends something, it is
 * chosen what has just happened (nothing; the peer has lost power, or has rebooted; one of the
 * ends sends data) and what becomes of that segment (answered at once; its answer comes after the
 * next probe; lost on its way there, or back). What comes later is answered if there is anybody to.
 * Runs are counted through like the digits of a number, each from the beginning. The engine is a
 * black box, and the ends are those of the simulator.
 *
 * A gateway that has asked before keeps numbers: there the choices begin with the second dialogue,
 * the first of them being whether traffic has passed unseen since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holdfast/engine.h>

#include "sim/tcp.h"

#define DEPTH 5
#define CHOICES (3 * DEPTH)
#define FIRST_DIALOGUE 4 /* segments of a quiet one: a question and a probe for each end */
#define TICK 125
#define COUNT 3
#define UNDER_WAY 64
#define THIRD_AFTER (7 * HF_TCP_RTO_MS) /* the third retransmission after the data: 1 + 2 + 4 */

static const struct hf_probing probing = {
	.idle_ms = 4000, .interval_ms = 1000, .in_flight_ms = 9000, .count = COUNT
};

enum incident {
	NOTHING,
	DIES,
	REBOOTS,
	HERE_TALKS,  /* the end that the segment comes from, or seems to */
	THERE_TALKS, /* the end that it goes to */
	INCIDENTS
};

enum fate {
	ANSWERED,
	ANSWERED_LATE,
	LOST,
	LOST_BACK,
	FATES
};

struct travel { /* a segment on its way to an end, or to the engine from one */
	uint64_t at;
	struct hf_segment segment;
	enum hf_side end; /* that it goes to, or comes from */
	bool answer;
};

struct end {
	struct hf_tcp tcp;
	bool gone, silent; /* has not the connection any more; and does not say so */
	bool told;
	uint64_t heard, timer;
	uint64_t owes; /* since when data was seen on its way to it, and nothing of it; 0: none */
	unsigned int asked, retransmitted; /* segments to it since it was heard, by us and not */
	unsigned int lost;		   /* of those by us: they, or their answers, or late */
};

static struct model {
	const char *name;
	unsigned int options, quiet, depth; /* segments before the choices, and with them */
	struct hf_engine *engine;
	uint64_t now, start;
	hf_flow flow;
	struct end end[2];
	struct travel travel[UNDER_WAY];
	unsigned int travels, sent;

	unsigned int choice[CHOICES], alternatives[CHOICES], choices; /* of this run */
	uint64_t runs, deaths, deaths_of_living, segments;
} model;

static void fail(const char *why)
{
	printf("not ok 1 - %s: %s\n# at %llu ms, choices", model.name, why,
	       (unsigned long long)(model.now - model.start));
	for (unsigned int i = 0; i < model.choices; i++)
		printf(" %u/%u", model.choice[i], model.alternatives[i]);
	puts("\n1..1");
	exit(1);
}

static unsigned int choose(unsigned int alternatives)
{
	unsigned int place = model.choices++;

	if (place >= CHOICES)
		return 0;
	model.alternatives[place] = alternatives;
	return model.choice[place];
}

/* The next run in order; false: that was the last. */
static bool next_run(void)
{
	unsigned int place = model.choices < CHOICES ? model.choices : CHOICES;

	while (place && model.choice[place - 1] + 1 == model.alternatives[place - 1])
		model.choice[--place] = 0;
	if (!place)
		return false;
	model.choice[place - 1]++;
	return true;
}

static bool watched(enum hf_side side)
{
	return model.options & (HF_WATCH_ORIGINATOR << side);
}

static struct hf_tcp_time moment(enum hf_side side)
{
	return (struct hf_tcp_time){ .now_ms = (uint32_t)model.now,
				     .tsval = (uint32_t)model.now + side * 1000000u,
				     .timestamps = true };
}

/* --- The engine's view, and ours --- */

static uint64_t bound(void)
{
	return hf_probing_bound(&probing, watched(HF_ORIGINATOR) && watched(HF_RESPONDER) ? 2 : 1,
				TICK);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * When the death of an end must have been told. With data in flight: in_flight_ms after the end was
 * heard, if three retransmissions have been seen then, or when they have, within an interval and
 * a tick; or, if their sender is gone as well, as if the silence had begun with the last of them.
 */
static uint64_t latest(enum hf_side side)
{
	const struct end *end = &model.end[side], *sender = &model.end[!side];
	uint64_t in_flight;

	if (!end->owes)
		return end->heard + bound();
	in_flight = later(end->heard + probing.in_flight_ms, end->owes + THIRD_AFTER) +
		    probing.interval_ms + TICK;
	return later(end->heard + bound(), sender->gone ? sender->heard + bound() : in_flight);
}

static void verdict(enum hf_side side, const struct hf_evidence *evidence, bool reset)
{
	struct end *end = &model.end[side];
	uint64_t silent = model.now - end->heard;

	if (end->told)
		fail("one death was told twice");
	end->told = true;
	if (!watched(side))
		return;
	if (!end->gone && reset)
		fail("a RST that nobody sent");
	if (!end->gone && !evidence->in_flight &&
	    (end->asked < COUNT || silent < COUNT * (probing.interval_ms - TICK)))
		fail("an end that answered was taken for dead");
	if (!end->gone && !evidence->in_flight && end->lost < (COUNT - !!model.quiet))
		fail("a living end was taken for dead for fewer losses than it takes");
	if (!end->gone && evidence->in_flight && end->asked < COUNT &&
	    (silent < probing.in_flight_ms || end->asked + end->retransmitted < COUNT))
		fail("an end that answered was taken for dead, with data in flight");
	if (end->gone && model.now > latest(side))
		fail("a death was told too late");
	model.deaths += end->gone;
	model.deaths_of_living += !end->gone;
}

static void hear(enum hf_side side, const struct hf_segment *segment)
{
	struct hf_heard heard;

	hf_engine_segment(model.engine, model.flow, side, segment, &heard);
	model.segments++;
	if (!(segment->flags & HF_RST)) {
		model.end[side].heard = model.now;
		model.end[side].asked = model.end[side].retransmitted = 0;
		model.end[side].lost = 0;
		model.end[side].owes = 0;
	}
	if (segment->payload && !model.end[!side].owes)
		model.end[!side].owes = model.now;
	if (heard.event == HF_RESET)
		verdict(side, &heard.evidence, true);
	if (heard.event == HF_REVIVED)
		model.end[side].told = false;
}

/* --- Segments under way --- */

static void post(uint64_t at, enum hf_side end, bool answer, const struct hf_segment *segment)
{
	if (model.travels == UNDER_WAY)
		fail("too many segments under way");
	model.travel[model.travels++] = (struct travel){ at, *segment, end, answer };
}

/* A segment reaches an end now; what it says comes back at answer_at, 0 = is lost. */
static void reach(enum hf_side side, const struct hf_segment *segment, uint64_t answer_at)
{
	struct end *end = &model.end[side];
	struct hf_tcp_time time = moment(side);
	struct hf_segment answer;
	unsigned int outcome;

	if (end->gone)
		outcome = !end->silent && hf_tcp_refuse(segment, &answer) ? HF_TCP_ANSWERS : 0;
	else
		outcome = hf_tcp_receive(&end->tcp, segment, &time, &answer);
	end->gone |= outcome & HF_TCP_RESET;
	if (outcome & HF_TCP_ANSWERS && answer_at)
		post(answer_at, side, true, &answer);
}

/* What an end says passes the engine and goes to the other end; what that one answers, back. */
static void pass(enum hf_side from, const struct hf_segment *segment)
{
	hear(from, segment);
	reach(!from, segment, model.now + 1);
}

static void arrive(void)
{
	for (unsigned int i = 0; i < model.travels;) {
		struct travel travel = model.travel[i];

		if (travel.at > model.now) {
			i++;
			continue;
		}
		model.travel[i] = model.travel[--model.travels];
		if (travel.answer)
			pass(travel.end, &travel.segment);
	}
}

static void talk(enum hf_side side)
{
	struct hf_tcp_time time = moment(side);
	struct hf_segment segment;

	if (model.end[side].gone || !hf_tcp_send(&model.end[side].tcp, 1, &time, &segment))
		return;
	model.end[side].timer = model.now + hf_tcp_timeout(&model.end[side].tcp);
	pass(side, &segment);
}

static void run_timers(void)
{
	for (int side = 0; side < 2; side++) {
		struct end *end = &model.end[side];
		struct hf_tcp_time time = moment(side);
		struct hf_segment segment;

		if (end->gone || model.now < end->timer || !hf_tcp_timeout(&end->tcp))
			continue;
		if (hf_tcp_timer(&end->tcp, &time, &segment) != HF_TCP_SENDS)
			continue;
		end->timer = model.now + hf_tcp_timeout(&end->tcp);
		model.end[!side].retransmitted++;
		pass(side, &segment);
	}
}

/* --- What the engine does, and what is chosen then --- */

static void befall(enum hf_side target)
{
	struct end *end = &model.end[target];

	switch ((enum incident)choose(INCIDENTS)) {
	case DIES:
		end->silent |= !end->gone;
		end->gone = true;
		break;
	case REBOOTS:
		end->gone = true;
		break;
	case HERE_TALKS:
		talk(!target);
		break;
	case THERE_TALKS:
		talk(target);
		break;
	default:
		break;
	}
}

static void deliver(enum hf_side target, enum fate fate, const struct hf_segment *segment)
{
	static const uint64_t delays[FATES] = { [ANSWERED] = 1, [ANSWERED_LATE] = 1500 };

	if (fate != LOST)
		reach(target, segment, delays[fate] ? model.now + delays[fate] : 0);
}

/* Both ends send something, and acknowledge it; the engine is not told. */
static void pass_unseen(void)
{
	for (int side = 0; side < 2; side++) {
		struct hf_tcp_time times[2] = { moment(side), moment(!side) };
		struct hf_segment data, ack;

		if (hf_tcp_send(&model.end[side].tcp, 1, &times[0], &data) &&
		    hf_tcp_receive(&model.end[!side].tcp, &data, &times[1], &ack))
			hf_tcp_receive(&model.end[side].tcp, &ack, &times[0], &data);
	}
}

static bool chooses(unsigned int sent)
{
	return sent >= model.quiet && sent < model.quiet + model.depth;
}

static void speak(const struct hf_action *action)
{
	static const struct hf_endpoint nowhere;
	enum hf_side target = action->target;
	struct hf_numbers numbers;
	struct hf_segment segment;
	enum fate fate = ANSWERED;

	if (model.quiet && model.sent == model.quiet && choose(2))
		pass_unseen();
	if (chooses(model.sent++)) {
		befall(target);
		fate = choose(FATES);
	}
	model.end[target].asked++;
	model.end[target].lost += fate != ANSWERED;
	if (hf_engine_numbers(model.engine, model.flow, target, &numbers)) {
		hf_segment_probe(&nowhere, &nowhere, &numbers, action->garbage, &segment);
		deliver(target, fate, &segment);
	} else if (action->kind == HF_SEND_PROBE) {
		fail("a probe without numbers");
	}
	if (action->kind == HF_SEND_PROBE)
		return;
	for (unsigned int which = 0; which < 4; which++) {
		hf_segment_tickle(&nowhere, &nowhere, which, &segment);
		if (action->kind == HF_SEND_HANDSHAKE)
			hf_segment_handshake(&nowhere, &nowhere, target == HF_RESPONDER, &segment);
		deliver(target, fate, &segment);
		if (action->kind == HF_SEND_HANDSHAKE)
			break;
	}
}

static void tick(void)
{
	struct hf_action action;

	model.now += TICK;
	hf_engine_advance(model.engine, model.now, 0);
	arrive();
	run_timers();
	while (hf_engine_next(model.engine, &action)) {
		if (action.kind == HF_VERDICT)
			verdict(action.target, &action.evidence, false);
		else
			speak(&action);
	}
}

/* --- A run --- */

static void open_flow(void)
{
	struct hf_flow_key key = { .end = { { .port = 1, .family = HF_IPV4 },
					    { .port = 2, .family = HF_IPV4 } } };

	model.travels = model.sent = model.choices = 0;
	model.start = model.now;
	memset(model.end, 0, sizeof(model.end));
	if (hf_engine_add(model.engine, &key, model.options, 0, 0, &model.flow) != HF_ADDED)
		fail("there is no room");
	hf_tcp_open(&model.end[0].tcp, 1000, 0xfffffff0);
	hf_tcp_open(&model.end[1].tcp, 0xfffffff0, 1000);
	for (int side = 0; side < 2; side++) {
		model.end[side].tcp.ts_recent = moment(!side).tsval;
		model.end[side].heard = model.now;
	}
	for (int side = 0; side < 2 && !(model.options & HF_ASK); side++) {
		struct hf_numbers numbers = { .expected = model.end[side].tcp.expected,
					      .next = model.end[side].tcp.next,
					      .tsval = moment(!side).tsval,
					      .tsecr = moment(side).tsval,
					      .window = UINT16_MAX,
					      .has_timestamps = true };

		hf_engine_learn(model.engine, model.flow, side, &numbers);
	}
}

/* Long enough for whatever was chosen to be told; then nothing may be left untold. */
static void run(void)
{
	uint64_t last_choice;

	open_flow();
	last_choice = model.now;
	while (model.now - last_choice < 2 * (bound() + probing.in_flight_ms + THIRD_AFTER) &&
	       !model.end[0].told && !model.end[1].told) {
		unsigned int sent = model.sent;

		tick();
		if (sent < model.quiet + model.depth && model.sent > sent)
			last_choice = model.now;
	}
	for (int side = 0; side < 2; side++)
		if (watched(side) && model.end[side].gone && !model.end[0].told &&
		    !model.end[1].told)
			fail("a death was never told");
	hf_engine_remove(model.engine, model.flow);
	if (model.runs++ % 4096 == 0 && hf_engine_check(model.engine))
		fail(hf_engine_check(model.engine));
}

static void explore(const char *name, unsigned int options, unsigned int quiet, unsigned int depth)
{
	struct hf_engine_options create = { .flows = 1, .tick_ms = TICK };
	size_t size = (hf_engine_size(&create) + 63) / 64 * 64;
	void *memory = aligned_alloc(64, size);

	memset(&model, 0, sizeof(model));
	model.name = name;
	model.options = options;
	model.quiet = quiet;
	model.depth = depth;
	model.now = UINT32_MAX - 100000ull; /* 32-bit times wrap early on */
	model.engine = hf_engine_init(memory, size, &create, model.now);
	if (!model.engine || !hf_engine_set_probing(model.engine, 0, &probing))
		fail("there is no engine");
	do
		run();
	while (next_run());
	printf("# %s: %llu runs, %llu segments heard, %llu deaths told, %llu living ends given up "
	       "for loss alone\n",
	       name, (unsigned long long)model.runs, (unsigned long long)model.segments,
	       (unsigned long long)model.deaths, (unsigned long long)model.deaths_of_living);
	if (!model.deaths || !model.deaths_of_living)
		fail("nothing was tried");
	free(memory);
}

int main(void)
{
	explore("an end watches its peer", HF_WATCH_RESPONDER, 0, DEPTH);
	puts("ok 1 - an end watches its peer");
	explore("a gateway watches both ends", HF_WATCH_BOTH, 0, DEPTH);
	puts("ok 2 - a gateway watches both ends");
	explore("a gateway that has to ask", HF_WATCH_BOTH | HF_ASK, 0, DEPTH);
	puts("ok 3 - a gateway that has to ask");
	explore("a gateway that has asked before", HF_WATCH_BOTH | HF_ASK, FIRST_DIALOGUE, DEPTH);
	puts("ok 4 - a gateway that has asked before\n1..4");
	return 0;
}
