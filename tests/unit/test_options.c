/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"
#include "path/profiles.h"

static struct hf_filter_options filter;
static struct hf_policy_options policy;
static struct hf_output_options json;

static error_t parse_none(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = &filter;
	state->child_inputs[1] = &policy;
	state->child_inputs[2] = &json;
	return 0;
}

static const struct argp_child children[] = {
	{ &hf_filter_argp, 0, NULL, 0 },
	{ &hf_policy_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp all = { .parser = parse_none, .children = children };

#define WORDS 32
#define MESSAGE 2048
static char message[MESSAGE];

/* Parse a command line (words apart by one blank); what argp prints goes to message. */
static error_t parse(const char *line)
{
	static char words[1024];
	char *argv[WORDS + 1] = { words };
	FILE *before = stderr;
	int argc = 1;
	error_t error;

	snprintf(words, sizeof(words), "holdfast %s", line);
	for (char *word = words; (word = strchr(word, ' ')) && argc < WORDS;) {
		*word++ = '\0';
		argv[argc++] = word;
	}
	memset(message, 0, sizeof(message));
	stderr = fmemopen(message, sizeof(message), "w");
	assert_non_null(stderr);
	error = argp_parse(&all, argc, argv, ARGP_NO_EXIT, NULL, NULL);
	fclose(stderr);
	stderr = before;
	return error;
}

static void accept(const char *line)
{
	if (parse(line))
		fail_msg("%s: %s", line, message);
}

/* Refused, with a message that holds both texts. */
static void refuse(const char *line, const char *what, const char *mend)
{
	char tried[256];

	if (!parse(line))
		fail_msg("%s: accepted", line);
	snprintf(tried, sizeof(tried), "; try: %s", mend);
	if (!strstr(message, what) || !strstr(message, tried))
		fail_msg("%s: %s", line, message);
}

static void nothing_given_is_everything_connected_and_two_minutes(void **state)
{
	struct hf_match any;

	(void)state;
	accept("--json");
	hf_match_any(&any);
	any.states = HF_STATES_CONNECTED;
	assert_memory_equal(&filter.match, &any, sizeof(any));
	assert_null(filter.process);
	assert_null(filter.user);
	assert_null(filter.cgroup);
	assert_null(filter.netns);
	assert_int_equal(filter.audit, HF_NOT_JUDGED);
	assert_false(filter.states_given);
	assert_true(json.json);
	assert_false(policy.given);
	assert_int_equal(policy.goals.dead_within_ms, 120000);
	assert_int_equal(policy.written_goals.dead_within_ms, 0);
	assert_int_equal(policy.settings.idle, 53);
	assert_int_equal(policy.settings.interval, 5);
	assert_int_equal(policy.settings.count, 9);
	assert_int_equal(policy.settings.user_timeout_ms, 0);
}

static void every_filter_is_taken(void **state)
{
	(void)state;
	accept("--local 10.0.0.0/8:80-90 --remote [2001:db8::1]:5432 --pid 42 --process redis-server "
	       "--user www-data --cgroup /a/** --netns all --state listening --direction in -6 "
	       "--audit slow");
	assert_int_equal(filter.match.local.port_first, 80);
	assert_int_equal(filter.match.local.port_last, 90);
	assert_int_equal(filter.match.remote.port_first, 5432);
	assert_int_equal(filter.match.pid, 42);
	assert_int_equal(filter.match.fields, HF_MATCH_PID);
	assert_string_equal(filter.process, "redis-server");
	assert_string_equal(filter.user, "www-data");
	assert_string_equal(filter.cgroup, "/a/**");
	assert_string_equal(filter.netns, "all");
	assert_int_equal(filter.match.states, 1 << 10);
	assert_true(filter.states_given);
	assert_int_equal(filter.match.direction, HF_INCOMING);
	assert_int_equal(filter.match.family, HF_IPV6);
	assert_int_equal(filter.audit, HF_SLOW);
	accept("-4 --direction out --audit unprotected");
	assert_int_equal(filter.match.family, HF_IPV4);
	assert_int_equal(filter.match.direction, HF_OUTGOING);
	assert_int_equal(filter.audit, HF_UNPROTECTED);
	accept("--audit protected");
	assert_int_equal(filter.audit, HF_PROTECTED);
}

static void states_are_named_as_ss_and_as_list_name_them(void **state)
{
	static const struct {
		const char *name;
		uint32_t states;
	} cases[] = {
		{ "established", 1 << 1 },
		{ "ESTABLISHED", 1 << 1 },
		{ "estab", 1 << 1 },
		{ "syn-sent", 1 << 2 },
		{ "syn-recv", 1 << 3 | 1 << 12 },
		{ "fin-wait-1", 1 << 4 },
		{ "fin-wait-2", 1 << 5 },
		{ "FIN_WAIT2", 1 << 5 },
		{ "FIN-WAIT-2", 1 << 5 },
		{ "time-wait", 1 << 6 },
		{ "closed", 1 << 7 },
		{ "close-wait", 1 << 8 },
		{ "last-ack", 1 << 9 },
		{ "listening", 1 << 10 },
		{ "LISTEN", 1 << 10 },
		{ "closing", 1 << 11 },
		{ "all", 0x1ffe },
		{ "connected", 0xb36 },
		{ "synchronized", 0xb32 },
		{ "established,close-wait,FIN_WAIT2", 1 << 1 | 1 << 8 | 1 << 5 },
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "--state %s", cases[i].name);
		accept(line);
		assert_int_equal(filter.match.states, cases[i].states);
	}
	for (unsigned int number = 1; number <= 12; number++) {
		snprintf(line, sizeof(line), "--state %s", hf_state_name(number));
		accept(line);
		assert_true(filter.match.states & 1u << number);
	}
	assert_null(hf_state_name(0));
	assert_null(hf_state_name(13));
	refuse("--state established,bogus", "\"bogus\"", "established");
	refuse("--state established,", "\"\"", "established");
	refuse("--state fin-wait", "\"fin-wait\"", "established");
}

static void bad_filters_are_refused_with_a_mend(void **state)
{
	(void)state;
	refuse("--local 300.0.0.1", "--local \"300.0.0.1\"", "10.0.0.0/8");
	refuse("--remote :90-80", "--remote \":90-80\"", "10.0.0.0/8");
	refuse("--pid 0", "--pid \"0\"", "--pid with a number from 1 to 4194304");
	refuse("--pid 12x", "--pid \"12x\"", "--pid");
	refuse("--pid 99999999999999999999", "--pid", "--pid");
	refuse("--process systemd-resolved", "15 characters", "--process systemd-resolve\n");
	refuse("--user=", "--user needs a name", "without --user");
	refuse("--direction both", "\"both\" is neither in nor out", "--direction in");
	refuse("--remote fe80::1%eth0", "scope (%eth0)", "--remote fe80::1\n");
	refuse("--local [fe80::1%eth0]:80", "scope (%eth0)", "--local [fe80::1]:80\n");
	refuse("--local fe80::%eth0/64", "scope (%eth0)", "--local fe80::/64\n");
	refuse("--audit good", "\"good\"", "--audit protected");
	refuse("-4 -6", "exclude each other", "one of them");
	refuse("--pid 1 --pid 2", "--pid is given twice", "only one of them");
	refuse("-4 -4", "-4 is given twice", "only one of them");
	refuse("10.0.0.1", "unexpected argument \"10.0.0.1\"", "without it");
	refuse("\033[31m", "\"\\x1b[31m\"", "without it");
}

static void an_address_that_might_be_one_with_a_port_gets_a_hint(void **state)
{
	static const char *const plain[] = { "2001:db8::1", "::80",	  "[::1:80]",
					     "[::1]:80",    "::1:80/128", "::1/64:80",
					     "10.0.0.1:80", ":80",	  "1:2:3:4:5:6:7:8" };
	char line[64];

	(void)state;
	accept("--remote ::1:80");
	assert_int_equal(filter.match.remote.port_last, 65535);
	assert_non_null(strstr(message, "for port 80 of ::1 write [::1]:80\n"));
	accept("--local 2001:db8::1:443");
	assert_non_null(strstr(message, "write [2001:db8::1]:443\n"));
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		snprintf(line, sizeof(line), "--remote %s", plain[i]);
		accept(line);
		assert_string_equal(message, "");
	}
}

