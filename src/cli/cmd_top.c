/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/options_parse.h"
#include "cli/request.h"
#include "cli/top_screen.h"
#include "cli/top_text.h"
#include "core/duration.h"

/* Last: they define words such as "columns" as macros. */
#include <curses.h>
#include <term.h>

#define KEPT 1000 /* rows of a pass */
#define KEPT_MOST 100000
#define DELAY_MS 1000
#define DELAY_LEAST_MS 100
#define DELAY_MOST_MS 86400000

struct top_options {
	struct hf_request request;
	bool batch;
	uint32_t frames; /* 0 = until it is ended */
	uint32_t rows, delay_ms;
};

enum {
	BATCH = HF_OPTION_KEY,
	DELAY,
	ROWS,
};

static const struct argp_option options_table[] = {
	{ "batch", BATCH, 0, 0, "Print text, one screen after the other, and read no keys", 0 },
	{ "frames", 'n', "N", 0, "With --batch: so many, then end", 0 },
	{ "delay", DELAY, "DUR", 0, "From one look at the connections to the next; 1s", 0 },
	{ "rows", ROWS, "N", 0, "Keep the first N connections of each look; 1000", 0 },
	{ 0 },
};

static error_t parse_delay(const struct argp_state *state, const char *text, uint32_t *out)
{
	uint64_t ms;

	if (!hf_duration_parse(text, &ms) || ms < DELAY_LEAST_MS || ms > DELAY_MOST_MS)
		return hf_option_error(state, "--delay 2s, from 100ms to 1d",
				       "--delay \"%s\" is not possible", text);
	*out = (uint32_t)ms;
	return 0;
}

static error_t parse_own(struct top_options *options, int key, const char *text,
			 struct argp_state *state)
{
	error_t error = hf_option_once(state, options_table, key);

	if (error)
		return error;
	switch (key) {
	case BATCH:
		options->batch = true;
		return 0;
	case 'n':
		return hf_option_number(state, "--frames", text, 1, UINT32_MAX, &options->frames);
	case ROWS:
		return hf_option_number(state, "--rows", text, 1, KEPT_MOST, &options->rows);
	default: /* DELAY */
		return parse_delay(state, text, &options->delay_ms);
	}
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct top_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		options->batch = false;
		options->frames = 0;
		options->rows = KEPT;
		options->delay_ms = DELAY_MS;
		hf_request_init(&options->request, state);
		return 0;
	case BATCH:
	case DELAY:
	case ROWS:
	case 'n':
		return parse_own(options, key, argument, state);
	case ARGP_KEY_SUCCESS:
		if ((options->frames || options->request.output.json) && !options->batch)
			return hf_option_error(state, "--batch with them",
					       "--frames and --json go with --batch only");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "A live screen of the connections, sorted by what matters: those that died just now or "
	       "whose probes are unanswered, then the unprotected, the slow, the rest; how many of "
	       "each; probes and deaths a second; what happened last. Changes nothing. \"h\" lists "
	       "the keys.\v"
	       "Verdicts are those of `holdfast list`. What happened is told from one look to the "
	       "next: what comes and goes between two of them is not seen.",
	.children = hf_request_children,
};

static bool places_cursor(const char *type)
{
	bool places;
	int known;

	if (!type || !*type || setupterm(type, STDOUT_FILENO, &known) != OK)
		return false;
	places = cursor_address != NULL;
	del_curterm(cur_term);
	return places;
}

static int check_terminal(struct hf_problem *problem)
{
	const char *type = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return hf_problem_set(problem, HF_EXIT_USAGE, "holdfast top --batch prints text",
				      "top draws on a terminal, and this is none");
	if (places_cursor(type))
		return 0;
	return hf_problem_set(problem, HF_EXIT_USAGE,
			      "set TERM, or let holdfast top --batch print text",
			      "top cannot draw on a terminal of type \"%.40s\"", type ? type : "");
}

/* The events of this very pass. */
static unsigned int count_new(const struct hf_top_frame *frame)
{
	unsigned int count = 0;

	while (count < frame->events && frame->event[count].time_ms == frame->time_ms)
		count++;
	return count;
}

