/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "fact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

const char *const fact_family_names[FACT_FAMILIES] = { "IPv4", "IPv6", "v4-mapped" };

static char line[2048];
static bool holds = true;

long fact_must(long rc, const char *call)
{
	if (rc >= 0)
		return rc;
	printf("%s: cannot be tried: %s: %s\n", program_invocation_short_name, call,
	       strerror(errno));
	exit(1);
}

void fact_saw(bool as_claimed, const char *fmt, ...)
{
	size_t used = strlen(line);
	va_list args;

	used += snprintf(line + used, sizeof(line) - used, "%s%s", used ? "; " : "",
			 as_claimed ? "" : "NOT AS CLAIMED: ");
	if (used < sizeof(line)) {
		va_start(args, fmt);
		vsnprintf(line + used, sizeof(line) - used, fmt, args);
		va_end(args);
	}
	if (!as_claimed)
		holds = false;
}

int fact_end(void)
{
	/* a program that looked at nothing has proven nothing */
	holds = holds && *line;
	printf("%s: %s: %s\n", program_invocation_short_name, holds ? "holds" : "DOES NOT HOLD",
	       line);
	return holds ? 0 : 1;
}

double fact_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

void fact_sleep(double seconds)
{
	double whole = (double)(time_t)seconds;
	struct timespec left = { (time_t)whole, (long)((seconds - whole) * 1e9) };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

void fact_namespace(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	MUST(unshare(CLONE_NEWNET));
	fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
}

int fact_cgroup_root(void)
{
	int fs = MUST(fsopen("cgroup2", FSOPEN_CLOEXEC));
	int root;

	MUST(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	root = MUST(fsmount(fs, FSMOUNT_CLOEXEC, 0));
	close(fs);
	return root;
}

static struct {
	int root;
	char parent[32];
	char child[48];
	char before[4096]; /* where this process was, relative to root */
} cgroup;

static void move_into(const char *path)
{
	char procs[4200];
	int fd;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = MUST(openat(cgroup.root, procs, O_WRONLY));
	MUST(write(fd, "0", 1));
	close(fd);
}

static void leave_cgroup(void)
{
	move_into(cgroup.before);
	unlinkat(cgroup.root, cgroup.child, AT_REMOVEDIR);
	unlinkat(cgroup.root, cgroup.parent, AT_REMOVEDIR);
}

static void find_own_cgroup(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char entry[4096];

	MUST(file ? 0 : -1);
	strcpy(cgroup.before, ".");
	while (fgets(entry, sizeof(entry), file))
		if (sscanf(entry, "0::/%4090s", cgroup.before + 2) == 1)
			cgroup.before[1] = '/';
	fclose(file);
}

int fact_cgroup(void)
{
	cgroup.root = fact_cgroup_root();
	find_own_cgroup();
	snprintf(cgroup.parent, sizeof(cgroup.parent), "holdfast-fact-%d", getpid());
	snprintf(cgroup.child, sizeof(cgroup.child), "%s/child", cgroup.parent);
	MUST(mkdirat(cgroup.root, cgroup.parent, 0755));
	MUST(mkdirat(cgroup.root, cgroup.child, 0755));
	move_into(cgroup.child);
	atexit(leave_cgroup);
	return MUST(openat(cgroup.root, cgroup.parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static struct sockaddr_storage loopback(enum fact_family family, uint16_t port)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address;

	if (family == FACT_IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		inet_pton(AF_INET6, family == FACT_IPV6 ? "::1" : "::ffff:127.0.0.1",
			  &in6->sin6_addr);
	}
	return address;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	return ntohs(((struct sockaddr_in *)&address)->sin_port); /* sin6_port lies there too */
}

struct fact_pair fact_listen(enum fact_family family)
{
	int domain = family == FACT_IPV4 ? AF_INET : AF_INET6;
	struct sockaddr_storage address = loopback(family, 0);
	struct fact_pair pair = { .server = -1 };

	pair.listener = MUST(socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(bind(pair.listener, (struct sockaddr *)&address, sizeof(address)));
	MUST(listen(pair.listener, 16));
	pair.server_port = port_of(pair.listener);
	pair.client = MUST(socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
	return pair;
}

void fact_join(struct fact_pair *pair, enum fact_family family)
{
	struct sockaddr_storage address = loopback(family, pair->server_port);

	MUST(connect(pair->client, (struct sockaddr *)&address, sizeof(address)));
	pair->server = MUST(accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC));
	pair->client_port = port_of(pair->client);
}

struct fact_pair fact_connect(enum fact_family family)
{
	struct fact_pair pair = fact_listen(family);

	fact_join(&pair, family);
	return pair;
}

int fact_get(int fd, int level, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);

	MUST(getsockopt(fd, level, name, &value, &length));
	return value;
}

void fact_set(int fd, int level, int name, int value)
{
	MUST(setsockopt(fd, level, name, &value, sizeof(value)));
}

void fact_keepalive(int fd, int idle, int interval, int count, int user_timeout_ms)
{
	fact_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
	fact_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
	fact_set(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
	if (user_timeout_ms)
		fact_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
	fact_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void fact_cut(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &nothing };

	/* the filter drops every segment before TCP sees it */
	MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

void fact_heal(int fd)
{
	fact_set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void fact_forget(int fd)
{
	/* a socket closed under repair sends neither FIN nor RST */
	fact_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
	close(fd);
}

void fact_fill(int fd)
{
	static const char data[65536];
	struct pollfd pollfd = { fd, POLLOUT, 0 };

	/* writable no more for half a second: the other end has stopped taking */
	while (poll(&pollfd, 1, 500) == 1)
		if (send(fd, data, sizeof(data), MSG_DONTWAIT) < 0 && errno != EAGAIN)
			MUST(-1);
}

int fact_error(int fd, double seconds, double *after)
{
	struct pollfd pollfd = { fd, 0, 0 }; /* POLLERR and POLLHUP come unasked */
	double start = fact_now();
	int ready = MUST(poll(&pollfd, 1, (int)(seconds * 1000)));

	if (after)
		*after = fact_now() - start;
	return ready ? fact_get(fd, SOL_SOCKET, SO_ERROR) : 0;
}

int fact_sniff(void)
{
	/* ETH_P_IP and not ETH_P_ALL: each segment once, as it arrives */
	return MUST(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
}

bool fact_sniff_next(int sniffer, double until, struct fact_segment *segment)
{
	struct pollfd pollfd = { sniffer, POLLIN, 0 };
	unsigned char packet[65536];
	const struct tcphdr *tcp;
	const struct iphdr *ip;
	double left;
	ssize_t got;

	while ((left = until - fact_now()) > 0 && poll(&pollfd, 1, (int)(left * 1000) + 1) > 0) {
		got = MUST(recv(sniffer, packet, sizeof(packet), 0));
		ip = (const struct iphdr *)packet;
		if (got < 40 || ip->protocol != IPPROTO_TCP)
			continue;
		tcp = (const struct tcphdr *)(packet + ip->ihl * 4);
		segment->time = fact_now();
		segment->from = ntohs(tcp->source);
		segment->to = ntohs(tcp->dest);
		segment->flags = tcp->th_flags;
		segment->length = ntohs(ip->tot_len) - ip->ihl * 4 - tcp->doff * 4;
		return true;
	}
	return false;
}

int fact_iter_create(struct bpf_link *link)
{
	return MUST(bpf_iter_create(bpf_link__fd(link)));
}

long fact_iter_drain(int iterator)
{
	static char buffer[65536];
	long total = 0, got;

	while ((got = MUST(read(iterator, buffer, sizeof(buffer)))) > 0)
		total += got;
	close(iterator);
	return total;
}
