/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dump the sockets of every selected namespace, keep those that the selection's addresses name, and
 * find out who holds them by one walk through /proc, or two where the first found a namespace.
 */
#include "host/diag/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/cgroup.h"
#include "host/names.h"

#define SEARCH_MS 30000 /* from one search for namespaces to the next */
#define NAMES 64	/* of processes, kept for a pass */

uint64_t hf_diag_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int hf_diag_cgroup_root(struct hf_diag_host *host)
{
	if (host->cgroup_root < 0)
		host->cgroup_root = hf_cgroup_root();
	return host->cgroup_root;
}

/* ------ which cgroups the glob names */

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int add_cgroup(void *arg, uint64_t id, bool matches)
{
	struct hf_diag_host *host = arg;
	uint64_t *grown;

	if (!matches)
		return 0;
	grown = realloc(host->cgroups, (host->cgroup_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	host->cgroups = grown;
	host->cgroups[host->cgroup_count++] = id;
	return 0;
}

static int resolve_cgroups(struct hf_diag_host *host, struct hf_problem *problem)
{
	int error;

	if (!host->selection.cgroup)
		return 0;
	host->cgroup_count = 0;
	error = hf_cgroup_glob(hf_diag_cgroup_root(host), host->selection.cgroup, add_cgroup, host);
	if (error)
		return hf_problem_set(problem, HF_EXIT_FAILED, "give no --cgroup",
				      "cannot look up cgroups \"%s\": %s", host->selection.cgroup,
				      strerror(-error));
	if (host->cgroup_count)
		qsort(host->cgroups, host->cgroup_count, sizeof(*host->cgroups), compare_ids);
	return 0;
}

static bool cgroup_is_named(const struct hf_diag_host *host, uint64_t id)
{
	return host->cgroup_count &&
	       bsearch(&id, host->cgroups, host->cgroup_count, sizeof(id), compare_ids);
}

/* ------ which sockets there are */

static bool listens(const struct hf_diag_host *host, uint16_t port)
{
	return host->listening[port / 8] >> port % 8 & 1;
}

static int note_listener(void *arg, const struct hf_diag_socket *socket)
{
	struct hf_diag_host *host = arg;
	uint16_t port = socket->record.local_port;

	host->listening[port / 8] |= (uint8_t)(1 << port % 8);
	return 0;
}

enum hf_matched hf_diag_match(const struct hf_diag_host *host, const struct hf_diag_socket *socket)
{
	const struct hf_record *r = &socket->record;
	struct hf_facts facts = {
		.local = { r->local, r->local_port, r->family },
		.remote = { r->remote, r->remote_port, r->family },
		.state = r->state,
		.netns = r->netns,
		.uid = r->uid,
		.pid = r->pid,
		.cgroup_rules = cgroup_is_named(host, r->cgroup),
		.family = r->family,
		.direction = listens(host, r->local_port) ? HF_INCOMING : HF_OUTGOING,
		.owner_known = !!(r->flags & HF_RECORD_OWNER),
		.uid_known = !!(r->flags & HF_RECORD_FULL),
	};

	memcpy(facts.process, r->process, sizeof(facts.process));
	return hf_match_test(&host->rule.rule.match, 0, &facts);
}

static int take(void *arg, const struct hf_diag_socket *socket)
{
	struct hf_diag_host *host = arg;
	struct hf_sighting *sighting;

	if (host->sightings == host->room) {
		host->room = host->room ? 2 * host->room : 256;
		sighting = realloc(host->sighting, host->room * sizeof(*sighting));
		if (!sighting)
			return -ENOMEM;
		host->sighting = sighting;
	}
	sighting = &host->sighting[host->sightings];
	*sighting = (struct hf_sighting){
		.socket = *socket,
		.file.fd = -1,
		.heard_ms = hf_diag_clock_ms() - socket->record.silent_ms,
		.link = host->at,
	};
	sighting->socket.record.netns = host->netns.entry[host->at].inum;
	sighting->socket.record.retries2 = host->link[host->at].retries2;
	if (hf_diag_match(host, &sighting->socket) != HF_MATCHED_NO)
		host->sightings++;
	return 0;
}

static uint32_t states_of(const struct hf_diag_host *host)
{
	const uint32_t judged = HF_STATES_JUDGED;
	const uint32_t held = judged | 1u << HF_FIN_WAIT1 | 1u << HF_CLOSING | 1u << HF_LAST_ACK;

	return host->selection.states ? host->selection.states : held;
}

static int dump(struct hf_diag_host *host, size_t i, struct hf_problem *problem)
{
	struct mnl_socket *link = host->link[i].socket;
	int result = 0;

	if (!link) /* of a namespace that may not be entered */
		return 0;
	host->at = i;
	if (host->rule.rule.match.direction) {
		memset(host->listening, 0, sizeof(host->listening));
		result = hf_diag_dump(link, 1u << HF_LISTEN, note_listener, host);
	}
	if (!result)
		result = hf_diag_dump(link, states_of(host), take, host);
	if (!result)
		return 0;
	return hf_problem_set(problem, result == -ENOENT ? HF_EXIT_MISSING : HF_EXIT_FAILED,
			      result == -ENOENT ? "load the kernel's module tcp_diag" : NULL,
			      "cannot list the connections by sock_diag: %s", strerror(-result));
}

/* ------ namespaces */

int hf_diag_in_netns(struct hf_diag_host *host, size_t i, hf_netns_fn fn, void *arg,
		     struct hf_problem *problem)
{
	bool foreign = !hf_netns_is_own(&host->netns, i);
	int result;

	if (foreign && hf_netns_enter(&host->netns, i, problem))
		return hf_host_shut_out(&host->front, &host->selection, problem);
	result = fn(arg, host->netns.entry[i].inum);
	if (foreign && hf_netns_leave(&host->netns) && !result)
		result = hf_problem_set(problem, HF_EXIT_FAILED, NULL,
					"cannot come back from a network namespace");
	return result;
}

/* net.ipv4.tcp_retries2 of the namespace that the thread is in. */
static uint8_t read_retries2(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_retries2", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t got;

	if (fd < 0)
		return HF_RETRIES2;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? (uint8_t)strtoul(text, NULL, 10) : HF_RETRIES2;
}

static int open_link(void *arg, uint32_t netns)
{
	struct hf_diag_host *host = arg;
	struct hf_diag_link *link = &host->link[host->links];

	(void)netns;
	*link = (struct hf_diag_link){ .socket = hf_diag_open(), .retries2 = read_retries2() };
	if (!link->socket)
		return errno;
	if (host->use == HF_USE_WATCH)
		link->ends = hf_diag_open_ends();
	return 0;
}

static int add_link(struct hf_diag_host *host, struct hf_problem *problem)
{
	struct hf_diag_link *grown = realloc(host->link, (host->links + 1) * sizeof(*grown));
	int error;

	if (!grown)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	host->link = grown;
	host->link[host->links] = (struct hf_diag_link){ 0 };
	error = hf_diag_in_netns(host, host->links, open_link, host, problem);
	if (error < 0)
		return -1;
	if (error)
		return hf_problem_set(problem, HF_EXIT_MISSING, NULL, "no sock_diag: %s",
				      strerror(error));
	host->links++;
	return 0;
}

/* Dump the namespaces from the `from`-th on. */
static int collect(struct hf_diag_host *host, size_t from, struct hf_problem *problem)
{
	int failed = 0;

	for (size_t i = from; !failed && i < host->netns.count; i++) {
		if (i == host->links)
			failed = add_link(host, problem);
		if (!failed)
			failed = dump(host, i, problem);
	}
	return failed;
}

/* ------ who holds them */

struct search {
	struct hf_diag_host *host;
	struct hf_sighting **index; /* those looked for, by inode */
	size_t count;
	bool netns;  /* look for namespaces, too */
	bool others; /* only at what none of those named holds */
};

static int compare_inodes(const void *a, const void *b)
{
	uint32_t x = (*(struct hf_sighting *const *)a)->socket.inode;
	uint32_t y = (*(struct hf_sighting *const *)b)->socket.inode;

	return x < y ? -1 : x > y;
}

static struct hf_sighting *find_inode(const struct search *search, uint32_t inode)
{
	struct hf_sighting key = { .socket.inode = inode }, *at = &key, **found;

	if (!search->count)
		return NULL;
	found = bsearch(&at, search->index, search->count, sizeof(*search->index), compare_inodes);
	return found ? *found : NULL;
}

/* The lowest holder counts. */
static void take_file(void *arg, const struct hf_open_file *file)
{
	struct search *search = arg;
	struct hf_sighting *sighting = find_inode(search, file->inode);

	if (sighting &&
	    (sighting->file.fd < 0 || (!search->others && file->pid < sighting->file.pid)))
		sighting->file = *file;
	if (!sighting && search->netns)
		hf_netns_add_of_socket(&search->host->netns, file->pid, file->fd); /* may be gone */
}

bool hf_diag_is_due(const struct hf_diag_host *host, const struct hf_sighting *s)
{
	const struct hf_known *known = s->known;

	return !known || host->now_ms >= known->look_at_ms ||
	       hf_diag_timeout_due(&known->hold, s->socket.record.silent_ms);
}

/* The holder of a known one is taken for the same, unless a rule asks who it is. */
static bool is_wanted(const struct hf_diag_host *host, const struct hf_sighting *s)
{
	bool by_owner = host->rule.rule.match.fields & HF_MATCH_OWNER;

	if (!s->socket.inode)
		return false;
	return !s->known || by_owner || (s->known->file.fd < 0 && hf_diag_is_due(host, s));
}

static void recall(struct hf_diag_host *host, struct hf_sighting *s)
{
	const struct hf_record *r = &s->socket.record;

	if (host->use != HF_USE_WATCH)
		return;
	s->known = hf_known_find(&host->knowns, r->netns, r->cookie);
	if (s->known)
		s->file = s->known->file;
}

/* Each inode once: a socket that was dumped twice has its holder, and is worked on, only once. */
static void make_index(struct search *search)
{
	struct hf_diag_host *host = search->host;
	size_t wanted = 0, kept = 0;

	for (size_t i = 0; i < host->sightings; i++) {
		struct hf_sighting *s = &host->sighting[i];

		recall(host, s);
		s->searched = is_wanted(host, s);
		if (s->searched) {
			s->file.fd = -1;
			search->index[wanted++] = s;
		}
	}
	qsort(search->index, wanted, sizeof(*search->index), compare_inodes);
	for (size_t i = 0; i < wanted; i++) {
		if (kept && !compare_inodes(&search->index[kept - 1], &search->index[i]))
			search->index[i]->twice = true;
		else
			search->index[kept++] = search->index[i];
	}
	search->count = kept;
}

struct names {
	struct {
		uint32_t pid;
		char process[HF_PROCESS_NAME];
	} slot[NAMES];
};

static void name_holder(struct names *names, struct hf_sighting *s)
{
	struct hf_record *r = &s->socket.record;
	size_t slot = s->file.pid % NAMES;

	if (s->file.fd < 0)
		return;
	if (names->slot[slot].pid != s->file.pid) {
		if (!hf_process_name(s->file.pid, names->slot[slot].process))
			return; /* it is gone */
		names->slot[slot].pid = s->file.pid;
	}
	r->flags |= HF_RECORD_OWNER | HF_RECORD_OWNER_SETTLED;
	r->pid = s->file.pid;
	memcpy(r->process, names->slot[slot].process, sizeof(r->process));
}

/* All processes were seen and none holds it: it is the kernel's own, or on its way to a process. */
static void note_kernels(const struct hf_diag_host *host, struct hf_sighting *s)
{
	if (s->searched && s->file.fd < 0 && host->seen_all)
		s->socket.record.flags |= HF_RECORD_KERNEL;
	else if (s->known && !s->searched)
		s->socket.record.flags |= s->known->last.record.flags & HF_RECORD_KERNEL;
}

/*
 * Some that the rule names are closed to us: what is held by none that is open may be theirs. A
 * watch does not tell of it.
 */
static void rule_out_others(struct search *search)
{
	struct hf_match any;

	hf_match_any(&any);
	search->netns = false;
	search->others = true;
	hf_files_each(&any, take_file, search);
}

/* The walk is made where somebody wants it: 0, or -1 with a problem. */
static int find_holders(struct hf_diag_host *host, bool netns, struct hf_problem *problem)
{
	const struct hf_match *match = &host->rule.rule.match;
	struct search search = { .host = host, .netns = netns };
	struct names names = { 0 };
	bool named = match->fields & (HF_MATCH_PID | HF_MATCH_PROCESS);
	int unseen = 0;

	search.index = calloc(host->sightings + 1, sizeof(*search.index));
	if (!search.index)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	make_index(&search);
	if (search.count || netns)
		unseen = hf_files_each(match, take_file, &search);
	if (unseen > 0 && named && host->use != HF_USE_WATCH)
		rule_out_others(&search);
	free(search.index);
	host->seen_all = !unseen && !named;
	host->closed = unseen > 0;
	if (unseen < 0)
		return hf_problem_set(problem, HF_EXIT_FAILED, "mount /proc",
				      "cannot read /proc: %s", strerror(-unseen));
	for (size_t i = 0; i < host->sightings; i++) {
		name_holder(&names, &host->sighting[i]);
		note_kernels(host, &host->sighting[i]);
	}
	return 0;
}

int hf_diag_collect(struct hf_diag_host *host, struct hf_problem *problem)
{
	bool netns = host->all_netns &&
		     (!host->searched_ms || host->now_ms >= host->searched_ms + SEARCH_MS);
	size_t known;

	host->sightings = 0;
	if (resolve_cgroups(host, problem))
		return -1;
	if (host->all_netns)
		hf_netns_refresh(&host->netns);
	if (netns)
		host->searched_ms = host->now_ms;
	known = host->netns.count;
	if (collect(host, 0, problem) || find_holders(host, netns, problem))
		return -1;
	if (host->netns.count == known)
		return 0;
	return collect(host, known, problem) || find_holders(host, false, problem) ? -1 : 0;
}
