/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the gateway's filter and user space share. */
#ifndef HF_HOST_BPF_ANSWERS_H
#define HF_HOST_BPF_ANSWERS_H

#include <stdint.h>

#define HF_ANSWERS_SNAP 128 /* bytes of a packet: two headers with all their options */

/*
 * Source and destination of a packet as it arrives: as struct hf_table_key has them, IPv4 mapped,
 * addresses in network order, ports in the host's.
 */
struct hf_answer_key {
	uint32_t address[2][4];
	uint16_t port[2];
};

/*
 * What is looked for: how many keys fall into each cell, in memory that both sides share, so that
 * it takes no system call. What falls into one by chance comes up, too, and is dropped there.
 */
#define HF_ANSWERS_CELLS (UINT32_C(1) << 20)
#define HF_ANSWERS_FULL 255 /* so many or more: it stays so */

static inline uint32_t hf_answer_cell(const struct hf_answer_key *key, uint32_t seed)
{
	uint32_t cell = seed ^ ((uint32_t)key->port[0] << 16 | key->port[1]);

	for (unsigned int i = 0; i < 8; i++) {
		cell = (cell ^ key->address[i / 4][i % 4]) * UINT32_C(0x9e3779b1);
		cell ^= cell >> 15;
	}
	cell *= UINT32_C(0x85ebca6b);
	return (cell ^ cell >> 13) & (HF_ANSWERS_CELLS - 1);
}

#endif
