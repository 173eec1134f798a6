/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Find the command, run it; src/README.md is the map of the rest. */
#include "cli/command.h"

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dump.h"
#include "cli/escape.h"

const struct hf_command *const hf_commands[] = {
	&hf_cmd_list,	  &hf_cmd_audit,    &hf_cmd_apply,   &hf_cmd_watch,
	&hf_cmd_check,	  &hf_cmd_why,	    &hf_cmd_restore, &hf_cmd_run,
	&hf_cmd_plan,	  &hf_cmd_profiles, &hf_cmd_gateway, &hf_cmd_top,
	&hf_cmd_simulate, &hf_cmd_doctor,   &hf_cmd_demo,    NULL,
};

#define NAME_MAX_SHOWN 40

static int print_help(void)
{
	puts("Usage: holdfast [COMMAND] [OPTION...]\n"
	     "Keeps TCP connections alive and tells when they are not. Without a command: list.\n");
	for (const struct hf_command *const *command = hf_commands; *command; command++)
		printf("  %-10s %s\n", (*command)->name, (*command)->summary);
	puts("\n\"holdfast COMMAND --help\" lists its options; holdfast(1) is the manual.\n"
	     "Exit status: 0 done, 1 the answer is bad news, 2 usage error, 3 missing privilege or\n"
	     "kernel feature, 4 failed.");
	return HF_EXIT_DONE;
}

static const struct hf_command *find(const char *name)
{
	for (const struct hf_command *const *command = hf_commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, delete or replace to make one word of the other (Levenshtein). */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_SHOWN + 1], columns = (unsigned int)strlen(b);

	for (unsigned int j = 0; j <= columns; j++)
		row[j] = j;
	for (unsigned int i = 1; *a; a++, i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= columns; j++) {
			unsigned int replaced = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			row[j] = least(replaced, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[columns];
}

/* The command it may be a slip of the fingers for: with less than half of its letters changed. */
static int unknown(const char *name)
{
	struct hf_problem problem;
	const char *nearest = NULL;
	unsigned int nearest_distance = ((unsigned int)strlen(name) + 1) / 2;

	for (const struct hf_command *const *command = hf_commands; *command; command++) {
		unsigned int changes = distance(name, (*command)->name);

		if (changes < nearest_distance) {
			nearest_distance = changes;
			nearest = (*command)->name;
		}
	}
	hf_problem_set(&problem, HF_EXIT_USAGE, "try: holdfast --help", "no command \"%.*s\"",
		       NAME_MAX_SHOWN, name);
	if (nearest)
		snprintf(problem.mend, sizeof(problem.mend), "did you mean \"%s\"?", nearest);
	return hf_command_fail(&problem);
}

static int run(const struct hf_command *command, int argc, char **argv)
{
	char name[NAME_MAX_SHOWN + 1];

	snprintf(name, sizeof(name), "holdfast %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int help(int argc, char **argv)
{
	char option[] = "--help", *arguments[] = { NULL, option, NULL };
	const struct hf_command *command = argc > 2 ? find(argv[2]) : NULL;

	if (argc <= 2)
		return print_help();
	return command ? run(command, 2, arguments) : unknown(argv[2]);
}

static bool is_any(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words))
		words++;
	return *words;
}

static int dispatch(int argc, char **argv)
{
	static const char *const help_words[] = { "--help", "-h", "-?", NULL };
	static const char *const version_words[] = { "--version", "-V", NULL };
	const struct hf_command *command;

	if (argc < 2)
		return run(&hf_cmd_list, argc, argv);
	if (is_any(argv[1], help_words))
		return print_help();
	if (is_any(argv[1], version_words))
		return puts(argp_program_version) < 0;
	if (!strcmp(argv[1], HF_DUMP_OPTION))
		return hf_dump_options(hf_commands);
	if (argv[1][0] == '-')
		return run(&hf_cmd_list, argc, argv);
	if (!strcmp(argv[1], "help"))
		return help(argc, argv);
	command = find(argv[1]);
	return command ? run(command, argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
	char none[] = "holdfast", *nothing[] = { none, NULL };

	setlocale(LC_CTYPE, "");
	argp_program_version = "holdfast " HF_VERSION;
	argp_err_exit_status = HF_EXIT_USAGE;
	atexit(hf_command_close_output);
	return argc > 0 ? dispatch(argc, argv) : dispatch(1, nothing);
}
