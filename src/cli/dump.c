/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/dump.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

static void dump_option(const char *command, const struct argp_option *option)
{
	const char *argument = option->arg ? option->arg : "";

	if (option->name)
		printf("%s\t--%s\t%s\t%s\n", command, option->name, argument, option->doc);
	if (option->key > 0 && option->key <= 0x7f && isgraph(option->key))
		printf("%s\t-%c\t%s\t%s\n", command, option->key, argument, option->doc);
}

/* Neither a heading nor hidden. */
static bool is_listed(const struct argp_option *option)
{
	return (option->name || option->key) && !(option->flags & OPTION_HIDDEN);
}

static void dump_argp(const char *command, const struct argp *argp)
{
	const struct argp_option *option = argp->options;
	const struct argp_child *child = argp->children;

	for (; option && (option->name || option->key || option->doc); option++)
		if (is_listed(option))
			dump_option(command, option);
	for (; child && child->argp; child++)
		dump_argp(command, child->argp);
}

int hf_dump_options(const struct hf_command *const *commands)
{
	for (; *commands; commands++) {
		printf("%s\t\t\t%s\n", (*commands)->name, (*commands)->summary);
		dump_argp((*commands)->name, (*commands)->argp);
	}
	return HF_EXIT_DONE;
}
