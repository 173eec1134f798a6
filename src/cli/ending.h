/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ends a command that runs until interrupted: SIGINT, SIGTERM, SIGHUP, SIGQUIT. From
 * hf_ending_open on they no longer kill: the loop ends (at once, if one came before it began), and
 * the command tidies up. Under nohup SIGHUP stays ignored.
 */
#ifndef HF_CLI_ENDING_H
#define HF_CLI_ENDING_H

struct event_base;

struct hf_ending {
	struct event *signals[4];
};

/* -1: no memory. */
int hf_ending_open(struct hf_ending *ending, struct event_base *base);
void hf_ending_close(struct hf_ending *ending);

#endif
