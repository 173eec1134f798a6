/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `holdfast run` without privileges: the preloaded library, and which programs it reaches. */
#ifndef HF_CLI_RUN_PRELOAD_H
#define HF_CLI_RUN_PRELOAD_H

#include "host/problem.h"
#include "preload/policy.h"

/*
 * Put library and policy into the environment of what is executed next. -1 with HF_EXIT_MISSING
 * where the library is not to be found.
 */
int hf_preload_prepare(const struct hf_preload_policy *policy, struct hf_problem *problem);

enum hf_reach {
	HF_REACHED, /* as far as can be told */
	HF_REACH_STATIC,
	HF_REACH_GO,	     /* calls the kernel by itself */
	HF_REACH_PRIVILEGED, /* setuid and its like: the loader takes nothing from the environment */
	HF_REACH_FOREIGN,    /* another machine or C library: its loader would only complain */
};

/* Does a preloaded library reach the command (found as execvp does)? */
enum hf_reach hf_preload_reach(const char *command);

#endif
