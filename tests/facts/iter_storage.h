/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HF_FACT_ITER_STORAGE_H
#define HF_FACT_ITER_STORAGE_H

/* What the iterators leave on a socket. */
struct note {
	unsigned int from_socket, from_file; /* times seen */
	unsigned int tgid, fd;
	unsigned long long cookie;
};

#endif
