/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program itself wants of its sockets, since what is in force may be ours.
 *
 * A table of fixed size, by descriptor; the kernel's cookie of a socket tells whether an entry is
 * still about the same one. No lock and no allocation: signal handlers and threads may be anywhere.
 * An entry that another descriptor has taken is forgotten, which only means that what is in force
 * then counts as the program's wish.
 */
#ifndef HF_PRELOAD_WISHES_H
#define HF_PRELOAD_WISHES_H

#include <holdfast/settings.h>

struct hf_wishes {
	struct hf_settings settings; /* the program's own */
	bool finished;		     /* all was done for it: the connection stands */
};

/* false, with *out untouched, where nothing is known of the socket. */
bool hf_wishes_recall(int fd, uint64_t cookie, struct hf_wishes *out);
void hf_wishes_keep(int fd, uint64_t cookie, const struct hf_wishes *wishes);

#endif
