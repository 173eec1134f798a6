/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stage of the demo: the connections of each act, what becomes of them, and the one loop
 * that hears of it: reports of the plain programs, events of Holdfast, what /proc shows ten times
 * a second, signals. Whatever happens goes into the timeline as it happens.
 */
#ifndef HF_CLI_DEMO_STAGE_H
#define HF_CLI_DEMO_STAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/demo_peers.h"
#include "cli/demo_sight.h"
#include "cli/demo_timeline.h"
#include "cli/demo_watch.h"
#include "cli/demo_world.h"
#include "host/problem.h"

#define HF_MS 1000L /* microseconds, as all times of the demo */
#define HF_SECOND (1000 * HF_MS)

/* A connection and what became of it; 0 = has not happened. */
struct hf_stage_side {
	struct hf_peer client;
	struct hf_peer server;
	int64_t listens_at;
	int64_t connected_at;
	int64_t forgotten_at; /* by the NAT */
	int64_t byte_at;      /* from the server */
	int64_t ended_at;     /* the program was told */
	int error;	      /* what it was told; 0: end of file */
	struct hf_sight sight;
	unsigned int lost;	      /* most unanswered probes seen at once */
	unsigned int answered;	      /* probes */
	struct hf_demo_event verdict; /* Holdfast's: "dead" or "reset"; event "" = none */
};

struct hf_stage_act {
	struct hf_stage_side sides[2];
	int64_t cut_at;	 /* power or network off */
	int64_t back_at; /* on again */
	int64_t sent_at; /* the server sent a byte to both */
	bool new_server; /* it is there again without a memory */
};

enum hf_act {
	HF_ACT_IDLE,
	HF_ACT_POWER,
	HF_ACT_REBOOT,
	HF_ACT_BREAK,
	HF_ACTS
};
static_assert(HF_ACTS == HF_WORLD_SERVERS, "a server for each act");

struct hf_stage {
	struct hf_world world;
	struct hf_demo_watch watch;
	struct hf_timeline timeline;
	struct hf_stage_act acts[HF_ACTS];
	struct hf_stage_act *act; /* the one that plays; NULL between them */
	uint64_t probes;	  /* sent so far in the client's namespace */
	int64_t next_look;
	int64_t over_at; /* when all was looked at for the last time */
	int reports[2];	 /* pipe */
	int signals;	 /* signalfd */
	int signal;	 /* the one that stopped us, or 0 */
	struct hf_problem *problem;
};

/* Reports, signals (blocked from now on), timeline; 0 or -1 with *problem. */
int hf_stage_open(struct hf_stage *stage, struct hf_problem *problem);

/* Take everything down: programs, Holdfast, the world. */
void hf_stage_close(struct hf_stage *stage);

/*
 * Let things happen until done() or for so long. 0, also when the time is over; -1: stop, for
 * a signal (stage->signal) or a failure (stage->problem). done may be NULL.
 */
int hf_stage_wait(struct hf_stage *stage, int64_t time, bool (*done)(const struct hf_stage *));

/* Look at all connections of an act as they are now; 0 or -1. */
int hf_stage_look(struct hf_stage *stage, struct hf_stage_act *act);

/* Which act this is, and which server it has. */
unsigned int hf_stage_number(const struct hf_stage *stage, const struct hf_stage_act *act);
uint16_t hf_stage_port(enum hf_side side);

/* Both connections of an act are there. */
bool hf_stage_connected(const struct hf_stage_act *act);

/* What read() told a program: "ETIMEDOUT", "end of file". */
const char *hf_stage_told(int error);

/* "what: errno's text" as the problem; -1. */
int hf_stage_fail(struct hf_stage *stage, const char *what);

#endif
