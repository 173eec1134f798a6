/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A pass reads every connection; those that are idle are probed in rounds, all
 * of them in the same order, so that the first of a round is due first. Before each round but the
 * first another pass looks at what is left: who was heard in whatever way is alive, who has data
 * in flight meanwhile is busy and is not probed any more. An answer to a probe is known by its
 * numbers, exactly; one that does not match them (the program wrote meanwhile) or was lost on its
 * way to us is still heard by the kernel, and the next pass tells. So nobody is dead before a last
 * pass, one interval after the last probe, has found that nothing was heard since the pass before
 * the first one.
 *
 * A probe's timestamp is what the kernel itself would write at the time: a peer drops in silence
 * what is older than the last it saw, and would drop the connection's segments if a probe's was
 * newer than theirs.
 */
#include "host/check.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/check_channel.h"
#include "host/check_connections.h"
#include "host/diag/dump.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define SLICE_NS NS_PER_MS	  /* probes may leave so much before their time, together */
#define WAIT_NS (200 * NS_PER_MS) /* from one `waits` to the next */
#define BETWEEN 256		  /* probes sent without a look at what has come in */

struct namespace
{
	uint32_t netns;
	struct hf_channel channel;
};

struct hf_check {
	struct hf_host *host;
	struct hf_check_options options;
	struct hf_connections connections;
	uint32_t pending;
	struct namespace *namespace;
	struct pollfd *poll; /* two a namespace */
	uint32_t namespaces;
	uint32_t pass;
	int64_t clock_offset;
	const struct hf_check_listener *listener;
	uint64_t waited_ns; /* when `waits` was called */
	struct hf_problem *problem;
	struct hf_check_closed closed;
};

/* --- namespaces --- */

static struct namespace *namespace_of(const struct hf_check *check, uint32_t netns)
{
	for (uint32_t i = 0; i < check->namespaces; i++)
		if (check->namespace[i].netns == netns)
			return &check->namespace[i];
	return NULL;
}

/* A pass is in the namespace of the record that it hands over. */
static int open_namespace(struct hf_check *check, uint32_t netns)
{
	uint32_t n = check->namespaces;
	struct namespace *namespace;
	struct pollfd *poll;

	if (namespace_of(check, netns))
		return 0;
	namespace = realloc(check->namespace, (n + 1) * sizeof(*namespace));
	if (!namespace)
		return -ENOMEM;
	check->namespace = namespace;
	poll = realloc(check->poll, 2 * (n + 1) * sizeof(*poll));
	if (!poll)
		return -ENOMEM;
	check->poll = poll;
	namespace[n].netns = netns;
	if (hf_channel_open(&namespace[n].channel, check->problem))
		return -1;
	for (uint32_t i = 0; i < 2; i++)
		poll[2 * n + i] =
			(struct pollfd){ .fd = namespace[n].channel.fd[i], .events = POLLIN };
	check->namespaces++;
	return 0;
}

/* --- what a pass tells --- */

static enum hf_check_result judge(const struct hf_record *record)
{
	const uint32_t closing = 1u << HF_FIN_WAIT1 | 1u << HF_CLOSING | 1u << HF_LAST_ACK;

	if (!(record->flags & HF_RECORD_FULL))
		return HF_CHECK_NOT_OPEN;
	if ((closing >> record->state & 1) || (record->flags & HF_RECORD_ORPHAN))
		return HF_CHECK_CLOSING;
	if (!(HF_STATES_JUDGED >> record->state & 1))
		return HF_CHECK_NOT_OPEN;
	if (record->in_flight)
		return HF_CHECK_IN_FLIGHT;
	if (record->numbers.unsent)
		return HF_CHECK_UNSENT;
	if (record->numbers.flags & HF_NUMBERS_SIGNED)
		return HF_CHECK_SIGNED;
	return HF_CHECK_PENDING;
}

/* A short record has none. */
static const struct hf_wire_numbers *numbers_of(const struct hf_record *record)
{
	static const struct hf_wire_numbers none;

	return record->flags & HF_RECORD_NUMBERS ? &record->numbers : &none;
}

