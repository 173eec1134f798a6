/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of `holdfast run`: a process beside the program, which steers the connections of the
 * program and of all its descendants, and ends after the last of them.
 *
 * The program itself is the process that was started: nothing stands between it and its parent, its
 * terminal, its signals. The keeper is no child of the program's, in a session of its own, and
 * holds none of its descriptors.
 */
#ifndef HF_CLI_RUN_KEEPER_H
#define HF_CLI_RUN_KEEPER_H

#include <limits.h>

#include "host/host.h"

struct hf_keeper_report {
	bool keeps;
	char cgroup[PATH_MAX];	   /* in which the caller is from now on */
	struct hf_problem problem; /* why not */
};

/*
 * Start one for the calling process, which is about to become the program: its open connections
 * are under the rule, and so will be all that it and its descendants make.
 */
void hf_keeper_start(const struct hf_selection *selection, struct hf_keeper_report *out);

#endif
