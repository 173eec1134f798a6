/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pass: of every socket that was collected, borrow a descriptor from its holder, read its settings,
 * and do what the pass is for.
 *
 * A watch makes one every second. What it knows already it borrows only now and then: often while it
 * is new, as programs set their own values soon after connect or accept, later at the pace of the goal.
 */
#include "host/diag/pass.h"

#include <errno.h>
#include <holdfast/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/diag/collect.h"

#define EARLY_LOOKS 4
#define EARLY_MS 900 /* from one of these to the next: less than a second */

static bool does(const struct hf_diag_host *host, unsigned int modes)
{
	return host->mode & modes;
}

/* What rules never touch: kernel sockets, orphans, states without keepalive. */
static bool is_hands_off(const struct hf_record *r)
{
	return (r->flags & (HF_RECORD_ORPHAN | HF_RECORD_KERNEL)) ||
	       !(HF_STATES_JUDGED >> r->state & 1);
}

/* Linux netdev_max_backlog: see hf_settings_spread. */
static bool crowded(struct hf_diag_host *host)
{
	struct hf_counters *c = &host->counters;
	uint32_t now = (uint32_t)(host->now_ms / 1000);

	if (now - c->crowd_since >= 2) {
		c->crowd_since = now;
		c->crowd = 0;
	}
	return c->crowd++ >= HF_CROWD;
}

/* Borrow it and read its settings; -1 where that is not possible. */
static int borrow(struct hf_diag_host *host, struct hf_sighting *s)
{
	struct hf_record *r = &s->socket.record;
	int fd;

	if (s->file.fd < 0 || !(r->flags & HF_RECORD_FULL))
		return -1;
	fd = hf_files_borrow(&host->borrowing, &s->file, r->cookie);
	if (fd == -ESTALE || fd == -EBADF || fd == -ESRCH)
		s->file.fd = -1; /* another holds it by now: for the next pass to find */
	if (fd < 0)
		return -1;
	if (hf_socket_get(fd, &r->settings)) {
		close(fd);
		return -1;
	}
	r->flags &= ~(uint32_t)HF_RECORD_HIDDEN;
	return fd;
}

static bool audit_wanted(const struct hf_diag_host *host, const struct hf_record *r,
			 const struct hf_hold *hold)
{
	struct hf_retransmission rtx = { .rto_ms = r->rto_ms ? r->rto_ms : HF_RTO_MIN,
					 .retries = r->retries2 };
	const struct hf_goals *goals = hold && hold->held ? &hold->memory.goals : NULL;
	enum hf_verdict verdict = HF_NOT_JUDGED;

	if (!host->selection.audits)
		return true;
	if (host->selection.judge)
		goals = &host->rule.rule.goals;
	if (!is_hands_off(r) && !(r->flags & HF_RECORD_HIDDEN))
		verdict = hf_settings_audit(&r->settings, goals, &rtx);
	return host->selection.audits >> verdict & 1;
}

/* Two probes were seen unanswered, and now none: the peer came back. */
static bool revived(struct hf_known *known, const struct hf_record *r)
{
	bool was = known->suspected;

	known->suspected = r->unanswered >= 2 || (was && r->unanswered);
	return was && !r->unanswered;
}

static void fill_memory(const struct hf_hold *hold, struct hf_record *r)
{
	if (!hold->held)
		return;
	r->flags |= HF_RECORD_RULE;
	r->goals = hold->memory.goals;
	r->armed_ms = 0;
	memcpy(r->rule, hold->memory.rule, sizeof(r->rule));
}

/* fd -1: it was not borrowed in this pass. */
static enum hf_outcome act(struct hf_diag_host *host, struct hf_sighting *s, int fd,
			   struct hf_hold *hold)
{
	struct hf_record *r = &s->socket.record;

	if (is_hands_off(r))
		return HF_OUTCOME_STATE;
	if (s->known && hold->held && revived(s->known, r))
		return HF_OUTCOME_REVIVED;
	if (fd >= 0)
		return hf_diag_hold(fd, &host->rule, crowded(host), r, hold);
	if (r->flags & HF_RECORD_HIDDEN)
		return HF_OUTCOME_HIDDEN;
	return hold->held ? HF_OUTCOME_HELD : HF_OUTCOME_NONE;
}

static bool record_due(const struct hf_diag_host *host, const struct hf_known *known,
		       enum hf_outcome outcome)
{
	if (does(host, HF_MODE_SHOW | HF_MODE_REPORT))
		return true;
	if (hf_outcome_is_left(outcome) && known && known->left)
		return false; /* told at the first look */
	return does(host, HF_MODE_NEWS) && outcome != HF_OUTCOME_NONE &&
	       outcome != HF_OUTCOME_HELD && outcome != HF_OUTCOME_STATE &&
	       outcome != HF_OUTCOME_HIDDEN;
}

