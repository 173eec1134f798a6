/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/backend.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/bpf.h"
#include "host/cgroup.h"
#include "host/group.h"
#include "host/memory.h"
#include "host/netns.h"
#include "host/privileges.h"
#include "host/stream.h"

#include "holdfast.skel.h"

struct bpf_host {
	struct hf_host front;
	struct holdfast_bpf *bpf;
	struct bpf_link *sweep, *owners;
	struct bpf_link *steering[3], *traced[2];
	struct ring_buffer *ring;
	struct hf_netns_list netns;
	struct hf_selection selection;
	bool all_netns;
	bool run;    /* HF_USE_RUN */
	int group;   /* whose processes' connections passes take, -1 = all */
	int place;   /* of the memory, -1 = nothing is remembered */
	int watcher; /* holds the lock while we are the watcher, else -1 */
	int cgroup_root;
	uint64_t cgroup_id; /* the last one looked up, with its path */
	char cgroup_path[PATH_MAX];
	uint64_t armed; /* armings at the last pass */
	hf_wire_event_fn event_fn;
	void *event_arg;
};

static struct bpf_host *of(struct hf_host *front)
{
	return (struct bpf_host *)front;
}

static int add_cgroup(void *arg, uint64_t id, bool matches)
{
	struct bpf_host *host = arg;
	uint64_t rules = matches;

	return bpf_map__update_elem(host->bpf->maps.cgroups, &id, sizeof(id), &rules, sizeof(rules),
				    BPF_ANY);
}

/* Opened when first asked for: it costs more than all else that `list` needs. */
static int cgroup_root(struct bpf_host *host)
{
	if (host->cgroup_root < 0)
		host->cgroup_root = hf_cgroup_root();
	return host->cgroup_root;
}

/* Cgroups come and go: the glob is looked up again before each pass. */
static int resolve_cgroups(struct bpf_host *host, struct hf_problem *problem)
{
	int error;

	if (!host->selection.cgroup)
		return 0;
	error = hf_cgroup_glob(cgroup_root(host), host->selection.cgroup, add_cgroup, host);
	if (!error)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED, "give no --cgroup",
			      "cannot look up cgroups \"%s\": %s", host->selection.cgroup,
			      strerror(-error));
}

static bool wants_owners(const struct bpf_host *host)
{
	return (host->selection.gathers & HF_GATHER_OWNER) ||
	       (host->selection.rule.match.fields & HF_MATCH_OWNER);
}

/* The pass over open files also finds namespaces that nothing but a socket holds. */
static bool needs_owners_pass(const struct bpf_host *host)
{
	return wants_owners(host) || host->all_netns;
}

static int set_rule(struct bpf_host *host, struct hf_problem *problem)
{
	struct hf_selection *selection = &host->selection;
	struct hf_wire_rule wire = { .rule = selection->rule };
	struct hf_control *control = &host->bpf->bss->control;
	uint32_t index = 0;
	int error;

	if (!host->all_netns && !host->run) {
		wire.rule.match.fields |= HF_MATCH_NETNS;
		wire.rule.match.netns = host->netns.entry[0].inum;
	}
	if (selection->cgroup)
		wire.rule.match.fields |= HF_MATCH_CGROUP;
	wire.stamp = hf_rule_stamp(&wire.rule);
	control->rules = 1;
	control->by_owner = !!(wire.rule.match.fields & HF_MATCH_OWNER);
	control->by_cgroup = !!selection->cgroup;
	control->by_direction = !!wire.rule.match.direction;
	control->owners = wants_owners(host);
	control->audits = selection->audits;
	control->judge = selection->judge;
	error = bpf_map__update_elem(host->bpf->maps.rules, &index, sizeof(index), &wire,
				     sizeof(wire), BPF_ANY);
	if (error)
		return hf_bpf_refused(problem, "cannot set the rule", -error);
	return resolve_cgroups(host, problem);
}

/* Ask only the processes that matter, where a guess need not be proved wrong. */
static void narrow_owners(struct bpf_host *host)
{
	const struct hf_match *match = &host->selection.rule.match;
	struct hf_control *control = &host->bpf->bss->control;

	if (match->fields & HF_MATCH_PID)
		control->task = match->pid;
	if (match->fields & HF_MATCH_PROCESS)
		memcpy(control->process, match->process, sizeof(control->process));
}

