/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/netstat.h"

#define GRAVES 32	   /* dead ones that are shown for a while */
#define MOURNED_MS 10000   /* for so long */
#define RATES_OVER_MS 500  /* at least */
#define ORDINARY_A_PASS 16 /* comings and goings told of one pass: they must not bury the rest */

struct counts {
	uint64_t at_ms; /* CLOCK_MONOTONIC */
	uint64_t probes, deaths, appeared, gone;
};

struct hf_top_pass {
	struct hf_top_scope scope;
	struct hf_top_seen *seen;
	struct hf_top_frame *frame; /* of the pass that goes on */
	struct hf_netstat netstat;
	struct hf_top_event event[HF_TOP_EVENTS], grave[GRAVES]; /* rings */
	uint64_t events, graves;				 /* so far */
	uint64_t ordinary;	      /* changes of the pass that were nothing special */
	int64_t time_ms;	      /* of the pass, since the epoch */
	uint64_t timeouts;	      /* of struct hf_netstat, at the pass before */
	struct counts counts, before; /* so far; when the rates were last worked out */
	struct hf_top_rates rates;
	bool armed;
};

int64_t hf_top_clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int hf_top_frame_init(struct hf_top_frame *frame, unsigned int rows)
{
	*frame = (struct hf_top_frame){ 0 };
	return hf_top_list_init(&frame->list, rows);
}

void hf_top_frame_free(struct hf_top_frame *frame)
{
	hf_top_list_free(&frame->list);
}

static void on_change(void *arg, enum hf_top_change change, const struct hf_top_known *known)
{
	struct hf_top_pass *pass = arg;
	bool ordinary = change == HF_TOP_APPEARED || change == HF_TOP_GONE;
	const struct hf_top_event event = { change, pass->time_ms, *known };

	pass->ordinary += ordinary;
	pass->counts.appeared += change == HF_TOP_APPEARED;
	pass->counts.gone += change == HF_TOP_GONE || change == HF_TOP_DIED;
	if (change == HF_TOP_DIED)
		pass->grave[pass->graves++ % GRAVES] = event;
	if (!ordinary || pass->ordinary <= ORDINARY_A_PASS)
		pass->event[pass->events++ % HF_TOP_EVENTS] = event;
}

struct hf_top_pass *hf_top_pass_new(const struct hf_top_scope *scope)
{
	struct hf_top_pass *pass = calloc(1, sizeof(*pass));

	if (!pass)
		return NULL;
	pass->scope = *scope;
	pass->seen = hf_top_seen_new(on_change, pass);
	if (!pass->seen)
		hf_top_pass_free(&pass);
	return pass;
}

void hf_top_pass_free(struct hf_top_pass **slot)
{
	if (!*slot)
		return;
	hf_top_seen_free(&(*slot)->seen);
	hf_netstat_free(&(*slot)->netstat);
	free(*slot);
	*slot = NULL;
}

/*
 * States and verdicts are chosen here, not in the kernel: a connection that comes to be in another
 * one has not gone.
 */
static bool in_scope(const struct hf_top_scope *scope, const struct hf_connection *connection)
{
	return (scope->states >> connection->record->state & 1) &&
	       (!scope->audits || (scope->audits >> connection->verdict & 1));
}

static int on_record(void *arg, const struct hf_record *record)
{
	struct hf_top_pass *pass = arg;
	struct hf_top_frame *frame = pass->frame;
	struct hf_connection connection = { .host = pass->scope.host };
	bool wanted;

	if (pass->scope.stop && *pass->scope.stop)
		return 1;
	hf_connection_judge(record, pass->scope.policy, pass->armed, &connection);
	frame->list.now_ms = (uint64_t)hf_top_clock_ms(CLOCK_MONOTONIC_COARSE);
	wanted = in_scope(&pass->scope, &connection);
	if (hf_top_seen_record(pass->seen, record, wanted))
		return -ENOMEM;
	if (record->cookie && record->cookie == frame->chosen_cookie) {
		hf_top_row_set(&frame->chosen, &connection);
		frame->chosen_at_ms = frame->list.now_ms;
	}
	if (wanted)
		hf_top_list_add(&frame->list, &connection);
	return 0;
}

static int on_netns(void *arg, uint32_t netns)
{
	struct hf_top_pass *pass = arg;

	return hf_netstat_look(&pass->netstat, netns);
}

