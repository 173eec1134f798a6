/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a death by keepalive sends the peer a RST; one by user timeout with data in flight sends
 * none. The program is told ETIMEDOUT by both.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

int main(void)
{
	int resets_idle = 0, resets_in_flight = 0, sniffer, error[2];
	struct fact_pair idle, in_flight;
	struct fact_segment segment;

	fact_namespace();
	idle = fact_connect(FACT_IPV4);
	in_flight = fact_connect(FACT_IPV4);
	sniffer = fact_sniff();
	fact_keepalive(idle.client, 1, 1, 2, 0);
	fact_set(in_flight.client, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
	fact_cut(idle.server);
	fact_cut(in_flight.server);
	MUST(write(in_flight.client, "x", 1));

	error[0] = fact_error(idle.client, 6, NULL);
	error[1] = fact_error(in_flight.client, 6, NULL);
	while (fact_sniff_next(sniffer, fact_now() + 0.3, &segment)) {
		if (!(segment.flags & TH_RST))
			continue;
		resets_idle += segment.from == idle.client_port;
		resets_in_flight += segment.from == in_flight.client_port;
	}
	fact_saw(error[0] == ETIMEDOUT && resets_idle == 1, "keepalive: errno %d, %d RST sent",
		 error[0], resets_idle);
	fact_saw(error[1] == ETIMEDOUT && resets_in_flight == 0,
		 "user timeout: errno %d, %d RST sent", error[1], resets_in_flight);
	return fact_end();
}
