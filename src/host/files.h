/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes hold which sockets, and borrowing them: /proc and pidfd_getfd. */
#ifndef HF_HOST_FILES_H
#define HF_HOST_FILES_H

#include <stdint.h>

#include <holdfast/policy.h>

/* A socket of any kind that a process (thread group) holds as this descriptor. */
struct hf_open_file {
	uint32_t inode, pid;
	int fd;
};
typedef void (*hf_files_fn)(void *arg, const struct hf_open_file *file);

/*
 * Call fn for every open socket of every process, or only of those that the match's pid and process
 * name. 0: all were seen; 1: some processes may not be looked into; -errno: none can.
 */
int hf_files_each(const struct hf_match *match, hf_files_fn fn, void *arg);

/* The process that was asked last. Begin with pidfd -1; end with hf_files_let_go. */
struct hf_borrowing {
	uint32_t pid;
	int pidfd;
};

/*
 * A descriptor of our own of the socket with this cookie, to be closed soon: as long as it is open a
 * close by its program does not end the connection. -ESTALE: it holds another one by now; -EPERM:
 * not ours to look into; -ENOSYS: a kernel before 5.6.
 */
int hf_files_borrow(struct hf_borrowing *borrowing, const struct hf_open_file *file,
		    uint64_t cookie);
void hf_files_let_go(struct hf_borrowing *borrowing);

#endif
