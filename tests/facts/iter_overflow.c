/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: when the buffer of an iterator is full, bpf_seq_write fails and the program runs again for
 * the same socket: what it counts or does must wait until the write succeeded.
 */
#include "fact.h"

#include <bpf/libbpf.h>

#include "iter_overflow.h"
#include "iter_overflow.skel.h"

#define PAIRS 100
#define SOCKETS (3 * PAIRS) /* each with its listener */

int main(void)
{
	struct iter_overflow_bpf *skel = iter_overflow_bpf__open_and_load();
	struct bpf_link *link;
	long bytes;

	MUST(skel ? 0 : -1);
	fact_namespace();
	for (int i = 0; i < PAIRS; i++)
		fact_connect(FACT_IPV4);
	link = bpf_program__attach_iter(skel->progs.dump, NULL);
	MUST(link ? 0 : -1);
	bytes = fact_iter_drain(fact_iter_create(link));
	fact_saw(skel->bss->runs > SOCKETS && skel->bss->again == skel->bss->runs - SOCKETS,
		 "%d sockets, %d runs, %d of them again for the same socket", SOCKETS,
		 skel->bss->runs, skel->bss->again);
	fact_saw(skel->bss->written == SOCKETS && bytes == SOCKETS * (long)sizeof(struct record),
		 "%d writes succeeded, %ld records read", skel->bss->written,
		 bytes / (long)sizeof(struct record));
	iter_overflow_bpf__destroy(skel);
	return fact_end();
}
