/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/burst.h"

#include <stdio.h>

#define USUAL_BACKLOG 1000 /* Linux netdev_max_backlog; other namespaces do not show it */

#define ROUNDS 3 /* of dropped and repeated probes that no connection dies of: three at least */

#define SPREAD_GRID_MS 100 /* of what is set anew two seconds before, whatever HZ is */

/* Linux __mod_timer: an eighth of the distance, by powers of eight of a jiffy (HZ 250). */
static uint32_t grid_ms(uint32_t idle, bool spread)
{
	if (spread)
		return SPREAD_GRID_MS;
	return idle > 16 ? 2048 : 256;
}

static uint32_t backlog(void)
{
	FILE *file = fopen("/proc/sys/net/core/netdev_max_backlog", "re");
	uint32_t value = USUAL_BACKLOG;

	if (!file)
		return value;
	if (fscanf(file, "%u", &value) != 1)
		value = USUAL_BACKLOG;
	fclose(file);
	return value;
}

uint32_t hf_burst_backlog(uint64_t connections, const struct hf_settings *settings, bool spread)
{
	/* Spread over three quarters of idle; every probe brings an answer. */
	uint64_t burst = 2 * connections * grid_ms(settings->idle, spread) /
			 (750 * (uint64_t)settings->idle);
	uint64_t wanted = 1000;

	if (burst <= ROUNDS * backlog())
		return 0;
	while (wanted < 2 * burst)
		wanted *= 2;
	return wanted < INT32_MAX ? (uint32_t)wanted : INT32_MAX;
}

uint32_t hf_burst_due(const uint32_t due[HF_DUE_SLOTS])
{
	/* Answers come as well, and two slots may fall into one stroke of the grid. */
	uint32_t most = backlog() / 4;

	for (uint32_t slot = 0; slot < HF_DUE_SLOTS; slot++)
		if (due[slot] > most)
			return slot * HF_DUE_SLOT_MS / 1000;
	return UINT32_MAX;
}
