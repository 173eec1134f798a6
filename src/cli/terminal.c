/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/escape.h"

#define NARROWEST 20 /* columns into which text is still wrapped */

bool hf_colour_wanted(FILE *out)
{
	const char *refused = getenv("NO_COLOR"), *term = getenv("TERM");

	if (refused && *refused)
		return false;
	if (!term || !strcmp(term, "dumb"))
		return false;
	return isatty(fileno(out));
}

const char *hf_colour_code(enum hf_colour colour)
{
	static const char *const codes[] = {
		[HF_PLAIN] = "",	[HF_BAD] = "\033[31m", [HF_WARN] = "\033[33m",
		[HF_GOOD] = "\033[32m", [HF_DIM] = "\033[2m",  [HF_BOLD] = "\033[1m",
	};

	return codes[colour];
}

unsigned int hf_terminal_width(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned long given;
	char *end;

	if (!isatty(fileno(out)))
		return 0;
	if (columns && *columns) {
		given = strtoul(columns, &end, 10);
		if (!*end && given > 0 && given <= 10000)
			return (unsigned int)given;
	}
	if (!ioctl(fileno(out), TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return 80; /* a terminal that does not tell */
}

void hf_terminal_wrap(FILE *out, unsigned int column, const char *text)
{
	unsigned int terminal = hf_terminal_width(out);
	size_t columns = terminal >= column + NARROWEST ? terminal - column : SIZE_MAX, width;

	for (size_t left = strlen(text), line; left; left -= line, text += line) {
		line = hf_text_wrap(text, left, columns, &width);
		fwrite(text, 1, line, out);
		line += strspn(text + line, " ");
		if (line < left)
			fprintf(out, "\n%*s", (int)column, "");
	}
	fputc('\n', out);
}
