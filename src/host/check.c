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
 * A probe's timestamp is reckoned from the one read with the numbers, and never ahead of the
 * connection's own clock: a peer drops in silence what is older than the last it saw, and would drop
 * the connection's segments if a probe's was newer than theirs.
 */
#include "host/check.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/siphash.h"
#include "host/check_channel.h"
#include "host/destroy.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define SLICE_NS NS_PER_MS	  /* probes may leave so much before their time, together */
#define WAIT_NS (200 * NS_PER_MS) /* from one `waits` to the next */
#define BETWEEN 256		  /* probes sent without a look at what has come in */
#define FIRST_ROOM 1024		  /* connections */
#define NONE UINT32_MAX

struct connection {
	struct hf_checked checked;
	struct hf_wire_numbers numbers;
	uint64_t cookie;
	uint64_t read_ns;	    /* when the numbers were, or a little later */
	uint64_t first_ns, last_ns; /* when probes were sent */
	uint32_t netns;
	uint32_t tries; /* probes sent and those that could not be */
	uint32_t pass;	/* the last one that saw it */
	uint32_t next;	/* of its hash; NONE = the last */
	bool kernels;
};

struct namespace
{
	uint32_t netns;
	struct hf_channel channel;
};

struct hf_check {
	struct hf_host *host;
	struct hf_check_options options;
	struct connection *connection;
	uint32_t count, room;
	uint32_t pending;
	uint32_t *head; /* of each hash, as many as room; NONE = empty */
	uint64_t key[2];
	struct namespace *namespace;
	struct pollfd *poll; /* two a namespace */
	uint32_t namespaces;
	uint32_t pass;
	const struct hf_check_listener *listener;
	uint64_t waited_ns; /* when `waits` was called */
	struct hf_problem *problem;
	struct hf_check_closed closed;
};

/* --- connections by their ends --- */

struct key {
	struct hf_address local, remote;
	uint32_t netns;
	uint16_t local_port, remote_port;
};

static uint32_t *head_of(const struct hf_check *check, const struct key *key)
{
	return &check->head[hf_siphash13(check->key, key, sizeof(*key)) & (check->room - 1)];
}

static struct key key_of(const struct connection *c)
{
	return (struct key){ c->checked.local.address, c->checked.remote.address, c->netns,
			     c->checked.local.port, c->checked.remote.port };
}

static bool has_key(const struct connection *c, const struct key *key)
{
	const struct key own = key_of(c);

	return !memcmp(&own, key, sizeof(own));
}
static_assert(sizeof(struct key) == 40, "a key has no padding: it is hashed and compared whole");

/* The one with that cookie. */
static struct connection *find(const struct hf_check *check, const struct hf_record *record)
{
	const struct key key = { record->local, record->remote, record->netns, record->local_port,
				 record->remote_port };

	for (uint32_t i = check->room ? *head_of(check, &key) : NONE; i != NONE;
	     i = check->connection[i].next)
		if (check->connection[i].cookie == record->cookie &&
		    has_key(&check->connection[i], &key))
			return &check->connection[i];
	return NULL;
}

static void link_connection(struct hf_check *check, uint32_t i)
{
	const struct key key = key_of(&check->connection[i]);
	uint32_t *head = head_of(check, &key);

	check->connection[i].next = *head;
	*head = i;
}

static int grow(struct hf_check *check)
{
	uint32_t room = check->room ? 2 * check->room : FIRST_ROOM;
	struct connection *connection = realloc(check->connection, room * sizeof(*connection));
	uint32_t *head;

	if (!connection)
		return -ENOMEM;
	check->connection = connection;
	head = realloc(check->head, room * sizeof(*head));
	if (!head)
		return -ENOMEM;
	memset(head, 0xff, room * sizeof(*head)); /* NONE */
	check->head = head;
	check->room = room;
	for (uint32_t i = 0; i < check->count; i++)
		link_connection(check, i);
	return 0;
}

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

static void note(struct connection *c, const struct hf_record *record)
{
	c->checked.state = record->state;
	c->checked.unanswered = record->unanswered;
	c->checked.in_flight = record->in_flight;
	c->checked.retransmits = record->retransmits;
	c->checked.silent_ms = record->silent_ms;
	c->numbers = *numbers_of(record);
	c->read_ns = hf_channel_now();
}

static int take_first(void *arg, const struct hf_record *record)
{
	struct hf_check *check = arg;
	struct connection *c;

	if (find(check, record))
		return 0; /* a pass may see one twice */
	if (check->count == check->room && grow(check))
		return -ENOMEM;
	c = &check->connection[check->count];
	*c = (struct connection){
		.checked = { .local = { record->local, record->local_port, record->family },
			     .remote = { record->remote, record->remote_port, record->family },
			     .result = judge(record),
			     .rtt_us = UINT32_MAX },
		.cookie = record->cookie,
		.netns = record->netns,
		.kernels = record->flags & HF_RECORD_KERNEL,
	};
	note(c, record);
	link_connection(check, check->count++);
	if (c->checked.result != HF_CHECK_PENDING)
		return 0;
	check->pending++;
	return check->options.dry_run ? 0 : open_namespace(check, record->netns);
}

