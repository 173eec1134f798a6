/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine [N...]: what the whole engine costs with N flows (1000000 and 10000000).
 *
 * Each operation prints a line, `engine N=1000000 op=segments ns=81.3`, in processor time for
 * each flow or segment:
 *	add		a flow
 *	segments	of random flows, from both ends in turn, 256 at a time; the best of some rounds
 *	rearm		a timer runs out, the flow is not due yet and is put off
 *	probe		a timer runs out, the probe is pulled, its numbers are looked up
 *	answer		the probed flows' answers, as segments above: the dialogues end
 *	move		to an engine of the same size
 * Timers run out spread over thousands of ticks, so that neighbours in memory are none in time.
 * Then `engine N=1000000 bytes_per_flow=95.9`: all there is, by the number of flows.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <holdfast/engine.h>

#define TICK 500 /* a ring of 4096 s: each timer runs out once in what is measured */
#define SEGMENTS 2000000
#define PROBED (SEGMENTS / 4)
#define ROUNDS 5
#define AT_ONCE 256
#define SHORT_MS 1900000u
#define LONG_MS 3900000u

static struct hf_segment *segments; /* SEGMENTS of them, of random flows */
static uint32_t probed[PROBED];
static uint32_t flows;
static uint64_t seed = 1;

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 32) * limit >> 32);
}

/* Zeroed and touched, in huge pages if the kernel gives them: as an embedder does well to do. */
static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "%zu bytes", size);
	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 0, size);
	return memory;
}

static void report(const char *op, double ns)
{
	printf("engine N=%u op=%s ns=%.1f\n", flows, op, ns);
	fflush(stdout);
}

static struct hf_endpoint endpoint(uint32_t n, bool responder)
{
	struct hf_endpoint end = { .family = HF_IPV4, .port = responder ? 443 : (uint16_t)n };

	end.address.byte[10] = end.address.byte[11] = 0xff;
	end.address.byte[12] = responder ? 198 : 10;
	end.address.byte[14] = (uint8_t)(n >> 24);
	end.address.byte[15] = (uint8_t)(n >> 16);
	return end;
}

static void add_all(struct hf_engine *engine)
{
	double start = cpu_ns();

	for (uint32_t n = 0; n < flows; n++) {
		struct hf_flow_key key = { { endpoint(n, false), endpoint(n, true) } };
		hf_flow flow;

		if (hf_engine_add(engine, &key, HF_WATCH_RESPONDER, 0, 0, &flow) != HF_ADDED)
			errx(1, "flow %u does not fit", n);
	}
	report("add", (cpu_ns() - start) / flows);
}

/* Traffic of one flow: nothing is in flight. */
static void fill_segment(uint32_t n, bool responder, struct hf_segment *out)
{
	*out = (struct hf_segment){
		.source = endpoint(n, responder),
		.destination = endpoint(n, !responder),
		.seq = responder ? 5000 : 1000,
		.ack = responder ? 1000 : 5000,
		.flags = HF_ACK,
		.window = 500,
	};
}

static double hear(struct hf_engine *engine, size_t n, enum hf_event wanted)
{
	struct hf_heard heard[AT_ONCE];
	double start = cpu_ns();

	for (size_t done = 0; done < n; done += AT_ONCE) {
		size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;

		hf_engine_segments(engine, segments + done, some, heard);
		for (size_t i = 0; i < some; i++)
			if (heard[i].flow == HF_NO_FLOW || heard[i].event != wanted)
				errx(1, "flow %u: event %u", heard[i].flow, heard[i].event);
	}
	return cpu_ns() - start;
}

static void hear_random(struct hf_engine *engine)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < SEGMENTS; i++)
			fill_segment(random_below(flows), i & 1, &segments[i]);
		double ns = hear(engine, SEGMENTS, HF_NOTHING) / SEGMENTS;

		if (!round || ns < best)
			best = ns;
	}
	report("segments", best);
}

