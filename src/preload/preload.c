/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libholdfast-preload.so: what `holdfast run` puts into a program where it has no privileges.
 *
 * Calls that make, connect, accept or set a TCP socket do what they always did, and then the
 * socket is brought under the policy: as in the kernel, either the program's own settings stay as a
 * whole, or ours take their place as a whole. The program's wishes are remembered, so that it may
 * still change them one by one. The user timeout is set once a connection stands; it would cut
 * short the attempts to make one.
 *
 * Whatever fails here, fails silently, and errno is the program's.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <holdfast/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/policy.h"
#include "preload/wishes.h"

#define EXPORT __attribute__((visibility("default")))

static struct hf_preload_policy policy;
static bool active;

/* The next definition of a function: the C library's, or that of another preloaded library. */
enum next {
	SOCKET,
	CONNECT,
	LISTEN,
	ACCEPT,
	ACCEPT4,
	SETSOCKOPT,
	GETSOCKOPT
};
static const char *const names[] = { "socket",	"connect",    "listen",	   "accept",
				     "accept4", "setsockopt", "getsockopt" };
static void *_Atomic next[sizeof(names) / sizeof(*names)];

/* Found at the start; only constructors of other libraries may come before that. */
static void *next_of(enum next which)
{
	void *found = next[which];

	if (!found)
		next[which] = found = dlsym(RTLD_NEXT, names[which]);
	return found;
}

#define NEXT(which, type, ...) (((int (*)(type))next_of(which))(__VA_ARGS__))
#define TYPES(...) __VA_ARGS__

/* What our own library calls must not come back to us (linked with --wrap). */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return NEXT(SETSOCKOPT, TYPES(int, int, int, const void *, socklen_t), fd, level, name,
		    value, size);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	return NEXT(GETSOCKOPT, TYPES(int, int, int, void *, socklen_t *), fd, level, name, value,
		    size);
}

static bool is_connected(const struct tcp_info *info)
{
	return info->tcpi_state == TCP_ESTABLISHED || info->tcpi_state == TCP_CLOSE_WAIT ||
	       info->tcpi_state == TCP_FIN_WAIT1 || info->tcpi_state == TCP_FIN_WAIT2;
}

static bool read_info(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	*info = (struct tcp_info){ 0 };
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) ? 0 : cookie;
}

/* A user timeout counts from the last segment heard, also from before it was set. */
static bool too_silent(const struct tcp_info *info, const struct hf_settings *set)
{
	uint64_t silent_ms = info->tcpi_last_data_recv < info->tcpi_last_ack_recv ?
				     info->tcpi_last_data_recv :
				     info->tcpi_last_ack_recv;

	return set->count <= 2 || silent_ms >= (set->count - 2) * 1000ull * set->interval;
}

static void settle_timeout(const struct tcp_info *info, const struct hf_settings *own,
			   struct hf_settings *want)
{
	if (!want->user_timeout_ms)
		want->user_timeout_ms = hf_settings_user_timeout(want);
	if (want->user_timeout_ms != own->user_timeout_ms &&
	    (!is_connected(info) || too_silent(info, want)))
		want->user_timeout_ms = own->user_timeout_ms;
}

/* The same for a socket each time, different from one to the next (Fibonacci hashing). */
static uint32_t jitter_of(uint64_t cookie)
{
	return (uint32_t)(cookie * 11400714819323198485u >> 32);
}

/* What a socket in this condition is to have. */
static void decide(const struct hf_settings *own, const struct tcp_info *info, uint64_t cookie,
		   struct hf_settings *want)
{
	enum hf_decision decision =
		hf_settings_decide(own, &policy.goals, &policy.settings, policy.override, want);

	if (decision != HF_REPLACE)
		*want = *own;
	else if (!want->user_timeout_ms)
		want->idle = hf_settings_jitter(want->idle, jitter_of(cookie));
	if (decision == HF_REPLACE || decision == HF_KEEP)
		settle_timeout(info, own, want);
}

/* What the program wants of a TCP socket: as remembered, else what is in force. */
static bool wishes_of(int fd, uint64_t cookie, struct hf_wishes *out)
{
	if (hf_wishes_recall(fd, cookie, out))
		return true;
	*out = (struct hf_wishes){ 0 };
	return !hf_socket_get(fd, &out->settings);
}

static void settle(int fd, uint64_t cookie, struct hf_wishes *wishes)
{
	struct hf_settings want = { 0 };
	struct tcp_info info;

	if (!read_info(fd, &info) || (is_connected(&info) && info.tcpi_probes))
		return; /* while probes are unanswered, nothing that counts them is changed */
	decide(&wishes->settings, &info, cookie, &want);
	if (hf_socket_set(fd, &want))
		return;
	wishes->finished = is_connected(&info);
	hf_wishes_keep(fd, cookie, wishes);
}

