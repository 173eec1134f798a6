/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bucket that leaks `deaths` in within_ms: steadily so many pass, twice as many do not. */
#include "gateway/brake.h"

bool hf_brake_holds(struct hf_brake *brake, uint64_t now_ms)
{
	if (brake->on && now_ms - brake->last_ms >= brake->hold_ms) {
		brake->on = false;
		brake->level = 0;
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
	return brake->on && !held;
}
