/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces: naming, finding and entering them. */
#ifndef HF_HOST_NETNS_H
#define HF_HOST_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/problem.h"

struct hf_netns {
	uint32_t inum; /* inode number of the nsfs file: what `ip netns` and lsns show */
	int fd;	       /* open nsfs file */
	bool seen;     /* in the last refresh */
	bool empty;    /* the caller's to set: holds no socket that matters */
};

struct hf_netns_list {
	struct hf_netns *entry;
	size_t count;
	int own_fd; /* the namespace of the caller, to come back to */
};

/*
 * which: NULL the caller's own; "all"; a name under /run/netns or /run/docker/netns; or a path
 * such as /proc/PID/ns/net. A namespace that is not there: -1 with HF_EXIT_USAGE. "all" finds
 * those of processes and of names; add others with hf_netns_add.
 */
int hf_netns_list_open(struct hf_netns_list *list, const char *which, struct hf_problem *problem);
void hf_netns_list_close(struct hf_netns_list *list);

/* Add the namespace behind fd (taken over, closed if known already). */
int hf_netns_add(struct hf_netns_list *list, int fd);

/* Add the namespace of socket socket_fd of process pid (SIOCGSKNS), for those nothing else holds. */
int hf_netns_add_of_socket(struct hf_netns_list *list, uint32_t pid, int socket_fd);

/*
 * Look again for those of processes and names. What is known stays open, so that a namespace held by
 * nothing but sockets is not lost, and is let go once it is empty. 0 or -errno (no descriptor left).
 */
int hf_netns_refresh(struct hf_netns_list *list);

/* NULL if it is not in the list. */
struct hf_netns *hf_netns_find(const struct hf_netns_list *list, uint32_t inum);

/* Is entry i the caller's own? That need not be entered, which wants CAP_SYS_ADMIN. */
bool hf_netns_is_own(const struct hf_netns_list *list, size_t i);

/* Enter entry i; hf_netns_leave goes back. Both -1 with a problem on failure. */
int hf_netns_enter(const struct hf_netns_list *list, size_t i, struct hf_problem *problem);
int hf_netns_leave(const struct hf_netns_list *list);

#endif
