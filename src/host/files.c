/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/names.h"

static bool is_wanted(const struct hf_match *match, uint32_t pid)
{
	char name[HF_PROCESS_NAME];

	if ((match->fields & HF_MATCH_PID) && match->pid != pid)
		return false;
	if (!(match->fields & HF_MATCH_PROCESS))
		return true;
	return hf_process_name(pid, name) && !strncmp(name, match->process, HF_PROCESS_NAME);
}

/* Kept short: it runs for every open file of the machine. */
static int each_file(uint32_t pid, hf_files_fn fn, void *arg)
{
	struct hf_open_file file = { .pid = pid };
	char path[64], link[64];
	struct dirent *entry;
	ssize_t length;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == EACCES || errno == EPERM;
	while ((entry = readdir(dir))) {
		length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (length < 8 || memcmp(link, "socket:[", 8) != 0)
			continue;
		link[length] = '\0';
		file.inode = (uint32_t)strtoul(link + 8, NULL, 10);
		file.fd = (int)strtol(entry->d_name, NULL, 10);
		fn(arg, &file);
	}
	closedir(dir);
	return 0;
}

int hf_files_each(const struct hf_match *match, hf_files_fn fn, void *arg)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int unseen = 0;
	uint32_t pid;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
		if (is_wanted(match, pid))
			unseen |= each_file(pid, fn, arg);
	}
	closedir(proc);
	return unseen;
}

void hf_files_let_go(struct hf_borrowing *borrowing)
{
	if (borrowing->pidfd >= 0)
		close(borrowing->pidfd);
	borrowing->pidfd = -1;
}

int hf_files_borrow(struct hf_borrowing *borrowing, const struct hf_open_file *file,
		    uint64_t cookie)
{
	uint64_t found = 0;
	socklen_t size = sizeof(found);
	int fd;

	if (borrowing->pidfd < 0 || borrowing->pid != file->pid) {
		hf_files_let_go(borrowing);
		borrowing->pid = file->pid;
		borrowing->pidfd = (int)syscall(SYS_pidfd_open, file->pid, 0);
		if (borrowing->pidfd < 0)
			return -errno;
	}
	fd = (int)syscall(SYS_pidfd_getfd, borrowing->pidfd, file->fd, 0);
	if (fd < 0)
		return -errno;
	if (!getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found, &size) && found == cookie)
		return fd;
	close(fd);
	return -ESTALE;
}
