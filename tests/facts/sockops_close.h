/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HF_FACT_SOCKOPS_CLOSE_H
#define HF_FACT_SOCKOPS_CLOSE_H

#define ENDINGS 8

/* How a connection ended. */
struct ending {
	int error;
	unsigned int unanswered;
	unsigned short port, source_port; /* skc_num and inet_sport, host byte order */
};

#endif
