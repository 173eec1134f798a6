/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/holders.h"

#include "host/files.h"
#include "host/names.h"

struct search {
	uint32_t inode, last; /* the process that was found last */
	struct hf_holder *out;
	size_t count, most;
};

/* A process may hold it more than once; its files come one after the other. */
static void take(void *arg, const struct hf_open_file *file)
{
	struct search *search = arg;

	if (file->inode != search->inode || file->pid == search->last)
		return;
	search->last = file->pid;
	if (search->count < search->most) {
		search->out[search->count] = (struct hf_holder){ .pid = file->pid };
		hf_process_name(file->pid, search->out[search->count].process);
	}
	search->count++;
}

size_t hf_holders_find(uint32_t inode, struct hf_holder *out, size_t most)
{
	struct search search = { .inode = inode, .out = out, .most = most };
	struct hf_match match;

	hf_match_any(&match);
	if (inode)
		hf_files_each(&match, take, &search);
	return search.count;
}
