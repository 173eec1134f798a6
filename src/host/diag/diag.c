/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The backend without eBPF: opening it, its events, its privileges. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/backend.h"
#include "host/cgroup.h"
#include "host/diag/pass.h"
#include "host/memory.h"
#include "host/privileges.h"

#define SLOWEST_LOOK_MS 30000
#define QUICKEST_LOOK_MS 1000

static struct hf_diag_host *of(const struct hf_host *front)
{
	return (struct hf_diag_host *)front;
}

static void close_host(struct hf_host *front)
{
	struct hf_diag_host *host = of(front);

	for (size_t i = 0; i < host->links; i++) {
		if (host->link[i].socket)
			mnl_socket_close(host->link[i].socket);
		if (host->link[i].ends)
			mnl_socket_close(host->link[i].ends);
	}
	free(host->link);
	hf_netns_list_close(&host->netns);
	hf_knowns_free(&host->knowns);
	if (host->cgroup_root >= 0)
		close(host->cgroup_root);
	if (host->event_fd >= 0)
		close(host->event_fd);
	if (host->watcher >= 0)
		close(host->watcher);
	free(host->cgroups);
	free(host->sighting);
	free(host->event);
	free(host);
}

/* Nobody stays to arm a user timeout in time: it stands, as with apply. */
static void set_rule(struct hf_diag_host *host)
{
	struct hf_rule *rule = &host->rule.rule;

	*rule = host->selection.rule;
	if (rule->flags & HF_RULE_ARM)
		rule->flags |= HF_RULE_FIXED_TIMEOUT;
	rule->flags &= ~(uint32_t)HF_RULE_ARM;
	if (host->selection.cgroup)
		rule->match.fields |= HF_MATCH_CGROUP;
	host->rule.stamp = hf_rule_stamp(rule);
}

static uint64_t look_every_ms(const struct hf_goals *goals)
{
	uint64_t ms = goals->dead_within_ms / 4;

	if (!ms || ms > SLOWEST_LOOK_MS)
		return SLOWEST_LOOK_MS;
	return ms < QUICKEST_LOOK_MS ? QUICKEST_LOOK_MS : ms;
}

static void warn(struct hf_diag_host *host)
{
	if (host->use == HF_USE_ACT)
		hf_host_warn(&host->front, "what is set now no `holdfast restore` can give back");
	if (host->use == HF_USE_WATCH)
		hf_host_warn(&host->front, "what is set now can be given back only by this watch, "
					   "with --restore; user timeouts stand, as with apply");
}

/* Where watchers of this user cannot meet, there may be several. */
static int become_watcher(struct hf_diag_host *host, struct hf_problem *problem)
{
	if (host->use != HF_USE_WATCH)
		return 0;
	host->watcher = hf_watcher_become_by_diag();
	if (host->watcher != -EWOULDBLOCK)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED, HF_MEND_WATCHER, HF_ANOTHER_WATCHER);
}

static int open_host(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		     struct hf_problem *problem)
{
	struct hf_diag_host *host = calloc(1, sizeof(*host));

	if (!host)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	host->selection = *selection;
	host->use = use;
	host->front.blind = true;
	host->all_netns = selection->netns && !strcmp(selection->netns, "all");
	host->cgroup_root = host->netns.own_fd = host->borrowing.pidfd = host->watcher = -1;
	host->look_every_ms = look_every_ms(&selection->rule.goals);
	host->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	set_rule(host);
	if (hf_netns_list_open(&host->netns, selection->netns, problem) ||
	    become_watcher(host, problem)) {
		close_host(&host->front);
		return -1;
	}
	warn(host);
	*out = &host->front;
	return 0;
}

static int pass(struct hf_host *front, unsigned int mode, hf_record_fn fn, void *arg,
		struct hf_problem *problem)
{
	return hf_diag_pass(of(front), mode, fn, arg, problem);
}

static int each_netns(struct hf_host *front, hf_netns_fn fn, void *arg, struct hf_problem *problem)
{
	struct hf_diag_host *host = of(front);
	int result = 0;

	for (size_t i = 0; !result && i < host->netns.count; i++)
		result = hf_diag_in_netns(host, i, fn, arg, problem);
	return result;
}

static const struct hf_counters *counters_of(const struct hf_host *front)
{
	return &of(front)->counters;
}

static bool armed(const struct hf_host *front)
{
	(void)front;
	return false;
}

static const char *cgroup_of(struct hf_host *front, uint64_t id)
{
	struct hf_diag_host *host = of(front);

	if (host->cgroup_id == id && id)
		return host->cgroup_path;
	host->cgroup_id = 0;
	if (!id || hf_diag_cgroup_root(host) < 0 ||
	    hf_cgroup_path(host->cgroup_root, id, host->cgroup_path, sizeof(host->cgroup_path)))
		return NULL;
	host->cgroup_id = id;
	return host->cgroup_path;
}

/* Passes find what is new. */
static int steer(struct hf_host *front, int cgroup, struct hf_problem *problem)
{
	(void)front;
	(void)cgroup;
	(void)problem;
	return 0;
}

static void unsteer(struct hf_host *front)
{
	(void)front;
}

/* Every pass looks into other users' processes. */
static void confine(struct hf_host *front, bool paths)
{
	struct hf_diag_host *host = of(front);
	uint64_t kept = HF_CAPABILITY(CAP_SYS_PTRACE) | HF_CAPABILITY(CAP_DAC_READ_SEARCH);

	if (paths || host->selection.cgroup)
		hf_diag_cgroup_root(host);
	if (host->selection.netns)
		kept |= HF_CAPABILITY(CAP_SYS_ADMIN);
	if (host->all_netns)
		kept |= HF_CAPABILITY(CAP_NET_ADMIN);
	hf_privileges_keep(kept);
}

static int event_fd(const struct hf_host *front)
{
	int fd = of(front)->event_fd;

	return fd < 0 ? -EMFILE : fd;
}

static int read_events(struct hf_host *front, hf_wire_event_fn fn, void *arg)
{
	struct hf_diag_host *host = of(front);
	int count = (int)host->events;
	eventfd_t ignored;

	eventfd_read(host->event_fd, &ignored);
	for (size_t i = 0; i < host->events; i++)
		fn(arg, &host->event[i]);
	host->events = 0;
	return count;
}

const struct hf_backend hf_backend_diag = {
	.name = "diag",
	.uses = 1u << HF_USE_LOOK | 1u << HF_USE_ACT | 1u << HF_USE_WATCH,
	.gathers = HF_GATHER_ALL | HF_GATHER_ORIGIN, /* which HF_RECORD_ORIGIN tells is not there */
	.polls = true,
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