static void goals_become_settings(void **state)
{
	(void)state;
	accept("--dead-within 30s --override");
	assert_true(policy.given);
	assert_true(policy.override);
	assert_int_equal(policy.goals.dead_within_ms, 30000);
	assert_int_equal(policy.written_goals.dead_within_ms, 30000);
	assert_true(hf_settings_meet(&policy.settings, &policy.goals));
	accept("--keep-open 3.25s");
	assert_int_equal(policy.derivation, HF_DERIVED_ONE_LOSS);
	assert_int_equal(policy.goals.dead_within_ms, 0);
	for (size_t i = 0; i < hf_profiles_count; i++) {
		char line[64];

		snprintf(line, sizeof(line), "--keep-open %s", hf_profiles[i].name);
		accept(line);
		assert_int_equal(policy.goals.keep_open_ms, hf_profiles[i].idle_s * 1000);
		assert_true(hf_settings_meet(&policy.settings, &policy.goals));
	}
}

static void settings_alone_imply_their_own_goal(void **state)
{
	(void)state;
	accept("--idle 2min --interval 10 --count 4");
	assert_int_equal(policy.settings.idle, 120);
	assert_int_equal(policy.settings.interval, 10);
	assert_int_equal(policy.settings.count, 4);
	assert_int_equal(policy.written.idle, 120);
	assert_int_equal(policy.written_goals.dead_within_ms, 0);
	assert_int_equal(policy.goals.dead_within_ms, 1125 * (120 + 4 * 10));
	accept("--user-timeout 90s");
	assert_int_equal(policy.settings.user_timeout_ms, 90000);
	accept("--idle 32767 --interval 32767 --count 127");
	assert_int_equal(policy.goals.dead_within_ms, HF_GOAL_MAX);
}

