/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goals to settings and back, in whole seconds.
 *
 * A timer of s seconds ends after s * 1000 ms at the earliest and s * 1125 ms at the latest. So
 * a sum of s seconds keeps a bound of g ms if and only if s <= g / 1125, rounded down: the goals
 * become limits in whole seconds first, and nothing is lost by it.
 *
 *   death     idle + probes * interval, the last wait included
 *   room      idle + losses * interval, until the probe that gets through
 *   timeout   the user timeout, which ends the probing in place of the count
 *
 * The open values are chosen in one order - idle, interval, idle again, count - each within
 * what the ones after it need at least; then the whole set is checked against the limits.
 * Without given values the check cannot fail.
 */
#include <holdfast/settings.h>

#define ON_TIME 1000u /* ms a second of a timer takes at least */
#define LATE 1125u    /* and at most */
#define NO_LIMIT UINT32_MAX
#define KEEP_OPEN_SPARE 1000u /* ms between the last probe and the middlebox's timeout */
#define TWO_LOSSES_MIN 3u     /* s: 1 + 2 x 1 */

struct limits { /* seconds */
	uint32_t death;
	uint32_t room;
	uint32_t losses;  /* that keep_open survives: 2, or 1 where seconds leave no room */
	uint32_t timeout; /* 0 = none */
	uint32_t span;	  /* what idle and all probes are to fill */
	uint32_t idle_max;
};

/*
 * The eBPF verifier follows every path, and these choices would make them multiply: there they are
 * made without a branch, on a value that the compiler cannot see through.
 */
#ifdef __bpf__
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))
#else
#define OPAQUE(value)
#endif

/* All ones where a < b, else 0: the borrow of a - b, spread. */
static inline uint64_t mask_below(uint64_t a, uint64_t b)
{
	uint64_t borrow = (~a & b) | (~(a ^ b) & (a - b));

	OPAQUE(borrow);
	return -(borrow >> 63);
}

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
	return b ^ ((a ^ b) & (uint32_t)mask_below(a, b));
}

static inline uint32_t larger(uint32_t a, uint32_t b)
{
	return a ^ ((a ^ b) & (uint32_t)mask_below(a, b));
}

static inline uint64_t less(uint64_t a, uint64_t b)
{
	return (a - b) & ~mask_below(a, b);
}

static inline uint32_t either(uint32_t given, uint32_t open)
{
	return given | (open & (uint32_t)mask_below(given, 1));
}

/* How many probes go unanswered before the end, where a second of a timer takes second_ms. */
static inline uint64_t probes(const struct hf_settings *settings, uint32_t second_ms)
{
	uint64_t idle = (uint64_t)settings->idle * second_ms;
	uint64_t interval = (uint64_t)either(settings->interval, 1) * second_ms;
	uint64_t left = less(settings->user_timeout_ms, idle);

	if (!settings->user_timeout_ms)
		return settings->count;
	return left ? (left + interval - 1) / interval : 1;
}

static inline uint64_t death_s(const struct hf_settings *settings)
{
	return settings->idle + settings->interval * probes(settings, ON_TIME);
}

static inline uint64_t silence_s(const struct hf_settings *settings, uint32_t losses)
{
	return settings->idle + (uint64_t)losses * settings->interval;
}

/* A user timeout that leaves no time for three probes, the count's least. */
static inline bool timeout_too_short(const struct hf_settings *settings)
{
	return settings->user_timeout_ms &&
	       settings->user_timeout_ms <= silence_s(settings, HF_COUNT_MIN - 1) * ON_TIME;
}

static inline struct hf_goals goals_or_default(const struct hf_goals *goals)
{
	struct hf_goals usual = { .dead_within_ms = HF_DEAD_WITHIN_DEFAULT };

	return goals && (goals->dead_within_ms || goals->keep_open_ms) ? *goals : usual;
}

static inline uint32_t room_s(uint32_t keep_open_ms)
{
	return keep_open_ms ? (uint32_t)less(keep_open_ms, KEEP_OPEN_SPARE) / LATE : NO_LIMIT;
}

/* Two probes in a row may be lost, except where even 1 s + 2 x 1 s is too long. */
static inline uint32_t losses_within(uint32_t room)
{
	return room < TWO_LOSSES_MIN ? 1 : 2;
}

