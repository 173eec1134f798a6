/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keepalive in one's own hands: timers, probes and verdicts for any number of flows.
 *
 * The engine has no clock, sends nothing and allocates nothing. Time and segments go in,
 * actions come out:
 *
 *	hf_engine_advance(engine, now, budget);
 *	... hf_engine_segment() of whatever has arrived: an answer may lie there already ...
 *	while (hf_engine_next(engine, &action))
 *		... send what it says, or take note of the verdict ...
 *
 * A flow has two ends, originator and responder; each of them, or only one, is watched. An
 * embedder with a TCP of its own is one end and watches the other; a gateway watches both.
 *
 * What is promised: silence without a probe sent is never a death, one lost probe neither; a
 * verdict comes no later than hf_probing_bound() after the last segment heard, as long as time
 * is told at least every tick; and an end that answers is never dead.
 *
 * Time is in milliseconds, monotonic, from any start. Should it jump (a suspended machine), no
 * flow dies of that: whoever is under suspicion is probed once more.
 */
#ifndef HOLDFAST_ENGINE_H
#define HOLDFAST_ENGINE_H

#include <holdfast/segment.h>
#include <holdfast/settings.h>

HF_API_BEGIN

struct hf_engine;

/* A flow's number: 0.. capacity - 1, valid from hf_engine_add until hf_engine_remove. */
typedef uint32_t hf_flow;
#define HF_NO_FLOW UINT32_MAX

enum hf_side {
	HF_ORIGINATOR = 0, /* who opened the connection */
	HF_RESPONDER = 1,
};

struct hf_flow_key {
	struct hf_endpoint end[2]; /* by enum hf_side; both of one family */
};

enum hf_flow_option {
	HF_WATCH_ORIGINATOR = 1 << 0,
	HF_WATCH_RESPONDER = 1 << 1,
	HF_WATCH_BOTH = HF_WATCH_ORIGINATOR | HF_WATCH_RESPONDER,
	/*
	 * Its segments do not all pass here: each dialogue begins with a probe of the numbers that
	 * the last one has confirmed, or a question where there are none, hf_engine_heard having
	 * made them stale. Numbers are believed once a probe made of them is answered with them,
	 * one of which data may have moved on. A probe of kept ones that goes unanswered counts as
	 * a try, and questions follow: traffic may have passed unseen after all. Without
	 * this option every segment is to be told of, or hf_engine_heard or hf_engine_learn called
	 * for what passed unseen: a probe with an old TSval is answered by nothing.
	 *
	 * Whoever answers a question passes for the end that was asked: forged ACKs are never a
	 * death, but put it off, to hf_probing_bound() after the last one that answered a try. An
	 * owner who knows that an answer is none of the end's own does not tell of it.
	 */
	HF_ASK = 1 << 2,
};

/* How flows are probed. Milliseconds. */
struct hf_probing {
	uint32_t idle_ms; /* silence before the first probe; 1..HF_PROBING_MAX */
	/*
	 * Between segments to one end, HF_INTERVAL_MIN_MS..HF_PROBING_MAX. One that is sent late,
	 * time not being told when hf_engine_due says, does not put off the next: that may follow
	 * sooner by as much, up to a quarter. When settings change, the shorter interval counts.
	 */
	uint32_t interval_ms;
	/*
	 * Silence that is a death while data is unacknowledged, once three retransmissions were
	 * seen; a write into silence leaves a third of it at least. 1..HF_PROBING_MAX
	 */
	uint32_t in_flight_ms;
	uint8_t count;	   /* unanswered segments that make a death, 3..HF_COUNT_MAX */
	bool garbage_last; /* the last try carries one octet (RFC 9293 MAY-6), if it can do no harm */
};
#define HF_PROBING_MAX 1073741823 /* ms, 12.4 days: time stamps have 32 bits */
#define HF_INTERVAL_MIN_MS 1000	  /* twice the rate limit of Linux' tcp_invalid_ratelimit */

/*
 * Probing that keeps goals; sides: 1 or 2 ends watched, tick_ms: the engine's. Like
 * hf_settings_derive, and with the same answers, but what the wheel and alternation take is
 * reckoned in (and no eighth: the engine's timers are late by one tick at most). The least
 * dead_within is the bound of idle 1, interval HF_INTERVAL_MIN_MS and count 3, though not below
 * HF_DEAD_WITHIN_MIN: 4500 ms for one end at 250 ms a tick, 5200 ms for two at 100 ms.
 */
