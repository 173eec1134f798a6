/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bucket that leaks `deaths` in within_ms: steadily so many pass, twice as many do not. */
#include "gateway/brake.h"

bool hf_brake_holds(struct hf_brake *brake, uint64_t now_ms)
{
	bool recovered = brake->revived * 2 >= brake->dead;

	if (brake->on &&
	    now_ms - brake->last_ms >= (recovered ? brake->settle_ms : brake->hold_ms)) {
		brake->on = false;
		brake->level = brake->dead = brake->revived = 0;
	}
	return brake->on;
}

bool hf_brake_death(struct hf_brake *brake, uint64_t now_ms)
{
	bool held = hf_brake_holds(brake, now_ms);
	uint64_t leaked = (now_ms - brake->at_ms) * brake->deaths;

	if (!brake->deaths)
		return false;
	brake->level = (leaked < brake->level ? brake->level - leaked : 0) + brake->within_ms;
	brake->at_ms = brake->last_ms = now_ms;
	if (brake->level > (uint64_t)brake->deaths * brake->within_ms)
		brake->on = true;
	brake->dead += brake->on;
	return brake->on && !held;
}

void hf_brake_revival(struct hf_brake *brake, uint64_t now_ms)
{
	if (!hf_brake_holds(brake, now_ms))
		return;
	brake->revived++;
	brake->last_ms = now_ms;
}
