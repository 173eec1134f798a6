/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HF_FACT_STORAGE_CLONE_H
#define HF_FACT_STORAGE_CLONE_H

/* Who made a socket, as cgroup/sock_create saw it. */
struct maker {
	unsigned int tgid;
	unsigned int uid;
	unsigned long long cgroup;
	char thread[16];
	char process[16];
};

#endif