static void note(struct hf_check_connection *c, const struct hf_record *record)
{
	c->checked.state = record->state;
	c->checked.unanswered = record->unanswered;
	c->checked.in_flight = record->in_flight;
	c->checked.retransmits = record->retransmits;
	c->checked.silent_ms = record->silent_ms;
	c->numbers = *numbers_of(record);
}

static int take_first(void *arg, const struct hf_record *record)
{
	struct hf_check *check = arg;
	struct hf_check_connection *c;

	if (hf_connections_find(&check->connections, record))
		return 0; /* a pass may see one twice */
	c = hf_connections_add(&check->connections, record);
	if (!c)
		return -ENOMEM;
	c->checked.result = judge(record);
	note(c, record);
	if (record->flags & HF_RECORD_FULL && !(record->flags & HF_RECORD_NUMBERS))
		return hf_problem_set(
			check->problem, HF_EXIT_MISSING,
			"let Holdfast use eBPF; `holdfast doctor` tells what it lacks",
			"only eBPF tells the numbers that probes are made of");
	if (c->checked.result != HF_CHECK_PENDING)
		return 0;
	check->pending++;
	return check->options.dry_run ? 0 : open_namespace(check, record->netns);
}

static void settle(struct hf_check *check, struct hf_check_connection *c,
		   enum hf_check_result result)
{
	c->checked.result = result;
	if (c->first_ns)
		c->checked.waited_ms = (uint32_t)((hf_channel_now() - c->first_ns) / NS_PER_MS);
	check->pending--;
	check->listener->told(check->listener->arg, &c->checked);
}

static int take_again(void *arg, const struct hf_record *record)
{
	struct hf_check *check = arg;
	struct hf_check_connection *c = hf_connections_find(&check->connections, record);
	bool heard;

	if (!c || c->checked.result != HF_CHECK_PENDING)
		return 0;
	c->pass = check->pass;
	heard = numbers_of(record)->heard != c->numbers.heard;
	note(c, record);
	if (heard)
		settle(check, c, HF_CHECK_HEARD);
	else if (judge(record) != HF_CHECK_PENDING)
		settle(check, c, judge(record));
	return 0;
}

/* --- answers --- */

static void take_segment(struct hf_check *check, struct hf_check_connection *c,
			 const struct hf_segment *segment, uint64_t arrived_ns)
{
	if (c->checked.result != HF_CHECK_PENDING || !c->checked.probes ||
	    segment->seq != c->numbers.rcv_nxt)
		return;
	if (segment->flags & HF_RST) {
		settle(check, c, HF_CHECK_REFUSED);
	} else if (segment->ack == c->numbers.snd_una) {
		if (c->checked.probes == 1 && arrived_ns >= c->last_ns)
			c->checked.rtt_us = (uint32_t)((arrived_ns - c->last_ns) / 1000);
		settle(check, c, HF_CHECK_ANSWERED);
	}
}

struct hearing {
	struct hf_check *check;
	uint32_t netns;
};

static void on_segment(void *arg, const struct hf_segment *segment, uint64_t arrived_ns)
{
	const struct hearing *hearing = arg;

	struct hf_check_connection *c = NULL;

	while ((c = hf_connections_next(&hearing->check->connections, hearing->netns, segment, c)))
		take_segment(hearing->check, c, segment, arrived_ns);
}

static void hear(struct hf_check *check)
{
	for (uint32_t i = 0; i < check->namespaces; i++) {
		struct hearing hearing = { check, check->namespace[i].netns };

		hf_channel_hear(&check->namespace[i].channel, on_segment, &hearing);
	}
}

static bool over(const struct hf_check *check)
{
	return !check->pending || *check->listener->stop;
}

/* Hear, until then or until nothing is pending. */
static void wait_until(struct hf_check *check, uint64_t until)
{
	uint64_t now = hf_channel_now(), end;
	struct timespec span;

	while (now < until && !over(check)) {
		if (now - check->waited_ns >= WAIT_NS) {
			check->listener->waits(check->listener->arg);
			check->waited_ns = now;
		}
		end = now + WAIT_NS < until ? now + WAIT_NS : until;
		span = (struct timespec){ (time_t)((end - now) / NS_PER_S),
					  (long)((end - now) % NS_PER_S) };
		if (ppoll(check->poll, 2 * check->namespaces, &span, NULL) > 0)
			hear(check);
		now = hf_channel_now();
	}
}

