/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All processes that hold a socket, where a pass tells the lowest only. */
#ifndef HF_HOST_HOLDERS_H
#define HF_HOST_HOLDERS_H

#include <stddef.h>

#include "host/bpf/wire.h"

struct hf_holder {
	uint32_t pid;
	char process[HF_PROCESS_NAME]; /* its group leader's name */
};

/*
 * The processes that hold the socket of this inode number, by ascending pid; those only that this process may look into
 * (CAP_SYS_PTRACE: all). Returns how many there are, of which `most` at most are filled.
 */
size_t hf_holders_find(uint32_t inode, struct hf_holder *out, size_t most);

#endif
