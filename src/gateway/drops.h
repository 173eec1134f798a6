/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the gateway's own packets this machine has dropped: nobody was asked by them. */
#ifndef HF_GATEWAY_DROPS_H
#define HF_GATEWAY_DROPS_H

#include <holdfast/address.h>
#include <stdbool.h>
#include <stdint.h>

struct hf_drops;

/* Of packets that come in by the device with this index. NULL: the kernel does not tell, see errno. */
struct hf_drops *hf_drops_open(unsigned int own_device);
void hf_drops_close(struct hf_drops **drops);

/* Was anything dropped, ever? No system call. */
bool hf_drops_any(const struct hf_drops *drops);

/*
 * How many from this end to that one were dropped, as their headers were then; and count anew. No
 * system call where none ever was. drops may be NULL: none is known.
 */
uint32_t hf_drops_count(const struct hf_drops *drops, const struct hf_endpoint *from,
			const struct hf_endpoint *to);
void hf_drops_forget(const struct hf_drops *drops, const struct hf_endpoint *from,
		     const struct hf_endpoint *to);

#endif
