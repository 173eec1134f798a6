/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: when the first probe leaves after the keepalive settings of a live socket are changed.
 * Values first and then SO_KEEPALIVE: a full idle time from now, no burst. SO_KEEPALIVE first and
 * KEEPIDLE last, or KEEPIDLE lowered below the silence while on: at once. SO_KEEPALIVE again,
 * KEEPINTVL, KEEPCNT and USER_TIMEOUT re-arm nothing.
 */
#include "fact.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define SILENCE 3 /* s before anything is changed */
#define IDLE 2
#define ARMED 4 /* idle of the sockets that are on from the start */

static void values_then_on(int fd)
{
	fact_keepalive(fd, IDLE, 1, 5, 0);
}

static void on_then_idle(int fd)
{
	fact_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	fact_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE);
}

static void lower_idle(int fd)
{
	fact_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE);
}

static void on_again(int fd)
{
	fact_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static void others(int fd)
{
	fact_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	fact_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	fact_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
}

static const struct {
	const char *name;
	int idle_before; /* 0: keepalive off */
	void (*change)(int fd);
	double probe_after; /* s after the change */
} cases[] = {
	{ "off, values then on", 0, values_then_on, IDLE },
	{ "off, on then idle", 0, on_then_idle, 0 },
	{ "on, idle lowered", 20, lower_idle, 0 },
	{ "on, on again", ARMED, on_again, ARMED - SILENCE },
	{ "on, interval/count/timeout", ARMED, others, ARMED - SILENCE },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	struct fact_pair pairs[CASES];
	struct fact_segment segment;
	double first[CASES] = { 0 };
	double changed;
	int sniffer;

	fact_namespace();
	for (unsigned int i = 0; i < CASES; i++) {
		pairs[i] = fact_connect(FACT_IPV4);
		if (cases[i].idle_before)
			fact_keepalive(pairs[i].client, cases[i].idle_before, 5, 5, 0);
	}
	fact_sleep(SILENCE);
	sniffer = fact_sniff();
	changed = fact_now();
	for (unsigned int i = 0; i < CASES; i++)
		cases[i].change(pairs[i].client);
	while (fact_sniff_next(sniffer, changed + IDLE + 1, &segment))
		for (unsigned int i = 0; i < CASES; i++)
			if (segment.from == pairs[i].client_port && !first[i])
				first[i] = segment.time;
	for (unsigned int i = 0; i < CASES; i++) {
		double late = first[i] - changed - cases[i].probe_after;

		fact_saw(first[i] && late > -0.1 && late < 0.4, "%s: probe after %.2f s",
			 cases[i].name, first[i] ? first[i] - changed : -1);
	}
	return fact_end();
}