static int print_frame(const struct top_options *options, const struct hf_top_title *title,
		       const struct hf_top_frame *frame)
{
	int error;

	if (options->request.output.json) {
		error = hf_top_print_json(frame, count_new(frame), stdout);
		return !error && fflush(stdout) ? -errno : error;
	}
	hf_top_print_title(frame, &frame->list.view, title, stdout);
	error = hf_top_print_rows(&frame->list, 0, options->rows, 0, stdout);
	hf_top_print_events(frame, count_new(frame), stdout);
	putchar('\n');
	if (!error && fflush(stdout))
		error = -errno;
	return error;
}

static void wait_from(int64_t begun_ms, uint32_t delay_ms)
{
	int64_t due_ms = begun_ms + delay_ms;
	struct timespec due = { due_ms / 1000, due_ms % 1000 * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

/* Frames until there were enough, or the output has gone. */
static int print_frames(const struct top_options *options, const struct hf_top_scope *scope,
			struct hf_top_pass *pass, struct hf_top_frame *frame,
			struct hf_problem *problem)
{
	const struct hf_top_title title = { .delay_ms = options->delay_ms,
					    .policy = scope->policy };
	const struct hf_top_view view = { 0 };
	int64_t begun_ms;
	int error;

	for (uint32_t i = 0; !options->frames || i < options->frames; i++) {
		if (i)
			wait_from(begun_ms, options->delay_ms);
		begun_ms = hf_top_clock_ms(CLOCK_MONOTONIC);
		if (hf_top_pass_run(pass, &view, frame, problem))
			return hf_command_fail(problem);
		error = print_frame(options, &title, frame);
		if (error)
			return hf_command_output(error);
	}
	return HF_EXIT_DONE;
}

static int run_batch(const struct top_options *options, const struct hf_top_scope *scope,
		     struct hf_problem *problem)
{
	struct hf_top_pass *pass = hf_top_pass_new(scope);
	struct hf_top_frame frame;
	int exit;

	if (!pass || hf_top_frame_init(&frame, options->rows)) {
		hf_top_pass_free(&pass);
		return hf_command_output(-ENOMEM);
	}
	exit = print_frames(options, scope, pass, &frame, problem);
	hf_top_frame_free(&frame);
	hf_top_pass_free(&pass);
	return exit;
}

static int run_screen(const struct top_options *options, const struct hf_top_scope *scope,
		      struct hf_problem *problem)
{
	const struct hf_top_screen screen = { .rows = options->rows,
					      .delay_ms = options->delay_ms };

	return hf_top_screen_run(&screen, scope, problem) ? hf_command_fail(problem) : HF_EXIT_DONE;
}

/* States and verdicts are for the passes to choose: see in_scope() there. */
static void widen(struct hf_selection *selection, struct hf_top_scope *scope)
{
	scope->states = selection->states;
	scope->audits = selection->audits;
	selection->states |= HF_STATES_CONNECTED;
	selection->audits = 0;
	selection->gathers = HF_GATHER_ALL;
}

static int run(int argc, char **argv)
{
	struct hf_selection selection;
	struct hf_top_scope scope = { 0 };
	struct top_options options;
	struct hf_problem problem;
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	if ((!options.batch && check_terminal(&problem)) ||
	    hf_request_select(&options.request, "top", &selection, &problem))
		return hf_command_fail(&problem);
	scope.policy = options.request.policy.given ? &selection.rule.goals : NULL;
	widen(&selection, &scope);
	if (hf_host_open(&scope.host, HF_USE_LOOK, &selection, &problem))
		return hf_command_fail(&problem);
	hf_command_warn(hf_host_warning(scope.host));
	hf_host_confine(scope.host, true);
	exit = (options.batch ? run_batch : run_screen)(&options, &scope, &problem);
	hf_host_close(&scope.host);
	return exit;
}

const struct hf_command hf_cmd_top = {
	.name = "top",
	.summary = "live screen of the connections, what matters first",
	.argp = &argp,
	.run = run,
};
