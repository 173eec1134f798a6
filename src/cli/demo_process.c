/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_CANNOT_RUN 127

pid_t hf_child_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before it could be asked for */
		_exit(EXIT_FAILURE);
	return 0;
}

int hf_child_enter(pid_t pid)
{
	char path[64];
	int rc = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		rc = -errno;
	close(fd);
	return rc;
}

static void host_process(int ready)
{
	int error = unshare(CLONE_NEWNET) ? errno : 0;

	if (write(ready, &error, sizeof(error)) != sizeof(error) || error)
		_exit(EXIT_FAILURE);
	close(ready);
	for (;;)
		pause();
}

pid_t hf_child_host(struct hf_problem *problem)
{
	int error = EPIPE; /* what is said of a child that ends without a word */
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "pipe: %s", strerror(errno));
	pid = hf_child_fork();
	if (!pid)
		host_process(ready[1]);
	if (pid < 0)
		error = errno;
	close(ready[1]);
	if (pid > 0 && read(ready[0], &error, sizeof(error)) < 0)
		error = errno;
	close(ready[0]);
	if (!error)
		return pid;
	if (pid > 0)
		hf_child_end(&pid);
	return hf_problem_set(
		problem, error == EPERM ? HF_EXIT_MISSING : HF_EXIT_FAILED,
		error == EPERM ? "run it as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN" : NULL,
		"cannot make a network namespace: %s", strerror(error));
}

void hf_child_end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

/* su and cron leave sbin out of PATH, where ip and nft live on many systems. */
static void path_add_sbin(void)
{
	const char *path = getenv("PATH");
	char *longer;

	if (asprintf(&longer, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin") < 0)
		return;
	setenv("PATH", longer, 1);
	free(longer);
}

static void run_process(pid_t netns_of, const char *const *argv, int in, int out)
{
	if (hf_child_enter(netns_of))
		_exit(EXIT_FAILURE);
	path_add_sbin();
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(out, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)argv);
	_exit(EXIT_CANNOT_RUN);
}

static int run_failed(const char *program, int status, int out, struct hf_problem *problem)
{
	char said[256];
	ssize_t length = pread(out, said, sizeof(said) - 1, 0);
	char mend[128];

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT_RUN) {
		snprintf(mend, sizeof(mend), "install %s",
			 strcmp(program, "ip") ? "nftables" : "iproute2");
		return hf_problem_set(problem, HF_EXIT_MISSING, mend,
				      "the demo needs the program %s", program);
	}
	said[length > 0 ? length : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return hf_problem_set(problem, HF_EXIT_FAILED, "`holdfast doctor` tells what is missing",
			      "%s failed: %s", program, said[0] ? said : "it says nothing");
}

int hf_child_run(pid_t netns_of, const char *const *argv, const char *input,
		 struct hf_problem *problem)
{
	int in = memfd_create("in", MFD_CLOEXEC);
	int out = memfd_create("out", MFD_CLOEXEC);
	int status = -1;
	int rc = 0;
	pid_t pid = -1;

	if (in >= 0 && out >= 0 && dprintf(in, "%s", input) >= 0 && !lseek(in, 0, SEEK_SET))
		pid = hf_child_fork();
	if (!pid)
		run_process(netns_of, argv, in, out);
	if (pid < 0)
		rc = hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot start %s: %s", argv[0],
				    strerror(errno));
	else
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (!rc && status)
		rc = run_failed(argv[0], status, out, problem);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return rc;
}

/* Exit status: 0 or the errno. A child, because /proc/sys shows the caller's own namespace. */
static void sysctl_process(pid_t netns_of, const char *path, const char *value)
{
	int error = -hf_child_enter(netns_of);
	int fd;

	if (error)
		_exit(error);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		_exit(errno);
	_exit(0);
}

int hf_child_sysctl(pid_t netns_of, const char *name, const char *value, struct hf_problem *problem)
{
	char path[128];
	int status = 0;
	int error;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	pid = hf_child_fork();
	if (!pid)
		sysctl_process(netns_of, path, value);
	if (pid < 0)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!status)
		return 0;
	error = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return hf_problem_set(problem, HF_EXIT_MISSING,
			      "run it where /proc/sys can be written and nf_conntrack loaded",
			      "cannot write %s: %s", path, strerror(error));
}

int64_t hf_demo_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