/* How it is now, for the next pass to compare with. */
static void note(const struct hf_diag_host *host, const struct hf_sighting *s, bool looked)
{
	struct hf_known *known = s->known;
	enum hf_outcome outcome = s->socket.record.outcome;

	known->pass = host->pass;
	known->last = s->socket;
	known->file = s->file;
	known->heard_ms = s->heard_ms;
	known->link = s->link;
	if (!looked)
		return;
	known->left = hf_outcome_is_left(outcome);
	known->looks++;
	known->look_at_ms = host->now_ms;
	if (outcome != HF_OUTCOME_PROBING)
		known->look_at_ms += known->looks < EARLY_LOOKS ? EARLY_MS : host->look_every_ms;
}

static void count(struct hf_diag_host *host, const struct hf_record *r)
{
	host->counters.matched++;
	host->counters.outcome[r->outcome]++;
	if (r->flags & HF_RECORD_TIMEOUT_LATER)
		host->counters.later[r->outcome]++;
	if (r->outcome == HF_OUTCOME_PROBING)
		host->counters.waiting++;
}

/* What is not looked at in this pass is as it was at the last look. */
static void carry_over(struct hf_sighting *s)
{
	const struct hf_record *last = &s->known->last.record;

	if (last->flags & HF_RECORD_HIDDEN)
		return;
	s->socket.record.flags &= ~(uint32_t)HF_RECORD_HIDDEN;
	s->socket.record.settings = last->settings;
}

/* Would it count, if only it could be looked into? Its holder is closed to us, not gone. */
static bool is_out_of_reach(const struct hf_diag_host *host, const struct hf_sighting *s)
{
	const struct hf_record *r = &s->socket.record;

	return (r->flags & HF_RECORD_HIDDEN) && !is_hands_off(r) &&
	       (host->closed || s->file.fd >= 0);
}

static int work(struct hf_diag_host *host, struct hf_sighting *s, hf_record_fn fn, void *arg)
{
	struct hf_record *r = &s->socket.record;
	bool looks = hf_diag_is_due(host, s);
	struct hf_hold passing = { 0 }, *hold = &passing;
	int fd = looks ? borrow(host, s) : -1, result = 0;

	if (!looks)
		carry_over(s);
	if (!s->known && host->use == HF_USE_WATCH) {
		s->known = hf_known_add(&host->knowns, &s->socket);
		if (!s->known)
			result = -ENOMEM;
	}
	if (s->known)
		hold = &s->known->hold;
	if (!result && audit_wanted(host, r, hold)) {
		if (does(host, HF_MODE_ACT))
			r->outcome = act(host, s, fd, hold);
		count(host, r);
		fill_memory(hold, r);
		if (fn && record_due(host, s->known, r->outcome))
			result = fn(arg, r);
	} else if (!result && is_out_of_reach(host, s)) {
		host->counters.outcome[HF_OUTCOME_HIDDEN]++;
	}
	if (s->known)
		note(host, s, looks);
	if (fd >= 0)
		close(fd);
	return result;
}

/* A small socket (TIME_WAIT, one not made yet) is shown, without an owner, and no more. */
static bool is_worked_on(const struct hf_diag_host *host, const struct hf_sighting *s)
{
	bool full = s->socket.record.flags & HF_RECORD_FULL;

	if (s->twice || hf_diag_match(host, &s->socket) != HF_MATCHED)
		return false;
	return full || (does(host, HF_MODE_SHOW) && !host->selection.audits);
}

/* It hangs on a holder that is closed to us. */
static bool may_be_meant(const struct hf_diag_host *host, const struct hf_sighting *s)
{
	return host->closed && !s->twice && is_out_of_reach(host, s) &&
	       hf_diag_match(host, &s->socket) == HF_MATCHED_UNKNOWN;
}

/* ------ those that are gone */

/* The state is the last one while it lived; final: how it was after that, NULL = not known. */
static void queue_end(struct hf_diag_host *host, const struct hf_known *known,
		      const struct hf_diag_socket *final, int error, uint64_t now_ms)
{
	struct hf_wire_event *grown =
		realloc(host->event, (host->events + 1) * sizeof(*host->event));
	struct hf_record *r;

	if (!grown) {
		host->counters.lost++;
		return;
	}
	host->event = grown;
	host->event[host->events] = (struct hf_wire_event){
		.time_ns = now_ms * 1000000,
		.kind = HF_WIRE_ENDED,
		.error = error,
		.record = known->last.record,
	};
	r = &host->event[host->events++].record;
	fill_memory(&known->hold, r);
	r->silent_ms = (uint32_t)(now_ms - known->heard_ms);
	if (final) {
		r->unanswered = final->record.unanswered;
		r->retransmits = final->record.retransmits;
	}
	if (final && final == known->final)
		r->silent_ms = final->record.silent_ms; /* not until now: until it was let go of */
	eventfd_write(host->event_fd, 1);
}