static inline struct limits limits_of(const struct hf_goals *goals, uint32_t timeout_ms,
				      uint32_t idle_max)
{
	struct limits limit;

	limit.death = goals->dead_within_ms ? goals->dead_within_ms / LATE : NO_LIMIT;
	limit.room = room_s(goals->keep_open_ms);
	limit.losses = losses_within(limit.room);
	limit.timeout = timeout_ms / ON_TIME + !!(timeout_ms % ON_TIME);
	limit.span = smaller(limit.death, either(limit.timeout, NO_LIMIT));
	limit.idle_max = smaller(either(idle_max, HF_IDLE_MAX), HF_IDLE_MAX);
	return limit;
}

/* The longest idle that leaves so many probes, and so many losses, their intervals. */
static inline uint32_t idle_within(const struct limits *limit, uint32_t count, uint32_t interval)
{
	uint32_t span = (uint32_t)less(limit->span, (uint64_t)count * interval);
	uint32_t room = (uint32_t)less(limit->room, (uint64_t)limit->losses * interval);

	return larger(1, smaller(limit->idle_max, smaller(span, room)));
}

static inline uint32_t open_interval(const struct limits *limit, uint32_t given_idle, uint32_t idle,
				     uint32_t count)
{
	uint32_t interval = smaller((uint32_t)less(limit->span, idle) / count, HF_INTERVAL_MAX);

	/* A tenth of the room: as few probes as go with an idle that is as long as can be. */
	interval = smaller(interval, limit->room / 10);
	if (given_idle)
		interval = smaller(interval, (uint32_t)less(limit->room, idle) / limit->losses);
	/* Under a user timeout the end comes up to interval - 1 after it. */
	if (limit->timeout && limit->death != NO_LIMIT)
		interval = smaller(interval, (uint32_t)less(limit->death, limit->timeout) + 1);
	return larger(1, interval);
}

static inline void choose(const struct limits *limit, const struct hf_settings *given,
			  struct hf_settings *out)
{
	/* A given count counts only where no user timeout takes its place. */
	uint32_t count = limit->timeout ? 0 : given->count;
	uint32_t least = either(count, HF_COUNT_MIN);
	uint32_t longest = idle_within(limit, least, either(given->interval, 1));
	uint32_t idle = either(given->idle, larger(1, smaller(limit->span / 2, longest)));
	uint32_t interval = either(given->interval, open_interval(limit, given->idle, idle,
								  either(count, HF_COUNT_USUAL)));

	idle = either(given->idle, smaller(idle, idle_within(limit, least, interval)));
	count = smaller((uint32_t)less(limit->span, idle) / interval, HF_COUNT_USUAL);

	out->keepalive = 1;
	out->idle = idle;
	out->interval = interval;
	out->count = either(given->count, larger(count, HF_COUNT_MIN));
	out->user_timeout_ms = given->user_timeout_ms;
	/* The last of a given interval may end up to interval - 1 after the user timeout. */
	idle = larger(1, (uint32_t)less(out->idle, less(death_s(out), limit->death)));
	out->idle = either(given->idle, idle);
}

/* No goals and nothing that the values must go with: the default's, but for what is given. */
static inline void take_default(const struct hf_settings *given, uint32_t idle_max,
				struct hf_settings *out)
{
	struct hf_goals goals = goals_or_default(0);
	struct hf_settings open = { 0 };
	struct limits limit = limits_of(&goals, 0, idle_max);

	choose(&limit, &open, out);
	out->idle = either(given->idle, out->idle);
	out->interval = either(given->interval, out->interval);
	out->count = either(given->count, out->count);
}

static inline enum hf_derivation check(const struct hf_settings *settings,
				       const struct limits *limit)
{
	if (timeout_too_short(settings))
		return HF_GIVEN_BREAKS_USER_TIMEOUT;
	if (death_s(settings) > limit->death)
		return HF_GIVEN_BREAKS_DEAD_WITHIN;
	if (silence_s(settings, limit->losses) > limit->room)
		return HF_GIVEN_BREAKS_KEEP_OPEN;
	return limit->losses == 1 ? HF_DERIVED_ONE_LOSS : HF_DERIVED;
}

