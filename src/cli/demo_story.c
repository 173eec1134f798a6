/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_story.h"

#include <holdfast/settings.h>

#include "cli/demo_process.h"

#define SETTLE_WITHIN (2 * HF_SECOND)
#define START_WITHIN (10 * HF_SECOND)

#define STRING(x) #x
#define NUMBER(x) STRING(x)
#define DEAD_WITHIN NUMBER(HF_STORY_DEAD_WITHIN_S)
#define KEEP_OPEN NUMBER(HF_WORLD_NAT_FORGETS_S)

/* ---- what is waited for ---- */

static bool watch_ready(const struct hf_stage *stage)
{
	return stage->watch.ready;
}

static bool both_listen(const struct hf_stage *stage)
{
	const struct hf_stage_side *sides = stage->act->sides;

	return sides[HF_WITHOUT].listens_at > stage->act->cut_at &&
	       sides[HF_WITH].listens_at > stage->act->cut_at;
}

static bool both_connected(const struct hf_stage *stage)
{
	return hf_stage_connected(stage->act);
}

static bool both_bytes(const struct hf_stage *stage)
{
	return stage->act->sides[HF_WITHOUT].byte_at && stage->act->sides[HF_WITH].byte_at;
}

static bool one_forgotten(const struct hf_stage *stage)
{
	return stage->act->sides[HF_WITHOUT].forgotten_at != 0;
}

/* The program is told and Holdfast has said why. */
static bool one_told(const struct hf_stage *stage)
{
	const struct hf_stage_side *side = &stage->act->sides[HF_WITH];

	return side->ended_at && side->verdict.event[0];
}

static bool answered_again(const struct hf_stage *stage)
{
	const struct hf_stage_side *side = &stage->act->sides[HF_WITH];

	return side->lost && !side->sight.unanswered;
}

/* ---- what is done ---- */

static int start_servers(struct hf_stage *stage)
{
	unsigned int number = hf_stage_number(stage, stage->act);

	for (enum hf_side i = HF_WITHOUT; i <= HF_WITH; i++) {
		if (hf_peer_server(&stage->act->sides[i].server, stage->world.servers[number],
				   hf_stage_port(i), stage->reports[1], (uint16_t)(2 * number + i)))
			return hf_stage_fail(stage, "cannot start a program");
	}
	if (hf_stage_wait(stage, SETTLE_WITHIN, both_listen))
		return -1;
	if (!both_listen(stage))
		return hf_problem_set(stage->problem, HF_EXIT_FAILED, NULL, "no server listens");
	return 0;
}

static int start_clients(struct hf_stage *stage)
{
	unsigned int number = hf_stage_number(stage, stage->act);

	for (enum hf_side i = HF_WITHOUT; i <= HF_WITH; i++) {
		if (hf_peer_client(&stage->act->sides[i].client, stage->world.client,
				   hf_world_address(number), hf_stage_port(i), stage->reports[1],
				   (uint16_t)(2 * number + i)))
			return hf_stage_fail(stage, "cannot start a program");
	}
	if (hf_stage_wait(stage, SETTLE_WITHIN, both_connected))
		return -1;
	if (!both_connected(stage))
		return hf_problem_set(stage->problem, HF_EXIT_FAILED, NULL,
				      "no connection through the demo's NAT");
	return 0;
}

static int act_begin(struct hf_stage *stage, enum hf_act number, const char *headline)
{
	stage->act = &stage->acts[number];
	stage->probes = hf_sight_probes(stage->world.client);
	hf_timeline_act(&stage->timeline, hf_demo_clock(), headline);
	return start_servers(stage) || start_clients(stage) ? -1 : 0;
}

/* The one without stays open: is it ever told? */
static int act_end(struct hf_stage *stage)
{
	if (hf_stage_wait(stage, HF_SECOND, NULL))
		return -1;
	hf_timeline_act_over(&stage->timeline);
	hf_peer_end(&stage->act->sides[HF_WITH].client);
	hf_peer_end(&stage->act->sides[HF_WITH].server);
	stage->act = NULL;
	return 0;
}

static int send_bytes(struct hf_stage *stage)
{
	hf_timeline_say(&stage->timeline, hf_demo_clock(), HF_BOTH, HF_PLAIN,
			"the server sends a byte");
	stage->act->sent_at = hf_demo_clock();
	for (enum hf_side i = HF_WITHOUT; i <= HF_WITH; i++) {
		if (hf_peer_send(&stage->act->sides[i].server))
			return hf_stage_fail(stage, "cannot reach the server program");
	}
	return 0;
}

static int power_off(struct hf_stage *stage)
{
	struct hf_stage_act *act = stage->act;

	if (hf_world_server_link(&stage->world, hf_stage_number(stage, act), false, stage->problem))
		return -1;
	act->cut_at = hf_demo_clock();
	hf_peer_end(&act->sides[HF_WITHOUT].server);
	hf_peer_end(&act->sides[HF_WITH].server);
	hf_timeline_say(&stage->timeline, act->cut_at, HF_BOTH, HF_BAD, "the server loses power");
	return 0;
}

/* Up again, with the same programs, and without a memory of the connections. */
static int power_on(struct hf_stage *stage)
{
	struct hf_stage_act *act = stage->act;

	if (start_servers(stage) ||
	    hf_world_server_link(&stage->world, hf_stage_number(stage, act), true, stage->problem))
		return -1;
	act->back_at = hf_demo_clock();
	act->new_server = true;
	hf_timeline_say(&stage->timeline, act->back_at, HF_BOTH, HF_PLAIN,
			"the server is up again");
	return 0;
}

