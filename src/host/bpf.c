/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/bpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/privileges.h"

#include "holdfast.skel.h"
#include "passes.lskel.h"

static bool debugging(void)
{
	const char *debug = getenv("HOLDFAST_DEBUG");

	return debug && *debug;
}

/* libbpf's own advice ("raise ulimit -l") misleads: it speaks only when asked to. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (!debugging() || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, arguments);
}

int hf_bpf_refused(struct hf_problem *problem, const char *what, int error)
{
	if (error == EPERM || error == EACCES)
		return hf_problem_set(
			problem, HF_EXIT_MISSING,
			"run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON" HF_SEE_DOCTOR,
			"%s: %s", what, strerror(error));
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return hf_problem_set(
			problem, HF_EXIT_MISSING,
			"use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 12's has it)",
			"%s: this kernel carries no BTF", what);
	return hf_problem_set(problem, HF_EXIT_MISSING,
			      "HOLDFAST_DEBUG=1 shows why it refused" HF_SEE_DOCTOR, "%s: %s", what,
			      strerror(error));
}

/* A coarse clock moves once a jiffy. */
unsigned int hf_bpf_hz(void)
{
	struct timespec jiffy;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy) || jiffy.tv_sec || jiffy.tv_nsec <= 0)
		return 250;
	return (unsigned int)((1000000000 + jiffy.tv_nsec / 2) / jiffy.tv_nsec);
}

static void choose_programs(struct holdfast_bpf *bpf, unsigned int programs)
{
	bpf_program__set_autoload(bpf->progs.hf_sweep, programs & HF_PROGRAM_SWEEP);
	bpf_program__set_autoload(bpf->progs.hf_spread, programs & HF_PROGRAM_SPREAD);
	bpf_program__set_autoload(bpf->progs.hf_owners_pass, programs & HF_PROGRAM_OWNERS);
	bpf_program__set_autoload(bpf->progs.hf_sockops, programs & HF_PROGRAM_SOCKOPS);
	bpf_program__set_autoload(bpf->progs.hf_sock_create, programs & HF_PROGRAM_SOCK_CREATE);
	bpf_program__set_autoload(bpf->progs.hf_setsockopt, programs & HF_PROGRAM_SETSOCKOPT);
	bpf_program__set_autoload(bpf->progs.hf_traced_state, programs & HF_PROGRAM_TRACED);
	bpf_program__set_autoload(bpf->progs.hf_traced_retransmit, programs & HF_PROGRAM_TRACED);
	bpf_map__set_autocreate(bpf->maps.events,
				programs & (HF_PROGRAM_SOCKOPS | HF_PROGRAM_TRACED));
	bpf_map__set_autocreate(bpf->maps.known_netns,
				programs & (HF_PROGRAM_OWNERS | HF_PROGRAM_SOCKOPS));
}

static struct hf_fixed fixed_for(const struct hf_load *load)
{
	unsigned int hz = hf_bpf_hz();
	struct hf_fixed fixed = load->fixed;

	fixed.jiffy_ms = ((1000ull << HF_JIFFY_MS_BITS) + hz - 1) / hz;
	fixed.jiffy_s = ((1ull << HF_JIFFY_S_BITS) + hz - 1) / hz;
	return fixed;
}

/* Some programs are refused by another errno than EPERM where a capability lacks. */
static int reason(int error)
{
	char lacking[HF_LACKING_TEXT];

	hf_privileges_lacking(lacking);
	return *lacking ? EPERM : error;
}

static int program_of(const struct bpf_program *program)
{
	return bpf_program__autoload(program) ? bpf_program__fd(program) : -1;
}

static void find_whole(struct hf_bpf *bpf)
{
	const struct holdfast_bpf *whole = bpf->whole;

	bpf->control = &whole->bss->control;
	bpf->counters = &whole->bss->counters;
	bpf->unwritten = &whole->bss->unwritten;
	bpf->sweep = program_of(whole->progs.hf_sweep);
	bpf->spread = program_of(whole->progs.hf_spread);
	bpf->owners = program_of(whole->progs.hf_owners_pass);
	bpf->memory = bpf_map__fd(whole->maps.memory);
	bpf->pinned = bpf_map__fd(whole->maps.pinned);
	bpf->rules = bpf_map__fd(whole->maps.rules);
	bpf->cgroups = bpf_map__fd(whole->maps.cgroups);
	bpf->known_netns = bpf_map__fd(whole->maps.known_netns);
}

static int load_whole(struct hf_bpf *bpf, const struct hf_load *load, unsigned int programs,
		      struct hf_problem *problem)
{
	struct holdfast_bpf *whole;
	int error;

	libbpf_set_print(print_libbpf);
	whole = holdfast_bpf__open();
	if (!whole)
		return hf_bpf_refused(problem, "cannot open the eBPF programs", errno);
	whole->rodata->fixed = fixed_for(load);
	choose_programs(whole, programs);
	error = -holdfast_bpf__load(whole);
	if (error) {
		holdfast_bpf__destroy(whole);
		return hf_bpf_refused(problem, "the kernel refused the eBPF programs",
				      reason(error));
	}
	bpf->whole = whole;
	find_whole(bpf);
	return 0;
}

