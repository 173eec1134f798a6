/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: bpf_setsockopt of all five options works from iter/tcp on open sockets, and so does
 * TCP_BPF_SOCK_OPS_CB_FLAGS: sockops then hears of state changes of sockets older than itself.
 */
#include "fact.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "iter_settings.skel.h"

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
	struct iter_settings_bpf *skel = iter_settings_bpf__open_and_load();
	struct fact_pair pairs[FACT_FAMILIES];
	struct bpf_link *link;
	int cgroup;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	for (int i = 0; i < FACT_FAMILIES; i++)
		pairs[i] = fact_connect(i);
	MUST(bpf_program__attach_cgroup(skel->progs.on_state, cgroup) ? 0 : -1);
	link = bpf_program__attach_iter(skel->progs.set_open, NULL);
	MUST(link ? 0 : -1);
	fact_iter_drain(fact_iter_create(link));
	for (int i = 0; i < FACT_FAMILIES; i++)
		fact_saw(all_set(pairs[i].client) && all_set(pairs[i].server), "%s: both ends set",
			 fact_family_names[i]);
	fact_saw(skel->bss->sockets == 6 && !skel->bss->refused && !skel->bss->callbacks_refused,
		 "%d sockets, %d options refused, %d callback flags refused", skel->bss->sockets,
		 skel->bss->refused, skel->bss->callbacks_refused);

	close(pairs[0].client);
	close(pairs[0].server);
	fact_sleep(0.2);
	fact_saw(skel->bss->closes == 2, "%d closes of older sockets heard of", skel->bss->closes);
	iter_settings_bpf__destroy(skel);
	return fact_end();
}
