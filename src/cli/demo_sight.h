/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the demo sees of its connections from outside, as the kernel tells it: /proc only. */
#ifndef HF_CLI_DEMO_SIGHT_H
#define HF_CLI_DEMO_SIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hf_sight {
	bool established;	 /* so the client's kernel says */
	unsigned int unanswered; /* keepalive probes */
	int nat_left_s;		 /* life left of the NAT's entry; -1: it has none */
};

/* One connection of client through nat to address:port; 0 or -errno. */
int hf_sight_look(pid_t client, pid_t nat, const char *address, uint16_t port,
		  struct hf_sight *out);

/* Keepalive probes sent so far by everything in the namespace of pid. */
uint64_t hf_sight_probes(pid_t pid);

#endif
