/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on their way out of an event loop that nobody may hold up: a pager, a slow pipe and a stopped
 * terminal take them when they will, and what has no room any more is for the caller to leave out.
 */
#ifndef HF_CLI_WRITER_H
#define HF_CLI_WRITER_H

#include <stdint.h>
#include <stdio.h>

struct event_base;
struct hf_writer;

#define HF_WRITER_ROOM (1 << 20) /* bytes that may wait */

/*
 * To fd, which stays the caller's and as it is (blocking, too); NULL: no memory. A write that fails, or
 * finds nobody there to read any more, ends the loop.
 */
struct hf_writer *hf_writer_open(struct event_base *base, int fd);

/* Print here; nothing is written before hf_writer_flush. */
FILE *hf_writer_file(struct hf_writer *writer);

/* The same for something that may be left out; NULL, and counted, if so much waits already. */
FILE *hf_writer_room(struct hf_writer *writer);

/* How much was left out since the last call, as nobody reads; 0 as long as there is no room. */
uint64_t hf_writer_left_out(struct hf_writer *writer);

/* Write what can be written now, the rest from the loop. */
void hf_writer_flush(struct hf_writer *writer);

/* What is not taken within a second is lost. 0, or -errno of the first write that failed. */
int hf_writer_close(struct hf_writer **writer);

#endif
