/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/bpf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/privileges.h"

#include "holdfast.skel.h"

/* libbpf's own advice ("raise ulimit -l") misleads: it speaks only when asked to. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	const char *debug = getenv("HOLDFAST_DEBUG");

	if (!debug || !*debug || level == LIBBPF_DEBUG)
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

static void set_constants(struct holdfast_bpf *bpf, const struct hf_load *load)
{
	unsigned int hz = hf_bpf_hz();

	bpf->rodata->hf_jiffy_ms = ((1000ull << HF_JIFFY_MS_BITS) + hz - 1) / hz;
	bpf->rodata->hf_jiffy_s = ((1ull << HF_JIFFY_S_BITS) + hz - 1) / hz;
	bpf->rodata->hf_modes = load->modes;
	bpf->rodata->hf_any = load->any;
	bpf->rodata->hf_audits = load->audits;
	bpf->rodata->hf_remembers = load->remembers;
	bpf->rodata->hf_gathers = load->gathers;
}

/* Some programs are refused by another errno than EPERM where a capability lacks. */
static int reason(int error)
{
	char lacking[HF_LACKING_TEXT];

	hf_privileges_lacking(lacking);
	return *lacking ? EPERM : error;
}

static int load_programs(struct holdfast_bpf **out, const struct hf_load *load,
			 unsigned int programs, struct hf_problem *problem)
{
	struct holdfast_bpf *bpf;
	int error;

	libbpf_set_print(print_libbpf);
	bpf = holdfast_bpf__open();
	if (!bpf) {
		hf_bpf_refused(problem, "cannot open the eBPF programs", errno);
		return -1;
	}
	set_constants(bpf, load);
	choose_programs(bpf, programs);
	if (load->memory >= 0 && bpf_map__reuse_fd(bpf->maps.memory, load->memory)) {
		holdfast_bpf__destroy(bpf);
		hf_problem_set(problem, HF_EXIT_FAILED,
			       "restore with the version that made it, then remove it",
			       "the pinned memory is another version's");
		return -1;
	}
	error = -holdfast_bpf__load(bpf);
	if (error) {
		holdfast_bpf__destroy(bpf);
		hf_bpf_refused(problem, "the kernel refused the eBPF programs", reason(error));
		return -1;
	}
	*out = bpf;
	return 0;
}

/* Of the programs asked for, those needed in any case and those that load by themselves. */
static unsigned int loadable(const struct hf_load *load)
{
	unsigned int optional = load->programs & HF_PROGRAMS_OPTIONAL;
	unsigned int programs = load->programs & ~optional;
	struct holdfast_bpf *bpf;

	for (unsigned int program = 1; program <= optional; program <<= 1) {
		if (!(optional & program) || load_programs(&bpf, load, program, NULL))
			continue;
		holdfast_bpf__destroy(bpf);
		programs |= program;
	}
	return programs;
}

int hf_bpf_load(struct holdfast_bpf **out, const struct hf_load *load, struct hf_problem *problem)
{
	if (!load_programs(out, load, load->programs, problem))
		return 0;
	if (!(load->programs & HF_PROGRAMS_OPTIONAL) || !(load->programs & ~HF_PROGRAMS_OPTIONAL))
		return -1;
	return load_programs(out, load, loadable(load), problem);
}
