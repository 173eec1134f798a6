/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/backend.h"

static int open_host(struct hf_host **out, enum hf_use use, const struct hf_selection *selection,
		     struct hf_problem *problem)
{
	(void)out;
	(void)use;
	(void)selection;
	return hf_problem_set(problem, HF_EXIT_MISSING, NULL, "no sock_diag yet");
}

const struct hf_backend hf_backend_diag = { .name = "diag", .open = open_host };
