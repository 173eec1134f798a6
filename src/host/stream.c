/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Once there is much to read, two blocks go back and forth: a thread fills one while the other is
 * taken. A block is empty or full, and the semaphores count both kinds. Most passes write little or
 * nothing, and need no thread.
 */
#include "host/stream.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define BLOCKS 2
#define BLOCK_BYTES 65536 /* above the 32 KB that the kernel's iterators fill */
#define MUCH 16384	  /* so many bytes in one read: there is more to come */

struct block {
	ssize_t got;					     /* bytes, 0 = the end, or -errno */
	alignas(8) char bytes[HF_STREAM_KEPT + BLOCK_BYTES]; /* what was left of the last one first */
};

struct stream {
	int fd;
	hf_stream_fn take;
	void *arg;
	int result, error;
	size_t next; /* block to read */
	size_t kept; /* bytes left over, in front of the next block's */
	atomic_bool stop;
	sem_t empty, full;
	struct block block[BLOCKS];
};

static struct block *block_of(struct stream *stream, size_t i)
{
	return &stream->block[i % BLOCKS];
}

/* EAGAIN: the kernel visited a million sockets without a record. */
static void read_block(struct stream *stream, size_t i)
{
	struct block *block = block_of(stream, i);

	do
		block->got = read(stream->fd, block->bytes + HF_STREAM_KEPT, BLOCK_BYTES);
	while (block->got < 0 && (errno == EAGAIN || errno == EINTR));
	if (block->got < 0)
		block->got = -errno;
}

/* False at the end, whatever made it one. */
static bool take_block(struct stream *stream, size_t i)
{
	struct block *block = block_of(stream, i), *next = block_of(stream, i + 1);
	char *bytes = block->bytes + HF_STREAM_KEPT - stream->kept;
	size_t size;

	if (block->got <= 0) {
		stream->error = (int)-block->got;
		return false;
	}
	size = stream->kept + (size_t)block->got;
	stream->kept = size - stream->take(stream->arg, bytes, size, &stream->result);
	if (stream->result)
		return false;
	memcpy(next->bytes + HF_STREAM_KEPT - stream->kept, bytes + size - stream->kept,
	       stream->kept);
	return true;
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore))
		; /* EINTR */
}

static void *fill(void *arg)
{
	struct stream *stream = arg;
	size_t i = stream->next;

	do {
		wait_for(&stream->empty);
		if (stream->stop)
			break;
		read_block(stream, i);
		sem_post(&stream->full);
	} while (block_of(stream, i++)->got > 0);
	return NULL;
}

/* Block i is read; those behind it are read while the one before is taken. */
static void take_apart(struct stream *stream, size_t i)
{
	pthread_t reader;

	stream->next = i + 1;
	stream->error = pthread_create(&reader, NULL, fill, stream);
	if (stream->error)
		return;
	while (take_block(stream, i++)) {
		sem_post(&stream->empty);
		wait_for(&stream->full);
	}
	stream->stop = true;
	sem_post(&stream->empty);
	pthread_join(reader, NULL);
}

static void read_all(struct stream *stream)
{
	size_t i = 0;

	do {
		read_block(stream, i);
		if (block_of(stream, i)->got >= MUCH) {
			take_apart(stream, i);
			return;
		}
	} while (take_block(stream, i++));
}

int hf_stream_read(int fd, hf_stream_fn take, void *arg, int *error)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int result;

	if (!stream) {
		*error = ENOMEM;
		return -1;
	}
	stream->fd = fd;
	stream->take = take;
	stream->arg = arg;
	sem_init(&stream->empty, 0, BLOCKS - 1);
	sem_init(&stream->full, 0, 0);
	read_all(stream);
	*error = stream->error;
	result = stream->error ? -1 : stream->result;
	sem_destroy(&stream->empty);
	sem_destroy(&stream->full);
	free(stream);
	return result;
}