/* --- probes --- */

/* By how much this process sees the kernel's monotonic clock shifted (time_namespaces(7)). */
static int64_t clock_offset(void)
{
	long long seconds = 0, nanoseconds = 0;
	FILE *file = fopen("/proc/self/timens_offsets", "re");

	if (!file)
		return 0;
	if (fscanf(file, "monotonic %lld %lld", &seconds, &nanoseconds) != 2)
		seconds = nanoseconds = 0;
	fclose(file);
	return seconds * (int64_t)NS_PER_S + nanoseconds;
}

/* Linux tcp_clock_ts, as in a segment that the connection would send now. */
static uint32_t timestamp(const struct hf_check *check, const struct hf_check_connection *c,
			  uint64_t now)
{
	uint64_t us = (now - (uint64_t)check->clock_offset) / 1000;

	return c->numbers.tsoffset +
	       (uint32_t)(c->numbers.flags & HF_NUMBERS_MICROSECONDS ? us : us / 1000);
}

/* v4-mapped ones travel as IPv4. */
static struct hf_endpoint wire_end(const struct hf_endpoint *end)
{
	struct hf_endpoint wire = *end;

	wire.family = hf_address_is_mapped(&end->address) ? HF_IPV4 : HF_IPV6;
	return wire;
}

static void probe(struct hf_check *check, struct hf_check_connection *c)
{
	const struct hf_endpoint local = wire_end(&c->checked.local);
	const struct hf_endpoint remote = wire_end(&c->checked.remote);
	const struct hf_route route = { c->numbers.mark, c->numbers.device };
	uint64_t now = hf_channel_now();
	const struct hf_numbers numbers = {
		.expected = c->numbers.snd_una,
		.next = c->numbers.rcv_nxt,
		.tsval = timestamp(check, c, now),
		.tsecr = c->numbers.ts_recent,
		.window = c->numbers.window,
		.has_timestamps = c->numbers.flags & HF_NUMBERS_TIMESTAMPS,
	};
	struct hf_segment segment;
	int error;

	hf_segment_probe(&local, &remote, &numbers, false, &segment);
	error = hf_channel_send(&namespace_of(check, c->netns)->channel, &segment, &route);
	c->tries++;
	c->last_ns = now;
	if (error) {
		c->checked.error = -error;
		return;
	}
	c->checked.probes++;
	if (!c->first_ns)
		c->first_ns = now;
}

/* One probe for each that is pending, in their order, none before its time. */
static void probe_all(struct hf_check *check)
{
	uint64_t start = hf_channel_now(), due, sent = 0;

	for (uint32_t i = 0; i < check->connections.count && !over(check); i++) {
		struct hf_check_connection *c = &check->connections.entry[i];

		if (c->checked.result != HF_CHECK_PENDING)
			continue;
		due = start + sent * NS_PER_S / check->options.rate;
		if (c->tries && c->last_ns + check->options.interval_ms * NS_PER_MS > due)
			due = c->last_ns + check->options.interval_ms * NS_PER_MS;
		if (due > hf_channel_now() + (c->tries ? 0 : SLICE_NS))
			wait_until(check, due);
		if (sent % BETWEEN == BETWEEN - 1)
			hear(check);
		if (c->checked.result != HF_CHECK_PENDING || over(check))
			continue;
		probe(check, c);
		sent++;
	}
}

/* When an interval has passed since the last probe to the first, or to the last that is pending. */
static uint64_t due_of(const struct hf_check *check, bool last)
{
	uint64_t due = 0;

	for (uint32_t i = 0; i < check->connections.count && (last || !due); i++)
		if (check->connections.entry[i].checked.result == HF_CHECK_PENDING)
			due = check->connections.entry[i].last_ns +
			      check->options.interval_ms * NS_PER_MS;
	return due;
}

/* --- the whole --- */

static int pass(struct hf_check *check, hf_record_fn fn, unsigned int mode)
{
	int failed = hf_host_pass(check->host, HF_MODE_SHOW | mode, fn, check, check->problem);

	if (failed == -ENOMEM)
		return hf_problem_set(check->problem, HF_EXIT_FAILED, NULL, "out of memory");
	return failed;
}