struct ends {
	struct hf_diag_host *host;
	uint32_t netns;
};

static int note_end(void *arg, const struct hf_diag_socket *socket)
{
	const struct ends *ends = arg;
	struct hf_known *known =
		hf_known_find(&ends->host->knowns, ends->netns, socket->record.cookie);

	if (!known || known->final)
		return 0;
	known->final = malloc(sizeof(*socket));
	if (known->final)
		*known->final = *socket;
	return 0;
}

static void hear_ends(struct hf_diag_host *host)
{
	for (size_t i = 0; i < host->links; i++) {
		struct ends ends = { host, host->netns.entry[i].inum };

		if (host->link[i].ends)
			hf_diag_read_ends(host->link[i].ends, note_end, &ends);
	}
}

/* Its socket after the end, where its program holds it still. */
static bool look_after(struct hf_diag_host *host, const struct hf_known *known,
		       struct hf_diag_socket *out)
{
	bool held;
	int fd;

	if (known->file.fd < 0)
		return false;
	fd = hf_files_borrow(&host->borrowing, &known->file, known->last.record.cookie);
	if (fd < 0)
		return false;
	*out = known->last;
	held = !hf_diag_refresh(fd, out);
	close(fd);
	return held;
}

/* What is told of its end may come a moment later than it is gone. */
static bool is_awaited(const struct hf_diag_host *host, struct hf_known *known)
{
	if (known->final || known->awaited || !host->link[known->link].ends)
		return false;
	known->awaited = true;
	return true;
}

/* It was not in the dump: it is gone, or was missed while others came and went. */
static bool is_gone(void *arg, struct hf_known *known)
{
	struct hf_diag_host *host = arg;
	struct hf_diag_socket after, *final = known->final;
	uint64_t now_ms;
	int error;

	if (known->pass == host->pass)
		return false;
	if (hf_diag_lives(host->link[known->link].socket, &known->last)) {
		known->pass = host->pass;
		return false;
	}
	if (look_after(host, known, &after))
		final = &after;
	else if (is_awaited(host, known))
		return false;
	now_ms = hf_diag_clock_ms();
	error = final == &after ? hf_known_end(known, final, now_ms) :
				  hf_known_end_let_go(known, now_ms);
	if (known->hold.held)
		queue_end(host, known, final, error, now_ms);
	return true;
}

static bool give_back(void *arg, struct hf_known *known)
{
	struct hf_diag_host *host = arg;
	enum hf_outcome outcome;
	int fd;

	if (!known->hold.held || known->file.fd < 0)
		return false;
	fd = hf_files_borrow(&host->borrowing, &known->file, known->last.record.cookie);
	if (fd < 0)
		return false;
	outcome = hf_diag_give_back(fd, &known->hold);
	host->counters.outcome[outcome]++;
	close(fd);
	return false;
}

static void begin(struct hf_diag_host *host, unsigned int mode)
{
	struct hf_counters *c = &host->counters;

	host->mode = mode;
	host->pass++;
	host->now_ms = hf_diag_clock_ms();
	c->visited = c->matched = c->waiting = 0;
	memset(c->later, 0, sizeof(c->later));
	memset(c->outcome, 0, sizeof(c->outcome));
}

int hf_diag_pass(struct hf_diag_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		 struct hf_problem *problem)
{
	int result = 0;

	begin(host, mode);
	if (does(host, HF_MODE_RESTORE))
		hf_knowns_drop(&host->knowns, give_back, host);
	if (does(host, HF_MODE_ACT | HF_MODE_SHOW))
		result = hf_diag_collect(host, problem);
	for (size_t i = 0; !result && i < host->sightings; i++) {
		host->counters.visited++;
		if (is_worked_on(host, &host->sighting[i]))
			result = work(host, &host->sighting[i], fn, arg);
		else if (may_be_meant(host, &host->sighting[i]))
			host->counters.outcome[HF_OUTCOME_HIDDEN]++;
	}
	hear_ends(host);
	if (!result && host->use == HF_USE_WATCH && does(host, HF_MODE_ACT))
		hf_knowns_drop(&host->knowns, is_gone, host);
	hf_files_let_go(&host->borrowing);
	if (result == -ENOMEM)
		hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	return result;
}
