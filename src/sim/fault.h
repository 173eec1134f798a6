/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What befalls hosts, links, NATs and gateways on a schedule. */
#ifndef HF_SIM_FAULT_H
#define HF_SIM_FAULT_H

#include "sim/world.h"

/* Post all that is to come. */
void hf_faults_plan(struct hf_world *world);

/* HF_BEFALLS and HF_HEALS. */
void hf_fault_befalls(struct hf_world *world, uint32_t fault);
void hf_fault_heals(struct hf_world *world, uint32_t fault);

#endif
