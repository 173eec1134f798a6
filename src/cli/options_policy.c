/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/options_parse.h"
#include "core/duration.h"
#include "path/profiles.h"

enum {
	DEAD_WITHIN = HF_OPTION_KEY,
	KEEP_OPEN,
	IDLE,
	INTERVAL,
	COUNT,
	USER_TIMEOUT,
	OVERRIDE,
};

static const struct argp_option options_table[] = {
	{ .doc = "POLICY, what is wanted of them (durations: 500ms 30s 5min 2h, a bare number is "
		 "seconds):",
	  .group = HF_GROUP_POLICY },
	{ "dead-within", DEAD_WITHIN, "DUR", 0,
	  "A dead peer is found so long after it was last heard; without any goal 2min", 0 },
	{ "keep-open", KEEP_OPEN, "DUR|PROFILE", 0,
	  "The shortest idle timeout on the path, or a middlebox that \"holdfast profiles\" lists",
	  0 },
	{ "idle", IDLE, "DUR", 0, "Silence before the first probe, in whole seconds", 0 },
	{ "interval", INTERVAL, "DUR", 0, "Time from probe to probe, in whole seconds", 0 },
	{ "count", COUNT, "N", 0, "Unanswered probes that mean death", 0 },
	{ "user-timeout", USER_TIMEOUT, "DUR", 0,
	  "TCP_USER_TIMEOUT: end the connection when data stay unacknowledged for so long", 0 },
	{ "override", OVERRIDE, 0, 0,
	  "Replace what a program set itself, even where it is stricter", 0 },
	{ 0 },
};

#define SECONDS "30s, 5min or 2h"
#define DURATIONS "500ms, " SECONDS

static error_t parse_duration(const struct argp_state *state, const char *option, const char *text,
			      const char *examples, uint32_t *out)
{
	char mend[96];
	uint64_t ms;

	snprintf(mend, sizeof(mend), "%s %s", option, examples);
	if (!hf_duration_parse(text, &ms))
		return hf_option_error(state, mend, "%s \"%s\" is not a duration", option, text);
	if (!ms)
		return hf_option_error(state, mend, "%s \"%s\" is no time at all", option, text);
	snprintf(mend, sizeof(mend), "%s %us", option, HF_GOAL_MAX / 1000);
	if (ms > HF_GOAL_MAX)
		return hf_option_error(state, mend, "%s \"%s\" is too long", option, text);
	*out = (uint32_t)ms;
	return 0;
}

static error_t parse_seconds(const struct argp_state *state, const char *option, const char *text,
			     uint32_t most, uint32_t *out)
{
	uint32_t ms = 0, seconds;
	char mend[64];
	error_t error = parse_duration(state, option, text, SECONDS, &ms);

	if (error)
		return error;
	seconds = (ms + 999) / 1000;
	snprintf(mend, sizeof(mend), "%s %us", option, seconds < most ? seconds : most);
	if (seconds > most)
		return hf_option_error(state, mend, "%s \"%s\" is more than TCP takes", option,
				       text);
	if (ms % 1000)
		return hf_option_error(state, mend, "%s \"%s\" is not a whole number of seconds",
				       option, text);
	*out = seconds;
	return 0;
}

static error_t parse_keep_open(const struct argp_state *state, const char *text, uint32_t *out)
{
	const struct hf_profile *profile = hf_profile_find(text);
	uint64_t ms;

	if (profile) {
		*out = profile->idle_s * 1000;
		return 0;
	}
	if (!hf_duration_parse(text, &ms))
		return hf_option_error(
			state, "--keep-open 350s, or one that \"holdfast profiles\" lists",
			"--keep-open \"%s\" is neither a duration nor a known middlebox", text);
	return parse_duration(state, "--keep-open", text, DURATIONS, out);
}

static error_t parse_count(const struct argp_state *state, const char *text, uint32_t *out)
{
	if (!strcmp(text, "1") || !strcmp(text, "2"))
		return hf_option_error(
			state, "--count 3",
			"--count %s is too few: lost packets would look like a death", text);
	return hf_option_number(state, "--count", text, HF_COUNT_MIN, HF_COUNT_MAX, out);
}