static int network_break(struct hf_stage *stage)
{
	if (hf_world_break(&stage->world, stage->problem))
		return -1;
	stage->act->cut_at = hf_demo_clock();
	hf_timeline_say(&stage->timeline, stage->act->cut_at, HF_BOTH, HF_BAD,
			"the network breaks");
	return 0;
}

static int network_heal(struct hf_stage *stage)
{
	if (hf_world_heal(&stage->world, stage->problem))
		return -1;
	stage->act->back_at = hf_demo_clock();
	hf_timeline_say(&stage->timeline, stage->act->back_at, HF_BOTH, HF_GOOD,
			"the network heals after %.1f s",
			(double)(stage->act->back_at - stage->act->cut_at) / 1e6);
	return 0;
}

/* ---- the acts ---- */

static int play_idle(struct hf_stage *stage)
{
	if (act_begin(stage, HF_ACT_IDLE,
		      "1. An idle connection through a NAT that forgets after " KEEP_OPEN " s") ||
	    hf_stage_wait(stage, 2 * HF_WORLD_NAT_FORGETS_S * HF_SECOND, one_forgotten) ||
	    hf_stage_wait(stage, HF_SECOND, NULL) || send_bytes(stage) ||
	    hf_stage_wait(stage, SETTLE_WITHIN, both_bytes))
		return -1;
	if (!stage->act->sides[HF_WITHOUT].byte_at)
		hf_timeline_say(&stage->timeline, hf_demo_clock(), HF_WITHOUT, HF_BAD,
				"no byte, and nobody is told");
	return act_end(stage);
}

static int play_power(struct hf_stage *stage)
{
	if (act_begin(stage, HF_ACT_POWER,
		      "2. The server's power is cut. The promise: noticed within " DEAD_WITHIN
		      " s") ||
	    hf_stage_wait(stage, 3 * HF_SECOND / 2, NULL) || power_off(stage) ||
	    hf_stage_wait(stage, (HF_STORY_DEAD_WITHIN_S + 2) * HF_SECOND, one_told))
		return -1;
	return act_end(stage);
}

static int play_reboot(struct hf_stage *stage)
{
	if (act_begin(stage, HF_ACT_REBOOT,
		      "3. The server reboots, and knows nothing of the connection") ||
	    hf_stage_wait(stage, 3 * HF_SECOND / 2, NULL) || power_off(stage) ||
	    hf_stage_wait(stage, HF_SECOND, NULL) || power_on(stage) ||
	    hf_stage_wait(stage, (HF_STORY_DEAD_WITHIN_S + 2) * HF_SECOND, one_told))
		return -1;
	return act_end(stage);
}

/* How long the settings that these goals give let a network be broken, in microseconds. */
static int64_t outage_survived(void)
{
	const struct hf_goals goals = { HF_STORY_DEAD_WITHIN_S * 1000,
					HF_WORLD_NAT_FORGETS_S * 1000 };
	struct hf_settings settings = { 0 };
	struct hf_bounds bounds;

	hf_settings_derive(&goals, NULL, 0, &settings);
	hf_settings_bounds(&settings, NULL, &bounds);
	return (int64_t)bounds.outage_idle_ms * HF_MS;
}

static int play_break(struct hf_stage *stage)
{
	int64_t outage = outage_survived();

	if (act_begin(stage, HF_ACT_BREAK, "4. The network breaks, and heals in time: no death") ||
	    hf_stage_wait(stage, HF_SECOND, NULL) || network_break(stage) ||
	    hf_stage_wait(stage, outage * 8 / 10, NULL) || network_heal(stage) ||
	    hf_stage_wait(stage, SETTLE_WITHIN, answered_again) || send_bytes(stage) ||
	    hf_stage_wait(stage, SETTLE_WITHIN, both_bytes))
		return -1;
	return act_end(stage);
}

static void introduce(struct hf_timeline *timeline)
{
	hf_timeline_text(timeline, HF_BOLD,
			 "client --- NAT --- server, in network namespaces of their own");
	hf_timeline_text(timeline, HF_PLAIN,
			 "A plain program that sets no socket option connects and reads. Each time "
			 "twice:\nleft alone, and under `holdfast watch --dead-within " DEAD_WITHIN
			 "s --keep-open " KEEP_OPEN "s`.");
	hf_timeline_text(
		timeline, HF_DIM,
		"Strips:  - idle  + probe answered  x probe unanswered  ~ cut off, and not "
		"told\n         B the byte arrives  ! the program is told");
}

static int start_watch(struct hf_stage *stage)
{
	if (hf_demo_watch_start(&stage->watch, stage->world.client, hf_stage_port(HF_WITH),
				DEAD_WITHIN "s", KEEP_OPEN "s", stage->problem) ||
	    hf_stage_wait(stage, START_WITHIN, watch_ready))
		return -1;
	if (!stage->watch.ready)
		return hf_problem_set(stage->problem, HF_EXIT_FAILED, NULL,
				      "holdfast watch was not ready within %ld s",
				      START_WITHIN / HF_SECOND);
	return 0;
}

/* How those left alone are at the very end. */
static int look_back(struct hf_stage *stage)
{
	for (unsigned int i = 0; i < HF_ACTS; i++) {
		if (hf_stage_look(stage, &stage->acts[i]))
			return -1;
	}
	stage->over_at = hf_demo_clock();
	return 0;
}

int hf_story_play(struct hf_stage *stage)
{
	if (hf_world_open(&stage->world, stage->problem) || start_watch(stage))
		return -1;
	introduce(&stage->timeline);
	if (play_idle(stage) || play_power(stage) || play_reboot(stage) || play_break(stage))
		return -1;
	return look_back(stage);
}
