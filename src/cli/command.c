/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/escape.h"

#define WARNING 1024 /* bytes of one that are shown */

static bool output_settled; /* its failure was dealt with */

int hf_command_fail(const struct hf_problem *problem)
{
	char what[HF_ESCAPED(sizeof(problem->what))], mend[HF_ESCAPED(sizeof(problem->mend))];

	hf_escape(problem->what, strlen(problem->what), what);
	hf_escape(problem->mend, strlen(problem->mend), mend);
	fprintf(stderr, "holdfast: %s%s%s\n", what, *mend ? "; " : "", mend);
	return problem->exit;
}

void hf_command_warn(const char *warning)
{
	char escaped[HF_ESCAPED(WARNING)];

	hf_escape(warning, strnlen(warning, WARNING), escaped);
	if (*escaped)
		fprintf(stderr, "holdfast: %s\n", escaped);
}

int hf_command_output(long rows)
{
	if (rows >= 0)
		return HF_EXIT_DONE;
	if (rows != -EPIPE && !output_settled)
		fprintf(stderr, "holdfast: cannot write the output: %s\n", strerror((int)-rows));
	output_settled = true;
	return rows == -EPIPE ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

void hf_command_close_output(void)
{
	bool failed = ferror(stdout);

	errno = 0;
	failed |= fclose(stdout) != 0;
	if (failed && !output_settled && hf_command_output(errno ? -errno : -EIO))
		_exit(HF_EXIT_FAILED);
}