enum hf_derivation hf_probing_derive(const struct hf_goals *goals, unsigned int sides,
				     uint32_t tick_ms, struct hf_probing *out);

/*
 * Longest time from the last segment heard of an end to its verdict, no data being in flight: if
 * time is told at least every tick, or when hf_engine_due says and less than a tick late.
 */
uint64_t hf_probing_bound(const struct hf_probing *probing, unsigned int sides, uint32_t tick_ms);

#define HF_PROBINGS_MAX 256 /* different ones in one engine */

struct hf_engine_options {
	uint32_t flows; /* capacity, 1..2^31 */
	/*
	 * The wheel's slot: how late an action may be. 1..10000, usual 250. Up to a quarter of the
	 * interval, an eighth where two ends are watched, delays do not add up.
	 */
	uint32_t tick_ms;
	uint64_t key[2]; /* random, secret: whoever chooses ports shall not choose slots */
	uint64_t seed;	 /* of the jitter that keeps flows from probing in step */
	uint32_t jitter; /* idle is shortened by up to 1/jitter of it; 0 = not at all */
};

/* Bytes that hf_engine_init wants, 0 for impossible options. */
size_t hf_engine_size(const struct hf_engine_options *options);

/*
 * Make an engine in memory (64-byte aligned, at least hf_engine_size bytes, zeroed or not);
 * NULL if that does not hold. Nothing is to be freed but the memory.
 */
struct hf_engine *hf_engine_init(void *memory, size_t size, const struct hf_engine_options *options,
				 uint64_t now_ms);

/*
 * The same engine with room for more (or fewer) flows, in other memory; flows keep their numbers.
 * NULL, and the old one untouched, if the memory does not suffice or a flow's number does not fit.
 */
struct hf_engine *hf_engine_move(const struct hf_engine *engine, void *memory, size_t size,
				 uint32_t flows);

/* Policies 0..HF_PROBINGS_MAX - 1. Changing one in use moves its flows' timers, paced. */
bool hf_engine_set_probing(struct hf_engine *engine, uint8_t policy,
			   const struct hf_probing *probing);

enum hf_add {
	HF_ADDED = 0,
	HF_ADD_FULL,   /* no room: move to a larger one */
	HF_ADD_EXISTS, /* *out is that flow */
	HF_ADD_WRONG,  /* families differ, nothing watched, policy never set */
};

/*
 * options: enum hf_flow_option. idle_ms: how long it has been silent already (0 = heard now);
 * what is due at once is spread over the jitter's width, and the bound counts from now.
 * Nothing is known yet of its numbers: hf_engine_learn, hf_engine_segment or, with HF_ASK, a
 * question brings them.
 */
enum hf_add hf_engine_add(struct hf_engine *engine, const struct hf_flow_key *key,
			  unsigned int options, uint8_t policy, uint32_t idle_ms, hf_flow *out);
void hf_engine_remove(struct hf_engine *engine, hf_flow flow);
bool hf_engine_exists(const struct hf_engine *engine, hf_flow flow);
void hf_engine_assign(struct hf_engine *engine, hf_flow flow, uint8_t policy);

/* HF_NO_FLOW if there is none; *side is the end that `source` is. */
hf_flow hf_engine_find(const struct hf_engine *engine, const struct hf_endpoint *source,
		       const struct hf_endpoint *destination, enum hf_side *side);

/* Numbers known by other means (one's own TCP): to speak to target with. */
void hf_engine_learn(struct hf_engine *engine, hf_flow flow, enum hf_side target,
		     const struct hf_numbers *numbers);

/*
 * Traffic was seen, its segments were not (a connection tracker says so): both ends are taken to
 * have spoken, what was known of the numbers is stale. Only for what shows that both live, data
 * that was acknowledged, say. What one of them sends does not: told of its retransmissions so, the
 * engine would never find the other one dead. idle_ms: how long ago. An end that was dead is
 * revived, and counted so; nothing else tells of it.
 */
void hf_engine_heard(struct hf_engine *engine, hf_flow flow, uint32_t idle_ms);

