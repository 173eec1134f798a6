/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/request.h"

#include <stdio.h>
#include <string.h>

#include "cli/options_parse.h"
#include "host/names.h"

enum {
	BACKEND = HF_OPTION_KEY
};

static const struct argp_option backend_options[] = {
	{ "backend", BACKEND, "bpf|diag", 0,
	  "By eBPF only, or by sock_diag and without it, instead of by what is possible",
	  HF_GROUP_OUTPUT },
	{ 0 },
};

static error_t parse_backend(int key, char *text, struct argp_state *state)
{
	enum hf_by *backend = state->input;

	if (key == ARGP_KEY_INIT)
		*backend = HF_BY_ANY;
	else if (key != BACKEND)
		return ARGP_ERR_UNKNOWN;
	else if (!strcmp(text, "bpf"))
		*backend = HF_BY_BPF;
	else if (!strcmp(text, "diag"))
		*backend = HF_BY_DIAG;
	else
		return hf_option_error(state, "--backend bpf or --backend diag",
				       "--backend \"%s\" is neither bpf nor diag", text);
	return key == BACKEND ? hf_option_once(state, backend_options, key) : 0;
}

static const struct argp backend_argp = { .options = backend_options, .parser = parse_backend };

const struct argp_child hf_request_children[] = {
	{ &hf_filter_argp, 0, NULL, 0 },
	{ &hf_policy_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ &backend_argp, 0, NULL, 0 },
	{ 0 },
};

const struct argp_child hf_request_watch_children[] = {
	{ &hf_filter_watch_argp, 0, NULL, 0 },
	{ &hf_policy_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ &backend_argp, 0, NULL, 0 },
	{ 0 },
};

void hf_request_init(struct hf_request *request, const struct argp_state *state)
{
	state->child_inputs[0] = &request->filter;
	state->child_inputs[1] = &request->policy;
	state->child_inputs[2] = &request->output;
	state->child_inputs[3] = &request->backend;
}

error_t hf_request_parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	hf_request_init(state->input, state);
	return 0;
}

static int name_process(const char *name, struct hf_match *match, struct hf_problem *problem)
{
	if (!hf_process_name_lives(name))
		return hf_problem_set(problem, HF_EXIT_USAGE,
				      "give the name that ps -o comm shows (at most 15 bytes)",
				      "no process is named \"%s\"", name);
	match->fields |= HF_MATCH_PROCESS;
	snprintf(match->process, sizeof(match->process), "%.*s", HF_PROCESS_NAME - 1, name);
	return 0;
}

static int name_user(const char *name, struct hf_match *match, struct hf_problem *problem)
{
	if (!hf_user_find(name, &match->uid))
		return hf_problem_set(problem, HF_EXIT_USAGE, "give a name of `getent passwd`",
				      "no user \"%s\"", name);
	match->fields |= HF_MATCH_UID;
	return 0;
}

int hf_request_select(const struct hf_request *request, const char *name,
		      struct hf_selection *selection, struct hf_problem *problem)
{
	const struct hf_filter_options *filter = &request->filter;
	struct hf_match match = filter->match;

	if ((match.fields & HF_MATCH_PID) && !hf_process_lives(match.pid))
		return hf_problem_set(problem, HF_EXIT_USAGE, "give one that ps shows",
				      "no process %u", match.pid);
	if (filter->process && name_process(filter->process, &match, problem))
		return -1;
	if (filter->user && name_user(filter->user, &match, problem))
		return -1;
	*selection = (struct hf_selection){
		.rule = { .match = match,
			  .goals = request->policy.goals,
			  .settings = request->policy.settings,
			  .flags = request->policy.override ? HF_RULE_OVERRIDE : 0 },
		.cgroup = filter->cgroup,
		.netns = filter->netns,
		.states = match.states, /* decides what is visited; nothing else need ask */
		.audits = filter->audit ? 1u << filter->audit : 0,
		.judge = request->policy.given,
		.backend = request->backend,
	};
	selection->rule.match.states = 0;
	snprintf(selection->rule.name, sizeof(selection->rule.name), "%s", name);
	return 0;
}
