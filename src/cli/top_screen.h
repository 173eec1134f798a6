/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `top` on a terminal: what it shows drawn with ncurses, and its keys. */
#ifndef HF_CLI_TOP_SCREEN_H
#define HF_CLI_TOP_SCREEN_H

#include "cli/top_pass.h"

struct hf_top_screen {
	unsigned int rows;	 /* to keep of a pass */
	uint32_t delay_ms;	 /* from one pass to the next */
	struct hf_top_view view; /* to begin with */
};

/*
 * On a terminal that can place its cursor, stdin and stdout: until q, SIGINT, SIGTERM, SIGHUP or SIGQUIT: 0. -1 with a problem. The terminal is put back as
 * it was, whatever ended it.
 */
int hf_top_screen_run(const struct hf_top_screen *screen, const struct hf_top_scope *scope,
		      struct hf_problem *problem);

#endif
