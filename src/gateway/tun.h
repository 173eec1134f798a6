/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device through which segments are sent, as if they had arrived from the far side: the kernel
 * does NAT, routing and neighbours. It goes when its descriptor is closed, however that happens.
 */
#ifndef HF_GATEWAY_TUN_H
#define HF_GATEWAY_TUN_H

#include <stddef.h>

#include "host/problem.h"

#define HF_TUN_NAME "holdfast"

struct hf_tun {
	int fd; /* -1 = none */
	unsigned int index;
};

/*
 * Make the device in this network namespace, with an address of its own (169.254.77.1/32), loose
 * source validation, forwarding. -1 with HF_EXIT_MISSING, or HF_EXIT_FAILED where another gateway
 * has it.
 */
int hf_tun_open(struct hf_tun *tun, struct hf_problem *problem);
void hf_tun_close(struct hf_tun *tun);

/* 0 or -errno. */
int hf_tun_send(const struct hf_tun *tun, const void *packet, size_t size);

#endif
