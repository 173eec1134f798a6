/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a pinned SK_STORAGE map keeps its values after the process that made it was killed, as do
 * the settings it wrote; its sockops link is gone with it.
 */
#define _GNU_SOURCE
#include "fact.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "storage_pinned.skel.h"

#define PIN "/tmp/memory" /* on a bpffs that only this process's mount namespace has */

static void create_and_die(int cgroup, struct fact_pair *pair, int ready)
{
	struct storage_pinned_bpf *skel = storage_pinned_bpf__open_and_load();
	int value = 4711;

	MUST(skel ? 0 : -1);
	MUST(bpf_map__pin(skel->maps.memory, PIN));
	MUST(bpf_program__attach_cgroup(skel->progs.on_established, cgroup) ? 0 : -1);
	fact_join(pair, FACT_IPV4);
	MUST(bpf_map_update_elem(bpf_map__fd(skel->maps.memory), &pair->client, &value, BPF_ANY));
	MUST(write(ready, "", 1));
	pause();
}

int main(void)
{
	struct fact_pair pair, after;
	int ready[2], value = 0, map, cgroup, idle;
	pid_t child;
	char byte;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mount("bpf", "/tmp", "bpf", 0, NULL));
	cgroup = fact_cgroup();
	fact_namespace();
	pair = fact_listen(FACT_IPV4);
	MUST(pipe(ready));
	child = MUST(fork());
	if (!child) {
		create_and_die(cgroup, &pair, ready[1]);
		_exit(1);
	}
	close(ready[1]);
	MUST(read(ready[0], &byte, 1) == 1 ? 0 : -1);
	MUST(kill(child, SIGKILL));
	waitpid(child, NULL, 0);

	map = MUST(bpf_obj_get(PIN));
	MUST(bpf_map_lookup_elem(map, &pair.client, &value));
	fact_saw(value == 4711, "value %d found after SIGKILL", value);
	idle = fact_get(pair.client, IPPROTO_TCP, TCP_KEEPIDLE);
	fact_saw(idle == 41, "settings stay: idle %d", idle);
	after = fact_connect(FACT_IPV4);
	idle = fact_get(after.client, IPPROTO_TCP, TCP_KEEPIDLE);
	fact_saw(idle == 7200, "the link is gone: idle of a new connection %d", idle);
	return fact_end();
}
