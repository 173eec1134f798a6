/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: iter/tcp shows TIME_WAIT entries too, for which bpf_skc_to_tcp_sock gives NULL. Which
 * network namespace it walks is fixed when the iterator is created, not when its link is made
 * or when it is read.
 */
#define _GNU_SOURCE
#include "fact.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "iter_sockets.skel.h"

int main(void)
{
	struct iter_sockets_bpf *skel = iter_sockets_bpf__open_and_load();
	struct bpf_link *link;
	struct fact_pair pair;
	int here, iterator;

	MUST(skel ? 0 : -1);
	fact_namespace();
	here = MUST(open("/proc/self/ns/net", O_RDONLY));
	fact_connect(FACT_IPV4);
	pair = fact_connect(FACT_IPV4);
	close(pair.client); /* closes first: its side waits */
	close(pair.server);

	fact_namespace(); /* no sockets here */
	link = bpf_program__attach_iter(skel->progs.count, NULL);
	MUST(link ? 0 : -1);
	fact_iter_drain(fact_iter_create(link));
	fact_saw(!skel->bss->full[TCP_LISTEN] && !skel->bss->full[TCP_ESTABLISHED],
		 "created in an empty namespace: nothing");

	MUST(setns(here, CLONE_NEWNET));
	iterator = fact_iter_create(link);
	fact_namespace();
	fact_iter_drain(iterator);
	fact_saw(skel->bss->full[TCP_LISTEN] == 2 && skel->bss->full[TCP_ESTABLISHED] == 2,
		 "created in another, read elsewhere: %d listeners, %d ends",
		 skel->bss->full[TCP_LISTEN], skel->bss->full[TCP_ESTABLISHED]);
	fact_saw(skel->bss->not_full[TCP_TIME_WAIT] == 1 && !skel->bss->full[TCP_TIME_WAIT],
		 "TIME_WAIT: %d, NULL as tcp_sock", skel->bss->not_full[TCP_TIME_WAIT]);
	iter_sockets_bpf__destroy(skel);
	return fact_end();
}
