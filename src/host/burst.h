/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes in bursts. The kernel's timers fire on a grid, so that the probes of many connections
 * leave many at a time; loopback and veth drop what is beyond net.core.netdev_max_backlog without
 * telling TCP, which counts the dropped probe as unanswered. (Real devices tell: the probe is
 * then repeated and not counted.)
 */
#ifndef HF_HOST_BURST_H
#define HF_HOST_BURST_H

#include <stdbool.h>
#include <stdint.h>

#include <holdfast/settings.h>

#include "host/bpf/wire.h"

/*
 * What net.core.netdev_max_backlog ought to be for so many connections under these settings; 0 if
 * it suffices as it is. spread: passes with HF_MODE_SPREAD keep their probes apart.
 */
uint32_t hf_burst_backlog(uint64_t connections, const struct hf_settings *settings, bool spread);

/* Seconds until so many are due (hf_counters) that they are to be spread; UINT32_MAX = none are. */
uint32_t hf_burst_due(const uint32_t due[HF_DUE_SLOTS]);

#endif