static void settle(struct hf_check *check, struct connection *c, enum hf_check_result result)
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
	struct connection *c = find(check, record);
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

static void take_segment(struct hf_check *check, uint32_t netns, const struct hf_segment *segment,
			 uint64_t arrived_ns)
{
	const struct key key = { segment->destination.address, segment->source.address, netns,
				 segment->destination.port, segment->source.port };
	struct connection *c;

	for (uint32_t i = *head_of(check, &key); i != NONE; i = c->next) {
		c = &check->connection[i];
		if (c->checked.result != HF_CHECK_PENDING || !c->checked.probes ||
		    segment->seq != c->numbers.rcv_nxt || !has_key(c, &key))
			continue;
		if (segment->flags & HF_RST) {
			settle(check, c, HF_CHECK_REFUSED);
		} else if (segment->ack == c->numbers.snd_una) {
			if (c->checked.probes == 1 && arrived_ns >= c->last_ns)
				c->checked.rtt_us = (uint32_t)((arrived_ns - c->last_ns) / 1000);
			settle(check, c, HF_CHECK_ANSWERED);
		}
	}
}

struct hearing {
	struct hf_check *check;
	uint32_t netns;
};

static void on_segment(void *arg, const struct hf_segment *segment, uint64_t arrived_ns)
{
	const struct hearing *hearing = arg;

	take_segment(hearing->check, hearing->netns, segment, arrived_ns);
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

/* As in a segment that the connection would send now, or a little earlier. */
static uint32_t timestamp(const struct connection *c, uint64_t now_ns)
{
	uint64_t elapsed = (now_ns - c->read_ns) / 1000;

	return c->numbers.tsval +
	       (uint32_t)(c->numbers.flags & HF_NUMBERS_MICROSECONDS ? elapsed : elapsed / 1000);
}

/* v4-mapped ones travel as IPv4. */
static struct hf_endpoint wire_end(const struct hf_endpoint *end)
{
	struct hf_endpoint wire = *end;

	wire.family = hf_address_is_mapped(&end->address) ? HF_IPV4 : HF_IPV6;
	return wire;
}

static void probe(struct hf_check *check, struct connection *c)
{
	const struct hf_endpoint local = wire_end(&c->checked.local);
	const struct hf_endpoint remote = wire_end(&c->checked.remote);
	const struct hf_route route = { c->numbers.mark, c->numbers.device };
	uint64_t now = hf_channel_now();
	const struct hf_numbers numbers = {
		.expected = c->numbers.snd_una,
		.next = c->numbers.rcv_nxt,
		.tsval = timestamp(c, now),
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

	for (uint32_t i = 0; i < check->count && !over(check); i++) {
		struct connection *c = &check->connection[i];

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

	for (uint32_t i = 0; i < check->count && (last || !due); i++)
		if (check->connection[i].checked.result == HF_CHECK_PENDING)
			due = check->connection[i].last_ns + check->options.interval_ms * NS_PER_MS;
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
	for (uint32_t i = 0; i < check->count; i++)
		if (check->connection[i].checked.result == HF_CHECK_PENDING &&
		    check->connection[i].pass != check->pass)
			settle(check, &check->connection[i], HF_CHECK_GONE);
	return 0;
}

static void end(struct hf_check *check)
{
	for (uint32_t i = 0; i < check->count; i++) {
		struct connection *c = &check->connection[i];

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
	for (uint32_t i = 0; i < check->count; i++)
		if (check->connection[i].checked.result != HF_CHECK_PENDING)
			listener->told(listener->arg, &check->connection[i].checked);
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
	if (getrandom(check->key, sizeof(check->key), 0) != sizeof(check->key) ||
	    pass(check, take_first, HF_MODE_OWNERS)) {
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
	free(check->connection);
	free(check->head);
	free(check);
	*slot = NULL;
}

size_t hf_check_count(const struct hf_check *check)
{
	return check->count;
}

size_t hf_check_pending(const struct hf_check *check)
{
	return check->pending;
}

const struct hf_checked *hf_check_get(const struct hf_check *check, size_t i)
{
	return &check->connection[i].checked;
}

/* --- closing --- */

static int close_dead(void *arg, const struct hf_record *record)
{
	struct hf_check *check = arg;
	struct hf_check_closed *closed = &check->closed;
	const struct connection *c = find(check, record);
	int error;

	if (!c || c->checked.result != HF_CHECK_UNANSWERED)
		return 0;
	if (c->kernels || judge(record) != HF_CHECK_PENDING ||
	    numbers_of(record)->heard != c->numbers.heard) {
		closed->spared++;
		return 0;
	}
	error = hf_destroy(record);
	if (!error) {
		closed->closed++;
	} else if (error != -ENOENT) {
		closed->failed++;
		closed->error = -error;
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
