/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The backend by eBPF: opening and closing it, new connections, events, privileges. */
#include "host/bpf_host.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/bpf.h"
#include "host/cgroup.h"
#include "host/memory.h"
#include "host/privileges.h"

#include "holdfast.skel.h"

static void unsteer(struct hf_host *front)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);

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
	struct hf_bpf_host *host = hf_bpf_host_of(front);
	const int passes[] = { host->sweep, host->spread, host->owners };

	unsteer(front);
	ring_buffer__free(host->ring);
	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes); i++)
		if (passes[i] >= 0)
			close(passes[i]);
	hf_bpf_unload(&host->bpf);
	hf_netns_list_close(&host->netns);
	hf_owners_free(&host->told);
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
	struct hf_bpf_host *host = calloc(1, sizeof(*host));

	if (!host)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	host->selection = *selection;
	host->place = host->watcher = host->netns.own_fd = host->cgroup_root = host->group = -1;
	host->sweep = host->spread = host->owners = -1;
	host->run = use == HF_USE_RUN;
	host->all_netns = selection->netns && !strcmp(selection->netns, "all");
	if (hf_netns_list_open(&host->netns, selection->netns, problem) ||
	    hf_bpf_prepare(host, use, problem)) {
		close_host(&host->front);
		return -1;
	}
	*out = &host->front;
	return 0;
}

static const struct hf_counters *counters_of(const struct hf_host *front)
{
	return hf_bpf_host_of(front)->bpf->counters;
}

bool hf_bpf_armed(const struct hf_host *front)
{
	const struct hf_bpf_host *host = hf_bpf_host_of(front);

	return host->watcher >= 0 || (host->place >= 0 && hf_watcher_lives(host->place));
}

static const char *cgroup_of(struct hf_host *front, uint64_t id)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);

	if (host->cgroup_id == id && id)
		return host->cgroup_path;
	if (!id || hf_bpf_cgroup_root(host) < 0 ||
	    hf_cgroup_path(host->cgroup_root, id, host->cgroup_path, sizeof(host->cgroup_path)))
		return NULL;
	host->cgroup_id = id;
	return host->cgroup_path;
}

static int steer(struct hf_host *front, int cgroup, struct hf_problem *problem)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);
	struct bpf_program *program[] = {
		host->bpf->whole->progs.hf_sock_create, /* first: sockops finds what it stored */
		host->bpf->whole->progs.hf_sockops,
		host->bpf->whole->progs.hf_setsockopt,
	};

	host->bpf->control->provisional = 1;
	host->group = cgroup;
	if (cgroup < 0)
		cgroup = hf_bpf_cgroup_root(host);
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
	struct hf_bpf_host *host = hf_bpf_host_of(front);
	uint64_t kept = 0;

	if (host->watcher >= 0) /* elsewhere milliseconds are dear, and it is over by itself */
		hf_bpf_settle(host->bpf);
	if (paths && hf_bpf_cgroup_root(host) >= 0)
		kept |= HF_CAPABILITY(CAP_DAC_READ_SEARCH);
	if (host->selection.gathers & HF_GATHER_NUMBERS)
		kept |= HF_CAPABILITY(CAP_NET_RAW) | HF_CAPABILITY(CAP_NET_ADMIN);
	if (host->selection.netns)
		kept |= HF_CAPABILITY(CAP_SYS_ADMIN);
	if (host->run) /* its processes may go anywhere, and make cgroups of other users */
		kept |= HF_CAPABILITY(CAP_SYS_ADMIN) | HF_CAPABILITY(CAP_DAC_OVERRIDE);
	if (host->all_netns || host->run)
		kept |= HF_CAPABILITY(CAP_SYS_PTRACE) | HF_CAPABILITY(CAP_NET_ADMIN);
	hf_privileges_keep(kept);
}

static int hear_event(void *arg, void *data, size_t size)
{
	struct hf_bpf_host *host = arg;

	if (size >= sizeof(struct hf_wire_event))
		host->event_fn(host->event_arg, data);
	return 0;
}

static int event_fd(const struct hf_host *front)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);

	if (!host->ring)
		host->ring = ring_buffer__new(bpf_map__fd(host->bpf->whole->maps.events),
					      hear_event, host, NULL);
	return host->ring ? ring_buffer__epoll_fd(host->ring) : -ENOMEM;
}

static int read_events(struct hf_host *front, hf_wire_event_fn fn, void *arg)
{
	struct hf_bpf_host *host = hf_bpf_host_of(front);

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
	.pass = hf_bpf_pass,
	.each_netns = hf_bpf_each_netns,
	.counters = counters_of,
	.armed = hf_bpf_armed,
	.cgroup = cgroup_of,
	.steer = steer,
	.unsteer = unsteer,
	.confine = confine,
	.event_fd = event_fd,
	.read_events = read_events,
};
