/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pass by eBPF: who holds the connections, then the connections of each namespace. */
#define _GNU_SOURCE
#include "host/bpf_host.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/bpf.h"
#include "host/group.h"
#include "host/stream.h"

#include "holdfast.skel.h"

static int drain(int link, hf_stream_fn take, void *arg, struct hf_problem *problem)
{
	int fd = bpf_iter_create(link);
	int result, error = 0;

	if (fd < 0)
		return hf_bpf_refused(problem, "cannot start a pass", errno);
	result = hf_stream_read(fd, take, arg, &error);
	if (error)
		hf_bpf_refused(problem, "cannot read a pass", error);
	close(fd);
	return result;
}

struct search {
	struct hf_bpf_host *host;
	uint32_t netns; /* told of last */
	struct hf_problem *problem;
};

static void take_netns(struct search *search, const struct hf_wire_holder *told)
{
	struct hf_bpf_host *host = search->host;

	if (!host->bpf->control->find_netns || told->netns == search->netns)
		return;
	search->netns = told->netns;
	if (!hf_netns_find(&host->netns, told->netns))
		hf_netns_add_of_socket(&host->netns, told->pid, (int)told->fd); /* may be gone */
}

static int take_owner(struct search *search, const struct hf_wire_holder *told)
{
	struct hf_holder holder = { .pid = told->pid };

	if (!told->cookie)
		return 0;
	memcpy(holder.process, told->process, sizeof(holder.process));
	if (!hf_owners_add(&search->host->told, told->cookie, &holder))
		return 0;
	return hf_problem_set(search->problem, HF_EXIT_FAILED, NULL, "out of memory");
}

static size_t take_holders(void *arg, char *bytes, size_t size, int *result)
{
	struct search *search = arg;
	struct hf_wire_holder told;
	size_t taken = 0;

	for (; !*result && size - taken >= sizeof(told); taken += sizeof(told)) {
		memcpy(&told, bytes + taken, sizeof(told));
		take_netns(search, &told);
		*result = take_owner(search, &told);
	}
	return taken;
}
static_assert(sizeof(struct hf_wire_holder) <= HF_STREAM_KEPT, "one may lie across two reads");

/* Its connections, and the namespace that it is in; it may be gone meanwhile. */
static int ask_process(void *arg, pid_t process)
{
	struct hf_bpf_host *host = arg;
	struct search search = { .host = host };
	int netns, owners;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)process);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns >= 0)
		hf_netns_add(&host->netns, netns);
	owners = hf_bpf_attach_owners(host, (uint32_t)process);
	if (owners < 0)
		return 0;
	drain(owners, take_holders, &search, NULL);
	close(owners);
	return 0;
}

static bool is_visited(const void *arg, const uint64_t *key)
{
	uint32_t inum;

	memcpy(&inum, key, sizeof(inum)); /* all that the key has */
	return hf_netns_find(arg, inum);
}

/* What sockops need not report sockets of: the namespaces that passes visit, and no others. */
static void tell_known_netns(struct hf_bpf_host *host)
{
	int map = host->bpf->known_netns;
	uint8_t known = 1;

	hf_bpf_keep_keys(map, is_visited, &host->netns);
	for (size_t i = 0; i < host->netns.count; i++)
		bpf_map_update_elem(map, &host->netns.entry[i].inum, &known, BPF_ANY);
}

static int find_owners(struct hf_bpf_host *host, struct hf_problem *problem)
{
	struct hf_control *control = host->bpf->control;
	struct search search = { .host = host, .problem = problem };

	control->find_netns = host->all_netns || host->run;
	control->netns = host->netns.entry[0].inum; /* what is asked for, where it is not all */
	if (!hf_bpf_needs_owners_pass(host))
		return 0;
	if (host->run) {
		control->held_since = control->pass;
		return hf_group_each(host->group, ask_process, host);
	}
	if (host->owners < 0)
		return 0; /* refused by the kernel */
	if (host->all_netns)
		tell_known_netns(host);
	hf_owners_empty(&host->told);
	return drain(host->owners, take_holders, &search, problem);
}

struct records {
	const struct hf_owners *told;
	hf_record_fn fn;
	void *arg;
};

static void name_owner(const struct hf_owners *told, struct hf_record *record)
{
	const struct hf_holder *holder = hf_owners_find(told, record->cookie);

	if (!holder)
		return;
	record->flags |= HF_RECORD_OWNER | HF_RECORD_OWNER_SETTLED;
	record->pid = holder->pid;
	memcpy(record->process, holder->process, sizeof(record->process));
}

static size_t take_records(void *arg, char *bytes, size_t size, int *result)
{
	const struct records *records = arg;
	struct hf_record *record;
	size_t taken, length;

	for (taken = 0; !*result && size - taken >= HF_RECORD_SHORT; taken += length) {
		record = (struct hf_record *)(bytes + taken);
		length = record->flags & HF_RECORD_LONG ? sizeof(*record) : HF_RECORD_SHORT;
		if (size - taken < length)
			break;
		name_owner(records->told, record);
		*result = records->fn ? records->fn(records->arg, record) : 0;
	}
	return taken;
}
static_assert(sizeof(struct hf_record) <= HF_STREAM_KEPT, "a record may lie across two reads");