/* Those that died lately stay among the rows for a while. */
static void add_dead(struct hf_top_pass *pass)
{
	struct hf_connection connection = { .host = pass->scope.host };
	struct hf_record record;

	for (uint64_t i = 0; i < GRAVES && i < pass->graves; i++) {
		if (pass->time_ms - pass->grave[i].time_ms > MOURNED_MS)
			continue;
		hf_top_known_record(&pass->grave[i].known, true, &record);
		hf_connection_judge(&record, pass->scope.policy, false, &connection);
		hf_top_list_add(&pass->frame->list, &connection);
	}
}

static void copy_events(const struct hf_top_pass *pass, struct hf_top_frame *frame)
{
	frame->events = pass->events < HF_TOP_EVENTS ? (unsigned int)pass->events : HF_TOP_EVENTS;
	for (unsigned int i = 0; i < frame->events; i++)
		frame->event[i] = pass->event[(pass->events - 1 - i) % HF_TOP_EVENTS];
}

/* Looks that keys have hurried are too close together for rates: those before them stay. */
static void find_rates(struct hf_top_pass *pass)
{
	struct counts *now = &pass->counts, *before = &pass->before;
	double seconds = (double)(now->at_ms - before->at_ms) / 1000;

	now->probes = pass->netstat.probes;
	now->deaths = pass->netstat.timeouts;
	pass->rates.deaths_so_far = now->deaths;
	if (before->at_ms && now->at_ms - before->at_ms < RATES_OVER_MS)
		return;
	if (before->at_ms) {
		pass->rates.known = true;
		pass->rates.probes = (double)(now->probes - before->probes) / seconds;
		pass->rates.deaths = (double)(now->deaths - before->deaths) / seconds;
		pass->rates.appeared = (double)(now->appeared - before->appeared) / seconds;
		pass->rates.gone = (double)(now->gone - before->gone) / seconds;
	}
	*before = *now;
}

static void find_cgroup(const struct hf_top_pass *pass, struct hf_top_frame *frame)
{
	const char *path = NULL;

	if (frame->chosen_at_ms)
		path = hf_host_cgroup(pass->scope.host, frame->chosen.record.cgroup);
	snprintf(frame->cgroup, sizeof(frame->cgroup), "%s", path ? path : "");
}

static int fail(int error, struct hf_problem *problem)
{
	return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot look at the connections: %s",
			      strerror(-error));
}

static void begin(struct hf_top_pass *pass, const struct hf_top_view *view,
		  struct hf_top_frame *frame)
{
	pass->frame = frame;
	pass->time_ms = hf_top_clock_ms(CLOCK_REALTIME);
	pass->armed = hf_host_armed(pass->scope.host);
	pass->ordinary = 0;
	frame->time_ms = pass->time_ms;
	frame->chosen_at_ms = 0;
	frame->chosen_cookie = view->chosen;
	hf_top_list_begin(&frame->list, view);
	hf_top_seen_begin(pass->seen);
}

/* The kernel's counters come last: whom this pass misses is counted by then. */
static void end(struct hf_top_pass *pass, uint64_t begun_ms)
{
	struct hf_top_frame *frame = pass->frame;

	hf_top_seen_end(pass->seen, pass->netstat.timeouts - pass->timeouts);
	pass->timeouts = pass->netstat.timeouts;
	add_dead(pass);
	hf_top_list_end(&frame->list);
	copy_events(pass, frame);
	find_cgroup(pass, frame);
	pass->counts.at_ms = (uint64_t)hf_top_clock_ms(CLOCK_MONOTONIC);
	find_rates(pass);
	frame->rates = pass->rates;
	frame->at_ms = pass->counts.at_ms;
	frame->pass_ms = (uint32_t)(frame->at_ms - begun_ms);
}

int hf_top_pass_run(struct hf_top_pass *pass, const struct hf_top_view *view,
		    struct hf_top_frame *frame, struct hf_problem *problem)
{
	uint64_t begun_ms = (uint64_t)hf_top_clock_ms(CLOCK_MONOTONIC);
	int result;

	begin(pass, view, frame);
	result = hf_host_pass(pass->scope.host, HF_MODE_SHOW | HF_MODE_OWNERS, on_record, pass,
			      problem);
	if (!result)
		result = hf_host_each_netns(pass->scope.host, on_netns, pass, problem);
	if (result < -1)
		return fail(result, problem);
	if (result)
		return result;
	end(pass, begun_ms);
	return 0;
}
