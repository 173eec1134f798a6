/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: iter/tcp and iter/task_file can both create SK_STORAGE on the sockets they meet, so that
 * one leaves there what the other wants (the owner). User space reads it by the socket's
 * descriptor. A socket's cookie is 0 until somebody asks for it.
 */
#include "fact.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "iter_storage.h"
#include "iter_storage.skel.h"

static void sweep(struct bpf_program *program)
{
	union bpf_iter_link_info info = { .task.pid = getpid() };
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	struct bpf_link *link;

	if (strstr(bpf_program__name(program), "file")) {
		opts.link_info = &info;
		opts.link_info_len = sizeof(info);
	}
	link = bpf_program__attach_iter(program, &opts);
	MUST(link ? 0 : -1);
	fact_iter_drain(fact_iter_create(link));
	bpf_link__destroy(link);
}

int main(void)
{
	struct iter_storage_bpf *skel = iter_storage_bpf__open_and_load();
	unsigned long long cookie;
	socklen_t length = sizeof(cookie);
	struct note client, server;
	struct fact_pair pair;
	int map;

	MUST(skel ? 0 : -1);
	map = bpf_map__fd(skel->maps.notes);
	fact_namespace();
	pair = fact_connect(FACT_IPV4);
	MUST(getsockopt(pair.server, SOL_SOCKET, SO_COOKIE, &cookie, &length));
	sweep(skel->progs.from_socket);
	MUST(bpf_map_lookup_elem(map, &pair.client, &client));
	fact_saw(client.from_socket == 1 && !client.from_file, "iter/tcp creates");
	sweep(skel->progs.from_file);
	MUST(bpf_map_lookup_elem(map, &pair.client, &client));
	MUST(bpf_map_lookup_elem(map, &pair.server, &server));
	fact_saw(client.from_socket == 1 && client.from_file == 1 &&
			 client.fd == (unsigned int)pair.client &&
			 client.tgid == (unsigned int)getpid(),
		 "iter/task_file finds the same storage: fd %u, pid %s", client.fd,
		 client.tgid == (unsigned int)getpid() ? "ours" : "another");
	MUST(bpf_map_delete_elem(map, &pair.client));
	sweep(skel->progs.from_file);
	MUST(bpf_map_lookup_elem(map, &pair.client, &client));
	fact_saw(!client.from_socket && client.from_file == 1, "and creates it");
	fact_saw(!client.cookie && server.cookie == cookie,
		 "cookie 0 where nobody asked, right where somebody did");
	iter_storage_bpf__destroy(skel);
	return fact_end();
}
