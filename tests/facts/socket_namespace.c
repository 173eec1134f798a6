/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a network namespace held by nothing but an open socket appears in no /proc/PID/ns/net;
 * pidfd_getfd of the socket and SIOCGSKNS find it, and setns enters it.
 */
#define _GNU_SOURCE
#include "fact.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own: a socket in a new namespace, and back out of it. */
static int hold_socket(int ready)
{
	int home = MUST(open("/proc/self/ns/net", O_RDONLY));
	int fd;

	fact_namespace();
	fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(setns(home, CLONE_NEWNET));
	MUST(write(ready, &fd, sizeof(fd)));
	pause();
	return 0;
}

static int processes_in(ino_t ino)
{
	struct stat st;
	glob_t found;
	int n = 0;

	MUST(-glob("/proc/[0-9]*/task/*/ns/net", GLOB_NOSORT, NULL, &found));
	for (size_t i = 0; i < found.gl_pathc; i++)
		n += !stat(found.gl_pathv[i], &st) && st.st_ino == ino;
	globfree(&found);
	return n;
}

int main(void)
{
	int ready[2], theirs, pidfd, fd, ns;
	struct stat own, found, entered;
	pid_t child;

	MUST(pipe(ready));
	child = MUST(fork());
	if (!child)
		return hold_socket(ready[1]);
	close(ready[1]);
	if (read(ready[0], &theirs, sizeof(theirs)) != sizeof(theirs))
		return 1;
	pidfd = MUST(syscall(SYS_pidfd_open, child, 0));
	fd = MUST(syscall(SYS_pidfd_getfd, pidfd, theirs, 0));
	ns = MUST(ioctl(fd, SIOCGSKNS));
	MUST(fstat(ns, &found));
	MUST(stat("/proc/self/ns/net", &own));
	fact_saw(found.st_ino != own.st_ino && !processes_in(found.st_ino),
		 "namespace %lu, %d processes in it", (long)found.st_ino,
		 processes_in(found.st_ino));
	MUST(setns(ns, CLONE_NEWNET));
	MUST(stat("/proc/self/ns/net", &entered));
	fact_saw(entered.st_ino == found.st_ino, "entered");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return fact_end();
}
