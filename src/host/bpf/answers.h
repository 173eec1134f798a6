/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the gateway's filter and user space share. */
#ifndef HF_HOST_BPF_ANSWERS_H
#define HF_HOST_BPF_ANSWERS_H

#include <stdint.h>

/* Two for each flow in dialogue. Memory is taken as they come. */
#define HF_ANSWERS_MAX (1 << 17)
#define HF_ANSWERS_SNAP 128 /* bytes of a packet: two headers with all their options */

/*
 * Source and destination of a packet as it arrives: as struct hf_table_key has them, IPv4 mapped,
 * addresses in network order, ports in the host's.
 */
struct hf_answer_key {
	uint32_t address[2][4];
	uint16_t port[2];
};

#endif
