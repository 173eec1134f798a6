/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking up processes and users that were named. */
#ifndef HF_HOST_NAMES_H
#define HF_HOST_NAMES_H

#include <holdfast/policy.h>
#include <stdbool.h>
#include <stdint.h>

/* Does a process with this id live? */
bool hf_process_lives(uint32_t pid);

/* The name of its group leader; false, and name untouched, where it is gone. */
bool hf_process_name(uint32_t pid, char name[HF_PROCESS_NAME]);

/* Does one whose group leader has this name live? Compared as the kernel keeps it: 15 bytes. */
bool hf_process_name_lives(const char *name);

/* A user by name, or by number (which need not have a name). */
bool hf_user_find(const char *name, uint32_t *uid);

#endif
