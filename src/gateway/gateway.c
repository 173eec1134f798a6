/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop. A tick is a tenth of a second: what has arrived is heard, time is told, what is due is
 * sent as far as the rate allows (the rest stays due). Between the ticks answers are read as they
 * come, and dumps part by part, so that neither a large table nor a burst holds up the other.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/private.h"

#define BURST \
	10 /* of a second's packets a tick may send at once if nothing was sent before: 1/10 */
#define ANSWER_BATCHES 64 /* before others have their turn */
#define SPEECH 256	  /* actions before answers are heard: their buffers are limited */

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void hf_gateway_tell(struct hf_gateway *gateway, const struct hf_gateway_news *news)
{
	gateway->dead += news->event == HF_GATEWAY_DEAD || news->event == HF_GATEWAY_RESET;
	gateway->fn(gateway->arg, news);
}

void hf_gateway_complain(struct hf_gateway *gateway, const char *what, int error)
{
	char action[128];
	struct hf_gateway_news news = { .event = HF_GATEWAY_ERROR, .action = action };

	snprintf(action, sizeof(action), "%s%s%s", what, error ? ": " : "",
		 error ? strerror(error) : "");
	hf_gateway_tell(gateway, &news);
}

/* --- Hearing --- */

/*
 * Is it in dialogue, or is something else still to be heard of it? What passes outside of that is
 * not all seen, so it is not looked at, and need not come up.
 */
static bool is_heard(struct hf_gateway *gateway, hf_flow flow)
{
	struct hf_flow_view view;

	hf_engine_look(hf_flows_engine(gateway->flows), flow, &view);
	if (view.dialogue || view.dead[0] || view.dead[1] ||
	    hf_flows_at(gateway->flows, flow)->flags & HF_CROSSING_ENDING)
		return true;
	hf_flows_listen(gateway->flows, flow, false);
	return false;
}

/*
 * With SYN or FIN it is sent by nobody and taken by nobody; with a question's own number it comes
 * from a box that the question has confused.
 */
static bool is_no_reset(const struct hf_segment *segment)
{
	return segment->flags & (HF_SYN | HF_FIN) || !(segment->seq << 2);
}

/* An answer that nobody gave? Where its numbers are not those expected the table is asked. */
static bool is_lie(struct hf_gateway *gateway, hf_flow flow, enum hf_side side,
		   const struct hf_segment *segment)
{
	struct hf_numbers numbers;

	if (segment->flags & HF_RST ||
	    hf_flows_at(gateway->flows, flow)->flags & HF_CROSSING_ENDING)
		return false;
	if (hf_engine_numbers(hf_flows_engine(gateway->flows), flow, side, &numbers) &&
	    segment->ack == numbers.expected && segment->seq == numbers.next)
		return false;
	return hf_tracked_denies(gateway->tracked, segment);
}

static void hear(struct hf_gateway *gateway, const struct hf_segment *segment)
{
	struct hf_engine *engine = hf_flows_engine(gateway->flows);
	enum hf_side side = HF_ORIGINATOR;
	hf_flow flow = hf_flows_find(gateway->flows, segment, &side);
	struct hf_crossing *crossing;
	struct hf_heard heard;

	if (segment->flags & HF_RST && is_no_reset(segment))
		return;
	if (flow == HF_NO_FLOW || !is_heard(gateway, flow) || is_lie(gateway, flow, side, segment))
		return;
	crossing = hf_flows_at(gateway->flows, flow);
	crossing->touched_ms = (uint32_t)gateway->now_ms;
	crossing->label[side] = segment->flow_label;
	hf_engine_segment(engine, flow, side, segment, &heard);
	hf_verdict_heard(gateway, &heard, segment, side);
	is_heard(gateway, flow);
}

static void hear_socket(struct hf_gateway *gateway, int fd)
{
	struct hf_segment segments[HF_SNIFF_BATCH];

	for (unsigned int batch = 0; batch < ANSWER_BATCHES; batch++) {
		size_t count = hf_sniff_read(&gateway->sniff, fd, segments);

		for (size_t i = 0; i < count; i++)
			hear(gateway, &segments[i]);
		if (count < HF_SNIFF_BATCH)
			return;
	}
}

static void on_answers(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	hear_socket(arg, fd);
}

/*
 * What has arrived before is heard before the table is: a RST reaches the packet sockets first, and
 * says more than an entry that is closed.
 */