/* Both ends of all flows say something, so that their numbers are known. */
static void hear_all(struct hf_engine *engine)
{
	for (uint32_t n = 0; n < flows;) {
		size_t some = 0;

		for (; some + 1 < SEGMENTS && n < flows; n++) {
			fill_segment(n, false, &segments[some++]);
			fill_segment(n, true, &segments[some++]);
		}
		hear(engine, some, HF_NOTHING);
	}
}

/* Tick by tick until a time; how many probes came of it. Flows probed last are remembered. */
static uint32_t run(struct hf_engine *engine, uint64_t from, uint64_t until)
{
	struct hf_numbers numbers;
	struct hf_action action;
	uint32_t probes = 0;

	for (uint64_t now = from; now <= until; now += TICK) {
		hf_engine_advance(engine, now, 0);
		while (hf_engine_next(engine, &action)) {
			if (!hf_engine_numbers(engine, action.flow, action.target, &numbers))
				errx(1, "flow %u: no numbers", action.flow);
			probed[probes++ % PROBED] = action.flow;
		}
	}
	return probes;
}

static void time_timers(struct hf_engine *engine)
{
	static const struct hf_probing longer = { .idle_ms = LONG_MS,
						  .interval_ms = HF_PROBING_MAX,
						  .in_flight_ms = HF_PROBING_MAX,
						  .count = 3 };
	struct hf_action action;
	uint32_t probes;
	double start;

	/* Entries come up as the shorter idle time had it, and are put off. */
	hf_engine_set_probing(engine, 0, &longer);
	if (hf_engine_next(engine, &action))
		errx(1, "an action too early");
	start = cpu_ns();
	probes = run(engine, 0, SHORT_MS / 4);
	report("rearm", (cpu_ns() - start) / (flows / 4.0 - probes));
	run(engine, SHORT_MS / 4, LONG_MS / 2);
	start = cpu_ns();
	probes = run(engine, LONG_MS / 2 + TICK, LONG_MS);
	report("probe", (cpu_ns() - start) / probes);
}

/* Of the flows probed last, each once. They were probed in an order that is random enough. */
static void time_answers(struct hf_engine *engine)
{
	size_t n = flows / 4 < PROBED ? flows / 4 : PROBED;

	for (size_t i = 0; i < n; i++)
		fill_segment(probed[i], true, &segments[i]);
	report("answer", hear(engine, n, HF_ALIVE) / (double)n);
}

static void measure(void)
{
	static const struct hf_probing probing = { .idle_ms = SHORT_MS,
						   .interval_ms = HF_PROBING_MAX,
						   .in_flight_ms = HF_PROBING_MAX,
						   .count = 3 };
	struct hf_engine_options options = {
		.flows = flows, .tick_ms = TICK, .key = { 1, 2 }, .seed = 3, .jitter = 1
	};
	size_t size = hf_engine_size(&options);
	void *memory = map(size);
	struct hf_engine *engine = hf_engine_init(memory, size, &options, 0);

	hf_engine_set_probing(engine, 0, &probing);
	add_all(engine);
	hear_all(engine);
	hear_random(engine);
	time_timers(engine);
	time_answers(engine);
	void *other = map(size);
	double start = cpu_ns();

	if (!hf_engine_move(engine, other, size, flows))
		errx(1, "no move");
	report("move", (cpu_ns() - start) / flows);
	munmap(other, size);
	munmap(memory, size);
	printf("engine N=%u bytes_per_flow=%.1f\n", flows, (double)size / flows);
}

int main(int argc, char **argv)
{
	segments = map(SEGMENTS * sizeof(*segments));
	for (int i = 1; i < (argc > 1 ? argc : 3); i++) {
		flows = argc > 1 ? (uint32_t)strtoul(argv[i], NULL, 10) :
			i == 1	 ? 1000000 :
				   10000000;
		if (!flows || flows > UINT32_C(1) << 31)
			errx(2, "usage: engine [N...]");
		measure();
	}
	return 0;
}
