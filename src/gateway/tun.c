/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets written here have a source that lies behind another device. Source validation (RFC 3704)
 * must let that pass: loose, which also overrules a strict setting for all devices, and it wants
 * an address on the device. Other devices' settings are never touched.
 */
#include "gateway/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS "169.254.77.1"
#define PRIVILEGE "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW"

static int make_device(struct hf_tun *tun, struct hf_problem *problem)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return hf_problem_set(problem, HF_EXIT_MISSING,
				      errno == ENOENT || errno == ENODEV ? "modprobe tun" :
									   PRIVILEGE,
				      "cannot open /dev/net/tun: %s", strerror(errno));
	strcpy(request.ifr_name, HF_TUN_NAME);
	if (!ioctl(tun->fd, TUNSETIFF, &request))
		return 0;
	if (errno == EBUSY)
		return hf_problem_set(problem, HF_EXIT_FAILED, "end the other gateway",
				      "the device \"%s\" is in use", HF_TUN_NAME);
	if (errno == EINVAL)
		return hf_problem_set(problem, HF_EXIT_FAILED, "ip link del " HF_TUN_NAME,
				      "a device \"%s\" of another kind is there already",
				      HF_TUN_NAME);
	return hf_problem_set(problem, HF_EXIT_MISSING, PRIVILEGE,
			      "cannot make the device \"%s\": %s", HF_TUN_NAME, strerror(errno));
}

/* Write a setting of the device's own, unless it is so already. family: "ipv4" or "ipv6". */
static int set(const char *family, const char *name, char value, struct hf_problem *problem)
{
	char path[96], now = '\0';
	int fd, error = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, HF_TUN_NAME, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* a kernel without that family */
	if (read(fd, &now, 1) != 1)
		now = '\0';
	close(fd);
	if (now == value)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, &value, 1) != 1)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (!error)
		return 0;
	return hf_problem_set(problem, HF_EXIT_MISSING, "let /proc/sys/net be written to",
			      "cannot set %s to %c: %s", path, value, strerror(error));
}

static int give_address(int fd, struct ifreq *request)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	inet_pton(AF_INET, ADDRESS, &address.sin_addr);
	memcpy(&request->ifr_addr, &address, sizeof(address));
	if (ioctl(fd, SIOCSIFADDR, request))
		return -1;
	address.sin_addr.s_addr = INADDR_NONE;
	memcpy(&request->ifr_netmask, &address, sizeof(address));
	return ioctl(fd, SIOCSIFNETMASK, request);
}

/* The address comes first: with the device come up, IPv6 makes its own one. */
static int bring_up(struct hf_tun *tun, struct hf_problem *problem)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	strcpy(request.ifr_name, HF_TUN_NAME);
	if (fd < 0 || give_address(fd, &request)) {
		error = errno;
	} else {
		request.ifr_flags = IFF_UP | IFF_NOARP;
		error = ioctl(fd, SIOCSIFFLAGS, &request) ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (error)
		return hf_problem_set(problem, HF_EXIT_MISSING, PRIVILEGE,
				      "cannot bring the device \"%s\" up: %s", HF_TUN_NAME,
				      strerror(error));
	tun->index = if_nametoindex(HF_TUN_NAME);
	return 0;
}

int hf_tun_open(struct hf_tun *tun, struct hf_problem *problem)
{
	if (make_device(tun, problem) || set("ipv4", "rp_filter", '2', problem) ||
	    set("ipv4", "forwarding", '1', problem) || set("ipv6", "disable_ipv6", '0', problem) ||
	    set("ipv6", "accept_ra", '0', problem) || set("ipv6", "forwarding", '1', problem) ||
	    bring_up(tun, problem)) {
		hf_tun_close(tun);
		return -1;
	}
	return 0;
}

void hf_tun_close(struct hf_tun *tun)
{
	if (tun->fd >= 0)
		close(tun->fd);
	tun->fd = -1;
}

int hf_tun_send(const struct hf_tun *tun, const void *packet, size_t size)
{
	return write(tun->fd, packet, size) < 0 ? -errno : 0;
}
