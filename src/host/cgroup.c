/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_HANDLE_KERNFS 0xfe /* FILEID_KERNFS: the handle is the 64-bit id */

static int mounted_root(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char control[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(control, sizeof(control), "%s/cgroup.controllers", places[i]);
		if (!access(control, F_OK))
			return open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -ENOENT;
}

int hf_cgroup_root(void)
{
	int filesystem = fsopen("cgroup2", FSOPEN_CLOEXEC);
	bool refused = filesystem < 0 && errno == EPERM;
	int mount = -1;
	int root = -1;

	if (filesystem >= 0 && !fsconfig(filesystem, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = fsmount(filesystem, FSMOUNT_CLOEXEC, 0);
	if (filesystem >= 0)
		close(filesystem);
	if (mount < 0) {
		root = mounted_root();
		return root == -ENOENT && refused ? -EPERM : root;
	}
	root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(mount);
	return root < 0 ? -errno : root;
}

bool hf_cgroup_is_host_root(void)
{
	struct stat own, first;

	if (stat("/proc/self/ns/cgroup", &own))
		return true; /* a kernel without cgroup namespaces */
	/* The initial namespace has a fixed number (PROC_CGROUP_INIT_INO). */
	if (own.st_ino == 0xEFFFFFFBU)
		return true;
	return !stat("/proc/1/ns/cgroup", &first) && first.st_ino == own.st_ino;
}

int hf_cgroup_path(int root, uint64_t id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} at = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILE_HANDLE_KERNFS } };
	char link[64];
	ssize_t length;
	int fd;

	memcpy(at.room + sizeof(struct file_handle), &id, sizeof(id));
	fd = open_by_handle_at(root, &at.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, size - 1);
	close(fd);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	return 0;
}

bool hf_cgroup_matches(const char *pattern, const char *path)
{
	size_t length = strlen(pattern);
	char stem[PATH_MAX];

	if (length > 3 && length < sizeof(stem) && !strcmp(pattern + length - 3, "/**")) {
		memcpy(stem, pattern, length - 3);
		stem[length - 3] = '\0';
		if (hf_cgroup_matches(stem, path))
			return true;
	}
	return !fnmatch(pattern, path, strstr(pattern, "**") ? 0 : FNM_PATHNAME);
}

struct walk {
	const char *pattern;
	hf_cgroup_fn fn;
	void *arg;
};

static int walk_tree(struct walk *walk, int at, const char *path)
{
	DIR *dir = fdopendir(at);
	struct dirent *entry;
	char below[PATH_MAX];
	struct stat status;
	int failed = 0;

	if (!dir) {
		close(at);
		return -ENOMEM;
	}
	if (!fstat(dirfd(dir), &status))
		failed = walk->fn(walk->arg, status.st_ino,
				  hf_cgroup_matches(walk->pattern, *path ? path : "/"));
	while (!failed && (entry = readdir(dir))) {
		int fd;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >=
		    (int)sizeof(below))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) /* a cgroup may go while we look */
			failed = walk_tree(walk, fd, below);
	}
	closedir(dir);
	return failed;
}

int hf_cgroup_glob(int root, const char *pattern, hf_cgroup_fn fn, void *arg)
{
	struct walk walk = { .fn = fn, .arg = arg };
	char rooted[PATH_MAX];
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(rooted, sizeof(rooted), "%s%s", *pattern == '/' ? "" : "/", pattern);
	walk.pattern = rooted;
	return walk_tree(&walk, fd, "");
}
