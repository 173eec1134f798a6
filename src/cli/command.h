/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command of holdfast: one file cmd_<verb>.c each, ending in its const descriptor. */
#ifndef HF_CLI_COMMAND_H
#define HF_CLI_COMMAND_H

#include <argp.h>

#include "host/problem.h"

struct hf_command {
	const char *name;
	const char *summary;		   /* one line, as `holdfast --help` shows it */
	const struct argp *argp;	   /* its options: parser, --help and completions */
	int (*run)(int argc, char **argv); /* argv[0] = "holdfast <name>"; returns enum hf_exit */
};

/* All commands in the order of --help; ends with a NULL. */
extern const struct hf_command *const hf_commands[];

extern const struct hf_command hf_cmd_list, hf_cmd_audit, hf_cmd_apply, hf_cmd_watch,
	hf_cmd_restore, hf_cmd_check, hf_cmd_why, hf_cmd_run, hf_cmd_plan, hf_cmd_profiles,
	hf_cmd_simulate, hf_cmd_doctor, hf_cmd_demo, hf_cmd_top, hf_cmd_gateway;

/* Print "holdfast: what; mend" to stderr (escaped) and return problem->exit. */
int hf_command_fail(const struct hf_problem *problem);

/* Print "holdfast: warning" to stderr (escaped), unless it is "". */
void hf_command_warn(const char *warning);

/*
 * The exit code of a report, from what hf_table_close returned: DONE for rows written or a
 * reader that has gone, else FAILED, and "holdfast: cannot write the output: ..." on stderr.
 */
int hf_command_output(long rows);

/* For atexit: whatever of the output cannot be written ends the program with FAILED. */
void hf_command_close_output(void);

#endif
