/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FILE_HANDLE_KERNFS 0xfe /* FILEID_KERNFS: the handle is the 64-bit id */

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

static bool is_cgroup2(int directory)
{
	struct statfs status;

	return !fstatfs(directory, &status) && status.f_type == CGROUP2_SUPER_MAGIC;
}

/* Also where a mount namespace hides it, such as that of `ip netns exec`. */
static int mounted_root(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified",
					      "/proc/1/root/sys/fs/cgroup",
					      "/proc/1/root/sys/fs/cgroup/unified" };
	size_t count = hf_cgroup_is_host_root() ? 4 : 2; /* another namespace's root is not ours */

	for (size_t i = 0; i < count; i++) {
		int root = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (root >= 0 && is_cgroup2(root))
			return root;
		if (root >= 0)
			close(root);
	}
	return -ENOENT;
}

/*
 * Not before all else: the kernel takes the options of the newest mount for all of them (cgroup2
 * has one set), so that none here would end the host's nsdelegate and memory_recursiveprot.
 */
static int mount_root(void)
{
	int filesystem = fsopen("cgroup2", FSOPEN_CLOEXEC);
	int mount = -1, root = -1;

	if (filesystem < 0)
		return errno == EPERM ? -EPERM : -ENOENT;
	if (!fsconfig(filesystem, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = fsmount(filesystem, FSMOUNT_CLOEXEC, 0);
	close(filesystem);
	if (mount < 0)
		return -ENOENT;
	root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(mount);
	return root < 0 ? -errno : root;
}

int hf_cgroup_root(void)
{
	int root = mounted_root();

	return root == -ENOENT ? mount_root() : root;
}

/* Where an open directory is, as a string; its length or -errno. */
static ssize_t place_of(int directory, char *path, size_t size)
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	length = readlink(link, path, size - 1);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	return length;
}

int hf_cgroup_path(int root, uint64_t id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} at = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILE_HANDLE_KERNFS } };
	char mounted[PATH_MAX], place[PATH_MAX];
	ssize_t length, above = place_of(root, mounted, sizeof(mounted));
	int fd;

	if (above < 0)
		return (int)above;
	memcpy(at.room + sizeof(struct file_handle), &id, sizeof(id));
	fd = open_by_handle_at(root, &at.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = place_of(fd, place, sizeof(place));
	close(fd);
	if (length < 0)
		return (int)length;
	if (above > 1 && !strncmp(place, mounted, (size_t)above)) /* not mounted at / */
		memmove(place, place + above, (size_t)(length - above) + 1);
	if (snprintf(path, size, "%s", *place ? place : "/") >= (int)size)
		return -ENAMETOOLONG;
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
