/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a connection ended is read off two looks at it: the last one while it lived, at most about a
 * second old, and one after the end. Nothing is taken from the program for that: to read SO_ERROR
 * would be to steal it. Where its program has not closed its descriptor yet:
 *
 *	a segment came, but	reset: RST is counted as a segment received, and as heard it is not
 *	nothing was heard
 *	heard in between	most likely reset, too, if it was connected until then: one that ends
 *				in the ordinary way has been closed by its program
 *	nothing came,		dead: with keepalive it is ETIMEDOUT; in flight it may have been an
 *	a timeout had run out	ICMP error, too
 *	nothing came,		destroyed, if it was connected until then
 *	no timeout had
 *
 * Where it has, the kernel tells how the socket was when it was let go of, at a time that is not known.
 * That a timeout had run out is told by that alone; of the rest it cannot be known whether the program
 * closed it before or after.
 */
#include "host/diag/known.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#define SLOP_MS 20 /* two jiffies where they are longest */

static int compare(const void *a, const void *b)
{
	const struct hf_record *x = &((const struct hf_known *)a)->last.record;
	const struct hf_record *y = &((const struct hf_known *)b)->last.record;

	if (x->cookie != y->cookie)
		return x->cookie < y->cookie ? -1 : 1;
	return x->netns < y->netns ? -1 : x->netns > y->netns;
}

struct hf_known *hf_known_find(const struct hf_knowns *knowns, uint32_t netns, uint64_t cookie)
{
	struct hf_known key = { .last.record = { .netns = netns, .cookie = cookie } };
	struct hf_known **found = tfind(&key, &knowns->tree, compare);

	return found ? *found : NULL;
}

struct hf_known *hf_known_add(struct hf_knowns *knowns, const struct hf_diag_socket *socket)
{
	struct hf_known *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->last = *socket;
	known->file.fd = -1;
	if (!tsearch(known, &knowns->tree, compare)) {
		free(known);
		return NULL;
	}
	known->next = knowns->first;
	knowns->first = known;
	return known;
}

void hf_knowns_drop(struct hf_knowns *knowns, hf_known_fn fn, void *arg)
{
	struct hf_known **at = &knowns->first, *known;

	while ((known = *at)) {
		if (!fn(arg, known)) {
			at = &known->next;
			continue;
		}
		*at = known->next;
		tdelete(known, &knowns->tree, compare);
		free(known->final);
		free(known);
	}
}

static bool any(void *arg, struct hf_known *known)
{
	(void)arg;
	(void)known;
	return true;
}

void hf_knowns_free(struct hf_knowns *knowns)
{
	hf_knowns_drop(knowns, any, NULL);
}

/* Linux tcp_keepalive_timer: had it run out after so long a silence? */
static bool idle_ran_out(const struct hf_settings *s, uint32_t unanswered, uint64_t silent_ms)
{
	if (!s->keepalive || !unanswered)
		return false;
	if (s->user_timeout_ms)
		return silent_ms >= s->user_timeout_ms;
	return unanswered >= s->count;
}

/* Linux retransmits_timed_out, roughly: it counts from the first retransmission on. */
static bool in_flight_ran_out(const struct hf_record *last, uint32_t retransmits,
			      uint64_t silent_ms)
{
	if (!retransmits)
		return false;
	if (last->settings.user_timeout_ms)
		return silent_ms >= last->settings.user_timeout_ms;
	return retransmits >= last->retries2;
}

/* All there is to go by is how it was before. */
static int end_unseen(const struct hf_known *known, uint64_t silent_ms)
{
	const struct hf_record *last = &known->last.record;
	const struct hf_settings *s = &last->settings;
	uint64_t idle_ms = (s->idle + (uint64_t)s->interval * s->count) * 1000;

	if (last->flags & HF_RECORD_HIDDEN)
		return 0;
	if (s->keepalive && last->unanswered && silent_ms + SLOP_MS >= idle_ms)
		return -ETIMEDOUT;
	return in_flight_ran_out(last, last->retransmits, silent_ms) ? -ETIMEDOUT : 0;
}

static bool was_connected(const struct hf_known *known)
{
	return HF_STATES_JUDGED >> known->last.record.state & 1;
}

int hf_known_end_let_go(const struct hf_known *known, uint64_t now_ms)
{
	const struct hf_record *last = &known->last.record, *final;
	uint64_t silent_ms = now_ms - known->heard_ms;

	if (!known->final)
		return end_unseen(known, silent_ms);
	final = &known->final->record;
	if (!was_connected(known))
		return 0;
	if (idle_ran_out(&last->settings, final->unanswered, final->silent_ms))
		return ETIMEDOUT;
	if (in_flight_ran_out(last, final->retransmits, final->silent_ms))
		return -ETIMEDOUT;
	/* Silent for longer than since the last look, so that what came since was not heard. */
	if (final->silent_ms > silent_ms - last->silent_ms &&
	    known->final->segments > known->last.segments)
		return -ECONNRESET;
	return 0;
}

int hf_known_end(const struct hf_known *known, const struct hf_diag_socket *final, uint64_t now_ms)
{
	const struct hf_record *last = &known->last.record;
	uint64_t silent_ms = now_ms - known->heard_ms;

	if (now_ms - final->record.silent_ms > known->heard_ms + SLOP_MS)
		return was_connected(known) && last->state != HF_FIN_WAIT2 ? -ECONNRESET : 0;
	if (final->segments > known->last.segments)
		return last->state == HF_CLOSE_WAIT ? EPIPE : ECONNRESET;
	if (idle_ran_out(&last->settings, final->record.unanswered, silent_ms))
		return ETIMEDOUT;
	if (in_flight_ran_out(last, final->record.retransmits, silent_ms))
		return -ETIMEDOUT;
	return was_connected(known) ? ECONNABORTED : 0;
}