/* The pass over the open files of one process. */
static struct bpf_link *attach_owners(struct bpf_host *host, uint32_t process)
{
	union bpf_iter_link_info info = { .task.pid = process };
	LIBBPF_OPTS(bpf_iter_attach_opts, only, .link_info = &info, .link_info_len = sizeof(info));

	return bpf_program__attach_iter(host->bpf->progs.hf_owners_pass, &only);
}

static int attach_passes(struct bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	host->sweep = bpf_program__attach_iter(host->bpf->progs.hf_sweep, NULL);
	if (!host->sweep)
		return hf_bpf_refused(problem, "cannot attach the pass over sockets", errno);
	if (!needs_owners_pass(host) || host->run)
		return 0;
	if (!bpf_program__autoload(host->bpf->progs.hf_owners_pass))
		return host->bpf->bss->control.by_owner ?
			       hf_problem_set(problem, HF_EXIT_MISSING, "choose by address instead",
					      "this kernel does not tell who holds a connection") :
			       0;
	if (use != HF_USE_WATCH)
		narrow_owners(host);
	if (host->bpf->bss->control.task && !host->all_netns)
		host->owners = attach_owners(host, host->bpf->bss->control.task);
	if (!host->owners) /* kernels before 6.1 take no pid: the program itself leaves others out */
		host->owners = bpf_program__attach_iter(host->bpf->progs.hf_owners_pass, NULL);
	if (!host->owners)
		return hf_bpf_refused(problem, "cannot attach the pass over owners", errno);
	return 0;
}

/* The pinned map; -1 = a fresh one is to be pinned (makes) or kept private. */
static int recall(struct bpf_host *host, bool makes)
{
	struct hf_problem problem = {};

	host->place = hf_memory_place(makes, &problem);
	if (host->place >= 0)
		return hf_memory_get(host->place);
	if (makes)
		hf_host_warn(&host->front, "what is done will not be remembered: %.200s; %.200s",
			     problem.what, problem.mend);
	return -1;
}

static bool is_any(const struct hf_prefix *prefix)
{
	return !(prefix->mask.word[0] | prefix->mask.word[1]) && !prefix->port_first &&
	       prefix->port_last == UINT16_MAX;
}

/* A pass stays in its namespace: that condition need not be asked of each socket. */
static bool matches_all_visited(const struct hf_selection *selection)
{
	const struct hf_match *match = &selection->rule.match;

	return !selection->cgroup && is_any(&match->local) && is_any(&match->remote) &&
	       !match->fields && !match->states && !match->family && !match->direction;
}

static int become_watcher(struct bpf_host *host, struct hf_problem *problem)
{
	if (host->place < 0)
		return 0;
	host->watcher = hf_watcher_become(host->place);
	if (host->watcher >= 0)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED,
			      "end the other one, or give it the wider policy",
			      host->watcher == -EWOULDBLOCK ? "another watcher is running" :
							      "cannot lock the memory");
}

/* Modes that the passes of a use may have; the verifier is spared the others. */
static unsigned int modes_of(enum hf_use use)
{
	static const unsigned int modes[] = {
		[HF_USE_LOOK] = HF_MODE_SHOW,
		[HF_USE_RESTORE] = HF_MODE_RESTORE | HF_MODE_NEWS,
		[HF_USE_ACT] = HF_MODE_ACT | HF_MODE_REPORT | HF_MODE_NEWS,
		[HF_USE_WATCH] = HF_MODE_ACT | HF_MODE_TEND | HF_MODE_DISARM | HF_MODE_RESTORE |
				 HF_MODE_NEWS,
		[HF_USE_RUN] = HF_MODE_ACT | HF_MODE_TEND | HF_MODE_DISARM,
	};

	return modes[use];
}

/* What a watch goes without, because the kernel refused it. */
static void warn_of_lacks(struct bpf_host *host)
{
	const struct {
		const struct bpf_program *program;
		const char *lack;
	} lacks[] = {
		{ host->bpf->progs.hf_owners_pass, "who holds a connection is not known" },
		{ host->bpf->progs.hf_sock_create, "who makes a connection is not known at once" },
		{ host->bpf->progs.hf_setsockopt, "weaker values that a program sets later stand "
						  "until the next pass" },
	};

	for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++)
		if (!bpf_program__autoload(lacks[i].program))
			hf_host_warn(&host->front, "%s", lacks[i].lack);
}

