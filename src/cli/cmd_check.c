/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/checked.h"
#include "cli/options_parse.h"
#include "cli/request.h"
#include "core/duration.h"
#include "host/check.h"

#define RATE_MAX 1000000

struct check_options {
	struct hf_request request; /* the policy stays empty: none is taken */
	struct hf_check_options check;
	bool close_dead;
};

struct checking {
	struct hf_table *table;
	struct hf_check *check;
	bool progress; /* is shown */
	bool shown;    /* a line of it stands there */
	uint64_t dead; /* or reset */
};

enum {
	INTERVAL = HF_OPTION_KEY,
	COUNT,
	RATE,
	CLOSE_DEAD,
	DRY_RUN,
};

static const struct argp_option options_table[] = {
	{ "interval", INTERVAL, "DUR", 0, "Time from probe to probe to one peer, 1s by default",
	  0 },
	{ "count", COUNT, "N", 0, "Unanswered probes that mean death, 5 by default", 0 },
	{ "rate", RATE, "N", 0, "Probes a second at most, to all of them, 10000 by default", 0 },
	{ "close-dead", CLOSE_DEAD, 0, 0,
	  "End the connections found dead, and only these; the program is told ECONNABORTED", 0 },
	{ "dry-run", DRY_RUN, 0, 0, "Send nothing: show what would be probed", 0 },
	{ 0 },
};

static error_t parse_interval(struct check_options *options, const char *text,
			      const struct argp_state *state)
{
	uint64_t ms;

	if (!hf_duration_parse(text, &ms) || ms < HF_CHECK_INTERVAL_MIN_MS || ms > HF_GOAL_MAX)
		return hf_option_error(state, "--interval 1s or more: peers answer no faster",
				       "--interval \"%s\" is not possible", text);
	options->check.interval_ms = (uint32_t)ms;
	return 0;
}

static error_t parse_option(struct check_options *options, int key, const char *text,
			    const struct argp_state *state)
{
	switch (key) {
	case INTERVAL:
		return parse_interval(options, text, state);
	case COUNT:
		return hf_option_number(state, "--count", text, 1, HF_COUNT_MAX,
					&options->check.count);
	case RATE:
		return hf_option_number(state, "--rate", text, 1, RATE_MAX, &options->check.rate);
	case CLOSE_DEAD:
		options->close_dead = true;
		return 0;
	default: /* DRY_RUN */
		options->check.dry_run = true;
		return 0;
	}
}

