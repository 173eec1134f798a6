/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hf_host_warn(struct hf_host *host, const char *format, ...)
{
	size_t length = strlen(host->warning), room = sizeof(host->warning) - length;
	va_list arguments;

	if (length)
		length += (size_t)snprintf(host->warning + length, room, "; ");
	if (length >= sizeof(host->warning))
		return;
	va_start(arguments, format);
	vsnprintf(host->warning + length, sizeof(host->warning) - length, format, arguments);
	va_end(arguments);
}

/* FNV-1a. */
uint64_t hf_rule_stamp(const struct hf_rule *rule)
{
	const struct {
		const void *bytes;
		size_t size;
	} part[] = {
		{ &rule->goals, sizeof(rule->goals) },
		{ &rule->settings, sizeof(rule->settings) },
		{ &rule->flags, sizeof(rule->flags) },
		{ rule->name, sizeof(rule->name) },
	};
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
		for (size_t j = 0; j < part[i].size; j++)
			hash = (hash ^ ((const uint8_t *)part[i].bytes)[j]) * 1099511628211u;
	return hash;
}

static int open_with(const struct hf_backend *backend, struct hf_host **out, enum hf_use use,
		     const struct hf_selection *selection, struct hf_problem *problem)
{
	if (backend->open(out, use, selection, problem))
		return -1;
	(*out)->backend = backend;
	return 0;
}

static bool can(const struct hf_backend *backend, enum hf_use use, uint32_t gathers)
{
	return (backend->uses >> use & 1) && !(gathers & ~backend->gathers);
}

int hf_host_open(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		 struct hf_problem *problem)
{
	struct hf_problem refused = { 0 };

	if (selection->backend != HF_BY_DIAG &&
	    !open_with(&hf_backend_bpf, out, use, selection, &refused))
		return 0;
	if (!can(&hf_backend_diag, use, selection->gathers)) {
		if (selection->backend == HF_BY_DIAG)
			return hf_problem_set(problem, HF_EXIT_MISSING, "without --backend",
					      "sock_diag does not tell what this command needs");
		*problem = refused;
		return -1;
	}
	if (selection->backend == HF_BY_BPF || (*refused.what && refused.exit != HF_EXIT_MISSING)) {
		*problem = refused;
		return -1;
	}
	if (open_with(&hf_backend_diag, out, use, selection, problem))
		return -1;
	if (*refused.what)
		hf_host_warn(*out, "without eBPF, by sock_diag: %s; `holdfast doctor` tells more",
			     refused.what);
	return 0;
}

void hf_host_close(struct hf_host **host)
{
	if (*host)
		(*host)->backend->close(*host);
	*host = NULL;
}

bool hf_host_polls(const struct hf_host *host)
{
	return host->backend->polls;
}

const char *hf_host_warning(const struct hf_host *host)
{
	return host->warning;
}

int hf_host_pass(struct hf_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		 struct hf_problem *problem)
{
	host->shut = 0;
	return host->backend->pass(host, mode, fn, arg, problem);
}

int hf_host_shut_out(struct hf_host *host, const struct hf_selection *selection,
		     const struct hf_problem *problem)
{
	bool all = selection->netns && !strcmp(selection->netns, "all");

	if (!all || !selection->in_reach || problem->exit != HF_EXIT_MISSING)
		return -1;
	host->shut++;
	return 0;
}

unsigned int hf_host_shut(const struct hf_host *host)
{
	return host->shut;
}

int hf_host_each_netns(struct hf_host *host, hf_netns_fn fn, void *arg, struct hf_problem *problem)
{
	return host->backend->each_netns(host, fn, arg, problem);
}

const struct hf_counters *hf_host_counters(const struct hf_host *host)
{
	return host->backend->counters(host);
}

bool hf_host_remembers(const struct hf_host *host)
{
	return !host->blind;
}

bool hf_host_armed(const struct hf_host *host)
{
	return host->backend->armed(host);
}

const char *hf_host_cgroup(struct hf_host *host, uint64_t id)
{
	return host->backend->cgroup(host, id);
}

int hf_host_steer(struct hf_host *host, int cgroup, struct hf_problem *problem)
{
	return host->backend->steer(host, cgroup, problem);
}

void hf_host_unsteer(struct hf_host *host)
{
	host->backend->unsteer(host);
}

void hf_host_confine(struct hf_host *host, bool paths)
{
	host->backend->confine(host, paths);
}

int hf_host_event_fd(const struct hf_host *host)
{
	return host->backend->event_fd(host);
}

int hf_host_read_events(struct hf_host *host, hf_wire_event_fn fn, void *arg)
{
	return host->backend->read_events(host, fn, arg);
}
