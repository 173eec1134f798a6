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
			"run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; "
			"`holdfast doctor` tells more",
			"%s: %s", what, strerror(error));
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return hf_problem_set(
			problem, HF_EXIT_MISSING,
			"use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 12's has it)",
			"%s: this kernel carries no BTF", what);
	return hf_problem_set(problem, HF_EXIT_MISSING,
			      "`holdfast doctor` tells what this kernel can do; HOLDFAST_DEBUG=1 "
			      "shows why it refused",
			      "%s: %s", what, strerror(error));
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
	bpf_program__set_autoload(bpf->progs.hf_owners_pass, programs & HF_PROGRAM_OWNERS);
	bpf_program__set_autoload(bpf->progs.hf_sockops, programs & HF_PROGRAM_SOCKOPS);
	bpf_program__set_autoload(bpf->progs.hf_sock_create, programs & HF_PROGRAM_SOCK_CREATE);
	bpf_program__set_autoload(bpf->progs.hf_setsockopt, programs & HF_PROGRAM_SETSOCKOPT);
	bpf_map__set_autocreate(bpf->maps.events, programs & HF_PROGRAM_SOCKOPS);
}

static void set_constants(struct holdfast_bpf *bpf, const struct hf_load *load)
{
	bpf->rodata->hf_hz = hf_bpf_hz();
	bpf->rodata->hf_acts = load->acts;
	bpf->rodata->hf_any = load->any;
	bpf->rodata->hf_audits = load->audits;
	bpf->rodata->hf_remembers = load->remembers;
}

int hf_bpf_load(struct holdfast_bpf **out, const struct hf_load *load, struct hf_problem *problem)
{
	struct holdfast_bpf *bpf;
	int error;

	libbpf_set_print(print_libbpf);
	bpf = holdfast_bpf__open();
	if (!bpf)
		return hf_bpf_refused(problem, "cannot open the eBPF programs", errno);
	set_constants(bpf, load);
	choose_programs(bpf, load->programs);
	if (load->memory >= 0 && bpf_map__reuse_fd(bpf->maps.memory, load->memory)) {
		holdfast_bpf__destroy(bpf);
		return hf_problem_set(problem, HF_EXIT_FAILED,
				      "restore with the version that made it, then remove it",
				      "the pinned memory is another version's");
	}
	error = -holdfast_bpf__load(bpf);
	if (error) {
		holdfast_bpf__destroy(bpf);
		return hf_bpf_refused(problem, "the kernel refused the eBPF programs", error);
	}
	*out = bpf;
	return 0;
}