enum hf_event {
	HF_NOTHING = 0, /* nothing worth telling */
	HF_ALIVE,	/* a probed end has answered: dialogue over for it */
	HF_DEAD,	/* silent: count reached, or data in flight past its bound */
	HF_RESET,	/* answered a probe with RST, or reset the flow in sequence */
	HF_CLOSED,	/* both ends sent FIN and both were acknowledged */
	HF_REVIVED,	/* an end given up as dead was heard after all */
};

/* What was known when an event happened. */
struct hf_evidence {
	uint32_t silent_ms; /* since that end was last heard */
	uint32_t rtt_ms;    /* of the answer; UINT32_MAX = none measured */
	uint8_t unanswered; /* segments since then: probes, questions or retransmissions */
	bool in_flight;	    /* data was unacknowledged */
};

/* What a segment told; the flow (HF_NO_FLOW: not ours) and the end it came from. */
struct hf_heard {
	hf_flow flow;
	uint8_t side;  /* enum hf_side */
	uint8_t event; /* enum hf_event; HF_NOTHING, HF_ALIVE, HF_RESET, HF_CLOSED, HF_REVIVED */
	struct hf_evidence evidence; /* only with an event */
};

/* One segment of a flow known already, from side. */
void hf_engine_segment(struct hf_engine *engine, hf_flow flow, enum hf_side side,
		       const struct hf_segment *segment, struct hf_heard *out);

/* Many segments, looked up by their endpoints, with the memory accesses overlapped. */
void hf_engine_segments(struct hf_engine *engine, const struct hf_segment *segments, size_t n,
			struct hf_heard *out);

enum hf_action_kind {
	HF_SEND_PROBE = 1, /* hf_engine_numbers + hf_segment_probe */
	/* Questions. Where hf_engine_numbers knows some, a probe of them goes before. */
	HF_SEND_TICKLES,   /* all four hf_segment_tickle */
	HF_SEND_HANDSHAKE, /* hf_segment_handshake */
	HF_VERDICT,	   /* event HF_DEAD; the flow stays, unprobed, until removed or heard */
};

struct hf_action {
	uint8_t kind;	/* enum hf_action_kind */
	uint8_t target; /* enum hf_side: toward whom, or about whom */
	uint8_t event;	/* enum hf_event, with HF_VERDICT */
	bool garbage;	/* the probe carries one octet */
	hf_flow flow;
	struct hf_evidence evidence;
};

/*
 * Tell the time, after the segments that have arrived. budget: how many timers hf_engine_next may
 * look at until the next call, 0 = all that are due. A time before the last one told counts as
 * that one.
 *
 * More than four ticks, and more than half the shortest interval, after the last call is a jump:
 * nobody is given up without a word spoken since. Of what is overdue by more than 2^29 ms (6.2
 * days) the rest does not count.
 */
void hf_engine_advance(struct hf_engine *engine, uint64_t now_ms, uint32_t budget);

/* The next thing to be done; false when nothing is due or the budget is used up. */
bool hf_engine_next(struct hf_engine *engine, struct hf_action *out);

/*
 * When hf_engine_next may have something again: a time, never too late; UINT64_MAX = never. While
 * dialogues go on it is no farther away than half of what would be a jump.
 */
uint64_t hf_engine_due(const struct hf_engine *engine);

/* What is known of a flow; all zero if it does not exist. */
struct hf_flow_view {
	struct hf_flow_key key;
	uint8_t options, policy;
	uint8_t unanswered[2]; /* by side */
	bool dialogue;	       /* probes or questions are out */
	bool dead[2], in_flight, half_closed;
	bool learned[2]; /* numbers to speak to that side are known */
	uint32_t silent_ms[2];
};
void hf_engine_look(const struct hf_engine *engine, hf_flow flow, struct hf_flow_view *out);

/* To speak to target in the other end's name; false if nothing is known yet. */
bool hf_engine_numbers(const struct hf_engine *engine, hf_flow flow, enum hf_side target,
		       struct hf_numbers *out);

struct hf_engine_statistics {
	uint32_t flows, capacity, dialogues;
	uint64_t segments; /* heard and looked at */
	uint64_t probes, questions, answers;
	uint64_t alive, dead, reset, closed, revived; /* events */
	uint64_t late_max_ms;			      /* the latest that any timer was served */
};
void hf_engine_statistics(const struct hf_engine *engine, struct hf_engine_statistics *out);

/* Do all invariants of wheel, table and flows hold? NULL, or what does not. Slow: for tests. */
const char *hf_engine_check(const struct hf_engine *engine);

HF_API_END

#endif
