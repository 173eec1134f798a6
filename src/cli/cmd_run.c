/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program under a policy. Its process is the very one that was started: what steers it stands
 * beside it (run_keeper) or goes with it (run_preload), so that its status, its signals and its
 * terminal are nobody else's business.
 */
#include "cli/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/options.h"
#include "cli/options_parse.h"
#include "cli/run_keeper.h"
#include "cli/run_preload.h"

#define EXIT_CANNOT_EXECUTE 126 /* as of env, nice and sh */
#define EXIT_NOT_FOUND 127
#define COMMAND_SHOWN 200

enum backend {
	ANY,
	BPF,
	PRELOAD
};

struct run_options {
	struct hf_policy_options policy;
	enum backend backend;
	bool quiet;
	char **command;
};

enum {
	BACKEND = HF_OPTION_KEY,
	QUIET,
};

static const struct argp_option options_table[] = {
	{ "backend", BACKEND, "bpf|preload", 0,
	  "By eBPF or by a preloaded library only, instead of by what is possible", 0 },
	{ "quiet", QUIET, 0, 0, "Do not say which of them it is, nor whom it does not reach", 0 },
	{ 0 },
};

static error_t parse_backend(const struct argp_state *state, const char *text, enum backend *out)
{
	if (!strcmp(text, "bpf"))
		*out = BPF;
	else if (!strcmp(text, "preload"))
		*out = PRELOAD;
	else
		return hf_option_error(state, "--backend bpf or --backend preload",
				       "--backend \"%s\" is neither bpf nor preload", text);
	return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct run_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*options = (struct run_options){ 0 };
		state->child_inputs[0] = &options->policy;
		return 0;
	case BACKEND:
		return parse_backend(state, argument, &options->backend) ||
		       hf_option_once(state, options_table, key);
	case QUIET:
		options->quiet = true;
		return hf_option_once(state, options_table, key);
	case ARGP_KEY_ARG: /* all that follows is the command's */
		options->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		return hf_option_error(state, "holdfast run -- COMMAND", "no command to run");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &hf_policy_argp, 0, NULL, 0 }, { 0 } };

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.args_doc = "-- COMMAND [ARGUMENT...]",
	.doc = "Run one program, and keep its connections alive and those of all its descendants. "
	       "Exit status, signals and terminal are the program's, as if it had been started "
	       "alone; 126 if it cannot be executed, 127 if it is not found.\v"
	       "With privileges it is given a cgroup of its own, to which eBPF is attached: every "
	       "program is reached, as by `holdfast watch`, until the last descendant has ended. "
	       "Without, a library is preloaded: it reaches no static programs, none that call the "
	       "kernel by themselves (Go) and none that are setuid; and it can set the user timeout "
	       "only for good, to idle + count * interval: it then decides in place of the count, "
	       "and a living peer whose window stays closed that long is ended, too.",
	.children = children,
};

static void say(const struct run_options *options, const char *what, const char *detail)
{
	char escaped[HF_ESCAPED(PATH_MAX)];

	if (options->quiet)
		return;
	hf_escape(detail, strnlen(detail, PATH_MAX), escaped);
	fprintf(stderr, "holdfast: run: %s%s\n", what, escaped);
}

/* 0: the keeper is there. */
static int by_bpf(const struct run_options *options, struct hf_problem *problem)
{
	const struct hf_policy_options *policy = &options->policy;
	struct hf_selection selection = {
		.rule = { .goals = policy->goals,
			  .settings = policy->settings,
			  .flags = HF_RULE_ARM | (policy->override ? HF_RULE_OVERRIDE : 0),
			  .name = "run" },
		.gathers = HF_GATHER_OWNER,
	};
	struct hf_keeper_report report;

	hf_match_any(&selection.rule.match);
	hf_keeper_start(&selection, &report);
	if (!report.keeps) {
		*problem = report.problem;
		return -1;
	}
	say(options, "eBPF on cgroup ", report.cgroup);
	return 0;
}

static void warn(const struct run_options *options, enum hf_reach reach)
{
	static const char *const why[] = {
		[HF_REACH_STATIC] = "is statically linked",
		[HF_REACH_GO] = "is a Go program, which calls the kernel by itself",
		[HF_REACH_PRIVILEGED] = "is setuid, setgid or has capabilities",
		[HF_REACH_FOREIGN] = "is for another machine or C library",
	};
	char detail[COMMAND_SHOWN + 64];

	if (reach == HF_REACHED)
		return;
	snprintf(detail, sizeof(detail), "%.*s %s", COMMAND_SHOWN, options->command[0], why[reach]);
	say(options, "not protected, no preloaded library reaches it: ", detail);
}

static int by_preload(const struct run_options *options, const struct hf_problem *why,
		      struct hf_problem *problem)
{
	const struct hf_preload_policy policy = {
		.goals = options->policy.goals,
		.settings = options->policy.settings,
		.override = options->policy.override,
	};
	enum hf_reach reach = hf_preload_reach(options->command[0]);

	if (reach != HF_REACH_FOREIGN && hf_preload_prepare(&policy, problem))
		return -1;
	say(options,
	    *why->what ? "preloaded library, as eBPF is not possible: " : "preloaded library",
	    why->what);
	warn(options, reach);
	return 0;
}

static int protect(const struct run_options *options, struct hf_problem *problem)
{
	struct hf_problem why = { 0 };

	if (options->backend != PRELOAD && !by_bpf(options, &why))
		return 0;
	if (options->backend != BPF)
		return by_preload(options, &why, problem);
	*problem = why;
	return -1;
}

static int execute(char **command)
{
	char escaped[HF_ESCAPED(COMMAND_SHOWN)];
	int error;

	execvp(command[0], command);
	error = errno;
	hf_escape(command[0], strnlen(command[0], COMMAND_SHOWN), escaped);
	fprintf(stderr, "holdfast: run: cannot execute \"%s\": %s\n", escaped, strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

static int run(int argc, char **argv)
{
	struct run_options options;
	struct hf_problem problem;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &options))
		return HF_EXIT_USAGE;
	if (protect(&options, &problem))
		return hf_command_fail(&problem);
	return execute(options.command);
}

const struct hf_command hf_cmd_run = {
	.name = "run",
	.summary = "run one program, and keep its connections alive and its descendants'",
	.argp = &argp,
	.run = run,
};
