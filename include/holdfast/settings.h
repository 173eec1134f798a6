/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From goals to keepalive settings, and from settings to what they promise.
 *
 * Goals are what an operator wants: a dead peer found within a time, a path kept open.
 * Settings are what a TCP takes: idle, interval, count, user timeout. All arithmetic is
 * on unsigned integers without loops over data, because the same source is also compiled
 * into the eBPF programs, where it judges sockets inside the kernel.
 *
 * Every bound allows for Linux timers that run late by an eighth (12.5 %, the timer
 * wheel's granularity).
 */
#ifndef HOLDFAST_SETTINGS_H
#define HOLDFAST_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <holdfast/api.h>

HF_API_BEGIN

#define HF_IDLE_MAX 32767     /* seconds, Linux MAX_TCP_KEEPIDLE */
#define HF_INTERVAL_MAX 32767 /* seconds, Linux MAX_TCP_KEEPINTVL */
#define HF_COUNT_MAX 127      /* Linux MAX_TCP_KEEPCNT */
#define HF_COUNT_MIN 3	      /* fewer lost probes are no death for Holdfast */
#define HF_COUNT_USUAL 9

#define HF_DEAD_WITHIN_DEFAULT 120000 /* ms: the goal where none was given */
#define HF_DEAD_WITHIN_MIN 4500	      /* ms: 1 s + 3 x 1 s, an eighth late */
#define HF_KEEP_OPEN_MIN 3250	      /* ms: 1 s + 1 x 1 s, an eighth late, 1 s to spare */
#define HF_GOAL_MAX 2147483647	      /* ms */

#define HF_UNBOUNDED UINT64_MAX

/* What is wanted, in milliseconds; 0 = no such goal. */
struct hf_goals {
	uint32_t dead_within_ms; /* a dead peer is found so long after its last segment */
	uint32_t keep_open_ms;	 /* the shortest idle timeout on the path */
};

/* What a TCP is told. Seconds as in TCP_KEEPIDLE, TCP_KEEPINTVL; ms as in TCP_USER_TIMEOUT. */
struct hf_settings {
	uint32_t keepalive;	  /* SO_KEEPALIVE: 0 or 1 */
	uint32_t idle;		  /* 1..HF_IDLE_MAX s */
	uint32_t interval;	  /* 1..HF_INTERVAL_MAX s */
	uint32_t count;		  /* 1..HF_COUNT_MAX */
	uint32_t user_timeout_ms; /* 0 = unset */
};

/* The worst case of some settings, in milliseconds; HF_UNBOUNDED where nothing bounds it. */
struct hf_bounds {
	uint64_t idle_ms;	   /* last segment heard -> death of an idle connection reported */
	uint64_t in_flight_ms;	   /* data written -> death reported, keepalive being silent then */
	uint64_t keep_open_ms;	   /* longest silence on the wire with two probes in a row lost */
	uint64_t keep_open_one_ms; /* the same with one lost */
	uint64_t outage_idle_ms;   /* a network broken for less is no death, while idle */
	uint64_t outage_in_flight_ms; /* the same with data in flight */
};

/* Retransmission as the kernel does it, for the bound in flight. */
struct hf_retransmission {
	uint32_t rto_ms;      /* this connection's RTO; HF_RTO_MIN where unknown */
	uint32_t rtt_ms;      /* its smoothed round-trip time; 0 = unknown */
	uint32_t retries;     /* net.ipv4.tcp_retries2, 15 by default */
	uint32_t armed_by_ms; /* dead_within of a living watcher that arms; 0 = none does */
	uint32_t since_ms;    /* the first one unanswered was so long ago */
};
#define HF_RTO_MIN 200	  /* ms, Linux TCP_RTO_MIN */
#define HF_RTO_MAX 120000 /* ms, Linux TCP_RTO_MAX */
#define HF_RETRIES2 15

enum hf_derivation {
	HF_DERIVED = 0,
	HF_DERIVED_ONE_LOSS,	      /* done, but keep_open survives one lost probe only */
	HF_DEAD_WITHIN_TOO_SHORT,     /* nearest: HF_DEAD_WITHIN_MIN */
	HF_KEEP_OPEN_TOO_SHORT,	      /* nearest: HF_KEEP_OPEN_MIN */
	HF_GIVEN_OUT_OF_RANGE,	      /* a given setting is outside what TCP takes */
	HF_GIVEN_BREAKS_DEAD_WITHIN,  /* the given settings cannot meet dead_within */
	HF_GIVEN_BREAKS_KEEP_OPEN,    /* the given settings cannot meet keep_open */
	HF_GIVEN_BREAKS_USER_TIMEOUT, /* a user timeout that ends before three probes are sent */
};
#define HF_DERIVATIONS 8

/*
 * Settings that keep the goals. given: settings already decided, 0 = open, NULL = all open
 * (given->keepalive is ignored). With neither goals nor given, the goal is
 * HF_DEAD_WITHIN_DEFAULT; with given settings and no goals, the open ones take the
 * default goal's values, cut or stretched to go with what is given.
 * user_timeout_ms of the result is the given one, else 0. idle is never above idle_max
 * (0 = no such limit): how a set stays no later than the program's own.
 * Returns HF_DERIVED or HF_DERIVED_ONE_LOSS with *out filled, else *out is untouched.
 *
 * Rule: B = D/1.125; count = 9, fewer (never below 3) where the interval would fall under
 * 1 s; idle about B/2; idle + count * interval <= B. Keep open K:
 * 1.125 * (idle + 2 * interval) <= K - 1 s.
 */
HF_API enum hf_derivation hf_settings_derive(const struct hf_goals *goals,
					     const struct hf_settings *given, uint32_t idle_max,
					     struct hf_settings *out);

/* The worst case of any settings. rtx NULL: Linux defaults, nobody arms. */
HF_API void hf_settings_bounds(const struct hf_settings *settings,
			       const struct hf_retransmission *rtx, struct hf_bounds *out);

/* The fixed user timeout that goes with a set: idle + count * interval, in ms. */
HF_API uint32_t hf_settings_user_timeout(const struct hf_settings *settings);

/*
 * The user timeout to arm while a retransmission is unanswered, after silent_ms of silence:
 * what is left, D - silence, but never less than a last-resort share; less the eighth that the
 * kernel's timer may be late, at least 1 ms; and since_ms on top, as the kernel counts from there.
 * Never more than the limit of rtx->retries (UINT32_MAX where a standing user timeout has taken its
 * place), so that arming lengthens nothing. 0 = do not arm: that limit is no longer, and the kernel
 * by itself ends in time. It looks at the limit only when a timer fires, up to about twice as late;
 * at a user timeout it ends exactly, with as many retransmissions sent.
 *
 * With a tail loss probe the first retransmission comes about two RTO after the write, and the
 * kernel counts from it. So the share is D/3 - RTO, but never less than an answer needs: two
 * round-trip times (one RTO where they are unknown), at most D/3. A late
 * write is told D/3 + RTO after it, as long as the RTO is at most D/6 (above D/24 the lateness
 * of those first two timers comes on top).
 * rtx is never NULL; armed_by_ms is not looked at.
 */
HF_API uint32_t hf_settings_arm(uint32_t dead_within_ms, uint64_t silent_ms,
				const struct hf_retransmission *rtx);

/* Do these settings keep the goals on an idle connection (keepalive on, both goals)? */
HF_API bool hf_settings_meet(const struct hf_settings *settings, const struct hf_goals *goals);

/* Is no bound of a longer than the same bound of b (idle death, keep open, first probe)? */
HF_API bool hf_settings_no_weaker(const struct hf_settings *a, const struct hf_settings *b);

enum hf_decision {
	HF_KEEP = 0,	  /* the program's own settings meet the goals: they stay */
	HF_REPLACE,	  /* idle, interval and count are all replaced by *out */
	HF_LEAVE_TIMEOUT, /* its own user timeout is shorter than three probes need: hands off */
	HF_LEAVE_STRICT,  /* no set of whole seconds is as strict as the program's own */
};

/*
 * "Never weaker": what becomes of a connection with the program's own settings under goals.
 * ours: what the goals were derived to. override: replace whatever the program has.
 * For HF_REPLACE *out is ours or, where one of the program's bounds is shorter, a
 * set derived anew that is no later than that bound, and keepalive is 1. user_timeout_ms is
 * the program's own, never raised; lowered where it would outlast the set (idle + count *
 * interval) or ours; ours where the program has none.
 */
HF_API enum hf_decision hf_settings_decide(const struct hf_settings *program,
					   const struct hf_goals *goals,
					   const struct hf_settings *ours, bool override,
					   struct hf_settings *out);

/*
 * Shorten idle by random/2^32 of a tenth of it, where that tenth is at least a second, so that
 * many connections do not probe in step.
 */
HF_API uint32_t hf_settings_jitter(uint32_t idle, uint32_t random);

/*
 * The same for a connection that is one of very many begun at once: down to a quarter of idle, by
 * whole seconds. So many probes in one go are more than a network device's queue takes (Linux
 * netdev_max_backlog: 1000), and those dropped would be repeated in step until the count is full.
 */
HF_API uint32_t hf_settings_spread(uint32_t idle, uint32_t random);

enum hf_verdict {
	HF_NOT_JUDGED = 0, /* a state without keepalive, or no owner */
	HF_UNPROTECTED,	   /* keepalive off, or idle too late for keep_open */
	HF_SLOW,	   /* a bound exceeds the goal */
	HF_PROTECTED,
};

/*
 * The audit's verdict on one connection. goals NULL or empty: HF_DEAD_WITHIN_DEFAULT.
 * In flight the time until the first retransmission is granted on top of dead_within, whatever
 * sets the limit: it counts from there.
 */
HF_API enum hf_verdict hf_settings_audit(const struct hf_settings *settings,
					 const struct hf_goals *goals,
					 const struct hf_retransmission *rtx);

HF_API_END

#endif
