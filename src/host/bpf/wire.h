/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What passes between the eBPF programs and user space: structs and limits only. Both sides
 * compile this header; sizes are asserted so that neither pads differently.
 */
#ifndef HF_HOST_BPF_WIRE_H
#define HF_HOST_BPF_WIRE_H

#ifdef __bpf__ /* the core's settings.c and policy.c are part of the programs */
#define HF_API static inline __attribute__((always_inline))
#endif
#include <holdfast/policy.h>

/* Linux TCP states (include/net/tcp_states.h). */
enum hf_state {
	HF_ESTABLISHED = 1,
	HF_SYN_SENT,
	HF_SYN_RECV,
	HF_FIN_WAIT1,
	HF_FIN_WAIT2,
	HF_TIME_WAIT,
	HF_CLOSE,
	HF_CLOSE_WAIT,
	HF_LAST_ACK,
	HF_LISTEN,
	HF_CLOSING,
	HF_NEW_SYN_RECV,
};

/* How exact a jiffy's length is known: whole seconds come out whole. */
#define HF_JIFFY_MS_BITS 28
#define HF_JIFFY_S_BITS 38

#define HF_STATES_JUDGED ((1u << HF_ESTABLISHED) | (1u << HF_CLOSE_WAIT) | (1u << HF_FIN_WAIT2))

/* Who holds a socket: guessed at its creation, settled by a pass over all open files. */
struct hf_owner {
	uint32_t pid;  /* lowest holder, thread group id */
	uint32_t uid;  /* of the creator; only while provisional */
	uint32_t pass; /* of the last pass that saw it; 0 = provisional */
	uint32_t left; /* its rule left it alone because of what the program itself set */
	_Alignas(8) char process[HF_PROCESS_NAME];
};

enum hf_memory_flag {
	HF_MEMORY_PROVISIONAL = 1 << 0,	  /* the rule hangs on an owner not settled yet */
	HF_MEMORY_ARMS = 1 << 1,	  /* a watcher arms the user timeout */
	HF_MEMORY_SUSPECTED = 1 << 2,	  /* a pass saw two unanswered probes */
	HF_MEMORY_REPLACED = 1 << 3,	  /* written is ours, not the program's own set */
	HF_MEMORY_OVERRIDE = 1 << 4,	  /* the rule replaces stricter settings, too */
	HF_MEMORY_FIXED = 1 << 5,	  /* written holds a fixed user timeout of ours */
	HF_MEMORY_TIMEOUT_LATER = 1 << 6, /* silent for too long to be given one yet */
	HF_MEMORY_SPREAD = 1 << 7,	  /* one of very many: idle is shorter than it need be */
};
#define HF_MEMORY_WATCHER 0xffff0000u /* of the flags: hf_control.watcher of who holds it */

/* What was done to a socket. Pinned: outlives the program that did it. */
struct hf_memory {
	_Alignas(8) char rule[HF_RULE_NAME];
	struct hf_goals goals;
	struct hf_settings original; /* what the program itself wants */
	struct hf_settings written;  /* what is in force because of the rule */
	uint32_t armed_ms;	     /* user timeout armed at the moment, 0 = none */
	uint32_t flags;		     /* enum hf_memory_flag */
	uint64_t stamp;		     /* of the rule it was decided by */
};

struct hf_wire_rule {
	struct hf_rule rule;
	uint64_t stamp; /* two rules with the same stamp want the same */
};

enum hf_outcome {		 /* of a rule on one socket, in one pass */
	HF_OUTCOME_NONE = 0,	 /* no rule, or nothing was to be done */
	HF_OUTCOME_HELD,	 /* under the rule since earlier */
	HF_OUTCOME_SET,		 /* settings were written */
	HF_OUTCOME_KEPT,	 /* its own settings meet the goals: stay */
	HF_OUTCOME_PROBING,	 /* unanswered probes at the time: left until it settles */
	HF_OUTCOME_OWN_TIMEOUT,	 /* left: its own user timeout is too short */
	HF_OUTCOME_OWN_STRICTER, /* left: no whole-second set is as strict */
	HF_OUTCOME_STATE,	 /* left: state, orphan or the kernel's own */
	HF_OUTCOME_RULE_LEAVE,	 /* the rule says hands off */
	HF_OUTCOME_RESTORED,
	HF_OUTCOME_REVIVED, /* probes had been unanswered and were answered */
	HF_OUTCOME_FAILED,  /* the kernel refused a setting */
	HF_OUTCOME_HIDDEN,  /* left: not ours to look into (without eBPF) */
	HF_OUTCOME_WATCHED, /* left: a living watcher holds it */
};
#define HF_OUTCOMES 14 /* enum hf_outcome */

