/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel counted of TCP in network namespaces, from one look to the next. */
#ifndef HF_HOST_NETSTAT_H
#define HF_HOST_NETSTAT_H

#include <stddef.h>
#include <stdint.h>

struct hf_netstat_place;

/* Begin with a zeroed one; the counts grow from the second look at a namespace on. */
struct hf_netstat {
	uint64_t probes;   /* TCPKeepAlive: keepalive probes sent */
	uint64_t timeouts; /* TCPAbortOnTimeout: connections, and attempts at one, given up */
	struct hf_netstat_place *place;
	size_t places;
};

/* Look at the namespace that the thread is in; netns: its inode number. 0 or -errno. */
int hf_netstat_look(struct hf_netstat *netstat, uint32_t netns);
void hf_netstat_free(struct hf_netstat *netstat);

#endif
