/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: sockops RTO_CB (a retransmission timer ran out) can arm the user timeout and RTT_CB (an
 * answer gave an RTT) clear it. A gone peer is then found in time, a healed connection goes
 * back to no timeout, and a peer that answers with a closed window is left alone.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "sockops_arming.skel.h"

int main(void)
{
	struct sockops_arming_bpf *skel = sockops_arming_bpf__open_and_load();
	struct fact_pair gone, healed, closed;
	int cgroup, error, timeout, later;
	double after;

	MUST(skel ? 0 : -1);
	cgroup = fact_cgroup();
	fact_namespace();
	MUST(bpf_program__attach_cgroup(skel->progs.arm, cgroup) ? 0 : -1);
	gone = fact_connect(FACT_IPV4);
	healed = fact_connect(FACT_IPV4);
	closed = fact_connect(FACT_IPV4);

	fact_fill(closed.client);
	fact_cut(gone.server);
	fact_cut(healed.server);
	MUST(write(gone.client, "x", 1));
	MUST(write(healed.client, "x", 1));
	fact_sleep(0.8);
	timeout = fact_get(healed.client, IPPROTO_TCP, TCP_USER_TIMEOUT);
	fact_heal(healed.server);
	error = fact_error(gone.client, 6, &after);
	fact_saw(error == ETIMEDOUT && after + 0.8 < 2.8,
		 "gone peer: errno %d %.2f s after the write", error, after + 0.8);
	later = fact_get(healed.client, IPPROTO_TCP, TCP_USER_TIMEOUT);
	error = fact_error(healed.client, 2, NULL);
	fact_saw(timeout == 2000 && !later && !error,
		 "healed: user timeout %d ms while broken, %d after, errno %d", timeout, later,
		 error);
	timeout = fact_get(closed.client, IPPROTO_TCP, TCP_USER_TIMEOUT);
	error = fact_error(closed.client, 1, NULL);
	fact_saw(!timeout && !error, "window closed for 5 s: user timeout %d ms, errno %d", timeout,
		 error);
	sockops_arming_bpf__destroy(skel);
	return fact_end();
}