/* Left alone because of what the program itself set. */
static inline bool hf_outcome_is_left(uint32_t outcome)
{
	return outcome == HF_OUTCOME_OWN_TIMEOUT || outcome == HF_OUTCOME_OWN_STRICTER;
}

#define HF_CROWD 500 /* sockets set within two seconds that may probe in one go */

enum hf_record_flag {
	HF_RECORD_ORPHAN = 1 << 0,
	HF_RECORD_KERNEL = 1 << 1,
	HF_RECORD_RULE = 1 << 2,  /* rule and what follows are filled */
	HF_RECORD_OWNER = 1 << 3, /* pid and process are known */
	HF_RECORD_FULL = 1 << 4,  /* a full socket: settings and timers are known */
	HF_RECORD_ARMS = 1 << 5,
	HF_RECORD_TIMEOUT_LATER = 1 << 6, /* too long silent for a fixed user timeout */
	HF_RECORD_OWNER_SETTLED = 1 << 7,
	HF_RECORD_NUMBERS = 1 << 8, /* numbers are filled */
	HF_RECORD_ORIGIN = 1 << 9,  /* origin is filled */
	HF_RECORD_HIDDEN = 1 << 10, /* settings are not known (without eBPF) */
};
/* Not HF_RECORD_SHORT. */
#define HF_RECORD_LONG (HF_RECORD_RULE | HF_RECORD_NUMBERS | HF_RECORD_ORIGIN)
#define HF_NO_PROBE UINT32_MAX

enum hf_numbers_flag {
	HF_NUMBERS_TIMESTAMPS = 1 << 0,	  /* RFC 7323 */
	HF_NUMBERS_MICROSECONDS = 1 << 1, /* they count these, else milliseconds */
	HF_NUMBERS_SIGNED = 1 << 2,	  /* segments carry a signature (RFC 2385, RFC 5925) */
};

/* What it takes to speak in a connection's name, while nothing of it is in flight. */
struct hf_wire_numbers {
	uint32_t snd_una;   /* what the peer expects next */
	uint32_t unsent;    /* bytes that the program wrote and the peer has not acknowledged */
	uint32_t rcv_nxt;   /* what is expected from the peer */
	uint32_t tsoffset;  /* of its timestamps from the clock that they count */
	uint32_t ts_recent; /* the peer's newest, to be echoed */
	uint32_t heard;	    /* jiffies when anything was last heard: another value, heard since */
	uint32_t mark;	    /* SO_MARK */
	uint32_t device;    /* SO_BINDTODEVICE, link-local peers; 0 = none */
	uint16_t window;    /* as last advertised, raw */
	uint16_t flags;	    /* enum hf_numbers_flag */
	uint32_t reserved;
};

enum hf_setting { /* one of a socket's */
	HF_SETTING_KEEPALIVE = 1 << 0,
	HF_SETTING_IDLE = 1 << 1,
	HF_SETTING_INTERVAL = 1 << 2,
	HF_SETTING_COUNT = 1 << 3,
	HF_SETTING_USER_TIMEOUT = 1 << 4,
};

/* Where a socket's settings come from. */
struct hf_wire_origin {
	struct hf_settings original;	/* what the program itself wants, with HF_RECORD_RULE */
	uint32_t idle, interval, count; /* the sysctls of its namespace */
	uint16_t memory;		/* enum hf_memory_flag */
	uint8_t ours;			/* enum hf_setting: in force because Holdfast wrote it */
	uint8_t unset;			/* enum hf_setting: the sysctl is in force */
	uint32_t since_ms;		/* the first unanswered retransmission was so long ago */
};

