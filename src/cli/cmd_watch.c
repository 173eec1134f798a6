/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch: events as they come, and the passes (cli/watching). */
#include "cli/command.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/connection.h"
#include "cli/ending.h"
#include "cli/event.h"
#include "cli/options_parse.h"
#include "cli/outcome.h"
#include "cli/request.h"
#include "cli/watching.h"
#include "cli/writer.h"
#include "core/duration.h"

#define FULL_PASS_S 300 /* even where nothing asks for it */
#define DRAIN_US 100000 /* events that are no news wait so long in the ring */

struct watch_options {
	struct hf_request request;
	bool restore;
};

struct watch {
	struct hf_host *host;
	struct hf_watching watching;
	struct event_base *base;
	struct event *ring, *drain, *tick;
	struct hf_ending ending;
	struct hf_writer *writer;
	struct hf_problem problem;
	bool json, colour, restore, first, failed;
	uint64_t lost; /* as last seen */
};

enum {
	RESTORE = HF_OPTION_KEY
};

static const struct argp_option options_table[] = {
	{ "restore", RESTORE, 0, 0, "Give the programs' own settings back at the end", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct watch_options *options = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		options->restore = false;
		hf_request_init(&options->request, state);
		return 0;
	case RESTORE:
		options->restore = true;
		return hf_option_once(state, options_table, key);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "Keep every matching connection alive and watched, open ones and new ones, until "
	       "interrupted. Prints what happens to them.\v"
	       "Settings of a program's own that meet the goals stay; weaker ones are replaced as a "
	       "whole, also those it sets later. While data stays unanswered the user timeout is "
	       "armed, so that a dead peer is found then, too; the next answer takes it back. At "
	       "the end the settings stay (`holdfast restore` gives them back) unless --restore.",
	.children = hf_request_watch_children,
};

static void emit(struct watch *watch, const struct hf_notice *event)
{
	FILE *out = hf_writer_room(watch->writer);

	if (out)
		hf_event_print(event, watch->json, watch->colour, out);
}

static void on_wire_event(void *arg, const struct hf_wire_event *wire)
{
	struct hf_notice event;

	hf_event_of_wire(wire, &event);
	emit(arg, &event);
}

/* What a pass did. */
static int on_record(void *arg, const struct hf_record *record)
{
	struct watch *watch = arg;
	struct hf_notice event;

	/* Found again by every pass; the callbacks tell of new ones. */
	if (hf_outcome_is_left(record->outcome) && !watch->first && !hf_host_polls(watch->host))
		return 0;
	if (hf_event_of_outcome(record, &event))
		emit(watch, &event);
	return 0;
}

static void say_lost(struct watch *watch)
{
	uint64_t lost = hf_host_counters(watch->host)->lost;
	uint64_t unread = hf_writer_left_out(watch->writer);
	struct hf_notice event;
	char action[64];

	if (lost == watch->lost && !unread)
		return;
	snprintf(action, sizeof(action), "%llu events were lost: they %s",
		 (unsigned long long)(lost - watch->lost + unread),
		 unread ? "were not read" : "came too fast");
	hf_event_now(HF_EVENT_LOST, NULL, action, &event);
	emit(watch, &event);
	watch->lost = lost;
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	(void)fd;
	(void)what;
	if (hf_host_read_events(watch->host, on_wire_event, watch) > 0)
		hf_writer_flush(watch->writer);
	say_lost(watch);
}

static int pass(struct watch *watch, unsigned int mode)
{
	if (!watch->first || watch->json)
		mode |= HF_MODE_NEWS; /* for people the first pass is summed up */
	return hf_watching_pass(&watch->watching, mode, on_record, watch, &watch->problem);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	unsigned int mode = hf_watching_tick(&watch->watching);

	(void)fd;
	(void)what;
	if (!mode)
		return;
	if (pass(watch, mode)) {
		watch->failed = true;
		hf_command_fail(&watch->problem);
		event_base_loopbreak(watch->base);
	}
	hf_writer_flush(watch->writer);
}

static int make_loop(struct watch *watch)
{
	watch->base = event_base_new();
	if (watch->base && !hf_ending_open(&watch->ending, watch->base))
		watch->writer = hf_writer_open(watch->base, STDOUT_FILENO);
	return watch->writer ? 0 :
			       hf_problem_set(&watch->problem, HF_EXIT_FAILED, NULL,
					      "cannot start the event loop");
}

static int hear(struct watch *watch)
{
	const struct timeval second = { .tv_sec = 1 }, often = { .tv_usec = DRAIN_US };
	int ring = hf_host_event_fd(watch->host);

	watch->ring = event_new(watch->base, ring, EV_READ | EV_PERSIST, on_ring, watch);
	watch->drain = event_new(watch->base, -1, EV_PERSIST, on_ring, watch);
	watch->tick = event_new(watch->base, -1, EV_PERSIST, on_tick, watch);
	if (ring < 0 || !watch->ring || !watch->drain || !watch->tick ||
	    event_add(watch->ring, NULL) || event_add(watch->drain, &often) ||
	    event_add(watch->tick, &second))
		return hf_problem_set(&watch->problem, HF_EXIT_FAILED, NULL,
				      "cannot hear of events");
	return 0;
}

static void free_loop(struct watch *watch)
{
	struct event *events[] = { watch->ring, watch->drain, watch->tick };

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (events[i])
			event_free(events[i]);
	hf_ending_close(&watch->ending);
	if (watch->writer && hf_command_output(hf_writer_close(&watch->writer)))
		watch->failed = true;
	if (watch->base)
		event_base_free(watch->base);
}

static void say_watching(struct watch *watch, const struct hf_selection *selection)
{
	const struct hf_goals *goals = &selection->rule.goals;
	const struct hf_settings *settings = &selection->rule.settings;
	const struct hf_counters *counters = hf_host_counters(watch->host);
	char dead_within[HF_DURATION_TEXT] = "-", keep_open[HF_DURATION_TEXT] = "-";

	if (!watch->json)
		hf_outcome_print(counters, "no open connection matches yet",
				 hf_writer_file(watch->writer));
	else if (counters->outcome[HF_OUTCOME_HIDDEN])
		hf_connection_say_hidden(counters->outcome[HF_OUTCOME_HIDDEN], "set", 0);
	hf_writer_flush(watch->writer);
	hf_outcome_warn_burst(counters, settings, !hf_host_polls(watch->host));
	if (goals->dead_within_ms)
		hf_duration_format(goals->dead_within_ms, dead_within);
	if (goals->keep_open_ms)
		hf_duration_format(goals->keep_open_ms, keep_open);
	fprintf(stderr,
		"holdfast: watching (rule \"%s\": dead within %s, keep open %s, "
		"settings %u/%u/%u)\n",
		selection->rule.name, dead_within, keep_open, settings->idle, settings->interval,
		settings->count);
}

/* Steer first, then sweep, so that no connection falls between. */
static int start(struct watch *watch, const struct hf_selection *selection)
{
	if (hear(watch) || hf_host_steer(watch->host, -1, &watch->problem))
		return -1;
	hf_host_confine(watch->host, false);
	watch->first = true;
	if (pass(watch, HF_MODE_ACT | HF_MODE_OWNERS))
		return -1;
	watch->first = false;
	say_watching(watch, selection);
	return 0;
}

/* No user timeout is left standing, whatever else is left. */
static void end(struct watch *watch)
{
	hf_host_unsteer(watch->host);
	hf_host_read_events(watch->host, on_wire_event, watch);
	if (hf_host_pass(watch->host, watch->restore ? HF_MODE_RESTORE : HF_MODE_DISARM, NULL, NULL,
			 &watch->problem)) {
		watch->failed = true;
		hf_command_fail(&watch->problem);
	} else if (watch->restore) {
		fprintf(stderr, "holdfast: gave back %llu connections' own settings\n",
			(unsigned long long)hf_host_counters(watch->host)
				->outcome[HF_OUTCOME_RESTORED]);
	}
}

/* Owners are asked where the rule hangs on them, and where namespaces are found through them. */
static unsigned int full_pass(const struct hf_selection *selection)
{
	bool by_owner = selection->rule.match.fields & HF_MATCH_OWNER;
	bool all_netns = selection->netns && !strcmp(selection->netns, "all");

	return by_owner || all_netns ? HF_MODE_ACT | HF_MODE_OWNERS : HF_MODE_ACT;
}

static int watch_until_interrupted(struct watch *watch, const struct hf_selection *selection)
{
	if (make_loop(watch) ||
	    hf_host_open(&watch->host, HF_USE_WATCH, selection, &watch->problem))
		return hf_command_fail(&watch->problem);
	hf_command_warn(hf_host_warning(watch->host));
	hf_watching_init(&watch->watching, watch->host, &selection->rule.goals,
			 full_pass(selection), hf_host_polls(watch->host) ? 1 : FULL_PASS_S);
	if (start(watch, selection))
		return hf_command_fail(&watch->problem);
	event_base_dispatch(watch->base);
	end(watch);
	return HF_EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct watch_options options;
	struct hf_selection selection;
	struct watch watch = { 0 };
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	if (hf_request_select(&options.request, "watch", &selection, &watch.problem))
		return hf_command_fail(&watch.problem);
	selection.rule.flags |= HF_RULE_ARM;
	selection.states = 0;
	selection.gathers = HF_GATHER_ALL;
	watch.json = options.request.output.json;
	watch.colour = hf_colour_wanted(stdout);
	watch.restore = options.restore;
	signal(SIGPIPE, SIG_IGN); /* a reader that goes must not keep us from tidying up */
	exit = watch_until_interrupted(&watch, &selection);
	free_loop(&watch);
	hf_host_close(&watch.host);
	return exit ? exit : watch.failed ? HF_EXIT_FAILED : HF_EXIT_DONE;
}

const struct hf_command hf_cmd_watch = {
	.name = "watch",
	.summary = "keep open and new connections alive and watched, until interrupted",
	.argp = &argp,
	.run = run,
};
