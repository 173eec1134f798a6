/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option tables as text, from which the completions are made and the manual is checked. */
#ifndef HF_CLI_DUMP_H
#define HF_CLI_DUMP_H

#include "cli/command.h"

#define HF_DUMP_OPTION "--dump-options"

/*
 * One line for each command, "NAME\t\t\tSUMMARY", and for each of its options,
 * "NAME\t--LONG or -S\tARGUMENT\tDOC", in both forms where it has both. Returns HF_EXIT_DONE.
 */
int hf_dump_options(const struct hf_command *const *commands);

#endif