/* One connection as a pass saw it. */
struct hf_record {
	uint64_t cookie;
	uint64_t cgroup;
	struct hf_address local, remote;
	uint16_t local_port, remote_port;
	uint8_t family; /* enum hf_family */
	uint8_t state;	/* enum hf_state */
	uint8_t unanswered;
	uint8_t retries2; /* net.ipv4.tcp_retries2 of its namespace */
	uint32_t flags;	  /* enum hf_record_flag */
	uint32_t netns;
	uint32_t uid;
	uint32_t pid;
	_Alignas(8) char process[HF_PROCESS_NAME];
	struct hf_settings settings; /* effective: sysctl defaults resolved */
	uint32_t silent_ms;
	uint32_t next_probe_ms; /* HF_NO_PROBE: none is due */
	uint32_t in_flight;	/* segments */
	uint32_t retransmits;	/* unanswered retransmissions */
	uint32_t srtt_us;	/* 0 = not measured */
	uint32_t rto_ms;
	uint32_t outcome; /* enum hf_outcome */
	/* From here on only with HF_RECORD_RULE. */
	struct hf_goals goals;
	uint32_t armed_ms;
	_Alignas(8) char rule[HF_RULE_NAME];
	union {
		struct hf_wire_numbers numbers; /* only with HF_RECORD_NUMBERS */
		struct hf_wire_origin origin;	/* only with HF_RECORD_ORIGIN, never both */
	};
};
#define HF_RECORD_SHORT offsetof(struct hf_record, goals)

enum hf_wire_event_kind {
	HF_WIRE_PROTECTED = 1,
	HF_WIRE_ENDED, /* error says how: 0 = closed */
	HF_WIRE_LEFT,  /* outcome says why */
};

struct hf_wire_event {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t kind;	  /* enum hf_wire_event_kind */
	int32_t error;	  /* errno the program sees, 0 = none; negative: most likely that one */
	struct hf_record record;
};

/* An open file that is a socket. */
struct hf_wire_holder {
	uint64_t cookie; /* 0: told for its network namespace only */
	uint32_t netns, pid, fd, reserved;
	_Alignas(8) char process[HF_PROCESS_NAME];
};

enum hf_mode {			  /* what a pass does */
	HF_MODE_SHOW = 1 << 0,	  /* write a record of every match */
	HF_MODE_ACT = 1 << 1,	  /* apply the rules */
	HF_MODE_RESTORE = 1 << 2, /* give back what is still ours */
	HF_MODE_DISARM = 1 << 3,  /* take armed user timeouts back */
	HF_MODE_REPORT = 1 << 4,  /* with ACT: a record for every match, whatever came of it */
	HF_MODE_OWNERS = 1 << 5,  /* look up first who holds what, if anybody asks */
	HF_MODE_TEND = 1 << 6,	  /* with ACT: only where something is unanswered or armed */
	HF_MODE_NEWS = 1 << 7,	  /* with ACT, RESTORE: a record where something came of it */
	HF_MODE_SPREAD = 1 << 8,  /* alone: what would probe in one burst within this host, apart */
};

/* A forecast: how many first probes of a silence are due in each of the next slots. */
#define HF_DUE_SLOTS 16
#define HF_DUE_SLOT_MS 2048

/* What the records of a pass are to say beyond endpoints, state, settings and silence. */
enum hf_gather {
	HF_GATHER_OWNER = 1 << 0,	   /* pid, process */
	HF_GATHER_MEMORY = 1 << 1,	   /* rule, goals */
	HF_GATHER_RETRANSMISSION = 1 << 2, /* rto, retries2, retransmits */
	HF_GATHER_TRAFFIC = 1 << 3,	   /* in_flight, srtt */
	HF_GATHER_NEXT_PROBE = 1 << 4,
	HF_GATHER_CGROUP = 1 << 5,
	HF_GATHER_COOKIE = 1 << 6,
	HF_GATHER_UID = 1 << 7,
	HF_GATHER_NUMBERS = 1 << 8,
	HF_GATHER_ORIGIN = 1 << 9, /* instead of numbers */
};
#define HF_GATHER_BOUNDS (HF_GATHER_MEMORY | HF_GATHER_RETRANSMISSION) /* what they depend on */
#define HF_GATHER_ALL (HF_GATHER_NUMBERS - 1) /* all but these, which only `check` and `why` want */

