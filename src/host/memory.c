/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/memory.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define HOST_BPFFS "/sys/fs/bpf"
#define OWN_BPFFS "/run/holdfast/bpf"

static bool is_bpffs(const char *path)
{
	struct statfs status;

	return !statfs(path, &status) && (unsigned long)status.f_type == BPF_FS_MAGIC;
}

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int make_and_open(const char *path, bool create)
{
	if (create && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	return open_directory(path);
}

static int mount_own(void)
{
	if ((mkdir("/run/holdfast", 0755) && errno != EEXIST) ||
	    (mkdir(OWN_BPFFS, 0700) && errno != EEXIST))
		return -errno;
	return mount("bpf", OWN_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ?
		       -errno :
		       0;
}

static int place_here(bool create)
{
	int failed;

	if (is_bpffs(HOST_BPFFS))
		return make_and_open(HOST_BPFFS "/holdfast", create);
	if (!is_bpffs(OWN_BPFFS)) {
		if (!create)
			return -ENOENT;
		failed = mount_own();
		if (failed)
			return failed;
	}
	return open_directory(OWN_BPFFS);
}

/* Run place_here among the mounts of the first process where that is another namespace. */
static int place_of_host(bool create)
{
	int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int host = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;
	int place;

	if (own < 0 || host < 0 || here < 0 || fstat(own, &a) || fstat(host, &b) ||
	    a.st_ino == b.st_ino || setns(host, CLONE_NEWNS)) {
		place = place_here(create);
	} else {
		place = place_here(create);
		if (setns(own, CLONE_NEWNS) || fchdir(here)) {
			/* among the host's mounts every path would mean something else */
			perror("holdfast: cannot come back to the own mounts");
			_exit(HF_EXIT_FAILED);
		}
	}
	if (own >= 0)
		close(own);
	if (host >= 0)
		close(host);
	if (here >= 0)
		close(here);
	return place;
}

int hf_memory_place(bool create, struct hf_problem *problem)
{
	const char *given = getenv("HOLDFAST_BPFFS");
	int place;

	if (given && *given && !is_bpffs(given))
		return hf_problem_set(problem, HF_EXIT_USAGE,
				      "mount one there: mount -t bpf bpf DIRECTORY",
				      "HOLDFAST_BPFFS=%s is not a directory on a bpffs", given);
	place = given && *given ? open_directory(given) : place_of_host(create);
	if (place >= 0)
		return place;
	if (!create && place == -ENOENT)
		return hf_problem_set(problem, HF_EXIT_DONE, NULL, "nothing is remembered");
	return hf_problem_set(
		problem, place == -EPERM || place == -EACCES ? HF_EXIT_MISSING : HF_EXIT_FAILED,
		"run as root, or let root mount a bpffs: mount -t bpf bpf " HOST_BPFFS,
		"no bpffs to remember what was done: %s", strerror(-place));
}

static void pin_path(int place, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d/%s", place, HF_MEMORY_NAME);
}

int hf_memory_get(int place)
{
	char path[64];
	int fd;

	pin_path(place, path, sizeof(path));
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int hf_memory_pin(int place, int map)
{
	char path[64];

	pin_path(place, path, sizeof(path));
	return bpf_obj_pin(map, path) ? -errno : 0;
}

/* What is locked in the place, by whom. */
#define BY_BPF "."
#define BY_DIAG "diag"

static bool lives(int place, const char *by)
{
	int fd = openat(place, by, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool locked;

	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

/* A reader of lives() may hold the lock for an instant: try again. */
static int become(int place, const char *by)
{
	const struct timespec instant = { .tv_nsec = 20000000 };
	int fd = openat(place, by, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int tries = 10;
	int error;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		if (error != EWOULDBLOCK || !--tries) {
			close(fd);
			return -error;
		}
		nanosleep(&instant, NULL);
	}
	return fd;
}

int hf_watcher_become(int place)
{
	return lives(place, BY_DIAG) ? -EWOULDBLOCK : become(place, BY_BPF);
}

static int meeting_place(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct hf_problem ignored;
	char path[PATH_MAX];
	int place = hf_memory_place(true, &ignored);

	if (place >= 0)
		return place;
	if (snprintf(path, sizeof(path), "%s/holdfast", runtime && *runtime ? runtime : "/run") >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return make_and_open(path, true);
}

int hf_watcher_become_by_diag(void)
{
	int place = meeting_place(), watcher;

	if (place < 0)
		return place;
	mkdirat(place, BY_DIAG, 0700); /* it may be there */
	watcher = lives(place, BY_BPF) ? -EWOULDBLOCK : become(place, BY_DIAG);
	close(place);
	return watcher;
}

bool hf_watcher_lives(int place)
{
	return lives(place, BY_BPF);
}
