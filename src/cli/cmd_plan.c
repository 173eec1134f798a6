/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_parse.h"
#include "cli/table.h"

#define DAY 86400.0
#define SEGMENT 52 /* bytes: IPv4 20, TCP 20, timestamps 12 */
#define LATE 1125  /* ms: a second of a kernel timer at worst */

struct plan_options {
	struct hf_policy_options policy;
	struct hf_output_options output;
	double loss; /* 0..1 */
};

struct plan {
	const struct hf_policy_options *policy;
	struct hf_settings settings;
	struct hf_bounds bounds;
	uint64_t probes; /* unanswered until the end: count, or what a user timeout leaves */
	uint32_t user_timeout_ms;	     /* as apply sets it */
	double loss, lost;		     /* of a segment; of a probe or its answer */
	double cycles, packets, false_death; /* per day */
};

/*
 * One cycle is a silence of idle and the probes that follow until one is answered. It ends in a
 * false death if all of them, or their answers, are lost.
 */
static struct plan make_plan(const struct plan_options *options)
{
	const struct hf_policy_options *policy = &options->policy;
	struct hf_retransmission watched = {
		.rto_ms = HF_RTO_MIN,
		.retries = HF_RETRIES2,
		.armed_by_ms = policy->goals.dead_within_ms,
	};
	struct plan plan = { .policy = policy,
			     .settings = policy->settings,
			     .loss = options->loss };

	hf_settings_bounds(&plan.settings, &watched, &plan.bounds);
	plan.user_timeout_ms = plan.settings.user_timeout_ms;
	if (!plan.user_timeout_ms)
		plan.user_timeout_ms = hf_settings_user_timeout(&plan.settings);
	plan.probes = (plan.bounds.idle_ms / LATE - plan.settings.idle) / plan.settings.interval;
	plan.lost = 1 - (1 - plan.loss) * (1 - plan.loss);
	plan.cycles = DAY / plan.settings.idle;
	plan.packets = round(2 * plan.cycles);
	plan.false_death = -expm1(plan.cycles * log1p(-pow(plan.lost, (double)plan.probes)));
	return plan;
}

static uint64_t survived_ms(const struct hf_bounds *bounds)
{
	return bounds->outage_idle_ms < bounds->outage_in_flight_ms ? bounds->outage_idle_ms :
								      bounds->outage_in_flight_ms;
}

static json_t *json_seconds(uint64_t ms)
{
	if (ms == HF_UNBOUNDED)
		return json_null();
	return ms % 1000 ? json_real((double)ms / 1000) : json_integer((json_int_t)(ms / 1000));
}

static int print_json(const struct plan *plan)
{
	const struct hf_settings *settings = &plan->settings;
	const struct hf_bounds *bounds = &plan->bounds;
	const struct {
		const char *key;
		json_t *value;
	} pairs[] = {
		{ "idle", json_integer(settings->idle) },
		{ "interval", json_integer(settings->interval) },
		{ "count", json_integer(settings->count) },
		{ "user_timeout_ms", json_integer(plan->user_timeout_ms) },
		{ "bound_idle_s", json_seconds(bounds->idle_ms) },
		{ "bound_in_flight_s", json_seconds(bounds->in_flight_ms) },
		{ "survives_outage_s", json_seconds(survived_ms(bounds)) },
		{ "packets_per_day", json_integer((json_int_t)plan->packets) },
		{ "bytes_per_day", json_integer((json_int_t)plan->packets * SEGMENT) },
		{ "false_death_probability", json_real(plan->false_death) },
	};
	json_t *object = json_object();
	int failed = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		failed |= json_object_set_new(object, pairs[i].key, pairs[i].value);
	if (failed)
		return hf_command_output(-ENOMEM);
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(object);
	return HF_EXIT_DONE;
}

/* --- Text: what, how much, why. --- */

