/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a pass writes. The kernel does its work inside read(): where there is much to read,
 * that runs in a thread of its own, and what was written of earlier sockets is taken meanwhile.
 */
#ifndef HF_HOST_STREAM_H
#define HF_HOST_STREAM_H

#include <stddef.h>

/* The longest thing that may lie across two reads. */
#define HF_STREAM_KEPT 512

/*
 * Called with what was read, 8-byte aligned, and may write to it; returns how many bytes were
 * taken, all but at most HF_STREAM_KEPT; the rest comes again with more behind it. A *result other
 * than 0 ends the reading.
 */
typedef size_t (*hf_stream_fn)(void *arg, char *bytes, size_t size, int *result);

/* Read fd to its end. Returns the *result, 0 at the end, or -1 with *error an errno. */
int hf_stream_read(int fd, hf_stream_fn take, void *arg, int *error);

#endif
