/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last page of the demo: what was seen, and whether that is what Holdfast claims. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/demo_story.h"

struct result {
	bool as_claimed;
	char text[96];
};

static double seconds(int64_t from, int64_t to)
{
	return (double)(to - from) / 1e6;
}

static struct result result(bool as_claimed, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static struct result result(bool as_claimed, const char *format, ...)
{
	struct result result = { .as_claimed = as_claimed };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(result.text, sizeof(result.text), format, arguments);
	va_end(arguments);
	return result;
}

/* Where things went another way than claimed: what became of the connection. */
static struct result otherwise(const struct hf_stage_side *side, int64_t since, int64_t over_at)
{
	if (side->ended_at)
		return result(false, "%s after %.1f s", hf_stage_told(side->error),
			      seconds(since, side->ended_at));
	if (since && !side->byte_at)
		return result(false, "not told, no byte in %.1f s", seconds(since, over_at));
	return result(false, "alive");
}

/* Claim: the peer is gone since then, and the kernel still calls the connection established. */
static struct result unnoticed(const struct hf_stage_side *side, int64_t since, int64_t over_at)
{
	if (side->ended_at || side->byte_at || !side->sight.established || !since)
		return otherwise(side, since, over_at);
	return result(true, "never told: %.1f s later still ESTABLISHED", seconds(since, over_at));
}

/* Claim: the byte from the server arrives, and nothing ended. */
static struct result byte_came(const struct hf_stage_side *side, int64_t sent_at, int64_t over_at)
{
	if (side->ended_at || !side->byte_at)
		return otherwise(side, sent_at, over_at);
	return result(true, "alive: byte in %.1f ms", (double)(side->byte_at - sent_at) / 1000);
}

/* Claim: the program is told so, in time, and Holdfast says why. */
static struct result noticed(const struct hf_stage_act *act, int error, const char *event,
			     int64_t over_at)
{
	const struct hf_stage_side *side = &act->sides[HF_WITH];
	double after = seconds(act->cut_at, side->ended_at);

	if (!side->ended_at || side->error != error)
		return otherwise(side, act->cut_at, over_at);
	if (strcmp(side->verdict.event, event) != 0)
		return result(false, "%s after %.1f s, but Holdfast says: %s", hf_stage_told(error),
			      after, side->verdict.event[0] ? side->verdict.event : "nothing");
	return result(after <= HF_STORY_DEAD_WITHIN_S, "%s after %.1f s (promised: %d s)",
		      hf_stage_told(error), after, HF_STORY_DEAD_WITHIN_S);
}

/* Claim: probes were lost, and still nobody took it for a death; data flow. */
static struct result rode_out(const struct hf_stage_act *act, int64_t over_at)
{
	const struct hf_stage_side *side = &act->sides[HF_WITH];

	if (side->verdict.event[0])
		return result(false, "Holdfast: %s", side->verdict.event);
	if (side->ended_at || !side->byte_at || !side->lost)
		return otherwise(side, act->cut_at, over_at);
	return result(true, "alive: %u probe%s lost, then byte in %.1f ms", side->lost,
		      side->lost == 1 ? "" : "s", (double)(side->byte_at - act->sent_at) / 1000);
}

static void judge_all(const struct hf_stage *stage, struct result results[HF_ACTS][2])
{
	const struct hf_stage_act *idle = &stage->acts[HF_ACT_IDLE];
	const struct hf_stage_act *power = &stage->acts[HF_ACT_POWER];
	const struct hf_stage_act *reboot = &stage->acts[HF_ACT_REBOOT];
	const struct hf_stage_act *broken = &stage->acts[HF_ACT_BREAK];
	const struct hf_stage_side *forgotten = &idle->sides[HF_WITHOUT];
	int64_t over_at = stage->over_at;

	results[HF_ACT_IDLE][HF_WITHOUT] = unnoticed(forgotten, forgotten->forgotten_at, over_at);
	results[HF_ACT_IDLE][HF_WITH] = byte_came(&idle->sides[HF_WITH], idle->sent_at, over_at);
	results[HF_ACT_POWER][HF_WITHOUT] =
		unnoticed(&power->sides[HF_WITHOUT], power->cut_at, over_at);
	results[HF_ACT_POWER][HF_WITH] = noticed(power, ETIMEDOUT, "dead", over_at);
	results[HF_ACT_REBOOT][HF_WITHOUT] =
		unnoticed(&reboot->sides[HF_WITHOUT], reboot->cut_at, over_at);
	results[HF_ACT_REBOOT][HF_WITH] = noticed(reboot, ECONNRESET, "reset", over_at);
	results[HF_ACT_BREAK][HF_WITHOUT] =
		byte_came(&broken->sides[HF_WITHOUT], broken->sent_at, over_at);
	results[HF_ACT_BREAK][HF_WITH] = rode_out(broken, over_at);
}

static void print(struct hf_timeline *timeline, const char *label, const struct result results[2])
{
	const char *const texts[2] = { results[0].text, results[1].text };
	enum hf_colour colours[2];

	for (unsigned int i = 0; i < 2; i++)
		colours[i] = results[i].as_claimed ? HF_PLAIN : HF_BAD;
	if (results[HF_WITH].as_claimed)
		colours[HF_WITH] = HF_GOOD;
	hf_timeline_result(timeline, label, texts, colours);
}

int hf_story_judge(struct hf_stage *stage, struct hf_problem *problem)
{
	static const char *const labels[HF_ACTS] = {
		[HF_ACT_IDLE] = "NAT forgets the idle",
		[HF_ACT_POWER] = "server's power cut",
		[HF_ACT_REBOOT] = "server reboots",
		[HF_ACT_BREAK] = "network breaks, heals",
	};
	static const struct result heading[2] = { { true, "WITHOUT HOLDFAST" },
						  { true, "WITH HOLDFAST" } };
	struct result results[HF_ACTS][2];
	unsigned int otherwise = 0;

	judge_all(stage, results);
	hf_timeline_text(&stage->timeline, HF_BOLD, "\nWhat happened");
	print(&stage->timeline, "", heading);
	for (unsigned int i = 0; i < HF_ACTS; i++) {
		print(&stage->timeline, labels[i], results[i]);
		otherwise += !results[i][HF_WITHOUT].as_claimed + !results[i][HF_WITH].as_claimed;
	}
	if (otherwise)
		return hf_problem_set(problem, HF_EXIT_FAILED,
				      "try again on a machine that is less busy, or report it",
				      "%u of %u results are not what Holdfast claims", otherwise,
				      2 * HF_ACTS);
	return 0;
}