static void reset_counters(struct hf_counters *counters)
{
	counters->visited = counters->matched = counters->standing = counters->waiting = 0;
	memset(counters->outcome, 0, sizeof(counters->outcome));
	memset(counters->later, 0, sizeof(counters->later));
}

static void set_control(struct hf_bpf_host *host, unsigned int mode)
{
	const uint32_t judged = HF_STATES_JUDGED;
	const uint32_t held = judged | 1u << HF_FIN_WAIT1 | 1u << HF_CLOSING | 1u << HF_LAST_ACK;
	struct hf_control *control = host->bpf->control;
	const struct hf_counters *before = host->bpf->counters;

	if (!host->bpf->whole || !bpf_program__autoload(host->bpf->whole->progs.hf_setsockopt))
		mode &= ~HF_MODE_TEND; /* what it would clamp is for the passes to find */
	control->mode = mode;
	if (mode & HF_MODE_DISARM)
		control->held_since = 0; /* whoever holds it by now */
	control->look_close = before->standing || before->armed != host->armed;
	host->armed = before->armed;
	control->pass++;
	*host->bpf->unwritten = 0; /* of a pass that ended early */
	control->states = host->selection.states ? host->selection.states : held;
	control->arms = hf_bpf_armed(&host->front);
	control->provisional = host->watcher >= 0;
}

static int in_netns(struct hf_bpf_host *host, size_t i, hf_netns_fn fn, void *arg,
		    struct hf_problem *problem)
{
	bool foreign = !hf_netns_is_own(&host->netns, i);
	int result;

	if (foreign && hf_netns_enter(&host->netns, i, problem))
		return host->run ? 0 : /* a program may go where we may not follow */
				   hf_host_shut_out(&host->front, &host->selection, problem);
	result = fn(arg, host->netns.entry[i].inum);
	if (foreign && hf_netns_leave(&host->netns) && !result)
		result = hf_problem_set(problem, HF_EXIT_FAILED, NULL,
					"cannot come back from a network namespace");
	return result;
}

int hf_bpf_each_netns(struct hf_host *front, hf_netns_fn fn, void *arg, struct hf_problem *problem)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);
	int result = 0;

	for (size_t i = 0; !result && i < host->netns.count; i++)
		result = in_netns(host, i, fn, arg, problem);
	return result;
}

static size_t take_nothing(void *arg, char *bytes, size_t size, int *result)
{
	(void)arg;
	(void)bytes;
	(void)result;
	return size;
}

struct sweep {
	struct hf_bpf_host *host;
	struct records records;
	struct hf_problem *problem;
};

static int sweep_netns(void *arg, uint32_t netns)
{
	struct sweep *sweep = arg;
	struct hf_control *control = sweep->host->bpf->control;
	const struct hf_counters *counters = sweep->host->bpf->counters;
	uint64_t visited = counters->visited;
	int result;

	control->netns = netns;
	result = drain(sweep->host->sweep, take_records, &sweep->records, sweep->problem);
	if (!(control->mode & HF_MODE_TEND)) /* which visits some only */
		hf_netns_find(&sweep->host->netns, netns)->empty = counters->visited == visited;
	return result;
}

/* Where the kernel refuses a pass the callbacks of open sockets, tracepoints stand in for them. */
static void trace_unheard(struct hf_bpf_host *host)
{
	const struct holdfast_bpf *whole = host->bpf->whole;

	if (!host->bpf->counters->unheard || !host->steering[1] || host->traced[0] ||
	    !bpf_program__autoload(whole->progs.hf_traced_state))
		return;
	host->traced[0] = bpf_program__attach_trace(whole->progs.hf_traced_state);
	host->traced[1] = bpf_program__attach_trace(whole->progs.hf_traced_retransmit);
}

static int spread_netns(void *arg, uint32_t netns)
{
	struct sweep *sweep = arg;

	(void)netns;
	return drain(sweep->host->spread, take_nothing, NULL, sweep->problem);
}

static int refresh_netns(struct hf_bpf_host *host, struct hf_problem *problem)
{
	int failed = host->all_netns ? hf_netns_refresh(&host->netns) : 0;

	return !failed ?
		       0 :
		       hf_problem_set(problem, HF_EXIT_FAILED,
				      "raise the limit of open files: ulimit -n",
				      "cannot look for network namespaces: %s", strerror(-failed));
}

int hf_bpf_pass(struct hf_host *front, unsigned int mode, hf_record_fn fn, void *arg,
		struct hf_problem *problem)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);
	struct sweep sweep = { host, { &host->told, fn, arg }, problem };
	int result = 0;

	memset(host->bpf->counters->due, 0, sizeof(host->bpf->counters->due));
	if (mode & HF_MODE_SPREAD)
		return hf_bpf_each_netns(front, spread_netns, &sweep, problem);
	set_control(host, mode);
	reset_counters(host->bpf->counters);
	if (hf_bpf_resolve_cgroups(host, problem))
		return -1;
	if (refresh_netns(host, problem))
		return -1;
	if (mode & HF_MODE_OWNERS)
		result = find_owners(host, problem);
	if (!result)
		result = hf_bpf_each_netns(front, sweep_netns, &sweep, problem);
	trace_unheard(host);
	return result;
}
