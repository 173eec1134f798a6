/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run_preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"
#define SCRIPTS_DEEP 4 /* Linux BINPRM_MAX_RECURSION: an interpreter may be a script */
#define HEADERS_MAX 64
#define NOTES_MAX 1024

/* Beside the program, as where it was built, else where it is installed. */
static int find_library(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (length > 0) {
		path[length] = '\0';
		slash = strrchr(path, '/');
		if (slash && (size_t)(slash + 1 - path) + sizeof(HF_PRELOAD_FILE) <= size) {
			strcpy(slash + 1, HF_PRELOAD_FILE);
			if (!access(path, R_OK))
				return 0;
		}
	}
	snprintf(path, size, "%s", HF_PRELOAD_DIR "/" HF_PRELOAD_FILE);
	return access(path, R_OK) ? -errno : 0;
}

int hf_preload_prepare(const struct hf_preload_policy *policy, struct hf_problem *problem)
{
	const char *others = getenv("LD_PRELOAD");
	char path[PATH_MAX], text[128];
	int error = find_library(path, sizeof(path));
	char *list;

	if (error)
		return hf_problem_set(problem, HF_EXIT_MISSING, "install holdfast as a whole",
				      "%s: %s", path, strerror(-error));
	if (strpbrk(path, " :"))
		return hf_problem_set(problem, HF_EXIT_MISSING, "install it elsewhere",
				      "%s: no blank or colon may be in what is preloaded", path);
	snprintf(text, sizeof(text), HF_PRELOAD_FORMAT, HF_PRELOAD_NUMBERS(policy));
	if (asprintf(&list, "%s%s%s", path, others && *others ? ":" : "", others ? others : "") < 0)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	error = setenv("LD_PRELOAD", list, 1) || setenv(HF_PRELOAD_VARIABLE, text, 1);
	free(list);
	return error ? hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory") : 0;
}

static bool is_program(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISREG(status.st_mode) && !access(path, X_OK);
}

/* As execvp finds it. */
static bool find_program(const char *command, char *path, size_t size)
{
	const char *places = getenv("PATH");
	size_t length;

	if (strchr(command, '/')) {
		snprintf(path, size, "%s", command);
		return is_program(path);
	}
	for (places = places ? places : USUAL_PATH;; places += length + 1) {
		length = strcspn(places, ":");
		snprintf(path, size, "%.*s%s%s", (int)length, places, length ? "/" : "", command);
		if (is_program(path))
			return true;
		if (!places[length])
			return false;
	}
}

/* The loader then takes nothing from the environment (AT_SECURE). */
static bool gains_privileges(int fd)
{
	struct stat status;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || fstat(fd, &status))
		return false;
	if ((status.st_mode & S_ISUID) && status.st_uid != geteuid())
		return true;
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    status.st_gid != getegid())
		return true;
	return geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

struct image {
	bool elf;	       /* else a script, or nothing that the kernel knows */
	bool ours;	       /* of our machine */
	bool go;	       /* linked by Go */
	char loader[PATH_MAX]; /* "" = none */
};

/* Go's linker leaves a note of its own, which may be one of several. */
static bool has_go_note(int fd, off_t at, size_t size)
{
	char notes[NOTES_MAX];
	ssize_t got = pread(fd, notes, size < sizeof(notes) ? size : sizeof(notes), at);
	ElfW(Nhdr) note;

	for (size_t i = 0; got > 0 && i + sizeof(note) + 4 <= (size_t)got;) {
		memcpy(&note, notes + i, sizeof(note));
		if (note.n_namesz == 4 && !memcmp(notes + i + sizeof(note), "Go\0", 4))
			return true;
		i += sizeof(note) + ((size_t)note.n_namesz + 3) / 4 * 4 +
		     ((size_t)note.n_descsz + 3) / 4 * 4;
	}
	return false;
}

static void read_headers(int fd, const ElfW(Ehdr) * elf, struct image *out)
{
	ElfW(Phdr) header[HEADERS_MAX];
	size_t size = elf->e_phnum * sizeof(*header);

	if (pread(fd, header, size, (off_t)elf->e_phoff) != (ssize_t)size)
		return;
	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		off_t at = (off_t)header[i].p_offset;

		if (header[i].p_type == PT_INTERP && header[i].p_filesz < sizeof(out->loader) &&
		    pread(fd, out->loader, header[i].p_filesz, at) < 0)
			out->loader[0] = '\0';
		if (header[i].p_type == PT_NOTE && has_go_note(fd, at, header[i].p_filesz))
			out->go = true;
	}
}

static void read_image(int fd, struct image *out)
{
	ElfW(Ehdr) elf = { 0 };

	*out = (struct image){ 0 };
	if (pread(fd, &elf, sizeof(elf), 0) < SELFMAG || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	out->elf = true;
	out->ours = elf.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
		    elf.e_phentsize == sizeof(ElfW(Phdr)) && elf.e_phnum <= HEADERS_MAX;
	if (out->ours)
		read_headers(fd, &elf, out);
}

static void read_own_image(struct image *out)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	*out = (struct image){ 0 };
	if (fd < 0)
		return;
	read_image(fd, out);
	close(fd);
}

static enum hf_reach reach_of(int fd)
{
	struct image own, image;

	read_image(fd, &image);
	if (!image.elf)
		return HF_REACHED; /* execvp has /bin/sh run it */
	if (gains_privileges(fd))
		return HF_REACH_PRIVILEGED;
	if (!image.ours)
		return HF_REACH_FOREIGN;
	if (!*image.loader)
		return HF_REACH_STATIC;
	read_own_image(&own);
	if (*own.loader && strcmp(image.loader, own.loader) != 0)
		return HF_REACH_FOREIGN;
	return image.go ? HF_REACH_GO : HF_REACHED;
}

/* The interpreter of a script: "#!/bin/sh -e" -> "/bin/sh". */
static bool read_interpreter(int fd, char *path, size_t size)
{
	char line[PATH_MAX + 2] = "";
	const char *name;
	ssize_t got = pread(fd, line, sizeof(line) - 1, 0);

	if (got < 3 || line[0] != '#' || line[1] != '!')
		return false;
	name = line + 2 + strspn(line + 2, " \t");
	snprintf(path, size, "%.*s", (int)strcspn(name, " \t\r\n"), name);
	return *path;
}

enum hf_reach hf_preload_reach(const char *command)
{
	enum hf_reach reach = HF_REACHED;
	char path[PATH_MAX];
	bool script = find_program(command, path, sizeof(path));

	for (int deep = 0; script && deep <= SCRIPTS_DEEP; deep++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return HF_REACHED; /* executable, but not readable: nothing is known */
		script = read_interpreter(fd, path, sizeof(path));
		if (!script)
			reach = reach_of(fd);
		close(fd);
	}
	return reach;
}