void hf_option_settings(const struct hf_settings *given, char *text, size_t size)
{
	char timeout[HF_SECONDS_TEXT];
	size_t end = 0;

	text[0] = '\0';
	if (given->idle)
		end += (size_t)snprintf(text + end, size - end, " --idle %us", given->idle);
	if (given->interval)
		end += (size_t)snprintf(text + end, size - end, " --interval %us", given->interval);
	if (given->count)
		end += (size_t)snprintf(text + end, size - end, " --count %u", given->count);
	if (given->user_timeout_ms)
		snprintf(text + end, size - end, " --user-timeout %s",
			 hf_option_seconds(given->user_timeout_ms, timeout));
}

/* What is given, and the least for the rest: no set that has what is given is quicker. */
static struct hf_settings quickest(const struct hf_settings *given)
{
	return (struct hf_settings){
		.keepalive = 1,
		.idle = given->idle ? given->idle : 1,
		.interval = given->interval ? given->interval : 1,
		.count = given->count ? given->count : HF_COUNT_MIN,
		.user_timeout_ms = given->user_timeout_ms,
	};
}

static bool accepted(const struct hf_goals *goals, const struct hf_settings *given)
{
	struct hf_settings set;

	return hf_settings_derive(goals, given, 0, &set) <= HF_DERIVED_ONE_LOSS;
}

/* The least for this goal that goes with all else; 0 = none does. */
static uint32_t nearest_goal(const struct hf_policy_options *options, bool keep_open)
{
	const uint32_t step = 1125; /* a second, an eighth late: less makes no difference */
	struct hf_goals goals = options->written_goals;
	uint32_t *goal = keep_open ? &goals.keep_open_ms : &goals.dead_within_ms;

	*goal = HF_GOAL_MAX;
	if (!accepted(&goals, &options->written))
		return 0;
	for (*goal = keep_open ? HF_KEEP_OPEN_MIN : HF_DEAD_WITHIN_MIN; *goal < HF_GOAL_MAX;
	     *goal += step)
		if (accepted(&goals, &options->written))
			return *goal;
	return HF_GOAL_MAX;
}

static error_t refuse_goal(const struct argp_state *state, const struct hf_policy_options *options,
			   bool keep_open, const char *why)
{
	const char *option = keep_open ? "--keep-open" : "--dead-within";
	const struct hf_goals *goals = &options->written_goals;
	uint32_t goal_ms = keep_open ? goals->keep_open_ms : goals->dead_within_ms;
	uint32_t nearest_ms = nearest_goal(options, keep_open);
	char goal[HF_SECONDS_TEXT], nearest[HF_SECONDS_TEXT], mend[64];

	if (!nearest_ms) /* something else is wrong, too, and will be told */
		nearest_ms = keep_open ? HF_KEEP_OPEN_MIN : HF_DEAD_WITHIN_MIN;
	snprintf(mend, sizeof(mend), "%s %s", option, hf_option_seconds(nearest_ms, nearest));
	return hf_option_error(state, mend, "%s %s cannot be kept: %s", option,
			       hf_option_seconds(goal_ms, goal), why);
}

static error_t refuse_given(const struct argp_state *state, const struct hf_policy_options *options,
			    bool keep_open)
{
	const char *option = keep_open ? "--keep-open" : "--dead-within";
	const struct hf_goals *goals = &options->written_goals;
	uint32_t goal_ms = keep_open ? goals->keep_open_ms : goals->dead_within_ms;
	uint32_t nearest_ms = nearest_goal(options, keep_open);
	char settings[128], goal[HF_SECONDS_TEXT], nearest[HF_SECONDS_TEXT], mend[256];

	hf_option_settings(&options->written, settings, sizeof(settings));
	hf_option_seconds(goal_ms, goal);
	hf_option_seconds(nearest_ms, nearest);
	snprintf(mend, sizeof(mend), "without%s", settings);
	if (!nearest_ms)
		return hf_option_error(state, mend, "%s %s cannot be kept with%s", option, goal,
				       settings);
	snprintf(mend, sizeof(mend), "%s %s, or without%s", option, nearest, settings);
	return hf_option_error(state, mend, "%s %s cannot be kept with%s: %s is the least that can",
			       option, goal, settings, nearest);
}