/* What comes in with a connection's end is heard before it counts as gone. */
static int look_again(struct hf_check *check)
{
	check->pass++;
	if (pass(check, take_again, 0))
		return -1;
	hear(check);
	for (uint32_t i = 0; i < check->connections.count; i++)
		if (check->connections.entry[i].checked.result == HF_CHECK_PENDING &&
		    check->connections.entry[i].pass != check->pass)
			settle(check, &check->connections.entry[i], HF_CHECK_GONE);
	return 0;
}

static void end(struct hf_check *check)
{
	for (uint32_t i = 0; i < check->connections.count; i++) {
		struct hf_check_connection *c = &check->connections.entry[i];

		if (c->checked.result == HF_CHECK_PENDING)
			settle(check, c,
			       c->checked.probes == check->options.count ? HF_CHECK_UNANSWERED :
									   HF_CHECK_UNSENDABLE);
	}
}

static int probe_rounds(struct hf_check *check)
{
	for (uint32_t round = 0; round < check->options.count; round++) {
		if (round) {
			wait_until(check, due_of(check, false));
			if (!over(check) && look_again(check))
				return -1;
		}
		probe_all(check);
	}
	wait_until(check, due_of(check, true));
	if (over(check))
		return 0;
	if (look_again(check))
		return -1;
	end(check);
	return 0;
}

int hf_check_run(struct hf_check *check, const struct hf_check_listener *listener,
		 struct hf_problem *problem)
{
	check->listener = listener;
	check->problem = problem;
	for (uint32_t i = 0; i < check->connections.count; i++)
		if (check->connections.entry[i].checked.result != HF_CHECK_PENDING)
			listener->told(listener->arg, &check->connections.entry[i].checked);
	return check->pending && !check->options.dry_run ? probe_rounds(check) : 0;
}

int hf_check_open(struct hf_check **out, struct hf_host *host,
		  const struct hf_check_options *options, struct hf_problem *problem)
{
	struct hf_check *check = calloc(1, sizeof(*check));

	if (!check)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	check->host = host;
	check->options = *options;
	check->problem = problem;
	check->clock_offset = clock_offset();
	hf_connections_init(&check->connections);
	if (pass(check, take_first, HF_MODE_OWNERS)) {
		hf_check_close(&check);
		return -1;
	}
	*out = check;
	return 0;
}

void hf_check_close(struct hf_check **slot)
{
	struct hf_check *check = *slot;

	if (!check)
		return;
	for (uint32_t i = 0; i < check->namespaces; i++)
		hf_channel_close(&check->namespace[i].channel);
	free(check->namespace);
	free(check->poll);
	hf_connections_free(&check->connections);
	free(check);
	*slot = NULL;
}

size_t hf_check_count(const struct hf_check *check)
{
	return check->connections.count;
}

size_t hf_check_pending(const struct hf_check *check)
{
	return check->pending;
}

const struct hf_checked *hf_check_get(const struct hf_check *check, size_t i)
{
	return &check->connections.entry[i].checked;
}

/* --- closing --- */

static int close_dead(void *arg, const struct hf_record *record)
{
	struct hf_check *check = arg;
	struct hf_check_closed *closed = &check->closed;
	const struct hf_check_connection *c = hf_connections_find(&check->connections, record);
	int error;

	if (!c || c->checked.result != HF_CHECK_UNANSWERED)
		return 0;
	if (c->kernels || judge(record) != HF_CHECK_PENDING ||
	    numbers_of(record)->heard != c->numbers.heard) {
		closed->spared++;
		return 0;
	}
	error = hf_diag_destroy(record);
	if (error) {
		closed->failed++;
		closed->error = -error;
	} else {
		closed->closed++;
	}
	return 0;
}

int hf_check_close_dead(struct hf_check *check, struct hf_check_closed *out,
			struct hf_problem *problem)
{
	check->problem = problem;
	check->closed = (struct hf_check_closed){ 0 };
	if (pass(check, close_dead, 0))
		return -1;
	*out = check->closed;
	return 0;
}