static int load(struct bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	bool makes = use == HF_USE_ACT || use == HF_USE_WATCH;
	struct hf_load load = {
		.programs = HF_PROGRAM_SWEEP,
		.memory = use == HF_USE_RUN ? -1 : recall(host, makes),
		.modes = modes_of(use),
		.any = matches_all_visited(&host->selection),
		.audits = host->selection.audits,
		.gathers = host->selection.gathers,
	};
	int failed;

	load.remembers = use != HF_USE_LOOK;
	if (load.memory >= 0 && (load.audits || (load.gathers & HF_GATHER_MEMORY)))
		load.remembers = true;
	if (needs_owners_pass(host))
		load.programs |= HF_PROGRAM_OWNERS;
	if (use == HF_USE_WATCH || use == HF_USE_RUN)
		load.programs |= HF_PROGRAMS_STEER;
	failed = use == HF_USE_WATCH && become_watcher(host, problem) ?
			 -1 :
			 hf_bpf_load(&host->bpf, &load, problem);
	if (load.memory >= 0)
		close(load.memory);
	else if (!failed && makes && host->place >= 0 &&
		 hf_memory_pin(host->place, bpf_map__fd(host->bpf->maps.memory)))
		hf_host_warn(&host->front, "what is done will not be remembered: %s",
			     strerror(errno));
	if (!failed && use == HF_USE_WATCH)
		warn_of_lacks(host);
	return failed;
}

static void unsteer(struct hf_host *front)
{
	struct bpf_host *host = of(front);

	for (size_t i = 0; i < sizeof(host->steering) / sizeof(*host->steering); i++) {
		bpf_link__destroy(host->steering[i]);
		host->steering[i] = NULL;
	}
	for (size_t i = 0; i < sizeof(host->traced) / sizeof(*host->traced); i++) {
		bpf_link__destroy(host->traced[i]);
		host->traced[i] = NULL;
	}
}

static void close_host(struct hf_host *front)
{
	struct bpf_host *host = of(front);

	unsteer(front);
	ring_buffer__free(host->ring);
	bpf_link__destroy(host->sweep);
	bpf_link__destroy(host->owners);
	holdfast_bpf__destroy(host->bpf);
	hf_netns_list_close(&host->netns);
	if (host->watcher >= 0)
		close(host->watcher);
	if (host->place >= 0)
		close(host->place);
	if (host->cgroup_root >= 0)
		close(host->cgroup_root);
	free(host);
}

static int open_host(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		     struct hf_problem *problem)
{
	struct bpf_host *host = calloc(1, sizeof(*host));

	if (!host)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	host->selection = *selection;
	host->place = host->watcher = host->netns.own_fd = host->cgroup_root = host->group = -1;
	host->run = use == HF_USE_RUN;
	host->all_netns = selection->netns && !strcmp(selection->netns, "all");
	if (hf_netns_list_open(&host->netns, selection->netns, problem) ||
	    load(host, use, problem) || set_rule(host, problem) ||
	    attach_passes(host, use, problem)) {
		close_host(&host->front);
		return -1;
	}
	*out = &host->front;
	return 0;
}

static const struct hf_counters *counters_of(const struct hf_host *front)
{
	return &((const struct bpf_host *)front)->bpf->bss->counters;
}

static bool armed(const struct hf_host *front)
{
	const struct bpf_host *host = (const struct bpf_host *)front;

	return host->watcher >= 0 || (host->place >= 0 && hf_watcher_lives(host->place));
}

static const char *cgroup_of(struct hf_host *front, uint64_t id)
{
	struct bpf_host *host = of(front);

	if (host->cgroup_id == id && id)
		return host->cgroup_path;
	if (!id || cgroup_root(host) < 0 ||
	    hf_cgroup_path(host->cgroup_root, id, host->cgroup_path, sizeof(host->cgroup_path)))
		return NULL;
	host->cgroup_id = id;
	return host->cgroup_path;
}

static int drain(struct bpf_link *link, hf_stream_fn take, void *arg, struct hf_problem *problem)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	int result, error = 0;

	if (fd < 0)
		return hf_bpf_refused(problem, "cannot start a pass", errno);
	result = hf_stream_read(fd, take, arg, &error);
	if (error)
		hf_bpf_refused(problem, "cannot read a pass", error);
	close(fd);
	return result;
}

static size_t take_netns(void *arg, char *bytes, size_t size, int *result)
{
	struct bpf_host *host = arg;
	struct hf_wire_netns found;
	size_t taken = 0;

	(void)result;
	for (; size - taken >= sizeof(found); taken += sizeof(found)) {
		memcpy(&found, bytes + taken, sizeof(found));
		hf_netns_add_of_socket(&host->netns, found.pid, (int)found.fd); /* may be gone */
	}
	return taken;
}

