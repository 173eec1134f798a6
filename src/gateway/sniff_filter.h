/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the traffic comes up: bare ACKs and RSTs, whole packets only. By eBPF only those of flows
 * that are listened for; without it all of them.
 */
#ifndef HF_GATEWAY_SNIFF_FILTER_H
#define HF_GATEWAY_SNIFF_FILTER_H

#include <stdbool.h>

#include "core/table.h"
#include "host/bpf/answers.h"

struct hf_sniff_filter;

/* Leaves out what comes in by the device with this index. NULL with errno. */
struct hf_sniff_filter *hf_sniff_filter_make(unsigned int own_device);
void hf_sniff_filter_free(struct hf_sniff_filter **filter);

/* To a packet socket of that family, not bound yet. 0, or -1 with errno. */
int hf_sniff_filter_attach(const struct hf_sniff_filter *filter, int fd, bool ipv6);

void hf_sniff_filter_listen(struct hf_sniff_filter *filter, const struct hf_table_key *key,
			    bool on);

/* Is it eBPF? 0, or the errno of the kernel's refusal. */
int hf_sniff_filter_refusal(const struct hf_sniff_filter *filter);

#endif