static void find_passes(struct hf_bpf *bpf)
{
	const struct hf_passes *passes = bpf->passes;

	bpf->control = &passes->bss->control;
	bpf->counters = &passes->bss->counters;
	bpf->unwritten = &passes->bss->unwritten;
	bpf->sweep = passes->progs.hf_sweep.prog_fd;
	bpf->spread = -1;
	bpf->owners = passes->progs.hf_owners_pass.prog_fd;
	bpf->memory = passes->maps.memory.map_fd;
	bpf->pinned = passes->maps.pinned.map_fd;
	bpf->rules = passes->maps.rules.map_fd;
	bpf->cgroups = passes->maps.cgroups.map_fd;
	bpf->known_netns = passes->maps.known_netns.map_fd;
}

/* A hash table is laid out in full as it is made: what nobody asks for takes no room. */
static void keep_small(struct hf_passes *passes, const struct hf_load *load)
{
	if (load->fixed.any)
		passes->maps.listeners.max_entries = passes->maps.cgroups.max_entries = 1;
	if (!(load->programs & HF_PROGRAM_OWNERS)) /* nor all namespaces */
		passes->maps.known_netns.max_entries = 1;
}

/*
 * The quick way: a small eBPF program loads the passes, and the kernel itself looks its types up.
 * libbpf would read all of them, which takes longer than to list ten thousand sockets.
 */
static int load_passes(struct hf_bpf *bpf, const struct hf_load *load)
{
	struct hf_passes *passes = hf_passes__open();
	int error;

	if (!passes)
		return -1;
	passes->rodata->fixed = fixed_for(load);
	keep_small(passes, load);
	error = hf_passes__load(passes);
	if (error) {
		hf_passes__destroy(passes);
		if (debugging())
			fprintf(stderr, "no quick loading: %s\n", strerror(-error));
		return -1;
	}
	bpf->passes = passes;
	find_passes(bpf);
	return 0;
}

/* Of the programs asked for, those needed in any case and those that load by themselves. */
static unsigned int loadable(const struct hf_load *load)
{
	unsigned int optional = load->programs & HF_PROGRAMS_OPTIONAL;
	unsigned int programs = load->programs & ~optional;

	for (unsigned int program = 1; program <= optional; program <<= 1) {
		struct hf_bpf bpf = {};

		if (!(optional & program) || load_whole(&bpf, load, program, NULL))
			continue;
		holdfast_bpf__destroy(bpf.whole);
		programs |= program;
	}
	return programs;
}

/* Whatever refuses the quick way: libbpf tells why, and leaves out what can be done without. */
static int load_either(struct hf_bpf *bpf, const struct hf_load *load, struct hf_problem *problem)
{
	const unsigned int passes = HF_PROGRAM_SWEEP | HF_PROGRAM_OWNERS;

	if ((load->programs & HF_PROGRAM_SWEEP) && !(load->programs & ~passes) &&
	    !load_passes(bpf, load))
		return 0;
	if (!load_whole(bpf, load, load->programs, problem))
		return 0;
	if (!(load->programs & HF_PROGRAMS_OPTIONAL) || !(load->programs & ~HF_PROGRAMS_OPTIONAL))
		return -1;
	return load_whole(bpf, load, loadable(load), problem);
}

static void *put_in_place(void *arg)
{
	struct hf_bpf *bpf = arg;
	const uint32_t first = 0;

	bpf->refused = bpf_map_update_elem(bpf->pinned, &first, &bpf->place, BPF_ANY);
	return NULL;
}

int hf_bpf_use_memory(struct hf_bpf *bpf, int map, struct hf_problem *problem)
{
	const uint32_t first = 0;
	uint32_t id;

	bpf->place = map;
	if (pthread_create(&bpf->placer, NULL, put_in_place, bpf))
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot start a thread");
	bpf->places = true;
	while (bpf->places && bpf_map_lookup_elem(bpf->pinned, &first, &id)) {
		bpf->places = pthread_tryjoin_np(bpf->placer, NULL);
		sched_yield();
	}
	if (bpf->places || !bpf->refused)
		return 0;
	return hf_problem_set(problem, HF_EXIT_FAILED,
			      "restore with the version that made it, then remove it",
			      "the pinned memory is another version's");
}

int hf_bpf_load(struct hf_bpf **out, const struct hf_load *load, struct hf_problem *problem)
{
	struct hf_bpf *bpf = calloc(1, sizeof(*bpf));

	if (!bpf)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	if (load_either(bpf, load, problem) ||
	    (load->memory >= 0 && hf_bpf_use_memory(bpf, load->memory, problem))) {
		hf_bpf_unload(&bpf);
		return -1;
	}
	*out = bpf;
	return 0;
}

void hf_bpf_settle(struct hf_bpf *bpf)
{
	if (bpf->places)
		pthread_join(bpf->placer, NULL);
	bpf->places = false;
}

void hf_bpf_unload(struct hf_bpf **bpf)
{
	if (!*bpf)
		return;
	hf_bpf_settle(*bpf);
	if ((*bpf)->passes)
		hf_passes__destroy((*bpf)->passes);
	holdfast_bpf__destroy((*bpf)->whole);
	free(*bpf);
	*bpf = NULL;
}

void hf_bpf_keep_keys(int map, bool (*kept)(const void *arg, const uint64_t *key), const void *arg)
{
	uint64_t key = 0, next = 0;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!kept(arg, &key))
			bpf_map_delete_elem(map, &key);
	}
}