/* Its connections, and the namespace that it is in; it may be gone meanwhile. */
static int ask_process(void *arg, pid_t process)
{
	struct bpf_host *host = arg;
	struct bpf_link *owners;
	char path[64];
	int netns;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)process);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns >= 0)
		hf_netns_add(&host->netns, netns);
	owners = attach_owners(host, (uint32_t)process);
	if (!owners)
		return 0;
	drain(owners, take_netns, host, NULL);
	bpf_link__destroy(owners);
	return 0;
}

static int find_owners(struct bpf_host *host, struct hf_problem *problem)
{
	struct hf_control *control = &host->bpf->bss->control;
	uint8_t known = 1;

	control->find_netns = host->all_netns || host->run;
	control->netns = host->netns.entry[0].inum; /* what is asked for, where it is not all */
	if (!needs_owners_pass(host))
		return 0;
	if (host->run) {
		control->held_since = control->pass;
		return hf_group_each(host->group, ask_process, host);
	}
	if (!host->owners)
		return 0; /* refused by the kernel */
	for (size_t i = 0; host->all_netns && i < host->netns.count; i++)
		bpf_map__update_elem(host->bpf->maps.known_netns, &host->netns.entry[i].inum,
				     sizeof(uint32_t), &known, sizeof(known), BPF_ANY);
	return drain(host->owners, take_netns, host, problem);
}

struct records {
	hf_record_fn fn;
	void *arg;
};

static size_t take_records(void *arg, char *bytes, size_t size, int *result)
{
	const struct records *records = arg;
	const struct hf_record *record;
	size_t taken, length;

	for (taken = 0; !*result && size - taken >= HF_RECORD_SHORT; taken += length) {
		record = (const struct hf_record *)(bytes + taken);
		length = record->flags & HF_RECORD_LONG ? sizeof(*record) : HF_RECORD_SHORT;
		if (size - taken < length)
			break;
		*result = records->fn ? records->fn(records->arg, record) : 0;
	}
	return taken;
}
static_assert(sizeof(struct hf_record) <= HF_STREAM_KEPT, "a record may lie across two reads");

static void reset_counters(struct hf_counters *counters)
{
	counters->visited = counters->matched = counters->standing = counters->waiting = 0;
	counters->later = 0;
	memset(counters->outcome, 0, sizeof(counters->outcome));
}

static void set_control(struct bpf_host *host, unsigned int mode)
{
	const uint32_t judged = HF_STATES_JUDGED;
	const uint32_t held = judged | 1u << HF_FIN_WAIT1 | 1u << HF_CLOSING | 1u << HF_LAST_ACK;
	struct hf_control *control = &host->bpf->bss->control;
	const struct hf_counters *before = &host->bpf->bss->counters;

	if (!bpf_program__autoload(host->bpf->progs.hf_setsockopt))
		mode &= ~HF_MODE_TEND; /* what it would clamp is for the passes to find */
	control->mode = mode;
	if (mode & HF_MODE_DISARM)
		control->held_since = 0; /* whoever holds it by now */
	control->look_close = before->standing || before->armed != host->armed;
	host->armed = before->armed;
	control->pass++;
	control->states = host->selection.states ? host->selection.states : held;
	control->arms = armed(&host->front);
	control->provisional = host->watcher >= 0;
}

static int in_netns(struct bpf_host *host, size_t i, hf_netns_fn fn, void *arg,
		    struct hf_problem *problem)
{
	bool foreign = host->all_netns || host->selection.netns || i > 0;
	int result;

	if (foreign && hf_netns_enter(&host->netns, i, problem))
		return host->run ? 0 : -1; /* a program may go where we may not follow */
	result = fn(arg, host->netns.entry[i].inum);
	if (foreign && hf_netns_leave(&host->netns) && !result)
		result = hf_problem_set(problem, HF_EXIT_FAILED, NULL,
					"cannot come back from a network namespace");
	return result;
}

static int each_netns(struct hf_host *front, hf_netns_fn fn, void *arg, struct hf_problem *problem)
{
	struct bpf_host *host = of(front);
	int result = 0;

	for (size_t i = 0; !result && i < host->netns.count; i++)
		result = in_netns(host, i, fn, arg, problem);
	return result;
}

struct sweep {
	struct bpf_host *host;
	struct records records;
	struct hf_problem *problem;
};

