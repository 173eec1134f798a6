/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holdfast demo: the mechanism shown on real connections in private namespaces. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/demo_story.h"

static error_t parse(int key, char *argument, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "demo takes no argument: '%s'", argument);
	return key == ARGP_KEY_ARG ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.doc = "Show on real connections what keepalive is for.\v"
	       "Builds client, NAT and server as network namespaces of its own, connects a plain "
	       "program through them twice, left alone and under holdfast watch, and shows what "
	       "becomes of the two: when the NAT forgets an idle connection, when the server's "
	       "power is cut, when it reboots, and when the network breaks and heals. Needs root, "
	       "takes about half a minute, touches nothing of this host and leaves nothing behind. "
	       "Exit status 4 if anything goes otherwise than Holdfast claims.",
};

/* End as an interrupted program does, now that everything is taken down. */
static void end_by_signal(int number)
{
	sigset_t set;

	fprintf(stderr, "holdfast: interrupted; the demo's namespaces are gone\n");
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void name_next(struct hf_timeline *timeline)
{
	hf_timeline_text(timeline, HF_BOLD, "\nTry next");
	hf_timeline_text(
		timeline, HF_PLAIN,
		"  holdfast list                            how the connections of this host "
		"are\n"
		"  sudo holdfast watch --dead-within 2min   keep them alive, see them die");
}

static int run(int argc, char **argv)
{
	struct hf_problem problem = { 0 };
	struct hf_stage stage;
	int rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return HF_EXIT_USAGE;
	if (geteuid()) {
		hf_problem_set(&problem, HF_EXIT_MISSING, "run `sudo holdfast demo`",
			       "the demo makes network namespaces, which needs root");
		return hf_command_fail(&problem);
	}
	rc = hf_stage_open(&stage, &problem);
	if (!rc)
		rc = hf_story_play(&stage);
	hf_stage_close(&stage);
	if (stage.signal)
		end_by_signal(stage.signal);
	if (!rc)
		rc = hf_story_judge(&stage, &problem);
	if (rc)
		return hf_command_fail(&problem);
	name_next(&stage.timeline);
	return HF_EXIT_DONE;
}

const struct hf_command hf_cmd_demo = {
	.name = "demo",
	.summary = "show it all on real connections, in namespaces of its own",
	.argp = &argp,
	.run = run,
};
