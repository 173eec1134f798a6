/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What loading wants, and giving up what is not needed any more. */
#ifndef HF_HOST_PRIVILEGES_H
#define HF_HOST_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#define HF_CAPABILITY(number) (1ull << (number))
#define HF_LACKING_TEXT 64

/* The names of the capabilities that eBPF wants and this process lacks; "" = it has them all. */
void hf_privileges_lacking(char text[HF_LACKING_TEXT]);

/* Is this capability (CAP_...) in force for this thread? */
bool hf_privileges_have(unsigned int capability);

/*
 * Of the capabilities that this thread has, keep those in the set (HF_CAPABILITY(CAP_...) | ...);
 * so do threads made later. For good. A system that forbids even this is let have its way.
 */
void hf_privileges_keep(uint64_t capabilities);

#endif