/* Known before loading: the verifier leaves out what it rules out, and the sweep is quicker. */
struct hf_fixed {
	uint64_t jiffy_ms; /* what a jiffy takes, << HF_JIFFY_MS_BITS: no division for every socket */
	uint64_t jiffy_s; /* the same, << HF_JIFFY_S_BITS */
	uint32_t modes;	  /* enum hf_mode: those that a pass may have */
	uint32_t gathers; /* enum hf_gather: what records are to say */
	bool any;	  /* rule 0 matches whatever a pass visits */
	bool audits;	  /* verdicts are filtered by */
	bool remembers;	  /* the memory may hold something that matters */
	bool owners;	  /* the sweep asks for owners noted on the sockets */
	bool tells;	  /* owners are not noted, but told to user space */
	bool pinned;	  /* the memory is a pinned one */
};

/* Set by user space before each pass. */
struct hf_control {
	uint32_t mode;	     /* enum hf_mode */
	uint32_t states;     /* bit n: visit sockets in state n */
	uint32_t rules;	     /* how many */
	uint32_t netns;	     /* of this pass */
	uint32_t pass;	     /* number of the pass, from 1 */
	uint32_t audits;     /* bit n: enum hf_verdict n is wanted; 0 = any */
	uint32_t judge;	     /* judge by rule 0's goals */
	uint32_t arms;	     /* a living watcher arms user timeouts */
	uint32_t watcher;    /* who we are, in the bits of HF_MEMORY_WATCHER; 0 = no watcher */
	uint32_t look_close; /* some user timeout is armed, or some peer suspected */
	uint32_t by_owner;   /* some rule asks for process, pid or user */
	uint32_t by_cgroup;
	uint32_t by_direction;
	uint32_t provisional; /* owners not settled yet count as known */
	uint32_t find_netns;  /* report sockets in unknown namespaces */
	uint32_t held_since; /* only what a process held in this pass or later; 0 = no such limit */
	uint32_t task;	     /* ask only this process for owners, 0 = all */
	_Alignas(8) char process[HF_PROCESS_NAME]; /* ask only processes of this name, "" = all */
};

/* Kept by the programs, read by user space. */
struct hf_counters {
	uint64_t visited, matched;
	uint64_t outcome[HF_OUTCOMES]; /* of the pass */
	uint64_t armed;		       /* armings since load, and those a pass is to make */
	uint64_t standing;	       /* user timeouts still armed at the end of the pass */
	uint64_t unsettled; /* what only a full pass can settle, such as by whom, since load */
	uint64_t later[HF_OUTCOMES]; /* of outcome: silent for too long for a fixed user timeout */
	uint64_t waiting;	     /* of the pass: provisional or being probed, look again soon */
	uint64_t lost;		     /* events that found the ring full, since load */
	uint64_t clamped;	     /* later setsockopts put right, since load */
	uint32_t crowd, crowd_since; /* sockets set since that second, a moment ago */
	uint64_t unheard; /* sockets whose callbacks the kernel refused a pass, since load */
	uint32_t due[HF_DUE_SLOTS]; /* of a watch's last pass; with SPREAD, within this host */
};

#ifndef __bpf__
#include <assert.h>
#include <stddef.h>
static_assert(sizeof(struct hf_record) % 8 == 0, "records follow each other in a stream");
static_assert(sizeof(struct hf_wire_event) % 8 == 0, "events hold 64-bit fields");
static_assert(HF_RECORD_SHORT % 8 == 0, "short records keep the stream aligned");
static_assert(sizeof(struct hf_memory) == 96, "pinned: a new layout needs a new map name");
#endif

#endif
