/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at the connections for `top`: a pass, and what it tells beside the one before. */
#ifndef HF_CLI_TOP_PASS_H
#define HF_CLI_TOP_PASS_H

#include <stdatomic.h>
#include <time.h>

#include "cli/top_model.h"
#include "cli/top_seen.h"

#define HF_TOP_EVENTS 64
#define HF_TOP_CGROUP 256

struct hf_top_event {
	enum hf_top_change change;
	int64_t time_ms; /* since the epoch */
	struct hf_top_known known;
};

struct hf_top_rates { /* of the last half second or more */
	bool known;   /* there was one */
	double probes, deaths, appeared,
		gone; /* a second; probes and deaths as the kernel counts */
	uint64_t deaths_so_far;
};

/* What a pass found: all that is drawn. */
struct hf_top_frame {
	struct hf_top_list list;
	struct hf_top_rates rates;
	struct hf_top_event event[HF_TOP_EVENTS]; /* the newest first */
	unsigned int events;
	uint64_t chosen_cookie;	    /* that of the view, 0 = none */
	struct hf_top_row chosen;   /* with chosen_at_ms only */
	char cgroup[HF_TOP_CGROUP]; /* of the chosen one, "" where it is not known */
	uint64_t chosen_at_ms;	    /* CLOCK_MONOTONIC; 0 = it is not there */
	int64_t time_ms;	    /* of the pass, since the epoch */
	uint64_t at_ms;		    /* CLOCK_MONOTONIC, at its end */
	uint32_t pass_ms;	    /* so long it took */
};

/* -ENOMEM or 0; rows: how many it keeps. */
int hf_top_frame_init(struct hf_top_frame *frame, unsigned int rows);
void hf_top_frame_free(struct hf_top_frame *frame);

/* Which connections, and what judges them. */
struct hf_top_scope {
	struct hf_host *host;
	uint32_t states;	       /* bit n: state n is shown */
	uint32_t audits;	       /* bit n: verdict n is shown; 0 = any */
	const struct hf_goals *policy; /* NULL: each rule's goals, else the default */
	const atomic_bool *stop;       /* ends a pass that is going on; NULL: nothing does */
};

struct hf_top_pass;

/* NULL: no memory. */
struct hf_top_pass *hf_top_pass_new(const struct hf_top_scope *scope);
void hf_top_pass_free(struct hf_top_pass **pass);

/* Look: fill the frame for this view. -1 with a problem; 1 where it was stopped. */
int hf_top_pass_run(struct hf_top_pass *pass, const struct hf_top_view *view,
		    struct hf_top_frame *frame, struct hf_problem *problem);

/* Now, in milliseconds. */
int64_t hf_top_clock_ms(clockid_t clock);

#endif