static int sweep_netns(void *arg, uint32_t netns)
{
	struct sweep *sweep = arg;

	sweep->host->bpf->bss->control.netns = netns;
	return drain(sweep->host->sweep, take_records, &sweep->records, sweep->problem);
}

/* Where the kernel refuses a pass the callbacks of open sockets, tracepoints stand in for them. */
static void trace_unheard(struct bpf_host *host)
{
	struct bpf_program *program[] = { host->bpf->progs.hf_traced_state,
					  host->bpf->progs.hf_traced_retransmit };

	if (!host->bpf->bss->counters.unheard || !host->steering[1] || host->traced[0])
		return;
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++)
		if (bpf_program__autoload(program[i]))
			host->traced[i] = bpf_program__attach_trace(program[i]);
}

static int pass(struct hf_host *front, unsigned int mode, hf_record_fn fn, void *arg,
		struct hf_problem *problem)
{
	struct bpf_host *host = of(front);
	struct sweep sweep = { host, { fn, arg }, problem };
	int result = 0;

	set_control(host, mode);
	reset_counters(&host->bpf->bss->counters);
	if (resolve_cgroups(host, problem))
		return -1;
	if (host->all_netns)
		hf_netns_refresh(&host->netns);
	if (mode & HF_MODE_OWNERS)
		result = find_owners(host, problem);
	if (!result)
		result = each_netns(front, sweep_netns, &sweep, problem);
	trace_unheard(host);
	return result;
}

static int steer(struct hf_host *front, int cgroup, struct hf_problem *problem)
{
	struct bpf_host *host = of(front);
	struct bpf_program *program[] = {
		host->bpf->progs.hf_sock_create, /* first: sockops finds what it stored */
		host->bpf->progs.hf_sockops,
		host->bpf->progs.hf_setsockopt,
	};

	host->bpf->bss->control.provisional = 1;
	host->group = cgroup;
	if (cgroup < 0)
		cgroup = cgroup_root(host);
	if (cgroup < 0)
		return hf_problem_set(problem, HF_EXIT_MISSING,
				      "mount it: mount -t cgroup2 none DIR",
				      "no cgroup2 hierarchy: %s", strerror(-cgroup));
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++) {
		if (!bpf_program__autoload(program[i]))
			continue;
		host->steering[i] = bpf_program__attach_cgroup(program[i], cgroup);
		if (!host->steering[i])
			return hf_bpf_refused(problem, "cannot attach to the cgroup", errno);
	}
	return 0;
}

static void confine(struct hf_host *front, bool paths)
{
	struct bpf_host *host = of(front);
	uint64_t kept = 0;

	if (paths && cgroup_root(host) >= 0)
		kept |= HF_CAPABILITY(CAP_DAC_READ_SEARCH);
	if (host->selection.gathers & HF_GATHER_NUMBERS)
		kept |= HF_CAPABILITY(CAP_NET_RAW) | HF_CAPABILITY(CAP_NET_ADMIN);
	if (host->selection.netns)
		kept |= HF_CAPABILITY(CAP_SYS_ADMIN);
	if (host->all_netns)
		kept |= HF_CAPABILITY(CAP_SYS_PTRACE) | HF_CAPABILITY(CAP_NET_ADMIN);
	hf_privileges_keep(kept);
}

static int hear_event(void *arg, void *data, size_t size)
{
	struct bpf_host *host = arg;

	if (size >= sizeof(struct hf_wire_event))
		host->event_fn(host->event_arg, data);
	return 0;
}

static int event_fd(const struct hf_host *front)
{
	struct bpf_host *host = of((struct hf_host *)front);

	if (!host->ring)
		host->ring = ring_buffer__new(bpf_map__fd(host->bpf->maps.events), hear_event, host,
					      NULL);
	return host->ring ? ring_buffer__epoll_fd(host->ring) : -ENOMEM;
}

static int read_events(struct hf_host *front, hf_wire_event_fn fn, void *arg)
{
	struct bpf_host *host = of(front);

	host->event_fn = fn;
	host->event_arg = arg;
	return ring_buffer__consume(host->ring);
}

const struct hf_backend hf_backend_bpf = {
	.name = "bpf",
	.uses = ~0u,
	.gathers = ~0u,
	.open = open_host,
	.close = close_host,
	.pass = pass,
	.each_netns = each_netns,
	.counters = counters_of,
	.armed = armed,
	.cgroup = cgroup_of,
	.steer = steer,
	.unsteer = unsteer,
	.confine = confine,
	.event_fd = event_fd,
	.read_events = read_events,
};