static inline bool in_range(const struct hf_settings *given, uint32_t idle_max)
{
	return given->idle <= smaller(either(idle_max, HF_IDLE_MAX), HF_IDLE_MAX) &&
	       given->interval <= HF_INTERVAL_MAX && given->count <= HF_COUNT_MAX &&
	       given->user_timeout_ms <= HF_GOAL_MAX;
}

HF_API enum hf_derivation hf_settings_derive(const struct hf_goals *goals,
					     const struct hf_settings *given, uint32_t idle_max,
					     struct hf_settings *out)
{
	struct hf_settings fixed = { 0 }, set;
	struct hf_goals wanted = *goals;
	enum hf_derivation derivation;
	struct limits limit;

	if (given)
		fixed = *given;
	if (!fixed.idle && !fixed.interval && !fixed.count && !fixed.user_timeout_ms)
		wanted = goals_or_default(goals);
	if (!in_range(&fixed, idle_max))
		return HF_GIVEN_OUT_OF_RANGE;
	if (wanted.dead_within_ms && wanted.dead_within_ms < HF_DEAD_WITHIN_MIN)
		return HF_DEAD_WITHIN_TOO_SHORT;
	if (wanted.keep_open_ms && wanted.keep_open_ms < HF_KEEP_OPEN_MIN)
		return HF_KEEP_OPEN_TOO_SHORT;

	limit = limits_of(&wanted, fixed.user_timeout_ms, idle_max);
	if (wanted.dead_within_ms || wanted.keep_open_ms || fixed.user_timeout_ms)
		choose(&limit, &fixed, &set);
	else
		take_default(&fixed, idle_max, &set);
	derivation = check(&set, &limit);
	if (derivation == HF_DERIVED || derivation == HF_DERIVED_ONE_LOSS)
		*out = set;
	return derivation;
}

/*
 * retransmits_timed_out() of Linux: it gives up at the first timer after the time that so many
 * doublings of HF_RTO_MIN take, whatever the real RTO is; that timer may be a full HF_RTO_MAX on.
 */
static inline uint64_t retransmission_ms(uint32_t retries)
{
	const uint32_t doublings = 9; /* log2(HF_RTO_MAX / HF_RTO_MIN) */
	uint64_t steps = (2ull << smaller(retries, doublings)) - 1;

	return steps * HF_RTO_MIN + less(retries, doublings) * HF_RTO_MAX;
}

/* A tail loss probe goes out first, up to one RTO after the write, and starts the RTO anew. */
static inline uint64_t first_retransmission_ms(uint32_t rto_ms)
{
	return 2ull * rto_ms * LATE / ON_TIME;
}

/*
 * How long a network may be broken when the retransmissions end after limit_ms. They double: one
 * sent just before it heals at L is followed by the next within 1.125 * (L + RTO), or within the
 * longest RTO, an eighth late; that one must be sent before the limit. That the limit counts from
 * the first retransmission only is left to spare.
 */
static inline uint64_t outage_within(uint64_t limit_ms, uint32_t rto_ms)
{
	uint64_t doubling = less(8 * limit_ms, 9ull * rto_ms) / 17;
	uint64_t longest = less(limit_ms, HF_RTO_MAX / 8 * 9);

	return doubling > longest ? doubling : longest;
}

/*
 * A watcher arms at the first retransmission. The longer the silence before the write, the
 * less it grants; and before a probe finds the network broken, the silence lasts up to idle, an
 * eighth late. A write later in the outage is granted less by 8/9 of a second a second, and
 * needs less by more than two.
 */
static inline uint64_t longest_silence(const struct hf_settings *settings, uint32_t rto_ms)
{
	if (!settings->keepalive)
		return HF_UNBOUNDED;
	return (uint64_t)settings->idle * LATE + first_retransmission_ms(rto_ms);
}

static inline void bounds_idle(const struct hf_settings *settings, struct hf_bounds *out)
{
	/* Late timers leave a user timeout fewer probes. */
	uint64_t spanned = less(probes(settings, LATE), 1);

	out->idle_ms = death_s(settings) * LATE;
	out->keep_open_ms = silence_s(settings, 2) * LATE;
	out->keep_open_one_ms = silence_s(settings, 1) * LATE;
	out->outage_idle_ms = spanned * settings->interval * ON_TIME;
}

