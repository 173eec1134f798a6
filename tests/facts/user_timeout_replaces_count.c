/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: with a user timeout set, TCP_KEEPCNT is ignored: death comes at
 * idle + interval * max(1, ceil((timeout - idle) / interval)), later or earlier than by count.
 */
#include "fact.h"

#include <errno.h>
#include <netinet/tcp.h>

static const struct {
	int idle, interval, count, timeout_ms;
	int probes;
	double death; /* s */
} cases[] = {
	{ 1, 1, 2, 4500, 4, 5 }, /* by count it would be 3 s */
	{ 3, 1, 9, 1000, 1, 4 }, /* by count it would be 12 s */
	{ 1, 1, 3, 0, 3, 4 },	 /* none: by count */
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	struct fact_pair pairs[CASES];
	double start, died[CASES] = { 0 };
	struct fact_segment segment;
	int probes[CASES] = { 0 };
	int sniffer;

	fact_namespace();
	start = fact_now();
	for (unsigned int i = 0; i < CASES; i++) {
		pairs[i] = fact_connect(FACT_IPV4);
		fact_keepalive(pairs[i].client, cases[i].idle, cases[i].interval, cases[i].count,
			       cases[i].timeout_ms);
		fact_cut(pairs[i].server);
	}
	sniffer = fact_sniff();
	while (fact_sniff_next(sniffer, start + 6.5, &segment))
		for (unsigned int i = 0; i < CASES; i++)
			if (segment.from == pairs[i].client_port && !died[i]) {
				/* the segment of the death is a RST, the others are probes */
				if (segment.flags & TH_RST)
					died[i] = segment.time - start;
				else
					probes[i]++;
			}
	for (unsigned int i = 0; i < CASES; i++)
		fact_saw(fact_error(pairs[i].client, 0, NULL) == ETIMEDOUT &&
				 probes[i] == cases[i].probes && died[i] > cases[i].death - 0.1 &&
				 died[i] < cases[i].death * 1.125 + 0.2,
			 "%d/%d/%d user timeout %d ms: %d probes, dead after %.2f s", cases[i].idle,
			 cases[i].interval, cases[i].count, cases[i].timeout_ms, probes[i],
			 died[i]);
	return fact_end();
}
