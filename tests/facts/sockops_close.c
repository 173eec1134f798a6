/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: at the change to CLOSE sockops STATE_CB sees why a connection ended: sk_err 110 with the
 * unanswered probes for a keepalive death, 110 without for a user timeout, 104 for a RST (with
 * probes if it answered one), 103 for one destroyed from outside, 0 for a normal close. The local
 * port is still there, in skc_num and in inet_sport.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "sockops_close.h"
#include "sockops_close.skel.h"

static void idle_death(const struct fact_pair *pair)
{
	fact_keepalive(pair->client, 1, 1, 2, 0);
	fact_cut(pair->server);
}

static void in_flight_death(const struct fact_pair *pair)
{
	fact_set(pair->client, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
	fact_cut(pair->server);
	MUST(write(pair->client, "x", 1));
}

static void reboot(const struct fact_pair *pair)
{
	fact_keepalive(pair->client, 1, 1, 2, 0);
	fact_forget(pair->server);
}

static void destroy(const struct fact_pair *pair)
{
	char command[80];

	snprintf(command, sizeof(command), "ss -K -tn sport = :%d >/dev/null", pair->client_port);
	MUST(system(command) ? -1 : 0);
}

static void close_both(const struct fact_pair *pair)
{
	close(pair->server); /* the peer closes first, so that this end passes LAST_ACK */
	fact_sleep(0.1);
	close(pair->client);
}

static const struct {
	const char *name;
	void (*end)(const struct fact_pair *pair);
	int error;
	unsigned int unanswered;
} cases[] = {
	{ "keepalive death", idle_death, ETIMEDOUT, 2 },
	{ "user timeout", in_flight_death, ETIMEDOUT, 0 },
	{ "RST in answer to a probe", reboot, ECONNRESET, 1 },
	{ "destroyed", destroy, ECONNABORTED, 0 },
	{ "normal close", close_both, 0, 0 },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	struct sockops_close_bpf *skel = sockops_close_bpf__open_and_load();
	struct fact_pair pairs[CASES];
	const struct ending *ending;
	int cgroup;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	MUST(bpf_program__attach_cgroup(skel->progs.on_close, cgroup) ? 0 : -1);
	for (unsigned int i = 0; i < CASES; i++) {
		pairs[i] = fact_connect(FACT_IPV4);
		cases[i].end(&pairs[i]);
	}
	fact_sleep(4);
	fact_saw(skel->bss->ended == CASES, "%u of %zu ended", skel->bss->ended, CASES);
	for (unsigned int i = 0; i < CASES; i++)
		for (unsigned int j = 0; j < skel->bss->ended; j++) {
			ending = &skel->bss->endings[j];
			if (ending->source_port != pairs[i].client_port)
				continue;
			fact_saw(ending->error == cases[i].error &&
					 ending->unanswered == cases[i].unanswered &&
					 ending->port == pairs[i].client_port,
				 "%s: errno %d, %u unanswered", cases[i].name, ending->error,
				 ending->unanswered);
		}
	sockops_close_bpf__destroy(skel);
	return fact_end();
}