static error_t refuse_timeout(const struct argp_state *state,
			      const struct hf_policy_options *options)
{
	struct hf_settings longer = options->written, set = quickest(&options->written);
	char timeout[HF_SECONDS_TEXT], nearest[HF_SECONDS_TEXT], settings[128], mend[256];

	set.count = HF_COUNT_MIN;
	longer.user_timeout_ms = hf_settings_user_timeout(&set);
	hf_option_seconds(longer.user_timeout_ms, nearest);
	hf_option_settings(&options->written, settings, sizeof(settings));
	snprintf(mend, sizeof(mend), "--user-timeout %s", nearest);
	if (!accepted(&options->written_goals, &longer))
		snprintf(mend, sizeof(mend), "without%s", settings);
	return hf_option_error(
		state, mend,
		"--user-timeout %s ends before %d probes are sent (the first after %us, "
		"then every %us): lost packets would look like a death",
		hf_option_seconds(options->written.user_timeout_ms, timeout), HF_COUNT_MIN,
		set.idle, set.interval);
}

static error_t refuse(const struct argp_state *state, const struct hf_policy_options *options,
		      enum hf_derivation derivation)
{
	switch (derivation) {
	case HF_DEAD_WITHIN_TOO_SHORT:
		return refuse_goal(
			state, options, false,
			"1s of silence and 3 probes 1s apart, by timers that run up to an "
			"eighth late, take 4.5s");
	case HF_KEEP_OPEN_TOO_SHORT:
		return refuse_goal(
			state, options, true,
			"1s of silence and a second probe 1s later, by timers that run up to "
			"an eighth late, take 2.25s, and 1s is kept to spare");
	case HF_GIVEN_BREAKS_DEAD_WITHIN:
		return refuse_given(state, options, false);
	case HF_GIVEN_BREAKS_KEEP_OPEN:
		return refuse_given(state, options, true);
	default: /* HF_GIVEN_BREAKS_USER_TIMEOUT: the ranges were checked one by one */
		return refuse_timeout(state, options);
	}
}

/* Settings without goals are a goal, too: what they promise. */
static void imply_goals(struct hf_policy_options *options, bool settings_given)
{
	struct hf_bounds bounds;

	options->goals = options->written_goals;
	if (options->goals.dead_within_ms || options->goals.keep_open_ms)
		return;
	hf_settings_bounds(&options->settings, NULL, &bounds);
	options->goals.dead_within_ms = HF_DEAD_WITHIN_DEFAULT;
	if (settings_given)
		options->goals.dead_within_ms =
			bounds.idle_ms < HF_GOAL_MAX ? (uint32_t)bounds.idle_ms : HF_GOAL_MAX;
}

static error_t finish(struct hf_policy_options *options, const struct argp_state *state)
{
	const struct hf_settings *written = &options->written;
	bool given = written->idle || written->interval || written->count ||
		     written->user_timeout_ms;

	options->derivation =
		hf_settings_derive(&options->written_goals, written, 0, &options->settings);
	if (options->derivation > HF_DERIVED_ONE_LOSS)
		return refuse(state, options, options->derivation);
	imply_goals(options, given);
	return 0;
}

static error_t parse_option(struct hf_policy_options *options, int key, const char *text,
			    const struct argp_state *state)
{
	struct hf_settings *written = &options->written;

	options->given = true;
	switch (key) {
	case DEAD_WITHIN:
		return parse_duration(state, "--dead-within", text, DURATIONS,
				      &options->written_goals.dead_within_ms);
	case KEEP_OPEN:
		return parse_keep_open(state, text, &options->written_goals.keep_open_ms);
	case IDLE:
		return parse_seconds(state, "--idle", text, HF_IDLE_MAX, &written->idle);
	case INTERVAL:
		return parse_seconds(state, "--interval", text, HF_INTERVAL_MAX,
				     &written->interval);
	case COUNT:
		return parse_count(state, text, &written->count);
	case USER_TIMEOUT:
		return parse_duration(state, "--user-timeout", text, DURATIONS,
				      &written->user_timeout_ms);
	default: /* OVERRIDE */
		options->override = true;
		return 0;
	}
}

static error_t parse_policy(int key, char *text, struct argp_state *state)
{
	struct hf_policy_options *options = state->input;
	error_t error;

	if (key == ARGP_KEY_INIT) {
		*options = (struct hf_policy_options){ 0 };
		return 0;
	}
	if (key == ARGP_KEY_END)
		return finish(options, state);
	if (key < DEAD_WITHIN || key > OVERRIDE)
		return ARGP_ERR_UNKNOWN;
	error = hf_option_once(state, options_table, key);
	return error ? error : parse_option(options, key, text, state);
}

const struct argp hf_policy_argp = { .options = options_table, .parser = parse_policy };