static void hear_all(struct hf_gateway *gateway)
{
	for (size_t i = 0; i < HF_SNIFF_SOCKETS; i++)
		hear_socket(gateway, gateway->sniff.fd[i]);
	gateway->now_ms = clock_ms();
}

/* --- What is due --- */

static void earn(struct hf_gateway *gateway, uint64_t passed_ms)
{
	int64_t rate = gateway->options.rate, most = rate * 1000 / BURST;

	if (most < HF_TICKLES * 1000)
		most = HF_TICKLES * 1000;
	gateway->tokens += (int64_t)passed_ms * rate;
	if (gateway->tokens > most)
		gateway->tokens = most;
}

static bool may_speak(const struct hf_gateway *gateway)
{
	return !gateway->options.rate || gateway->tokens > 0;
}

/* No longer than a tick: the table and its events want their turn, too; the rest stays due. */
static void speak(struct hf_gateway *gateway)
{
	struct hf_engine *engine = hf_flows_engine(gateway->flows);
	uint64_t until = gateway->now_ms + HF_GATEWAY_TICK_MS;
	struct hf_action action;

	hf_engine_advance(engine, gateway->now_ms, 0);
	for (unsigned int said = 1;
	     may_speak(gateway) && gateway->now_ms < until && hf_engine_next(engine, &action);
	     said++) {
		hf_gateway_act(gateway, &action);
		if (said % SPEECH == 0)
			hear_all(gateway);
	}
	if (hf_engine_due(engine) > gateway->now_ms)
		return;
	if (!may_speak(gateway))
		gateway->pressure.held_ms += HF_GATEWAY_TICK_MS;
	else if (gateway->now_ms >= until)
		gateway->pressure.slow_ms += HF_GATEWAY_TICK_MS;
}

/* --- The table --- */

static void on_entry(void *arg, const struct hf_entry *entry, bool gone)
{
	struct hf_gateway *gateway = arg;

	hf_flows_look(gateway->flows, entry, gone, gateway->now_ms);
}

static void begin_dump(struct hf_gateway *gateway)
{
	int error = hf_conntrack_dump(gateway->conntrack);

	gateway->dumped_ms = gateway->now_ms;
	gateway->overrun = false;
	if (error) {
		hf_gateway_complain(gateway, "cannot read the table", -error);
		return;
	}
	gateway->dumping = true;
	hf_flows_begin(gateway->flows);
}

static void count_lost(struct hf_gateway *gateway)
{
	uint64_t lost = hf_sniff_lost(&gateway->sniff);
	char action[64];
	struct hf_gateway_news news = { .event = HF_GATEWAY_LOST, .action = action };

	if (!lost)
		return;
	gateway->lost += lost;
	snprintf(action, sizeof(action), "%llu packets did not fit into the buffers",
		 (unsigned long long)lost);
	hf_gateway_tell(gateway, &news);
}

static void on_dump(evutil_socket_t fd, short what, void *arg)
{
	struct hf_gateway *gateway = arg;
	int result;

	(void)fd;
	(void)what;
	hear_all(gateway);
	result = hf_conntrack_dump_read(gateway->conntrack, on_entry, gateway);
	if (!result)
		return;
	gateway->dumping = false;
	if (result < 0) {
		hf_gateway_complain(gateway, "cannot read the table", -result);
		return;
	}
	gateway->dumps++;
	hf_flows_end(gateway->flows);
	hf_pressure_look(gateway);
	count_lost(gateway);
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct hf_gateway *gateway = arg;
	int result;

	(void)fd;
	(void)what;
	hear_all(gateway);
	result = hf_conntrack_events_read(gateway->conntrack, on_entry, gateway);
	if (result == -ENOBUFS) /* the next dump tells all of it, and comes at once */
		gateway->overrun = true;
}

static bool dump_is_due(const struct hf_gateway *gateway)
{
	uint64_t passed = gateway->now_ms - gateway->dumped_ms;

	return gateway->overrun || passed >= hf_flows_pace(gateway->flows);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct hf_gateway *gateway = arg;

	(void)fd;
	(void)what;
	hear_all(gateway);
	earn(gateway, gateway->now_ms - gateway->ticked_ms);
	gateway->ticked_ms = gateway->now_ms;
	speak(gateway);
	hf_verdict_tick(gateway);
	hf_doubt_tick(gateway);
	if (!gateway->dumping && dump_is_due(gateway))
		begin_dump(gateway);
}

/* --- Opening and closing --- */

