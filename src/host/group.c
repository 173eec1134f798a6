/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cgroup.h"

#define PREFIX "holdfast-run-"
#define NAMES_TRIED 64
#define DEPTH_MAX 32 /* cgroups below one of ours; nobody nests so deep */

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The caller's cgroup2 as seen from the root: "/user.slice/...". */
static int own_path(char *path, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 8];
	int error = -ENOENT;

	if (!file)
		return -errno;
	while (error && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		error = snprintf(path, size, "%s", line + 3) < (int)size ? 0 : -ENAMETOOLONG;
	}
	fclose(file);
	return error;
}

/* Calls fn for each directory below at. */
typedef int (*directory_fn)(void *arg, int at, const char *name);

static int each_directory(int at, directory_fn fn, void *arg)
{
	int fd = open_directory(at, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int result = 0;

	if (!dir) {
		result = -errno;
		if (fd >= 0)
			close(fd);
		return result;
	}
	while (!result && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			result = fn(arg, at, entry->d_name);
	closedir(dir);
	return result;
}

/* Removes from the leaves on; what still lives stays. */
static int remove_tree(void *arg, int at, const char *name)
{
	int *depth = arg, fd;

	if (*depth >= DEPTH_MAX)
		return 0;
	fd = open_directory(at, name);
	if (fd < 0)
		return 0;
	++*depth;
	each_directory(fd, remove_tree, depth);
	--*depth;
	close(fd);
	unlinkat(at, name, AT_REMOVEDIR);
	return 0;
}

static bool lives(int events)
{
	char text[256];
	ssize_t got = pread(events, text, sizeof(text) - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return got > 0 && !strstr(text, "populated 0"); /* got < 0: it is gone */
}

/* Cgroups in one that lives are its program's business, empty or not. */
static int remove_left_over(void *arg, int at, const char *name)
{
	char path[NAME_MAX + sizeof("/cgroup.events")];
	int depth = 0, events;

	(void)arg;
	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.events", name);
	events = openat(at, path, O_RDONLY | O_CLOEXEC);
	if (events < 0)
		return 0;
	if (!lives(events))
		remove_tree(&depth, at, name);
	close(events);
	return 0;
}

static int put_process(int group, pid_t process)
{
	int fd = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;

	if (!error && dprintf(fd, "%d", (int)process) < 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static int enter(struct hf_group *group, pid_t process)
{
	int error;

	group->fd = open_directory(group->parent, group->name);
	if (group->fd < 0)
		return -errno;
	group->events = openat(group->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	error = group->events < 0 ? -errno : put_process(group->fd, process);
	if (!error)
		return 0;
	close(group->fd);
	if (group->events >= 0)
		close(group->events);
	return error;
}

/*
 * Named after the process, with a number behind it where that is taken: a left-over in which
 * something lives, or a process of another PID namespace. Another run that cleans up may take it
 * away while it is still empty: then the next name does.
 */
static int make_and_enter(struct hf_group *group, pid_t process)
{
	int error = -EEXIST;

	for (int tries = 0; tries < NAMES_TRIED; tries++) {
		snprintf(group->name, sizeof(group->name), tries ? PREFIX "%d-%d" : PREFIX "%d",
			 (int)process, tries);
		if (mkdirat(group->parent, group->name, 0755)) {
			if (errno != EEXIST)
				return -errno;
			continue;
		}
		error = enter(group, process);
		if (!error)
			return 0;
		unlinkat(group->parent, group->name, AT_REMOVEDIR);
		if (error != -ENOENT && error != -ENODEV)
			return error;
	}
	return error;
}

static int make_below(struct hf_group *group, int root, const char *path, pid_t process)
{
	int error;

	if (snprintf(group->path, sizeof(group->path), "%s", path) >= (int)sizeof(group->path))
		return -ENAMETOOLONG;
	group->parent = open_directory(root, path[1] ? path + 1 : ".");
	if (group->parent < 0)
		return -errno;
	each_directory(group->parent, remove_left_over, NULL);
	error = make_and_enter(group, process);
	if (error)
		close(group->parent);
	return error;
}

int hf_group_make(struct hf_group *out, pid_t process, struct hf_problem *problem)
{
	struct hf_group group = { .parent = -1, .fd = -1, .events = -1 };
	char path[PATH_MAX] = "/";
	int root = hf_cgroup_root();
	int error = root < 0 ? root : own_path(path, sizeof(path));
	size_t end;

	if (!error)
		error = make_below(&group, root, path, process);
	if (root >= 0 && error && strcmp(path, "/") != 0) {
		strcpy(path, "/");
		error = make_below(&group, root, path, process);
	}
	if (root >= 0)
		close(root);
	if (error)
		return hf_problem_set(problem, HF_EXIT_MISSING,
				      "run as root, or in a cgroup that was delegated to you",
				      "cannot make a cgroup: %s", strerror(-error));
	end = strlen(group.path);
	snprintf(group.path + end, sizeof(group.path) - end, "%s%s", end > 1 ? "/" : "",
		 group.name);
	*out = group;
	return 0;
}

void hf_group_leave(const struct hf_group *group, pid_t process)
{
	put_process(group->parent, process);
}

bool hf_group_lives(const struct hf_group *group)
{
	return lives(group->events);
}

int hf_group_remove(struct hf_group *group)
{
	int depth = 0, error = 0;

	remove_tree(&depth, group->parent, group->name);
	if (!faccessat(group->parent, group->name, F_OK, 0))
		error = -EBUSY;
	close(group->events);
	close(group->fd);
	close(group->parent);
	*group = (struct hf_group){ .parent = -1, .fd = -1, .events = -1 };
	return error;
}

struct each {
	hf_process_fn fn;
	void *arg;
	int depth;
};

static int each_process(void *arg, int at, const char *name)
{
	struct each *each = arg;
	int group, fd, process, result = 0;
	FILE *file;

	if (each->depth >= DEPTH_MAX)
		return 0;
	group = open_directory(at, name);
	if (group < 0)
		return 0; /* gone meanwhile */
	fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	while (file && !result && fscanf(file, "%d", &process) == 1)
		if (process > 0) /* 0: not of our PID namespace */
			result = each->fn(each->arg, process);
	if (file)
		fclose(file);
	each->depth++;
	result = result ? result : each_directory(group, each_process, each);
	each->depth--;
	close(group);
	return result;
}

int hf_group_each(int fd, hf_process_fn fn, void *arg)
{
	struct each each = { .fn = fn, .arg = arg };

	return each_process(&each, fd, ".");
}
