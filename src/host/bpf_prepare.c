/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening by eBPF: which programs and which memory the use needs, the rule, the passes. */
#define _GNU_SOURCE
#include "host/bpf_host.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "host/bpf.h"
#include "host/cgroup.h"
#include "host/memory.h"

#include "holdfast.skel.h"

struct cgroups {
	struct cgroup {
		uint64_t id;
		bool matches;
	} * cgroup;
	size_t count, room;
};

static int add_cgroup(void *arg, uint64_t id, bool matches)
{
	struct cgroups *cgroups = arg;

	if (cgroups->count == cgroups->room) {
		size_t room = cgroups->room ? 2 * cgroups->room : 256;
		struct cgroup *grown = reallocarray(cgroups->cgroup, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		cgroups->cgroup = grown;
		cgroups->room = room;
	}
	cgroups->cgroup[cgroups->count++] = (struct cgroup){ id, matches };
	return 0;
}

static int compare_cgroups(const void *a, const void *b)
{
	uint64_t x = ((const struct cgroup *)a)->id, y = ((const struct cgroup *)b)->id;

	return x < y ? -1 : x > y;
}

static bool is_there(const void *arg, const uint64_t *id)
{
	const struct cgroups *cgroups = arg;
	const struct cgroup sought = { .id = *id };

	return bsearch(&sought, cgroups->cgroup, cgroups->count, sizeof(sought), compare_cgroups);
}

/* What came and went leaves the map first, to make room. */
static int tell_cgroups(int map, const struct cgroups *cgroups)
{
	int error = 0;

	qsort(cgroups->cgroup, cgroups->count, sizeof(*cgroups->cgroup), compare_cgroups);
	hf_bpf_keep_keys(map, is_there, cgroups);
	for (size_t i = 0; !error && i < cgroups->count; i++) {
		uint64_t rules = cgroups->cgroup[i].matches;

		error = bpf_map_update_elem(map, &cgroups->cgroup[i].id, &rules, BPF_ANY);
	}
	return error;
}

int hf_bpf_cgroup_root(struct hf_bpf_host *host)
{
	if (host->cgroup_root < 0)
		host->cgroup_root = hf_cgroup_root();
	return host->cgroup_root;
}

int hf_bpf_resolve_cgroups(struct hf_bpf_host *host, struct hf_problem *problem)
{
	struct cgroups cgroups = { 0 };
	int error;

	if (!host->selection.cgroup)
		return 0;
	error = hf_cgroup_glob(hf_bpf_cgroup_root(host), host->selection.cgroup, add_cgroup,
			       &cgroups);
	if (!error)
		error = tell_cgroups(host->bpf->cgroups, &cgroups);
	free(cgroups.cgroup);
	if (!error)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED, "give no --cgroup",
			      "cannot look up cgroups \"%s\": %s", host->selection.cgroup,
			      strerror(-error));
}

static bool wants_owners(const struct hf_bpf_host *host)
{
	return (host->selection.gathers & HF_GATHER_OWNER) ||
	       (host->selection.rule.match.fields & HF_MATCH_OWNER);
}

bool hf_bpf_needs_owners_pass(const struct hf_bpf_host *host)
{
	return wants_owners(host) || host->all_netns;
}

static int set_rule(struct hf_bpf_host *host, struct hf_problem *problem)
{
	struct hf_selection *selection = &host->selection;
	struct hf_wire_rule wire = { .rule = selection->rule };
	struct hf_control *control = host->bpf->control;
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
	control->audits = selection->audits;
	control->judge = selection->judge;
	error = bpf_map_update_elem(host->bpf->rules, &index, &wire, BPF_ANY);
	if (error)
		return hf_bpf_refused(problem, "cannot set the rule", -error);
	return hf_bpf_resolve_cgroups(host, problem);
}

/* Ask only the processes that matter, where a guess need not be proved wrong. */
static void narrow_owners(struct hf_bpf_host *host)
{
	const struct hf_match *match = &host->selection.rule.match;
	struct hf_control *control = host->bpf->control;

	if (match->fields & HF_MATCH_PID)
		control->task = match->pid;
	if (match->fields & HF_MATCH_PROCESS)
		memcpy(control->process, match->process, sizeof(control->process));
}

