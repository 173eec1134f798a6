/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: which hosts, links, NATs and gateways there are, what flows between them, what
 * befalls them when, and what is expected to come of it. Read from a libconfuse file; what each
 * key means stands in holdfast(1). Names of other sections are resolved to indices.
 */
#ifndef HF_SIM_SCENARIO_H
#define HF_SIM_SCENARIO_H

#include <stdio.h>

#include <holdfast/engine.h>

#include "host/problem.h"

#define HF_SCENARIO_NAME 48
#define HF_SECTIONS_MAX 32 /* of one kind */
#define HF_VIA_MAX 8
#define HF_SCENARIO_FLOWS_MAX 50000000
#define HF_SCENARIO_FILE_MAX (1 << 20)	 /* bytes */
#define HF_SCENARIO_TIME_MAX 2592000000u /* ms: 30 days */
#define HF_NONE UINT32_MAX		 /* an index: no such thing, not given */
#define HF_TICK_MS 250			 /* of the engines of hosts */

struct hf_hosts {
	char name[HF_SCENARIO_NAME];
	int line;
	uint32_t count;
	struct hf_prefix network;
	uint8_t family;
	bool timestamps, answers_unknown; /* RST to segments of no connection */
	uint32_t delay_ms;		  /* it thinks so long before it answers anything */
};

enum hf_shape {
	HF_CONSTANT,
	HF_UNIFORM,   /* latency +- spread */
	HF_NORMAL,    /* mean latency, standard deviation spread, never below 0 */
	HF_LOGNORMAL, /* median latency; spread: what a deviation adds to it */
};

struct hf_link_spec {
	char name[HF_SCENARIO_NAME];
	int line;
	uint32_t count; /* so many alike; the originators are spread over them */
	uint32_t latency_us, spread_us, reorder_by_us;
	uint32_t shape; /* enum hf_shape */
	double loss, reorder, duplicate;
	double burst_loss;		   /* loss while a burst lasts */
	uint32_t burst_us, burst_every_us; /* mean length, mean time between; 0 = none */
};

struct hf_nat_spec { /* nat and firewall sections */
	char name[HF_SCENARIO_NAME];
	int line;
	bool rewrites;	/* a NAT; else a firewall */
	uint32_t count; /* boxes, as of links */
	uint32_t timeout_ms;
	uint32_t capacity;  /* entries of one box; the newest wins */
	uint32_t on_expiry; /* enum hf_on_expiry */
	bool loose;	    /* takes up a connection in mid-stream */
};

enum hf_on_expiry {
	HF_EXPIRES_SILENT, /* later segments are dropped */
	HF_EXPIRES_RESET,  /* later segments are answered with RST */
};

struct hf_keepalive_spec {
	char name[HF_SCENARIO_NAME];
	int line;
	struct hf_goals goals;
	struct hf_probing probing; /* explicit: 0 = open */
};

enum hf_on_dead {
	HF_DEAD_OBSERVE, /* noted only */
	HF_DEAD_FREE,	 /* forgotten */
	HF_DEAD_RESET,	 /* the other end is told by RST */
};

struct hf_gateway_spec {
	char name[HF_SCENARIO_NAME];
	int line;
	uint32_t keepalive; /* index */
	uint32_t capacity;  /* flows; 0 = as many as there are */
	uint32_t tick_ms;
	uint32_t on_dead; /* enum hf_on_dead */
	bool asks;	  /* sees counters, not segments: HF_ASK */
};

enum hf_element_kind {
	HF_LINK,
	HF_NAT,
	HF_GATEWAY,
};

struct hf_element {
	uint8_t kind; /* enum hf_element_kind */
	uint32_t index;
};

struct hf_path { /* from originator to responder */
	uint32_t count;
	struct hf_element element[HF_VIA_MAX];
};

enum hf_talker {
	HF_FROM_TALKS,
	HF_TO_TALKS,
	HF_BOTH_TALK,
};

struct hf_flows_spec {
	char name[HF_SCENARIO_NAME];
	int line;
	uint32_t count;
	uint32_t from, to; /* hosts */
	struct hf_path via;
	uint32_t port;
	uint32_t keepalive[2]; /* by side: of the end itself; HF_NONE */
	uint32_t open_over_ms; /* opened evenly over this time */
	uint32_t activity_ms;  /* mean time between two sendings; 0 = never */
	uint32_t talker;       /* enum hf_talker */
	uint32_t bytes;	       /* of one sending */
	uint32_t reopen_ms;    /* so long after its end it is opened anew; 0 = never */
	double as_bytes;       /* fraction of segments built and parsed as packets */
};

enum hf_fault_kind {
	HF_POWER_CUT,  /* hosts; with `for`: the power comes back, the connections do not */
	HF_FREEZE,     /* hosts: a machine suspended */
	HF_PAUSE,      /* hosts: the program does not read, its window closes */
	HF_CLOSE,      /* hosts: the program closes its connections */
	HF_HALF_CLOSE, /* hosts: it is done sending, and goes on reading */
	HF_PARTITION,  /* link: carries nothing */
	HF_FORGET,     /* nat, firewall: its table is empty */
	HF_SUSPEND,    /* gateway: its time stands still, it forwards nothing */
};

struct hf_fault_spec {
	int line;
	uint32_t kind;			    /* enum hf_fault_kind */
	uint32_t hosts, link, nat, gateway; /* HF_NONE but the one that kind wants */
	uint32_t at_ms, for_ms, every_ms;   /* for_ms 0: for good; every_ms 0: once */
	double fraction;		    /* of the hosts, links or boxes */
};

struct hf_range { /* expected; given: least <= most */
	double least, most;
	int line; /* 0 = not given */
};

/* What can be expected; the names are those of the keys. */
#define HF_EXPECTATIONS(X)            \
	X(flows_opened)               \
	X(flows_open)                 \
	X(deaths_real)                \
	X(deaths_found)               \
	X(deaths_missed)              \
	X(deaths_late)                \
	X(deaths_by_reset)            \
	X(deaths_unreachable)         \
	X(false_deaths)               \
	X(all_probes_lost)            \
	X(all_probes_lost_deviations) \
	X(detection_max)              \
	X(nat_evicted)                \
	X(nat_expired)                \
	X(probes)                     \
	X(revived)                    \
	X(closed)                     \
	X(refused)

enum hf_expectation {
#define X(name) HF_EXPECT_##name,
	HF_EXPECTATIONS(X)
#undef X
	HF_EXPECTATION_COUNT,
};

struct hf_scenario {
	char name[HF_SCENARIO_NAME];
	char about[256];
	uint32_t duration_ms;
	uint32_t hosts_count, links, nats, keepalives, gateways, flows, faults;
	struct hf_hosts host[HF_SECTIONS_MAX];
	struct hf_link_spec link[HF_SECTIONS_MAX];
	struct hf_nat_spec nat[HF_SECTIONS_MAX];
	struct hf_keepalive_spec keepalive[HF_SECTIONS_MAX];
	struct hf_gateway_spec gateway[HF_SECTIONS_MAX];
	struct hf_flows_spec flow[HF_SECTIONS_MAX];
	struct hf_fault_spec fault[HF_SECTIONS_MAX];
	struct hf_range expect[HF_EXPECTATION_COUNT];
};

/*
 * Read a whole scenario; file names it in errors. 0, or -1 with *problem (NULL allowed) saying
 * file:line, what is wrong and the mend, and *out untouched. Not reentrant: libconfuse's scanner.
 */
int hf_scenario_parse(FILE *in, const char *file, struct hf_scenario *out,
		      struct hf_problem *problem);

#endif
