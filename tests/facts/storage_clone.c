/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: what cgroup/sock_create stores about the process in an SK_STORAGE map with BPF_F_CLONE is
 * found by sockops on the connecting socket and on the accepted one (whose maker is its
 * listener's). group_leader->comm names the process, the current comm only the thread.
 */
#define _GNU_SOURCE
#include "fact.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "storage_clone.h"
#include "storage_clone.skel.h"

static void *connect_in_thread(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "pool-thread-7");
	fact_connect(FACT_IPV4);
	return NULL;
}

static void look(const char *name, const struct maker *maker)
{
	fact_saw(maker->tgid == (unsigned int)getpid() && maker->uid == getuid() && maker->cgroup &&
			 !strcmp(maker->thread, "pool-thread-7") &&
			 !strncmp(maker->process, program_invocation_short_name, 15),
		 "%s: pid %s, uid %u, cgroup %llu, thread \"%s\", process \"%s\"", name,
		 maker->tgid == (unsigned int)getpid() ? "ours" : "another", maker->uid,
		 maker->cgroup, maker->thread, maker->process);
}

int main(void)
{
	struct storage_clone_bpf *skel = storage_clone_bpf__open_and_load();
	pthread_t thread;
	int cgroup;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	MUST(bpf_program__attach_cgroup(skel->progs.on_create, cgroup) ? 0 : -1);
	MUST(bpf_program__attach_cgroup(skel->progs.on_established, cgroup) ? 0 : -1);
	MUST(-pthread_create(&thread, NULL, connect_in_thread, NULL));
	pthread_join(thread, NULL);
	look("connecting", &skel->bss->active);
	look("accepted", &skel->bss->passive);
	storage_clone_bpf__destroy(skel);
	return fact_end();
}