int hf_bpf_attach_owners(struct hf_bpf_host *host, uint32_t process)
{
	union bpf_iter_link_info info = { .task.pid = process };
	LIBBPF_OPTS(bpf_link_create_opts, only, .iter_info = process ? &info : NULL,
		    .iter_info_len = process ? sizeof(info) : 0);

	return bpf_link_create(host->bpf->owners, 0, BPF_TRACE_ITER, &only);
}

static int attach_passes(struct hf_bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	bool spreads = host->bpf->spread >= 0;

	host->sweep = bpf_link_create(host->bpf->sweep, 0, BPF_TRACE_ITER, NULL);
	if (spreads)
		host->spread = bpf_link_create(host->bpf->spread, 0, BPF_TRACE_ITER, NULL);
	if (host->sweep < 0 || (spreads && host->spread < 0))
		return hf_bpf_refused(problem, "cannot attach the pass over sockets", errno);
	if (!hf_bpf_needs_owners_pass(host) || host->run)
		return 0;
	if (host->bpf->owners < 0)
		return host->bpf->control->by_owner ?
			       hf_problem_set(problem, HF_EXIT_MISSING, "choose by address instead",
					      "this kernel does not tell who holds a connection") :
			       0;
	if (use != HF_USE_WATCH)
		narrow_owners(host);
	if (host->bpf->control->task && !host->all_netns)
		host->owners = hf_bpf_attach_owners(host, host->bpf->control->task);
	/* Kernels before 6.1 take no pid: the program itself leaves others out. */
	if (host->owners < 0)
		host->owners = hf_bpf_attach_owners(host, 0);
	if (host->owners < 0)
		return hf_bpf_refused(problem, "cannot attach the pass over owners", errno);
	return 0;
}

static bool wants_memory(const struct hf_bpf_host *host)
{
	return host->selection.audits || (host->selection.gathers & HF_GATHER_MEMORY);
}

static bool makes_memory(enum hf_use use)
{
	return use == HF_USE_ACT || use == HF_USE_WATCH;
}

/* The pinned map or -1; where one may be that cannot be had, *problem says why. */
static int find_memory(struct hf_bpf_host *host, bool makes, struct hf_problem *problem)
{
	int map;

	host->place = hf_memory_place(makes, problem);
	if (host->place < 0)
		return -1;
	map = hf_memory_get(host->place);
	if (map == -ENOSYS)
		hf_bpf_refused(problem, "no eBPF to look up what was done", ENOSYS);
	else if (map < 0 && map != -ENOENT)
		hf_problem_set(problem, HF_EXIT_FAILED, "see who may read the bpffs",
			       "cannot open the memory of what was done: %s", strerror(-map));
	return map;
}

/* *map gets the pinned map; -1 = a fresh one is to be pinned or kept private. */
static int recall(struct hf_bpf_host *host, enum hf_use use, int *map, struct hf_problem *problem)
{
	struct hf_problem lack = {};

	*map = -1;
	if (use == HF_USE_RUN)
		return 0;
	*map = find_memory(host, makes_memory(use), &lack);
	host->front.blind = lack.exit != HF_EXIT_DONE;
	if (!host->front.blind)
		return 0;
	if (use == HF_USE_RESTORE) {
		*problem = lack;
		return -1;
	}
	if (makes_memory(use))
		hf_host_warn(&host->front, "what is done will not be remembered: %.200s; %.200s",
			     lack.what, lack.mend);
	else if (wants_memory(host))
		hf_host_warn(&host->front, "rules are not known: %.200s; %.200s", lack.what,
			     lack.mend);
	return 0;
}

