/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/problem.h"

#include <stdarg.h>
#include <stdio.h>

int hf_problem_set(struct hf_problem *problem, enum hf_exit exit, const char *mend,
		   const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return -1;
	problem->exit = exit;
	va_start(arguments, format);
	vsnprintf(problem->what, sizeof(problem->what), format, arguments);
	va_end(arguments);
	snprintf(problem->mend, sizeof(problem->mend), "%s", mend ? mend : "");
	return -1;
}
