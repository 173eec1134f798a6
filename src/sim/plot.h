/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run as a picture: what went on over time, and how long deaths took to be found. */
#ifndef HF_SIM_PLOT_H
#define HF_SIM_PLOT_H

#include <stdio.h>

#include "sim/result.h"

/* An SVG file that needs nothing else; title is put into it safely. The caller sees to errors. */
void hf_plot_write(const struct hf_result *result, const char *title, FILE *out);

#endif
