/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes in bursts. The kernel's timers fire on a grid, so that the probes of many connections
 * leave many at a time; loopback and veth drop what is beyond net.core.netdev_max_backlog without
 * telling TCP, which counts the dropped probe as unanswered. (Real devices tell: the probe is
 * then repeated and not counted.)
 */
#ifndef HF_HOST_BURST_H
#define HF_HOST_BURST_H

#include <stdint.h>

#include <holdfast/settings.h>

/*
 * What net.core.netdev_max_backlog ought to be for so many connections under these settings;
 * 0 if it suffices as it is.
 */
uint32_t hf_burst_backlog(uint64_t connections, const struct hf_settings *settings);

#endif