/* Pin a fresh memory, or take the one that somebody else pinned meanwhile. */
static int memorize(struct hf_bpf_host *host, struct hf_problem *problem)
{
	int error = hf_memory_pin(host->place, host->bpf->memory);
	int pinned = error == -EEXIST ? hf_memory_get(host->place) : -1;
	int failed;

	if (error && pinned < 0)
		hf_host_warn(&host->front, "what is done will not be remembered: %s",
			     strerror(-error));
	failed = hf_bpf_use_memory(host->bpf, pinned < 0 ? host->bpf->memory : pinned, problem);
	if (pinned >= 0)
		close(pinned);
	return failed;
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

static int become_watcher(struct hf_bpf_host *host, struct hf_problem *problem)
{
	if (host->place < 0)
		return 0;
	host->watcher = hf_watcher_become(host->place);
	if (host->watcher >= 0)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED, HF_MEND_WATCHER,
			      host->watcher == -EWOULDBLOCK ? HF_ANOTHER_WATCHER :
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
static void warn_of_lacks(struct hf_bpf_host *host)
{
	const struct {
		const struct bpf_program *program;
		const char *lack;
	} lacks[] = {
		{ host->bpf->whole->progs.hf_owners_pass, "who holds a connection is not known" },
		{ host->bpf->whole->progs.hf_sock_create,
		  "who makes a connection is not known at once" },
		{ host->bpf->whole->progs.hf_setsockopt,
		  "weaker values that a program sets later stand "
		  "until the next pass" },
	};

	for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++)
		if (!bpf_program__autoload(lacks[i].program))
			hf_host_warn(&host->front, "%s", lacks[i].lack);
}

static int load(struct hf_bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	struct hf_load load = {
		.programs = HF_PROGRAM_SWEEP,
		.fixed.modes = modes_of(use),
		.fixed.any = matches_all_visited(&host->selection),
		.fixed.audits = host->selection.audits,
		.fixed.gathers = host->selection.gathers,
		.fixed.tells = host->tells,
		.fixed.owners = wants_owners(host) && !host->tells,
	};
	bool asks_memory = use != HF_USE_LOOK || wants_memory(host);
	bool fresh;
	int failed;

	if (host->tells)
		load.fixed.gathers |= HF_GATHER_COOKIE;
	if (recall(host, use, &load.memory, problem))
		return -1;
	if (load.memory >= 0 && !asks_memory) { /* to put it in place takes a grace period */
		close(load.memory);
		load.memory = -1;
	}
	fresh = load.memory < 0 && makes_memory(use) && host->place >= 0;
	load.fixed.pinned = load.memory >= 0 || fresh;
	load.fixed.remembers = use != HF_USE_LOOK || load.memory >= 0;
	if (hf_bpf_needs_owners_pass(host))
		load.programs |= HF_PROGRAM_OWNERS;
	if (use == HF_USE_WATCH || use == HF_USE_RUN)
		load.programs |= HF_PROGRAMS_STEER | HF_PROGRAM_SPREAD;
	failed = use == HF_USE_WATCH && become_watcher(host, problem) ?
			 -1 :
			 hf_bpf_load(&host->bpf, &load, problem);
	if (load.memory >= 0)
		close(load.memory);
	else if (!failed && fresh)
		failed = memorize(host, problem);
	if (!failed && use == HF_USE_WATCH)
		warn_of_lacks(host);
	return failed;
}

/* Tells what we hold from what an earlier watcher left: chance is enough. */
static uint32_t watcher_mark(void)
{
	uint32_t mark = 0;

	if (getrandom(&mark, sizeof(mark), 0) != sizeof(mark))
		mark = (uint32_t)getpid() << 16;
	mark &= HF_MEMORY_WATCHER;
	return mark ? mark : HF_MEMORY_WATCHER;
}

int hf_bpf_prepare(struct hf_bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	host->tells = use == HF_USE_LOOK && hf_bpf_needs_owners_pass(host) &&
		      !(host->selection.rule.match.fields & HF_MATCH_OWNER);
	if (load(host, use, problem) || set_rule(host, problem))
		return -1;
	if (use == HF_USE_WATCH || use == HF_USE_RUN)
		host->bpf->control->watcher = watcher_mark();
	return attach_passes(host, use, problem);
}