/* Retransmissions end at the first timer after the limit; they double, up to HF_RTO_MAX. */
static inline uint64_t kernels_end_ms(uint64_t limit_ms, uint32_t rto_ms)
{
	uint64_t last = limit_ms + 2ull * rto_ms;

	return limit_ms + (last - less(last, HF_RTO_MAX)) * LATE / ON_TIME;
}

/*
 * A user timeout cuts the last timer to what is left, so that only its lateness reaches beyond;
 * it is half the timeout and an RTO at most, as they double.
 */
static inline uint64_t timeouts_end_ms(uint64_t timeout_ms, uint32_t rto_ms)
{
	uint64_t last = timeout_ms / 2 + rto_ms;

	return timeout_ms + (last < timeout_ms ? last : timeout_ms) / 8;
}

/* What is left of the goal, or a share of at most a third: see hf_settings_arm. */
static inline uint64_t armed_bound_ms(const struct hf_retransmission *rtx)
{
	uint64_t late = first_retransmission_ms(rtx->rto_ms) + rtx->armed_by_ms / 3;

	return late > rtx->armed_by_ms ? late : rtx->armed_by_ms;
}

static inline void bounds_in_flight(const struct hf_settings *settings,
				    const struct hf_retransmission *rtx, struct hf_bounds *out)
{
	uint64_t timeout = settings->user_timeout_ms;
	uint64_t limit = timeout ? timeout : retransmission_ms(rtx->retries);
	uint64_t end = timeout ? timeouts_end_ms(limit, rtx->rto_ms) :
				 kernels_end_ms(limit, rtx->rto_ms);
	uint64_t bound = first_retransmission_ms(rtx->rto_ms) + end;

	if (rtx->armed_by_ms) {
		uint64_t silent = longest_silence(settings, rtx->rto_ms);
		uint64_t armed_bound = armed_bound_ms(rtx);
		struct hf_retransmission other = *rtx;
		uint32_t least;

		other.retries |= (uint32_t)~mask_below(timeout, 1);
		least = hf_settings_arm(rtx->armed_by_ms, silent, &other);
		/* Where nothing is armed, the kernel ends in time; a shorter limit stays in force. */
		bound = armed_bound < bound ? armed_bound : bound;
		limit = least && least < limit ? least : limit;
	}
	out->in_flight_ms = bound;
	out->outage_in_flight_ms = outage_within(limit, rtx->rto_ms);
}

HF_API void hf_settings_bounds(const struct hf_settings *settings,
			       const struct hf_retransmission *rtx, struct hf_bounds *out)
{
	struct hf_retransmission usual = { .rto_ms = HF_RTO_MIN, .retries = HF_RETRIES2 };

	if (rtx)
		usual = *rtx;
	if (settings->keepalive) {
		bounds_idle(settings, out);
	} else {
		out->idle_ms = HF_UNBOUNDED;
		out->keep_open_ms = HF_UNBOUNDED;
		out->keep_open_one_ms = HF_UNBOUNDED;
		out->outage_idle_ms = HF_UNBOUNDED;
	}
	bounds_in_flight(settings, &usual, out);
}

HF_API uint32_t hf_settings_user_timeout(const struct hf_settings *settings)
{
	uint64_t ms = silence_s(settings, settings->count) * ON_TIME;

	return (uint32_t)(ms - less(ms, HF_GOAL_MAX));
}

HF_API uint32_t hf_settings_arm(uint32_t dead_within_ms, uint64_t silent_ms,
				const struct hf_retransmission *rtx)
{
	uint32_t third = dead_within_ms / 3;
	uint32_t answer = either(2 * rtx->rtt_ms, rtx->rto_ms); /* time for one to come */
	uint32_t share = larger((uint32_t)less(third, rtx->rto_ms), smaller(answer, third));
	uint32_t rest = larger((uint32_t)less(dead_within_ms, silent_ms), share);
	uint64_t armed = (uint64_t)rtx->since_ms + larger(1, (uint32_t)((uint64_t)rest * 8 / 9));
	uint64_t limit = retransmission_ms(rtx->retries);
	uint64_t alone = kernels_end_ms(limit, rtx->rto_ms), needed;

	armed -= less(armed, INT32_MAX);
	needed = mask_below(armed, limit) | mask_below((uint64_t)rtx->since_ms + rest, alone);
	return (uint32_t)((armed - less(armed, limit)) & needed);
}

