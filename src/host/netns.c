/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const named_in[] = { "/run/netns", "/run/docker/netns" };

struct hf_netns *hf_netns_find(const struct hf_netns_list *list, uint32_t inum)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->entry[i].inum == inum)
			return &list->entry[i];
	return NULL;
}

static bool see(struct hf_netns_list *list, uint32_t inum)
{
	struct hf_netns *known = hf_netns_find(list, inum);

	if (known)
		known->seen = true;
	return known;
}

int hf_netns_add(struct hf_netns_list *list, int fd)
{
	struct hf_netns *grown;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) || see(list, (uint32_t)status.st_ino)) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	grown = realloc(list->entry, (list->count + 1) * sizeof(*grown));
	if (!grown) {
		close(fd);
		return -ENOMEM;
	}
	list->entry = grown;
	list->entry[list->count++] =
		(struct hf_netns){ .inum = (uint32_t)status.st_ino, .fd = fd, .seen = true };
	return 0;
}

/* A FIFO is not waited for. */
static int open_path(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* A file that is no namespace (an empty leftover of `ip netns`) cannot be entered: left out. */
static int add_path(struct hf_netns_list *list, const char *path)
{
	int fd = open_path(path);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -errno : 0;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return 0;
	}
	return hf_netns_add(list, fd);
}

static int add_named(struct hf_netns_list *list)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int failed = 0;
	DIR *dir;

	for (size_t i = 0; i < sizeof(named_in) / sizeof(*named_in); i++) {
		dir = opendir(named_in[i]);
		if (!dir)
			continue;
		while (!failed && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", named_in[i], entry->d_name);
			failed = add_path(list, path);
		}
		closedir(dir);
	}
	return failed;
}

/* The link's text tells the number without opening the namespace: "net:[4026531840]". */
static uint32_t linked_inum(const char *path)
{
	char text[64];
	ssize_t length = readlink(path, text, sizeof(text) - 1);
	unsigned int inum;

	if (length < 0)
		return 0;
	text[length] = '\0';
	return sscanf(text, "net:[%u]", &inum) == 1 ? inum : 0;
}

static int add_tasks(struct hf_netns_list *list, const char *pid)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint32_t inum;
	int failed = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!failed && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/ns/net", pid, entry->d_name);
		inum = linked_inum(path);
		if (inum && !see(list, inum))
			failed = add_path(list, path);
	}
	closedir(dir);
	return failed;
}

static int add_running(struct hf_netns_list *list)
{
	struct dirent *entry;
	int failed = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return -errno;
	while (!failed && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			failed = add_tasks(list, entry->d_name);
	closedir(dir);
	return failed;
}

static void let_go(struct hf_netns_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->entry[i].seen || !list->entry[i].empty)
			list->entry[kept++] = list->entry[i];
		else
			close(list->entry[i].fd);
	}
	list->count = kept;
}

int hf_netns_refresh(struct hf_netns_list *list)
{
	int failed;

	for (size_t i = 0; i < list->count; i++)
		list->entry[i].seen = false;
	failed = add_running(list);
	if (!failed)
		failed = add_named(list);
	if (!failed)
		let_go(list);
	return failed;
}

/* One descriptor a namespace: the usual 1024 are few on a host of containers. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_named(const char *name)
{
	char path[PATH_MAX];
	int fd = -1;

	if (strchr(name, '/'))
		return open_path(name);
	for (size_t i = 0; fd < 0 && i < sizeof(named_in) / sizeof(*named_in); i++) {
		snprintf(path, sizeof(path), "%s/%s", named_in[i], name);
		fd = open_path(path);
	}
	return fd;
}

static bool is_netns(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* The namespace of that name or path instead of the caller's own. */
static int take_named(struct hf_netns_list *list, const char *name, struct hf_problem *problem)
{
	int fd = open_named(name);
	int error = fd < 0 ? errno : EINVAL;

	if (fd >= 0 && is_netns(fd)) {
		close(list->entry[0].fd);
		list->count = 0;
		return hf_netns_add(list, fd);
	}
	if (fd >= 0)
		close(fd);
	return hf_problem_set(problem,
			      error == EACCES || error == EPERM ? HF_EXIT_MISSING : HF_EXIT_USAGE,
			      "give a name of `ip netns list`, a path such as /proc/PID/ns/net, "
			      "or all",
			      "no network namespace \"%s\": %s", name,
			      fd < 0 ? strerror(error) : "it is something else");
}

int hf_netns_list_open(struct hf_netns_list *list, const char *which, struct hf_problem *problem)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct hf_netns_list fresh = { .own_fd = fd };
	int failed;

	if (fd < 0)
		return hf_problem_set(problem, HF_EXIT_FAILED, "mount /proc",
				      "cannot open /proc/self/ns/net: %s", strerror(errno));
	failed = hf_netns_add(&fresh, dup(fd));
	if (!failed && which && !strcmp(which, "all")) {
		raise_limit();
		failed = hf_netns_refresh(&fresh);
	}
	if (failed || !fresh.count)
		hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot list network namespaces: %s",
			       strerror(-failed));
	else if (which && strcmp(which, "all") != 0)
		failed = take_named(&fresh, which, problem);
	if (failed) {
		hf_netns_list_close(&fresh);
		return -1;
	}
	*list = fresh;
	return 0;
}

void hf_netns_list_close(struct hf_netns_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		close(list->entry[i].fd);
	free(list->entry);
	if (list->own_fd >= 0)
		close(list->own_fd);
	*list = (struct hf_netns_list){ .own_fd = -1 };
}

int hf_netns_add_of_socket(struct hf_netns_list *list, uint32_t pid, int socket_fd)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int socket, fd;

	if (process < 0)
		return -errno;
	socket = (int)syscall(SYS_pidfd_getfd, process, socket_fd, 0);
	close(process);
	if (socket < 0)
		return -errno;
	fd = ioctl(socket, SIOCGSKNS);
	close(socket);
	return fd < 0 ? -errno : hf_netns_add(list, fd);
}

bool hf_netns_is_own(const struct hf_netns_list *list, size_t i)
{
	struct stat own;

	return !fstat(list->own_fd, &own) && list->entry[i].inum == (uint32_t)own.st_ino;
}

int hf_netns_enter(const struct hf_netns_list *list, size_t i, struct hf_problem *problem)
{
	if (!setns(list->entry[i].fd, CLONE_NEWNET))
		return 0;
	return hf_problem_set(problem, errno == EPERM ? HF_EXIT_MISSING : HF_EXIT_FAILED,
			      "run as root, or with CAP_SYS_ADMIN",
			      "cannot enter network namespace %u: %s", list->entry[i].inum,
			      strerror(errno));
}

int hf_netns_leave(const struct hf_netns_list *list)
{
	return setns(list->own_fd, CLONE_NEWNET) ? -errno : 0;
}
