/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection explained: what is found out of it, and the two ways to tell. */
#ifndef HF_CLI_WHY_H
#define HF_CLI_WHY_H

#include "cli/connection.h"
#include "cli/request.h"
#include "host/holders.h"

#define HF_WHY_HOLDERS 64
#define HF_WHY_CONDITIONS 9
#define HF_WHY_REASONS 8
#define HF_WHY_TEXT 256

/* A condition of the FILTER given, and what the connection has in its place. */
struct hf_why_condition {
	const char *name; /* of the option */
	enum hf_matched matched;
};

/* What prevents protection. */
struct hf_why_reason {
	const char *name; /* stable, for programs */
	char text[HF_WHY_TEXT];
};

enum hf_why_judge {
	HF_WHY_POLICY, /* given on the command line */
	HF_WHY_RULE,
	HF_WHY_DEFAULT
};

struct hf_why {
	/* Filled by the caller of hf_why_judge. */
	struct hf_record record;
	struct hf_host *host;
	const struct hf_request *request;
	const struct hf_selection *given; /* FILTER and POLICY, names looked up */
	bool swapped;			  /* the ends were given the other way round */
	uint8_t direction;		  /* enum hf_direction */
	struct hf_holder holder[HF_WHY_HOLDERS];
	size_t holders; /* may be more */

	/* By hf_why_judge. */
	bool remembers; /* rules are known, and whether a watcher lives */
	bool watcher;	/* one does */
	const char *cgroup;
	struct hf_connection connection;
	struct hf_retransmission rtx;
	enum hf_why_judge judge;
	struct hf_goals goals;	   /* judged by */
	struct hf_settings own;	   /* what the program itself wants */
	enum hf_decision decision; /* of a rule with these goals on what the program wants */
	struct hf_settings would;  /* for HF_REPLACE */
	struct hf_why_condition condition[HF_WHY_CONDITIONS];
	size_t conditions;
	enum hf_matched matched; /* all of them */
	struct hf_why_reason reason[HF_WHY_REASONS];
	size_t reasons;
	char next[2 * HF_WHY_TEXT]; /* a command to type, "" = nothing is to be done, or can be */
	const char *next_note;	    /* NULL = none */
};

void hf_why_judge(struct hf_why *why);

/* Are its settings known? Not of one that is no full socket, nor of one out of reach. */
bool hf_why_known(const struct hf_why *why);

/* Who set one of those in force: "program", "holdfast", "sysctl", "default"; NULL = unknown. */
const char *hf_why_set_by(const struct hf_why *why, enum hf_setting setting);

/* One of a set. */
uint32_t hf_why_value(const struct hf_settings *settings, enum hf_setting setting);

/* Its name as JSON has it, by the number of its bit; HF_WHY_SETTINGS of them. */
#define HF_WHY_SETTINGS 5
extern const char *const hf_why_settings[HF_WHY_SETTINGS];

/* To stdout; hf_exit. */
int hf_why_print_text(const struct hf_why *why);
int hf_why_print_json(const struct hf_why *why);

#endif
