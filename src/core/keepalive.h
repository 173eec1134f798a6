/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keepalive of one flow: what was heard of its two ends, and what is to be done when.
 *
 * No timers in here, and nothing of other flows: whoever owns the flow asks how long to wait,
 * and calls when that time has passed. See keepalive.c for the theory of operation.
 */
#ifndef HF_CORE_KEEPALIVE_H
#define HF_CORE_KEEPALIVE_H

#include <holdfast/engine.h>

enum hf_end_flag {
	HF_END_KNOWN = 1 << 0,	   /* expected, next and window are: it sent an ACK */
	HF_END_CONFIRMED = 1 << 1, /* and they are certain: seen traffic, or a probe's answer now */
	HF_END_TIMESTAMPS = 1 << 2, /* tsval is known */
	HF_END_FIN = 1 << 3,	    /* it will send no more; next includes its FIN */
	HF_END_DEAD = 1 << 4,	    /* the verdict was given */
	HF_END_PENDING = 1 << 5,    /* a dialogue waits for its answer */
	HF_END_AWAITED =
		1 << 6,		/* something was sent to it in this dialogue, nothing heard since */
	HF_END_PROBED = 1 << 7, /* and the last of it was a probe, or one and a question */
};

/* One end of a flow, as it appears in the segments that come from it. */
struct hf_end {
	uint32_t expected;  /* highest ACK number: its RCV.NXT */
	uint32_t next;	    /* highest sequence end: its SND.NXT */
	uint32_t tsval;	    /* newest */
	uint32_t heard;	    /* when, ms modulo 2^32 */
	uint16_t window;    /* the last, raw */
	uint8_t unanswered; /* probes, questions or retransmissions since then, at most 255 */
	uint8_t flags;	    /* enum hf_end_flag */
};

enum hf_mode {
	HF_MODE_OPTIONS = 7,	/* enum hf_flow_option */
	HF_MODE_TURN = 1 << 3,	/* the side that was sent to last */
	HF_MODE_TIMED = 1 << 4, /* `sent` is when that was; else, when data came in flight */
	HF_MODE_CLOSED = 1 << 5,
	HF_MODE_LATE = 1 << 6, /* the other side joined late: the same one is sent to once more */
	HF_MODE_USED = 1 << 7, /* for the owner: the record holds a flow */
};

struct hf_keepalive {
	struct hf_end end[2]; /* by enum hf_side */
	uint32_t sent;	      /* ms modulo 2^32 */
	uint16_t slot;	      /* for the owner: where its timer is */
	uint8_t policy;	      /* for the owner */
	uint8_t mode;	      /* enum hf_mode */
};

/* When something happens. Times are in ms modulo 2^32 of one clock. */
struct hf_moment {
	uint32_t now;
	uint32_t jumped; /* when time last jumped; long ago: now - HF_LONG_MS */
	uint32_t tick;	 /* how much of a wait the owner's timers round up */
	uint32_t random; /* the flow's own */
	uint32_t jitter; /* idle is shortened by up to 1/jitter of it; 0 = not at all */
};

/* Time stamps reach back so far; older ones are held there whenever a timer runs out. */
#define HF_LONG_MS (UINT32_C(1) << 30)

enum hf_state {
	HF_STATE_IDLE,	   /* waits for idle_ms of silence */
	HF_STATE_DIALOGUE, /* questions or probes are out */
	HF_STATE_BUSY,	   /* data is in flight: the sender's own retransmissions are watched */
	HF_STATE_OVER, /* a verdict was given, or a RST seen, and nobody is in question any more */
	HF_STATE_CLOSED, /* both ends closed in order */
};

/* options: enum hf_flow_option. Nothing of the owner's is touched but mode. */
void hf_keepalive_init(struct hf_keepalive *flow, unsigned int options, uint32_t now,
		       uint32_t idle_ms);

enum hf_state hf_keepalive_state(const struct hf_keepalive *flow, const struct hf_probing *probing,
				 uint32_t now);

/* Milliseconds until hf_keepalive_expire has something to do, or may have; HF_LONG_MS at most. */
uint32_t hf_keepalive_wait(const struct hf_keepalive *flow, const struct hf_probing *probing,
			   const struct hf_moment *moment);

/* Time stamps older than HF_LONG_MS are held at that age; hf_keepalive_expire does so, too. */
void hf_keepalive_hold(struct hf_keepalive *flow, uint32_t now);

/* The wait is over, or not: what is to be done now? out->flow is the owner's to fill in. */
bool hf_keepalive_expire(struct hf_keepalive *flow, const struct hf_probing *probing,
			 const struct hf_moment *moment, struct hf_action *out);

/* A segment from side. *out is written if an event is returned. */
enum hf_event hf_keepalive_segment(struct hf_keepalive *flow, enum hf_side side,
				   const struct hf_segment *segment, uint32_t now,
				   struct hf_evidence *out);

/* As the functions of the engine; heard: was an end revived? */
bool hf_keepalive_heard(struct hf_keepalive *flow, uint32_t now, uint32_t idle_ms);
void hf_keepalive_learn(struct hf_keepalive *flow, enum hf_side target,
			const struct hf_numbers *numbers);
bool hf_keepalive_numbers(const struct hf_keepalive *flow, enum hf_side target,
			  struct hf_numbers *out);

/* Is data toward that end unacknowledged, by what is known? And is that certain? */
bool hf_keepalive_in_flight(const struct hf_keepalive *flow, enum hf_side to);
bool hf_keepalive_owes(const struct hf_keepalive *flow, enum hf_side from);

static inline bool hf_keepalive_pending(const struct hf_keepalive *flow)
{
	return (flow->end[0].flags | flow->end[1].flags) & HF_END_PENDING;
}

/* Nothing will be done by itself: the flow waits for being removed, or heard. */
static inline bool hf_keepalive_over(const struct hf_keepalive *flow)
{
	uint8_t flags = flow->end[0].flags | flow->end[1].flags;

	return flow->mode & HF_MODE_CLOSED ||
	       (flags & (HF_END_DEAD | HF_END_PENDING)) == HF_END_DEAD;
}

static inline bool hf_end_has(const struct hf_end *end, unsigned int flags)
{
	return (end->flags & flags) == flags;
}

/* One more segment toward that end, unanswered. */
static inline void hf_end_unanswered(struct hf_end *end)
{
	if (end->unanswered < UINT8_MAX)
		end->unanswered++;
}

/* Silence of an end in ms. */
static inline uint32_t hf_end_silent(const struct hf_end *end, uint32_t now)
{
	uint32_t silent = now - end->heard;

	return silent < HF_LONG_MS ? silent : HF_LONG_MS;
}

#endif
