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
	int map;
	uint64_t *ids;
	size_t count, room;
};

static int add_cgroup(void *arg, uint64_t id, bool matches)
{
	struct cgroups *cgroups = arg;
	uint64_t rules = matches;

	if (cgroups->count == cgroups->room) {
		size_t room = cgroups->room ? 2 * cgroups->room : 256;
		uint64_t *grown = reallocarray(cgroups->ids, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		cgroups->ids = grown;
		cgroups->room = room;
	}
	cgroups->ids[cgroups->count++] = id;
	return bpf_map_update_elem(cgroups->map, &id, &rules, BPF_ANY);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The map would fill with cgroups that came and went. */
static void forget_removed(struct cgroups *cgroups)
{
	uint64_t id, *before = NULL;

	qsort(cgroups->ids, cgroups->count, sizeof(id), compare_ids);
	while (!bpf_map_get_next_key(cgroups->map, before, &id)) {
		before = bsearch(&id, cgroups->ids, cgroups->count, sizeof(id), compare_ids);
		if (!before)
			bpf_map_delete_elem(cgroups->map, &id);
	}
}

int hf_bpf_cgroup_root(struct hf_bpf_host *host)
{
	if (host->cgroup_root < 0)
		host->cgroup_root = hf_cgroup_root();
	return host->cgroup_root;
}

int hf_bpf_resolve_cgroups(struct hf_bpf_host *host, struct hf_problem *problem)
{
	struct cgroups cgroups = { .map = bpf_map__fd(host->bpf->maps.cgroups) };
	int error;

	if (!host->selection.cgroup)
		return 0;
	error = hf_cgroup_glob(hf_bpf_cgroup_root(host), host->selection.cgroup, add_cgroup,
			       &cgroups);
	if (!error)
		forget_removed(&cgroups);
	free(cgroups.ids);
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
	return hf_bpf_resolve_cgroups(host, problem);
}

/* Ask only the processes that matter, where a guess need not be proved wrong. */
static void narrow_owners(struct hf_bpf_host *host)
{
	const struct hf_match *match = &host->selection.rule.match;
	struct hf_control *control = &host->bpf->bss->control;

	if (match->fields & HF_MATCH_PID)
		control->task = match->pid;
	if (match->fields & HF_MATCH_PROCESS)
		memcpy(control->process, match->process, sizeof(control->process));
}

struct bpf_link *hf_bpf_attach_owners(struct hf_bpf_host *host, uint32_t process)
{
	union bpf_iter_link_info info = { .task.pid = process };
	LIBBPF_OPTS(bpf_iter_attach_opts, only, .link_info = &info, .link_info_len = sizeof(info));

	return bpf_program__attach_iter(host->bpf->progs.hf_owners_pass, &only);
}

static int attach_passes(struct hf_bpf_host *host, enum hf_use use, struct hf_problem *problem)
{
	struct bpf_program *spread = host->bpf->progs.hf_spread;

	host->sweep = bpf_program__attach_iter(host->bpf->progs.hf_sweep, NULL);
	if (bpf_program__autoload(spread))
		host->spread = bpf_program__attach_iter(spread, NULL);
	if (!host->sweep || (bpf_program__autoload(spread) && !host->spread))
		return hf_bpf_refused(problem, "cannot attach the pass over sockets", errno);
	if (!hf_bpf_needs_owners_pass(host) || host->run)
		return 0;
	if (!bpf_program__autoload(host->bpf->progs.hf_owners_pass))
		return host->bpf->bss->control.by_owner ?
			       hf_problem_set(problem, HF_EXIT_MISSING, "choose by address instead",
					      "this kernel does not tell who holds a connection") :
			       0;
	if (use != HF_USE_WATCH)
		narrow_owners(host);
	if (host->bpf->bss->control.task && !host->all_netns)
		host->owners = hf_bpf_attach_owners(host, host->bpf->bss->control.task);
	if (!host->owners) /* kernels before 6.1 take no pid: the program itself leaves others out */
		host->owners = bpf_program__attach_iter(host->bpf->progs.hf_owners_pass, NULL);
	if (!host->owners)
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
static int memorize(struct hf_bpf_host *host, struct hf_load *load, struct hf_problem *problem)
{
	int error = hf_memory_pin(host->place, bpf_map__fd(host->bpf->maps.memory));
	int failed;

	if (error == -EEXIST)
		load->memory = hf_memory_get(host->place);
	if (load->memory < 0) {
		if (error)
			hf_host_warn(&host->front, "what is done will not be remembered: %s",
				     strerror(-error));
		return 0;
	}
	holdfast_bpf__destroy(host->bpf);
	host->bpf = NULL;
	failed = hf_bpf_load(&host->bpf, load, problem);
	close(load->memory);
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
		{ host->bpf->progs.hf_owners_pass, "who holds a connection is not known" },
		{ host->bpf->progs.hf_sock_create, "who makes a connection is not known at once" },
		{ host->bpf->progs.hf_setsockopt, "weaker values that a program sets later stand "
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
		.modes = modes_of(use),
		.any = matches_all_visited(&host->selection),
		.audits = host->selection.audits,
		.gathers = host->selection.gathers,
	};
	int failed;

	if (recall(host, use, &load.memory, problem))
		return -1;
	load.remembers = use != HF_USE_LOOK;
	if (load.memory >= 0 && wants_memory(host))
		load.remembers = true;
	if (hf_bpf_needs_owners_pass(host))
		load.programs |= HF_PROGRAM_OWNERS;
	if (use == HF_USE_WATCH || use == HF_USE_RUN)
		load.programs |= HF_PROGRAMS_STEER | HF_PROGRAM_SPREAD;
	failed = use == HF_USE_WATCH && become_watcher(host, problem) ?
			 -1 :
			 hf_bpf_load(&host->bpf, &load, problem);
	if (load.memory >= 0)
		close(load.memory);
	else if (!failed && makes_memory(use) && host->place >= 0)
		failed = memorize(host, &load, problem);
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
	if (load(host, use, problem) || set_rule(host, problem))
		return -1;
	if (use == HF_USE_WATCH || use == HF_USE_RUN)
		host->bpf->bss->control.watcher = watcher_mark();
	return attach_passes(host, use, problem);
}
