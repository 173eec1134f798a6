/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: a standing user timeout ends a connection whose peer is alive and answers, only because
 * its window stays closed that long; without one the same connection stays.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

int main(void)
{
	struct fact_pair with, without;
	double after;
	int error;

	fact_namespace();
	with = fact_connect(FACT_IPV4);
	without = fact_connect(FACT_IPV4);
	fact_set(with.client, IPPROTO_TCP, TCP_USER_TIMEOUT, 2500);
	fact_fill(with.client);
	fact_fill(without.client);
	error = fact_error(with.client, 8, &after);
	fact_saw(error == ETIMEDOUT, "window closed, user timeout 2.5 s: errno %d after %.2f s",
		 error, after);
	error = fact_error(without.client, 1, NULL);
	fact_saw(!error, "without: errno %d", error);
	return fact_end();
}
