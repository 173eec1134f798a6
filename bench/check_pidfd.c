/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_pidfd PORT PID...: what `holdfast check` is compared with, one probe per socket by the
 * kernel's own keepalive: every established socket of the processes whose peer has this port is
 * fetched with pidfd_getfd and told to be idle for one second at most; as all have been silent for
 * longer, the probes leave at once. Who was heard since is alive; all is set back. Prints how many
 * are. With the change of settings that check does without.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define AT_ONCE 500 /* more would overflow the loopback's queue, and be lost */

static int *found;
static unsigned int count, room;

static unsigned int now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned int)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length); /* fails on anything but TCP */
	return info;
}

static int is_wanted(int fd, in_port_t port)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	return info_of(fd).tcpi_state == 1 && !getpeername(fd, (struct sockaddr *)&peer, &length) &&
	       peer.sin_port == port;
}

static void keep(int fd)
{
	if (count == room) {
		room = room ? 2 * room : 1024;
		found = realloc(found, room * sizeof(*found));
		if (!found)
			err(1, "memory");
	}
	found[count++] = fd;
}

static void fetch(pid_t pid, in_port_t port)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64], link[64];
	struct dirent *entry;
	DIR *fds;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (pidfd < 0 || !fds)
		err(1, "process %d", pid);
	while ((entry = readdir(fds))) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link));

		if (length < 8 || memcmp(link, "socket:[", 8))
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0)
			err(1, "pidfd_getfd");
		if (is_wanted(fd, port))
			keep(fd);
		else
			close(fd);
	}
	closedir(fds);
	close(pidfd);
}

/* On first, so that a shorter idle time than the silence so far makes the timer run out at once. */
static void set(int fd, int on, int idle)
{
	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)))
		err(1, "setsockopt");
}

static int heard_since(int fd, unsigned int start)
{
	struct tcp_info info = info_of(fd);

	return !info.tcpi_probes && info.tcpi_last_ack_recv < now_ms() - start;
}

static unsigned int check(const int *fd, unsigned int n)
{
	unsigned int start = now_ms(), alive = 0;

	for (unsigned int i = 0; i < n; i++)
		set(fd[i], 1, 1);
	for (unsigned int i = 0; i < n; i++) {
		while (!heard_since(fd[i], start) && now_ms() - start < PATIENCE_MS)
			usleep(1000);
		alive += (unsigned int)heard_since(fd[i], start);
		set(fd[i], 0, 7200);
	}
	return alive;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	unsigned int alive = 0;

	if (argc < 3)
		errx(2, "usage: check_pidfd PORT PID...");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "RLIMIT_NOFILE");
	for (int i = 2; i < argc; i++)
		fetch(atoi(argv[i]), htons((in_port_t)atoi(argv[1])));
	for (unsigned int i = 0; i < count; i += AT_ONCE)
		alive += check(found + i, count - i < AT_ONCE ? count - i : AT_ONCE);
	printf("%u\n", alive);
	free(found);
	return 0;
}
