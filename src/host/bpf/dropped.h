/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is noted of the gateway's packets that this machine dropped: by their addresses and ports. */
#ifndef HF_HOST_BPF_DROPPED_H
#define HF_HOST_BPF_DROPPED_H

#include "host/bpf/answers.h"

#define HF_DROPPED_FLOWS 65536 /* the latest */
#define HF_DROPPED_TIMES 32    /* more than one dialogue sends; a power of two */

struct hf_dropped {
	uint32_t count;
	uint32_t at_ms[HF_DROPPED_TIMES]; /* CLOCK_MONOTONIC, a ring */
};

#endif
