/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little internet of the demo, each host a network namespace without a name:
 *
 *	client 192.168.77.2 --- NAT (forgets after 6 s, strict) --+-- server 203.0.113.2
 *								  +-- server 203.0.113.6
 *								  +-- ... one for each act
 */
#ifndef HF_CLI_DEMO_WORLD_H
#define HF_CLI_DEMO_WORLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "host/problem.h"

#define HF_WORLD_SERVERS 4
#define HF_WORLD_NAT_FORGETS_S 6

struct hf_world {
	pid_t client; /* the processes that hold the namespaces */
	pid_t nat;
	pid_t servers[HF_WORLD_SERVERS];
};

/* Build it; 0 or -1. Whatever the outcome, hf_world_close takes down what is there. */
int hf_world_open(struct hf_world *world, struct hf_problem *problem);
void hf_world_close(struct hf_world *world);

/* "203.0.113.2"; in static storage, until the next call. */
const char *hf_world_address(unsigned int server);

/* The server's cable to the world: power off and on, once its programs are ended. */
int hf_world_server_link(const struct hf_world *world, unsigned int server, bool up,
			 struct hf_problem *problem);

/* From now on the NAT passes nothing on, in silence, and keeps its table; then again all. */
int hf_world_break(const struct hf_world *world, struct hf_problem *problem);
int hf_world_heal(const struct hf_world *world, struct hf_problem *problem);

#endif
