/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection tracking table's own view of sequence numbers: it sees all that passes, so what
 * lies far from it was never sent by the end that it claims to come from. By eBPF; where the
 * kernel has no such look-up (before 5.18), or refuses it, nothing is denied.
 */
#ifndef HF_GATEWAY_TRACKED_H
#define HF_GATEWAY_TRACKED_H

#include <holdfast/segment.h>

struct hf_tracked;

/* NULL: refused, errno says why. */
struct hf_tracked *hf_tracked_open(void);
void hf_tracked_close(struct hf_tracked **tracked);

/*
 * Is the segment, as it arrives here, none of its source's? It is so if one of its numbers lies
 * outside of the window, either way, as the table has it now. Not in any doubt: no such entry, one
 * that was taken up in the middle or fell out of step, numbers that are not held to.
 * What lies within the window cannot be told from the end's own. tracked may be NULL.
 */
bool hf_tracked_denies(struct hf_tracked *tracked, const struct hf_segment *segment);

#endif
