/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: clock_getres(CLOCK_MONOTONIC_COARSE) is the length of a jiffy, so it tells in what unit the
 * kernel keeps its times (HZ), which no other interface does everywhere.
 */
#include "fact.h"

#include <math.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "jiffy.skel.h"

int main(void)
{
	struct jiffy_bpf *skel = jiffy_bpf__open_and_load();
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts);
	unsigned long long before;
	struct timespec res;
	double start, hz, measured;
	int fd;

	MUST(skel ? 0 : -1);
	fd = bpf_program__fd(skel->progs.read_jiffies);
	MUST(bpf_prog_test_run_opts(fd, &opts));
	before = skel->bss->jiffies;
	start = fact_now();
	fact_sleep(2);
	MUST(bpf_prog_test_run_opts(fd, &opts));
	measured = (skel->bss->jiffies - before) / (fact_now() - start);
	MUST(clock_getres(CLOCK_MONOTONIC_COARSE, &res));
	hz = 1e9 / res.tv_nsec;
	fact_saw(res.tv_sec == 0 && fabs(measured / hz - 1) < 0.02,
		 "resolution %ld ns, so HZ %.0f; jiffies counted: %.1f a second", res.tv_nsec, hz,
		 measured);
	jiffy_bpf__destroy(skel);
	return fact_end();
}
