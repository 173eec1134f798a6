/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FILTER, POLICY and --json: the option tables every command shares, as argp children.
 *
 * A command puts the children it wants into its own argp and hands each its struct as the
 * child's input. All parsing errors end in argp_error: exit 2, with the mend.
 */
#ifndef HF_CLI_OPTIONS_H
#define HF_CLI_OPTIONS_H

#include <argp.h>
#include <holdfast/policy.h>

/* FILTER as written; names are looked up later, by host/. Strings point into argv. */
struct hf_filter_options {
	struct hf_match match; /* prefixes, family, states, pid, direction: done */
	const char *process;   /* --process NAME */
	const char *user;      /* --user NAME|UID */
	const char *cgroup;    /* --cgroup GLOB */
	const char *netns;     /* --netns NAME|PATH|all */
	enum hf_verdict audit; /* --audit VERDICT, HF_NOT_JUDGED = any */
	bool states_given;     /* --state was given; else the default set of connected states */
};

/* POLICY, checked and derived when parsing ends. */
struct hf_policy_options {
	bool given;		       /* any of the options below was */
	struct hf_goals goals;	       /* the default filled in; what explicit settings imply */
	struct hf_settings settings;   /* derived and explicit; user_timeout_ms 0 unless given */
	enum hf_derivation derivation; /* HF_DERIVED or HF_DERIVED_ONE_LOSS */
	bool override;
	struct hf_settings written; /* the explicit ones, as written */
	struct hf_goals written_goals;
};

struct hf_output_options {
	bool json;
};

/* Children for a command's argp: input is the struct of the same name. */
extern const struct argp hf_filter_argp, hf_policy_argp, hf_output_argp;

/* FILTER without --state and --audit, which do not go with connections as they come. */
extern const struct argp hf_filter_watch_argp;

/* Parser and children of a command that takes output options only: its input is their struct. */
error_t hf_output_parse(int key, char *argument, struct argp_state *state);
extern const struct argp_child hf_output_children[];

/* The states `ss` calls connected: all but LISTEN, CLOSE, TIME_WAIT and SYN_RECV. */
#define HF_STATES_CONNECTED 0x0b36u

/* Linux TCP state number <-> name ("ESTABLISHED", "FIN_WAIT1", ...); NULL where unknown. */
const char *hf_state_name(unsigned int state);

#endif