static void row(const char *what, const char *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void row(const char *what, const char *value, const char *format, ...)
{
	va_list arguments;
	char why[160];

	printf("  %-16s%-10s", what, value);
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	hf_terminal_wrap(stdout, 2 + 16 + 10, why);
}

static void seconds_row(const char *what, uint64_t ms, const char *why)
{
	char value[HF_SECONDS_TEXT];

	row(what, hf_option_seconds(ms, value), "%s", why);
}

static void print_goals(const struct hf_policy_options *policy)
{
	bool written = policy->written_goals.dead_within_ms || policy->written_goals.keep_open_ms;
	bool given = memcmp(&policy->written, &(struct hf_settings){ 0 }, sizeof(policy->written));

	puts("Goals");
	if (policy->goals.dead_within_ms)
		seconds_row(
			"dead within", policy->goals.dead_within_ms,
			written ? "a dead peer is found so long after its last segment" :
			given	? "what the settings given promise" :
				  "the default: a dead peer is found so long after its last segment");
	if (policy->goals.keep_open_ms)
		seconds_row("keep open", policy->goals.keep_open_ms,
			    "the shortest idle timeout on the path");
}

static void print_settings(const struct plan *plan)
{
	const struct hf_settings *settings = &plan->settings;
	char value[HF_SECONDS_TEXT];

	puts("Settings");
	seconds_row("idle", settings->idle * 1000ull, "of silence, then the first probe");
	seconds_row("interval", settings->interval * 1000ull, "from probe to probe");
	snprintf(value, sizeof(value), "%u", settings->count);
	row("count", value,
	    settings->user_timeout_ms ? "replaced by the user timeout" :
					"unanswered probes are a death");
	hf_option_seconds(plan->user_timeout_ms, value);
	if (settings->user_timeout_ms)
		row("user timeout", value, "as given, standing");
	else
		row("user timeout", value,
		    "%us + %u x %us, fixed, by apply; watch arms one only while a "
		    "retransmission is unanswered",
		    settings->idle, settings->count, settings->interval);
}

static void print_in_flight(const struct plan *plan)
{
	uint32_t dead_within_ms = plan->policy->goals.dead_within_ms;
	char value[HF_SECONDS_TEXT], third[HF_SECONDS_TEXT];

	hf_option_seconds(plan->bounds.in_flight_ms, value);
	if (dead_within_ms)
		row("data in flight", value,
		    "by watch; data first written late in the silence: %s + RTO after it",
		    hf_option_seconds(dead_within_ms / 3, third));
	else
		row("data in flight", value, "%s",
		    plan->settings.user_timeout_ms ?
			    "by the user timeout" :
			    "by 15 retransmissions; for less, add --dead-within");
}

static void print_bounds(const struct plan *plan)
{
	const struct hf_settings *settings = &plan->settings;
	const struct hf_bounds *bounds = &plan->bounds;
	char value[HF_SECONDS_TEXT];

	puts("A dead peer is found within");
	row("idle", hf_option_seconds(bounds->idle_ms, value),
	    "(%us + %llu x %us) x 1.125: kernel timers run up to an eighth late", settings->idle,
	    (unsigned long long)plan->probes, settings->interval);
	print_in_flight(plan);
	puts("A network broken for less is no death");
	row("idle", hf_option_seconds(bounds->outage_idle_ms, value), "%s",
	    settings->user_timeout_ms ? "what the user timeout leaves of the probes" :
					"(count - 1) x interval");
	seconds_row("data in flight", bounds->outage_in_flight_ms,
		    "the retransmissions, ever further apart, must meet the healed network");
	if (!plan->policy->goals.keep_open_ms)
		return;
	puts("Silence on the path at most");
	seconds_row("two lost", bounds->keep_open_ms,
		    "two probes lost in a row, the third gets through");
	seconds_row("one lost", bounds->keep_open_one_ms, "one probe lost, the next gets through");
}

static void print_cost(const struct plan *plan)
{
	char value[32];

	puts("An idle connection costs per day");
	snprintf(value, sizeof(value), "%.0f", plan->packets);
	row("packets", value, "a probe and its answer every %us", plan->settings.idle);
	snprintf(value, sizeof(value), "%.0f", plan->packets * SEGMENT);
	row("bytes", value, "%d a packet: IPv4 20, TCP 20, timestamps 12", SEGMENT);
	puts("Chance that it is taken for dead though alive, per day");
	snprintf(value, sizeof(value), "%.1g", plan->false_death);
	row("false death", value,
	    "at %g %% loss: 1 - (1 - p^%llu)^%.0f, p = %.4g: a probe or its answer lost",
	    plan->loss * 100, (unsigned long long)plan->probes, plan->cycles, plan->lost);
}

static void print_text(const struct plan *plan)
{
	print_goals(plan->policy);
	print_settings(plan);
	print_bounds(plan);
	print_cost(plan);
	if (plan->policy->derivation == HF_DERIVED_ONE_LOSS)
		puts("Note: in whole seconds keep open survives one lost probe here, not two.");
}

/* --- Options --- */

enum {
	LOSS = HF_OPTION_KEY
};

static const struct argp_option plan_table[] = {
	{ "loss", LOSS, "PERCENT", 0, "Packets that the network loses, each way (1)", 0 },
	{ 0 },
};

static error_t parse_loss(double *loss, const char *text, const struct argp_state *state)
{
	char *end;
	double percent = strtod(text, &end);

	if (*end == '%')
		end++;
	if (end == text || *end || !(percent >= 0 && percent <= 100))
		return hf_option_error(state, "--loss 0 to --loss 100",
				       "--loss \"%s\" is not a percentage", text);
	*loss = percent / 100;
	return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct plan_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		options->loss = 0.01;
		state->child_inputs[0] = &options->policy;
		state->child_inputs[1] = &options->output;
		return 0;
	case LOSS:
		if (hf_option_once(state, plan_table, key))
			return EINVAL;
		return parse_loss(&options->loss, argument, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &hf_policy_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = plan_table,
	.parser = parse,
	.doc = "From goals to settings: what they promise, what they cost, how sure they are.\v"
	       "Nothing is changed. The bounds are those of \"watch\".",
	.children = children,
};

static int run(int argc, char **argv)
{
	struct plan_options options;
	struct plan plan;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	plan = make_plan(&options);
	if (options.output.json)
		return print_json(&plan);
	print_text(&plan);
	return HF_EXIT_DONE;
}

const struct hf_command hf_cmd_plan = {
	.name = "plan",
	.summary = "what goals come to: settings, bounds, traffic, chance of a false death",
	.argp = &argp,
	.run = run,
};