static const struct argp_child children[] = {
	{ &hf_filter_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct check_options *options = state->input;
	error_t error;

	switch (key) {
	case ARGP_KEY_INIT:
		*options = (struct check_options){
			.check = { .interval_ms = 1000, .count = 5, .rate = 10000 }
		};
		state->child_inputs[0] = &options->request.filter;
		state->child_inputs[1] = &options->request.output;
		return 0;
	case INTERVAL:
	case COUNT:
	case RATE:
	case CLOSE_DEAD:
	case DRY_RUN:
		error = hf_option_once(state, options_table, key);
		return error ? error : parse_option(options, key, argument, state);
	case ARGP_KEY_SUCCESS:
		if (options->close_dead && options->check.count < HF_CHECK_CLOSE_MIN)
			return hf_option_error(state, "--count 3 or more",
					       "--close-dead after --count %u: so few lost probes "
					       "prove nothing",
					       options->check.count);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "Find out now whether the peers are there: each idle connection is sent a keepalive "
	       "probe, made of the numbers that its socket holds. No setting of any socket is "
	       "changed.\v"
	       "\"alive\": an answer came, or something else was heard; RTT if one probe was enough "
	       "to tell. \"dead\": nothing came, to any probe. \"reset\": the peer says that there is "
	       "no such connection, which ends it, as it would have ended it anyhow. \"busy\": data is "
	       "in flight, so the kernel itself is asking; what its retransmissions know. "
	       "\"closing\", \"unknown\": not open, closed meanwhile, signed segments. Exit status "
	       "1 if any is dead or reset.",
	.children = children,
};

static void clear_progress(struct checking *checking)
{
	if (checking->shown)
		fputs("\r\033[K", stderr);
	checking->shown = false;
}

static void told(void *arg, const struct hf_checked *checked)
{
	struct checking *checking = arg;

	checking->dead += hf_checked_is_bad(checked);
	hf_checked_row(checking->table, checked);
}

static void waits(void *arg)
{
	struct checking *checking = arg;
	size_t pending = hf_check_pending(checking->check);

	clear_progress(checking);
	hf_table_flush(checking->table);
	if (!checking->progress || !pending)
		return;
	fprintf(stderr, "waiting for %zu of %zu", pending, hf_check_count(checking->check));
	checking->shown = true;
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static void end_by_signals(void)
{
	/* A second one ends it at once, also while it waits for a reader. */
	const struct sigaction action = { .sa_handler = on_signal,
					  .sa_flags = SA_RESTART | SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static const char *mend_of_close(int error)
{
	switch (error) {
	case EOPNOTSUPP:
		return "use a kernel with CONFIG_INET_DIAG_DESTROY=y";
	case ENOENT: /* each was there a moment ago */
		return "load the kernel's module tcp_diag";
	default:
		return NULL;
	}
}

/* What was told of the dead stands there before they are ended. */
static int close_dead(struct checking *checking, struct hf_problem *problem)
{
	struct hf_check_closed closed;

	waits(checking);
	if (hf_check_close_dead(checking->check, &closed, problem))
		return hf_command_fail(problem);
	fprintf(stderr, "holdfast: closed %" PRIu64 " dead connection%s\n", closed.closed,
		closed.closed == 1 ? "" : "s");
	if (closed.spared)
		fprintf(stderr, "holdfast: left %" PRIu64 ": the kernel's own, or heard by now\n",
			closed.spared);
	if (!closed.failed)
		return HF_EXIT_DONE;
	hf_problem_set(problem, HF_EXIT_FAILED, mend_of_close(closed.error),
		       "%" PRIu64 " could not be closed: %s", closed.failed,
		       strerror(closed.error));
	return hf_command_fail(problem);
}

static void show_pending(struct checking *checking)
{
	for (size_t i = 0; i < hf_check_count(checking->check); i++)
		if (hf_check_get(checking->check, i)->result == HF_CHECK_PENDING)
			told(checking, hf_check_get(checking->check, i));
}

static int say_interrupted(const struct checking *checking)
{
	fprintf(stderr, "holdfast: interrupted: no verdict about %zu of %zu connections\n",
		hf_check_pending(checking->check), hf_check_count(checking->check));
	return HF_EXIT_FAILED;
}

static int check_all(const struct check_options *options, struct checking *checking,
		     struct hf_problem *problem)
{
	const struct hf_check_listener listener = { told, waits, checking, &stopped };
	int failed;

	for (size_t i = 0; i < hf_check_count(checking->check); i++)
		hf_checked_expect(checking->table, hf_check_get(checking->check, i));
	end_by_signals();
	failed = hf_check_run(checking->check, &listener, problem);
	clear_progress(checking);
	if (failed)
		return hf_command_fail(problem);
	if (options->check.dry_run)
		show_pending(checking);
	else if (hf_check_pending(checking->check))
		return say_interrupted(checking);
	else if (options->close_dead && checking->dead)
		return close_dead(checking, problem);
	return HF_EXIT_DONE;
}

static int run_on(const struct check_options *options, struct hf_host *host,
		  struct hf_problem *problem)
{
	struct checking checking = { .progress = isatty(STDERR_FILENO) };
	int exit, written;

	if (hf_check_open(&checking.check, host, &options->check, problem))
		return hf_command_fail(problem);
	checking.table = hf_checked_table(options->request.output.json);
	if (!checking.table) {
		hf_check_close(&checking.check);
		return hf_command_output(-ENOMEM);
	}
	exit = check_all(options, &checking, problem);
	written = hf_command_output(hf_table_close(&checking.table));
	hf_check_close(&checking.check);
	if (exit <= HF_EXIT_DONE && written)
		return written;
	if (!exit || stopped)
		return checking.dead ? HF_EXIT_BAD_NEWS : exit;
	return exit;
}

static int run(int argc, char **argv)
{
	struct check_options options;
	struct hf_selection selection;
	struct hf_problem problem;
	struct hf_host *host;
	int exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	if (hf_request_select(&options.request, "check", &selection, &problem))
		return hf_command_fail(&problem);
	selection.gathers = HF_CHECK_GATHERS;
	if (hf_host_open(&host, HF_USE_LOOK, &selection, &problem))
		return hf_command_fail(&problem);
	hf_host_confine(host, false);
	exit = run_on(&options, host, &problem);
	hf_host_close(&host);
	return exit;
}

const struct hf_command hf_cmd_check = {
	.name = "check",
	.summary = "find out now whether peers are there; exit 1 if any is dead",
	.argp = &argp,
	.run = run,
};
