/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a cgroup/setsockopt program can rewrite the value that a program sets, let a stricter one
 * pass, and set other options of the same socket from inside (bpf_setsockopt).
 */
#include "fact.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <bpf/libbpf.h>

#include "cgroup_setsockopt.skel.h"

int main(void)
{
	struct cgroup_setsockopt_bpf *skel = cgroup_setsockopt_bpf__open_and_load();
	struct fact_pair pair;
	int cgroup, got;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	pair = fact_connect(FACT_IPV4);
	MUST(bpf_program__attach_cgroup(skel->progs.clamp, cgroup) ? 0 : -1);
	fact_set(pair.server, IPPROTO_TCP, TCP_KEEPIDLE, 300);
	got = fact_get(pair.server, IPPROTO_TCP, TCP_KEEPIDLE);
	fact_saw(got == 10, "300 became %d", got);
	got = fact_get(pair.server, IPPROTO_TCP, TCP_KEEPINTVL);
	fact_saw(got == 7 && !skel->bss->inside_refused, "interval set from inside: %d", got);
	fact_set(pair.server, IPPROTO_TCP, TCP_KEEPIDLE, 5);
	got = fact_get(pair.server, IPPROTO_TCP, TCP_KEEPIDLE);
	fact_saw(got == 5, "5 stayed %d", got);
	fact_set(pair.server, SOL_SOCKET, SO_KEEPALIVE, 1);
	fact_saw(fact_get(pair.server, SOL_SOCKET, SO_KEEPALIVE) == 1, "other options pass");
	cgroup_setsockopt_bpf__destroy(skel);
	return fact_end();
}
