/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HF_FACT_ITER_OVERFLOW_H
#define HF_FACT_ITER_OVERFLOW_H

struct record {
	char bytes[1000];
};

#endif
