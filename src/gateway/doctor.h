/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What on this machine would get in the way of a gateway. */
#ifndef HF_GATEWAY_DOCTOR_H
#define HF_GATEWAY_DOCTOR_H

#include "host/doctor.h"

/* As hf_doctor_examine, in this network namespace. Changes nothing. */
void hf_gateway_examine(void (*fn)(void *arg, const struct hf_finding *finding), void *arg);

#endif
