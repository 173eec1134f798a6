/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/names.h"

static bool holds(const char *pid, const char *socket)
{
	char path[64], target[64];
	bool found = false;
	struct dirent *fd;
	ssize_t length;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	if (!fds)
		return false;
	while (!found && (fd = readdir(fds))) {
		length = readlinkat(dirfd(fds), fd->d_name, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		found = !strcmp(target, socket);
	}
	closedir(fds);
	return found;
}

size_t hf_holders_find(uint32_t inode, struct hf_holder *out, size_t most)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;
	char socket[32];

	if (!proc)
		return 0;
	snprintf(socket, sizeof(socket), "socket:[%u]", inode);
	while (inode && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, socket))
			continue;
		if (count < most) {
			out[count] = (struct hf_holder){ .pid = (uint32_t)atoi(entry->d_name) };
			hf_process_name(out[count].pid, out[count].process);
		}
		count++;
	}
	closedir(proc);
	return count;
}
