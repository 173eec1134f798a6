/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FILTER, POLICY and output as one request: what the commands about connections take. */
#ifndef HF_CLI_REQUEST_H
#define HF_CLI_REQUEST_H

#include "cli/options.h"
#include "host/host.h"

struct hf_request {
	struct hf_filter_options filter;
	struct hf_policy_options policy;
	struct hf_output_options output;
	enum hf_by backend;
};

/* These as argp children, in this order; ends with a zeroed one. For watch: hf_filter_watch_argp. */
extern const struct argp_child hf_request_children[], hf_request_watch_children[];

/* For a parser's ARGP_KEY_INIT: hand each child its part. */
void hf_request_init(struct hf_request *request, const struct argp_state *state);

/* The parser of a command that takes nothing else: its input is the request. */
error_t hf_request_parse(int key, char *argument, struct argp_state *state);

/*
 * Look up what was named and make the selection, which gathers nothing yet; name: the rule's. -1
 * with HF_EXIT_USAGE where a process or user does not exist.
 */
int hf_request_select(const struct hf_request *request, const char *name,
		      struct hf_selection *selection, struct hf_problem *problem);

#endif
