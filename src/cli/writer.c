/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptor may be shared (a shell's terminal), so O_NONBLOCK is not ours to set. Instead no more
 * is written at a time than a pipe takes without blocking once poll says that it takes something.
 */
#define _GNU_SOURCE
#include "cli/writer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

#define LAST_WORDS_MS 1000 /* for a reader to take what it has not read yet */

struct hf_writer {
	struct event_base *base;
	FILE *file;
	struct evbuffer *waiting;
	struct event *writable;
	uint64_t left_out;
	int fd, error;
};

static ssize_t take(void *cookie, const char *bytes, size_t size)
{
	struct hf_writer *writer = cookie;

	return evbuffer_add(writer->waiting, bytes, size) ? 0 : (ssize_t)size;
}

static bool takes_more(const struct hf_writer *writer, int within_ms)
{
	struct pollfd fd = { .fd = writer->fd, .events = POLLOUT };

	return poll(&fd, 1, within_ms) > 0;
}

static void write_on(struct hf_writer *writer, int within_ms)
{
	while (!writer->error && evbuffer_get_length(writer->waiting) &&
	       takes_more(writer, within_ms)) {
		if (evbuffer_write_atmost(writer->waiting, writer->fd, PIPE_BUF) < 0)
			writer->error = errno;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hf_writer_flush(arg);
}

struct hf_writer *hf_writer_open(struct event_base *base, int fd)
{
	const cookie_io_functions_t functions = { .write = take };
	struct hf_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->base = base;
	writer->fd = fd;
	writer->waiting = evbuffer_new();
	writer->writable = event_new(base, fd, EV_WRITE, on_writable, writer);
	writer->file = fopencookie(writer, "w", functions);
	if (!writer->waiting || !writer->writable || !writer->file)
		hf_writer_close(&writer);
	return writer;
}

FILE *hf_writer_file(struct hf_writer *writer)
{
	return writer->file;
}

static bool is_full(const struct hf_writer *writer)
{
	return evbuffer_get_length(writer->waiting) >= HF_WRITER_ROOM;
}

FILE *hf_writer_room(struct hf_writer *writer)
{
	if (!is_full(writer))
		return writer->file;
	writer->left_out++;
	return NULL;
}

uint64_t hf_writer_left_out(struct hf_writer *writer)
{
	uint64_t left_out = is_full(writer) ? 0 : writer->left_out;

	writer->left_out -= left_out;
	return left_out;
}

void hf_writer_flush(struct hf_writer *writer)
{
	if (fflush(writer->file) && !writer->error)
		writer->error = ENOMEM;
	write_on(writer, 0);
	if (!writer->error && evbuffer_get_length(writer->waiting) &&
	    event_add(writer->writable, NULL))
		writer->error = EIO;
	if (writer->error)
		event_base_loopexit(writer->base, NULL); /* also where it has not begun yet */
}

int hf_writer_close(struct hf_writer **writer)
{
	struct hf_writer *closing = *writer;
	int error;

	*writer = NULL;
	if (closing->file)
		fclose(closing->file);
	if (closing->waiting) {
		write_on(closing, LAST_WORDS_MS);
		evbuffer_free(closing->waiting);
	}
	if (closing->writable)
		event_free(closing->writable);
	error = closing->error;
	free(closing);
	return -error;
}