static void bad_policies_are_refused_with_a_mend(void **state)
{
	(void)state;
	refuse("--dead-within soon", "--dead-within \"soon\"", "--dead-within 500ms");
	refuse("--dead-within 0", "--dead-within \"0\"", "--dead-within 500ms");
	refuse("--dead-within 400d", "too long", "--dead-within 2147483s");
	refuse("--keep-open aws", "\"aws\"", "--keep-open 350s");
	refuse("--idle 1500ms", "whole number", "--idle 2s");
	refuse("--idle 32768", "more than TCP takes", "--idle 32767s");
	refuse("--interval 10h", "more than TCP takes", "--interval 32767s");
	refuse("--interval 0", "\"0\"", "--interval 30s");
	refuse("--count 0", "--count \"0\"", "--count");
	refuse("--count 128", "--count \"128\"", "--count");
	refuse("--count 2", "--count 2 is too few", "--count 3");
	refuse("--count 128", "--count \"128\" is not possible",
	       "--count with a number from 3 to 127");
	refuse("--user-timeout never", "\"never\"", "--user-timeout");
	refuse("--idle 1 --idle 2", "--idle is given twice", "only one of them");
}

/* The line as the message says to try it: with another goal, or without the settings at its end. */
static void mended(const char *line, char *again, size_t size)
{
	char option[32], *tried = strstr(message, "; try: ");
	const char *old, *rest;

	assert_non_null(tried);
	tried += strlen("; try: ");
	tried[strcspn(tried, ",\n")] = '\0';
	if (sscanf(tried, "without %31s", option) == 1) {
		snprintf(again, size, "%.*s", (int)(strstr(line, option) - line - 1), line);
		return;
	}
	assert_int_equal(sscanf(tried, "%31s", option), 1);
	old = strstr(line, option);
	assert_non_null(old);
	rest = old + strlen(option) + 1; /* the value it replaces */
	rest += strcspn(rest, " ");
	snprintf(again, size, "%.*s%s%s", (int)(old - line), line, tried, rest);
}

/* Whatever is refused as contradictory: what it says to try is accepted. */
static void the_nearest_goal_named_can_be_kept(void **state)
{
	static const char *const lines[] = {
		"--dead-within 2s",
		"--dead-within 4499ms",
		"--keep-open 1s",
		"--dead-within 30s --idle 60s",
		"--dead-within 30s --interval 20s",
		"--dead-within 30s --idle 10 --interval 10 --count 9",
		"--dead-within 5s --count 100",
		"--dead-within 10s --idle 3s --user-timeout 20s",
		"--dead-within 30s --interval 5s --user-timeout 61s",
		"--keep-open 350s --idle 400s",
		"--keep-open aws-nlb --idle 300 --interval 30",
		"--keep-open 4s --interval 2s",
		"--user-timeout 2s",
		"--user-timeout 10s --idle 9s",
		"--user-timeout 30s --idle 10s --interval 10s",
	};
	char again[512];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		refuse(lines[i], "--", "--");
		mended(lines[i], again, sizeof(again));
		accept(again);
	}
}

static unsigned int below(unsigned int most)
{
	return (unsigned int)random() % most;
}

static void any_policy(char *line, size_t size)
{
	size_t end = (size_t)snprintf(line, size, "--dead-within %u", 5 + below(100));

	if (below(2))
		end += (size_t)snprintf(line + end, size - end, " --keep-open %u", 4 + below(100));
	if (below(2))
		end += (size_t)snprintf(line + end, size - end, " --idle %u", 1 + below(60));
	if (below(2))
		end += (size_t)snprintf(line + end, size - end, " --interval %u", 1 + below(30));
	if (below(2))
		end += (size_t)snprintf(line + end, size - end, " --count %u", 3 + below(9));
	if (below(2))
		snprintf(line + end, size - end, " --user-timeout %u", 1 + below(100));
}

static void whoever_follows_a_mend_is_accepted(void **state)
{
	unsigned int refused = 0;
	char line[256], again[512];

	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < 5000; i++) {
		any_policy(line, sizeof(line));
		if (!parse(line))
			continue;
		mended(line, again, sizeof(again));
		accept(again);
		refused++;
	}
	assert_in_range(refused, 1000, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_everything_connected_and_two_minutes),
		cmocka_unit_test(every_filter_is_taken),
		cmocka_unit_test(states_are_named_as_ss_and_as_list_name_them),
		cmocka_unit_test(bad_filters_are_refused_with_a_mend),
		cmocka_unit_test(an_address_that_might_be_one_with_a_port_gets_a_hint),
		cmocka_unit_test(goals_become_settings),
		cmocka_unit_test(settings_alone_imply_their_own_goal),
		cmocka_unit_test(bad_policies_are_refused_with_a_mend),
		cmocka_unit_test(the_nearest_goal_named_can_be_kept),
		cmocka_unit_test(whoever_follows_a_mend_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