HF_API bool hf_settings_meet(const struct hf_settings *settings, const struct hf_goals *goals)
{
	struct hf_goals wanted = goals_or_default(goals);
	struct limits limit = limits_of(&wanted, 0, 0);

	return settings->keepalive && death_s(settings) <= limit.death &&
	       silence_s(settings, limit.losses) <= limit.room;
}

HF_API bool hf_settings_no_weaker(const struct hf_settings *a, const struct hf_settings *b)
{
	if (!b->keepalive)
		return true;
	return a->keepalive && a->idle <= b->idle && death_s(a) <= death_s(b) &&
	       silence_s(a, 2) <= silence_s(b, 2);
}

static inline uint32_t capped(uint32_t goal_ms, uint64_t bound_ms)
{
	uint64_t cap = bound_ms < HF_GOAL_MAX ? bound_ms : HF_GOAL_MAX;

	return goal_ms && goal_ms < cap ? goal_ms : (uint32_t)cap;
}

/* The goals, drawn in to what the program's own settings already promise. */
static inline enum hf_derivation derive_within(const struct hf_settings *program,
					       const struct hf_goals *goals,
					       struct hf_settings *out)
{
	struct hf_goals both = *goals;

	both.dead_within_ms = capped(goals->dead_within_ms, death_s(program) * LATE);
	both.keep_open_ms =
		capped(goals->keep_open_ms, silence_s(program, 2) * LATE + KEEP_OPEN_SPARE);
	return hf_settings_derive(&both, 0, program->idle, out);
}

/* It takes the count's place: the program's own is not to go on probing after it; ours may. */
static inline uint32_t longest_timeout(const struct hf_settings *program,
				       const struct hf_settings *set)
{
	uint32_t none = (uint32_t)mask_below(program->user_timeout_ms, 1);

	return hf_settings_user_timeout(set) | none;
}

HF_API enum hf_decision hf_settings_decide(const struct hf_settings *program,
					   const struct hf_goals *goals,
					   const struct hf_settings *ours, bool override,
					   struct hf_settings *out)
{
	struct hf_goals wanted = goals_or_default(goals);
	struct hf_settings set = *ours;

	set.keepalive = 1;
	if (override) {
		*out = set;
		return HF_REPLACE;
	}
	if (hf_settings_meet(program, &wanted))
		return HF_KEEP;
	if (!hf_settings_no_weaker(&set, program) &&
	    derive_within(program, &wanted, &set) > HF_DERIVED_ONE_LOSS)
		return HF_LEAVE_STRICT;
	set.user_timeout_ms = either(smaller(ours->user_timeout_ms, program->user_timeout_ms),
				     either(program->user_timeout_ms, ours->user_timeout_ms));
	if (timeout_too_short(&set))
		return HF_LEAVE_TIMEOUT;
	set.user_timeout_ms = smaller(set.user_timeout_ms, longest_timeout(program, &set));
	if (!hf_settings_no_weaker(&set, program))
		return HF_LEAVE_STRICT;
	*out = set;
	return HF_REPLACE;
}

HF_API uint32_t hf_settings_jitter(uint32_t idle, uint32_t random)
{
	/* Rounded down: less than 10 s lose nothing. */
	return idle - (uint32_t)((uint64_t)idle * random / 10 >> 32);
}

HF_API uint32_t hf_settings_spread(uint32_t idle, uint32_t random)
{
	uint32_t values = idle - idle / 4;

	return idle - (uint32_t)((uint64_t)values * random >> 32);
}

HF_API enum hf_verdict hf_settings_audit(const struct hf_settings *settings,
					 const struct hf_goals *goals,
					 const struct hf_retransmission *rtx)
{
	struct hf_goals wanted = goals_or_default(goals);
	uint64_t granted = first_retransmission_ms(rtx ? rtx->rto_ms : HF_RTO_MIN);
	struct hf_bounds bounds;

	if (!settings->keepalive || settings->idle > room_s(wanted.keep_open_ms))
		return HF_UNPROTECTED;
	if (!hf_settings_meet(settings, &wanted))
		return HF_SLOW;
	hf_settings_bounds(settings, rtx, &bounds);
	if (wanted.dead_within_ms && bounds.in_flight_ms > wanted.dead_within_ms + granted)
		return HF_SLOW;
	return HF_PROTECTED;
}
