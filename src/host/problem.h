/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What failed, why, and what to do: carried up to whoever may print. */
#ifndef HF_HOST_PROBLEM_H
#define HF_HOST_PROBLEM_H

enum hf_exit { /* exit codes of every command */
	HF_EXIT_DONE = 0,
	HF_EXIT_BAD_NEWS = 1, /* audit: something not protected; check: something dead */
	HF_EXIT_USAGE = 2,    /* usage or configuration error */
	HF_EXIT_MISSING = 3,  /* missing privilege or kernel feature */
	HF_EXIT_FAILED = 4,
};

struct hf_problem {
	enum hf_exit exit;
	char what[384]; /* what failed and why, one line, no full stop */
	char mend[256]; /* what to do; may be empty */
};

/* Fill *problem (NULL allowed) and return -1. mend may be NULL. */
int hf_problem_set(struct hf_problem *problem, enum hf_exit exit, const char *mend,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