static int make_loop(struct hf_gateway *gateway, struct event_base *base,
		     struct hf_problem *problem)
{
	const struct timeval tick = { .tv_usec = HF_GATEWAY_TICK_MS * 1000 };
	const short reads = EV_READ | EV_PERSIST;
	struct event **event = gateway->events;

	event[0] = event_new(base, -1, EV_PERSIST, on_tick, gateway);
	event[1] =
		event_new(base, hf_conntrack_dump_fd(gateway->conntrack), reads, on_dump, gateway);
	event[2] = event_new(base, hf_conntrack_events_fd(gateway->conntrack), reads, on_change,
			     gateway);
	event[3] = event_new(base, gateway->sniff.fd[0], reads, on_answers, gateway);
	event[4] = event_new(base, gateway->sniff.fd[1], reads, on_answers, gateway);
	for (size_t i = 0; i < HF_GATEWAY_EVENTS; i++)
		if (!event[i] || event_add(event[i], i ? NULL : &tick))
			return hf_problem_set(problem, HF_EXIT_FAILED, NULL,
					      "cannot start the event loop");
	return 0;
}

static int open_parts(struct hf_gateway *gateway, struct event_base *base,
		      struct hf_problem *problem)
{
	const struct hf_gateway_options *options = &gateway->options;
	const struct hf_flows_user user = { &gateway->sniff, hf_verdict_closed, gateway };

	if (hf_flows_open(&gateway->flows, &options->goals, &options->filter, &user,
			  gateway->now_ms, problem) ||
	    hf_conntrack_open(&gateway->conntrack, problem))
		return -1;
	gateway->tracked = hf_tracked_open();
	if (!options->dry_run) {
		if (hf_tun_open(&gateway->tun, problem))
			return -1;
		gateway->drops = hf_drops_open(gateway->tun.index);
	}
	if (hf_sniff_open(&gateway->sniff, gateway->tun.index, problem))
		return -1;
	return make_loop(gateway, base, problem);
}

int hf_gateway_open(struct hf_gateway **out, struct event_base *base,
		    const struct hf_gateway_options *options,
		    void (*fn)(void *arg, const struct hf_gateway_news *news), void *arg,
		    struct hf_problem *problem)
{
	struct hf_gateway *gateway = calloc(1, sizeof(*gateway));

	if (!gateway)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	gateway->options = *options;
	gateway->fn = fn;
	gateway->arg = arg;
	gateway->now_ms = gateway->ticked_ms = clock_ms();
	gateway->overrun = true; /* the first dump comes at once */
	gateway->tun.fd = gateway->sniff.fd[0] = gateway->sniff.fd[1] = -1;
	gateway->brake = (struct hf_brake){ .deaths = options->brake_deaths,
					    .within_ms = options->brake_within_ms,
					    .settle_ms = options->brake_within_ms +
							 options->goals.dead_within_ms,
					    .hold_ms = options->brake_hold_ms };
	if (open_parts(gateway, base, problem)) {
		hf_gateway_close(&gateway);
		return -1;
	}
	*out = gateway;
	return 0;
}

void hf_gateway_close(struct hf_gateway **gateway)
{
	struct hf_gateway *old = *gateway;

	*gateway = NULL;
	if (!old)
		return;
	for (size_t i = 0; i < HF_GATEWAY_EVENTS; i++)
		if (old->events[i])
			event_free(old->events[i]);
	hf_tun_close(&old->tun);
	hf_conntrack_close(&old->conntrack);
	hf_flows_close(&old->flows);
	hf_sniff_close(&old->sniff);
	hf_tracked_close(&old->tracked);
	hf_drops_close(&old->drops);
	free(old->resets);
	free(old->doubts.suspects);
	free(old);
}

void hf_gateway_look(struct hf_gateway *gateway, struct hf_gateway_statistics *out)
{
	*out = (struct hf_gateway_statistics){ .dead = gateway->dead,
					       .freed = gateway->freed,
					       .reset = gateway->reset,
					       .sent = gateway->sent,
					       .dumps = gateway->dumps,
					       .heard = gateway->sniff.heard,
					       .lost = gateway->lost,
					       .held_ms = gateway->pressure.held_ms,
					       .slow_ms = gateway->pressure.slow_ms,
					       .need = hf_flows_need(gateway->flows),
					       .braked = hf_brake_holds(&gateway->brake,
									gateway->now_ms) };
	hf_engine_statistics(hf_flows_engine(gateway->flows), &out->engine);
	hf_flows_count(gateway->flows, &out->left_out);
	hf_conntrack_fill(&out->table, &out->table_most);
}
