/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <holdfast/policy.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Threads have an entry there, too, which names their process. */
bool hf_process_lives(uint32_t pid)
{
	unsigned int process = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	file = fopen(path, "re");
	if (!file)
		return !kill((pid_t)pid, 0) || errno == EPERM;
	while (!process && fgets(line, sizeof(line), file))
		sscanf(line, "Tgid: %u", &process);
	fclose(file);
	return process == pid;
}

bool hf_process_name(uint32_t pid, char name[HF_PROCESS_NAME])
{
	char path[64], comm[HF_PROCESS_NAME + 1] = "";
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(comm, 1, sizeof(comm) - 1, file);
	fclose(file);
	if (length) /* the kernel ends it with a newline, which a name may hold, too */
		comm[length - 1] = '\0';
	memcpy(name, comm, HF_PROCESS_NAME);
	return true;
}

static bool has_name(const char *pid, const char *name)
{
	char comm[HF_PROCESS_NAME];

	return hf_process_name((uint32_t)strtoul(pid, NULL, 10), comm) &&
	       !strncmp(comm, name, HF_PROCESS_NAME - 1);
}

bool hf_process_name_lives(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool lives = false;

	if (!proc)
		return false;
	while (!lives && (entry = readdir(proc)))
		lives = isdigit((unsigned char)entry->d_name[0]) && has_name(entry->d_name, name);
	closedir(proc);
	return lives;
}

bool hf_user_find(const char *name, uint32_t *uid)
{
	const struct passwd *user = getpwnam(name);
	unsigned long number;
	char *end;

	if (user) {
		*uid = user->pw_uid;
		return true;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (!isdigit((unsigned char)*name) || *end || errno || number >= UINT32_MAX)
		return false;
	*uid = (uint32_t)number;
	return true;
}
