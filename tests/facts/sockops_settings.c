/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a sockops program at a cgroup sets all five options of both ends as a connection is
 * established: IPv4, IPv6 and v4-mapped, in a child cgroup, in any network namespace, and for a
 * listener made before it was attached. It reads what was there before (sysctl defaults come
 * resolved), overwrites what a program set before connect, and what is set later wins.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <bpf/libbpf.h>

#include "sockops_settings.skel.h"

static bool all_set(int fd)
{
	return fact_get(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
	       fact_get(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 41 &&
	       fact_get(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 7 &&
	       fact_get(fd, IPPROTO_TCP, TCP_KEEPCNT) == 5 &&
	       fact_get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 9000;
}

int main(void)
{
	struct sockops_settings_bpf *skel = sockops_settings_bpf__open_and_load();
	struct fact_pair pair, early[FACT_FAMILIES];
	int cgroup;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	for (int i = 0; i < FACT_FAMILIES; i++)
		early[i] = fact_listen(i);
	MUST(bpf_program__attach_cgroup(skel->progs.on_established, cgroup) ? 0 : -1);
	for (int i = 0; i < FACT_FAMILIES; i++) {
		fact_join(&early[i], i);
		fact_saw(all_set(early[i].client) && all_set(early[i].server), "%s: both ends set",
			 fact_family_names[i]);
	}
	fact_saw(skel->bss->idle_before == 7200 && skel->bss->interval_before == 75 &&
			 skel->bss->count_before == 9,
		 "defaults read as %d/%d/%d", skel->bss->idle_before, skel->bss->interval_before,
		 skel->bss->count_before);

	fact_namespace();
	pair = fact_listen(FACT_IPV4);
	fact_set(pair.client, IPPROTO_TCP, TCP_KEEPIDLE, 33);
	fact_join(&pair, FACT_IPV4);
	fact_saw(skel->bss->idle_before == 33 && all_set(pair.client) && all_set(pair.server),
		 "another namespace: both ends set, earlier idle %d overwritten",
		 skel->bss->idle_before);
	fact_set(pair.client, IPPROTO_TCP, TCP_KEEPIDLE, 20);
	fact_saw(fact_get(pair.client, IPPROTO_TCP, TCP_KEEPIDLE) == 20, "a later one wins");
	fact_saw(skel->bss->active == 4 && skel->bss->passive == 4 && !skel->bss->refused,
		 "%d active, %d passive, %d refused", skel->bss->active, skel->bss->passive,
		 skel->bss->refused);
	sockops_settings_bpf__destroy(skel);
	return fact_end();
}
