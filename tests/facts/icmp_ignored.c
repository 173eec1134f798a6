/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: an ICMP error in answer to a keepalive probe is ignored (its sequence number lies below
 * the window): the death stays ETIMEDOUT. With data in flight the same error becomes EHOSTUNREACH.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A counter of /proc/net/snmp, which has a line of names and one of values for each group. */
static long counter(const char *group, const char *name)
{
	char names[4096], values[4096], *n, *v, *next_n, *next_v;
	FILE *file = fopen("/proc/self/net/snmp", "re");
	long found = -1;

	MUST(file ? 0 : -1);
	while (found < 0 && fgets(names, sizeof(names), file) &&
	       fgets(values, sizeof(values), file)) {
		if (strncmp(names, group, strlen(group)))
			continue;
		n = strtok_r(names, " \n", &next_n);
		v = strtok_r(values, " \n", &next_v);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &next_n);
			v = strtok_r(NULL, " \n", &next_v);
		}
		found = n && v ? atol(v) : -1;
	}
	fclose(file);
	return found;
}

int main(void)
{
	struct fact_pair idle, in_flight;
	long icmp;
	int error;

	fact_namespace();
	idle = fact_connect(FACT_IPV4);
	in_flight = fact_connect(FACT_IPV4);
	MUST(system("nft 'table ip t { chain c { type filter hook input priority 0;"
		    " tcp flags & rst == 0 reject with icmp type host-unreachable; }; }'") ?
		     -1 :
		     0);
	fact_keepalive(idle.client, 1, 1, 2, 0);
	error = fact_error(idle.client, 6, NULL);
	icmp = counter("Icmp:", "InDestUnreachs");
	fact_saw(error == ETIMEDOUT && icmp >= 2, "idle: %ld ICMP errors, errno %d", icmp, error);

	fact_set(in_flight.client, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
	MUST(write(in_flight.client, "x", 1));
	error = fact_error(in_flight.client, 6, NULL);
	fact_saw(error == EHOSTUNREACH, "in flight: errno %d", error);
	return fact_end();
}
