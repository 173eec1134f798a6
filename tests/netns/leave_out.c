// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded: dumps of sock_diag leave out the sockets of one local port, as they may while others
 * come and go: $HF_TEST_LEAVE_OUT, from when the file $HF_TEST_LEAVE_OUT_FROM is there.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void leave_out(char *bytes, int length, int port)
{
	const struct inet_diag_msg *socket;

	for (struct nlmsghdr *header = (struct nlmsghdr *)bytes; NLMSG_OK(header, length);
	     header = NLMSG_NEXT(header, length)) {
		socket = NLMSG_DATA(header);
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    header->nlmsg_flags & NLM_F_MULTI && ntohs(socket->id.idiag_sport) == port)
			header->nlmsg_type = NLMSG_NOOP;
	}
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int) =
		(ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	const struct sockaddr *from = message->msg_name;
	ssize_t length = next(fd, message, flags);

	if (length > 0 && from && from->sa_family == AF_NETLINK &&
	    !access(getenv("HF_TEST_LEAVE_OUT_FROM"), F_OK))
		leave_out(message->msg_iov[0].iov_base, (int)length,
			  atoi(getenv("HF_TEST_LEAVE_OUT")));
	return length;
}