/* Bring a descriptor under the policy, if it is one of TCP and not done with. */
static void protect(int fd)
{
	struct hf_wishes wishes;
	int program_errno = errno;
	uint64_t cookie;

	if (active && fd >= 0) {
		cookie = cookie_of(fd);
		if (cookie && wishes_of(fd, cookie, &wishes) && !wishes.finished)
			settle(fd, cookie, &wishes);
	}
	errno = program_errno;
}

/* An accepted socket has got what is in force at its listener, but the wishes are the program's. */
static int accepted(int listener, int fd)
{
	struct hf_wishes wishes;
	int program_errno = errno;
	uint64_t from, cookie;

	if (active && fd >= 0) {
		from = cookie_of(listener);
		cookie = from ? cookie_of(fd) : 0;
		if (cookie && hf_wishes_recall(listener, from, &wishes))
			hf_wishes_keep(fd, cookie, &wishes);
		protect(fd);
	}
	errno = program_errno;
	return fd;
}

/* Where the program's wish for an option is kept; NULL if the option is none of ours. */
static uint32_t *place_of(int level, int name, struct hf_settings *own)
{
	if (level == SOL_SOCKET)
		return name == SO_KEEPALIVE ? &own->keepalive : NULL;
	if (level != IPPROTO_TCP)
		return NULL;
	switch (name) {
	case TCP_KEEPIDLE:
		return &own->idle;
	case TCP_KEEPINTVL:
		return &own->interval;
	case TCP_KEEPCNT:
		return &own->count;
	case TCP_USER_TIMEOUT:
		return &own->user_timeout_ms;
	default:
		return NULL;
	}
}

EXPORT int socket(int domain, int type, int protocol)
{
	int fd = NEXT(SOCKET, TYPES(int, int, int), domain, type, protocol);

	if ((domain == AF_INET || domain == AF_INET6) &&
	    (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM)
		protect(fd);
	return fd;
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int result;

	protect(fd); /* it may have come to the program in another way than by socket() */
	result = NEXT(CONNECT, TYPES(int, const struct sockaddr *, socklen_t), fd, address, size);
	if (!result || errno == EISCONN)
		protect(fd);
	return result;
}

EXPORT int listen(int fd, int backlog)
{
	protect(fd);
	return NEXT(LISTEN, TYPES(int, int), fd, backlog);
}

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *size)
{
	return accepted(fd, NEXT(ACCEPT, TYPES(int, struct sockaddr *, socklen_t *), fd, address,
				 size));
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	return accepted(fd, NEXT(ACCEPT4, TYPES(int, struct sockaddr *, socklen_t *, int), fd,
				 address, size, flags));
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	struct hf_wishes wishes;
	uint32_t *place = place_of(level, name, &wishes.settings);
	int result, program_errno = errno;
	uint64_t cookie = 0;

	if (active && place && value && size >= sizeof(*place)) {
		cookie = cookie_of(fd);
		if (cookie && !wishes_of(fd, cookie, &wishes))
			cookie = 0;
	}
	errno = program_errno;
	result = __wrap_setsockopt(fd, level, name, value, size);
	if (cookie && !result) {
		memcpy(place, value, sizeof(*place));
		if (level == SOL_SOCKET)
			*place = !!*place;
		settle(fd, cookie, &wishes);
		errno = program_errno;
	}
	return result;
}

/* How a program learns that a connection stands which it did not wait for in connect(). */
EXPORT int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
	int result = __wrap_getsockopt(fd, level, name, value, size);

	if (!result && level == SOL_SOCKET && name == SO_ERROR && *size == sizeof(int) &&
	    !*(const int *)value)
		protect(fd);
	return result;
}

/* Descriptors that the program was started with. */
static void protect_inherited(void)
{
	_Alignas(struct dirent64) char room[4096];
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent64 *entry;
	long got;

	if (dir < 0)
		return;
	while ((got = syscall(SYS_getdents64, dir, room, sizeof(room))) > 0)
		for (long at = 0; at < got; at += entry->d_reclen) {
			entry = (const struct dirent64 *)(room + at);
			if (entry->d_name[0] != '.')
				protect(atoi(entry->d_name));
		}
	close(dir);
}

__attribute__((constructor)) static void start(void)
{
	int program_errno = errno;

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		next_of(i);
	active = hf_preload_parse(getenv(HF_PRELOAD_VARIABLE), &policy);
	if (active)
		protect_inherited();
	errno = program_errno;
}
