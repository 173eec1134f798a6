/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: on a socket silent for longer than a standing user timeout, one lost probe is death,
 * whatever the count, though the peer lives: the silence before the option was set counts too.
 */
#include "fact.h"

#include <errno.h>

#define SILENCE 4

int main(void)
{
	struct fact_pair pairs[2];
	struct fact_segment segment;
	int sniffer, lost = 0, error;
	double until;

	fact_namespace();
	for (int i = 0; i < 2; i++)
		pairs[i] = fact_connect(FACT_IPV4);
	fact_sleep(SILENCE);
	sniffer = fact_sniff();
	for (int i = 0; i < 2; i++) {
		fact_keepalive(pairs[i].client, 1, 1, 5, i == 0 ? 3500 : 0);
		fact_cut(pairs[i].server);
	}
	/* the first probe of each is lost, later ones are answered */
	until = fact_now() + 3;
	while (lost < 2 && fact_sniff_next(sniffer, until, &segment))
		for (int i = 0; i < 2; i++)
			if (segment.from == pairs[i].client_port) {
				fact_heal(pairs[i].server);
				lost++;
			}
	fact_saw(lost == 2, "one probe lost on each");
	error = fact_error(pairs[0].client, 3, NULL);
	fact_saw(error == ETIMEDOUT, "with a user timeout of 3.5 s: errno %d", error);
	error = fact_error(pairs[1].client, 2.5, NULL);
	fact_saw(!error, "without: errno %d", error);
	return fact_end();
}
