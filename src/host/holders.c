/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/holders.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/names.h"

#define MAPPED 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

struct answer {
	struct nlmsghdr header;
	struct inet_diag_msg body;
	char attributes[512];
};

static struct request request_of(const struct hf_record *record)
{
	bool v4 = record->family == HF_IPV4;
	size_t from = v4 ? MAPPED : 0, size = v4 ? 4 : 16;
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = v4 ? AF_INET : AF_INET6,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = UINT32_MAX,
			  .id = { .idiag_sport = htons(record->local_port),
				  .idiag_dport = htons(record->remote_port),
				  .idiag_cookie = { (uint32_t)record->cookie,
						    (uint32_t)(record->cookie >> 32) } } },
	};

	memcpy(request.body.id.idiag_src, record->local.byte + from, size);
	memcpy(request.body.id.idiag_dst, record->remote.byte + from, size);
	return request;
}

uint32_t hf_socket_inode(const struct hf_record *record)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct request request = request_of(record);
	struct answer answer;
	ssize_t length = -1;

	if (fd < 0)
		return 0;
	if (send(fd, &request, sizeof(request), 0) == sizeof(request))
		length = recv(fd, &answer, sizeof(answer), 0);
	close(fd);
	if (length < (ssize_t)offsetof(struct answer, attributes) ||
	    answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return 0;
	return answer.body.idiag_inode;
}

static bool holds(const char *pid, const char *socket)
{
	char path[64], target[64];
	bool found = false;
	struct dirent *fd;
	ssize_t length;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	if (!fds)
		return false;
	while (!found && (fd = readdir(fds))) {
		length = readlinkat(dirfd(fds), fd->d_name, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		found = !strcmp(target, socket);
	}
	closedir(fds);
	return found;
}

size_t hf_holders_find(uint32_t inode, struct hf_holder *out, size_t most)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;
	char socket[32];

	if (!proc)
		return 0;
	snprintf(socket, sizeof(socket), "socket:[%u]", inode);
	while (inode && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, socket))
			continue;
		if (count < most) {
			out[count] = (struct hf_holder){ .pid = (uint32_t)atoi(entry->d_name) };
			hf_process_name(out[count].pid, out[count].process);
		}
		count++;
	}
	closedir(proc);
	return count;
}
