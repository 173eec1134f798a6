/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/options_parse.h"

#define PID_MAX 4194304 /* Linux PID_MAX_LIMIT */

enum {
	LOCAL = HF_OPTION_KEY,
	REMOTE,
	PID,
	PROCESS,
	USER,
	CGROUP,
	NETNS,
	DIRECTION,
	STATE,
	AUDIT,
};

static const struct argp_option options_table[] = {
	{ .doc = "FILTER, which connections (every condition given must hold):",
	  .group = HF_GROUP_FILTER },
	{ "local", LOCAL, "END", 0, "The local end: ADDR[/LEN][:PORT[-PORT]], :PORT or [IPV6]:PORT",
	  0 },
	{ "remote", REMOTE, "END", 0, "The remote end, likewise", 0 },
	{ "pid", PID, "PID", 0, "Held by this process", 0 },
	{ "process", PROCESS, "NAME", 0, "Held by a process of this name (as ps -o comm shows it)",
	  0 },
	{ "user", USER, "USER", 0, "Of this user, by name or number", 0 },
	{ "cgroup", CGROUP, "GLOB", 0, "In such a cgroup, as in \"/batch.slice/**\"", 0 },
	{ "netns", NETNS, "NETNS", 0,
	  "In this network namespace (name or path), or in \"all\"; by default in the caller's own",
	  0 },
	{ "direction", DIRECTION, "in|out", 0, "Accepted here (in) or connected from here (out)",
	  0 },
	{ 0, '4', 0, 0, "IPv4 only", 0 },
	{ 0, '6', 0, 0, "IPv6 only, v4-mapped sockets included, as in ss", 0 },
	{ 0 },
};

/* What is so at the moment of looking. */
static const struct argp_option moment_table[] = {
	{ "state", STATE, "STATE", 0,
	  "In one of these TCP states, as ss names them, with commas between them; also all, "
	  "connected (the default), synchronized",
	  HF_GROUP_FILTER },
	{ "audit", AUDIT, "VERDICT", 0, "Found to be protected, slow or unprotected",
	  HF_GROUP_FILTER },
	{ 0 },
};

/* The same for a command that takes connections as they come: to say so, and in no list. */
static const struct argp_option refused_table[] = {
	{ "state", STATE, "STATE", OPTION_HIDDEN, 0, 0 },
	{ "audit", AUDIT, "VERDICT", OPTION_HIDDEN, 0, 0 },
	{ 0 },
};

#define BIT(state) (1u << (state))
#define ALL_STATES 0x1ffeu /* 1..12 */
#define SYN_SENT 2
#define SYN_RECV 3
#define CLOSE 7
#define TIME_WAIT 6
#define LISTEN 10
#define NEW_SYN_RECV 12

static_assert(HF_STATES_CONNECTED == (ALL_STATES & ~BIT(LISTEN) & ~BIT(CLOSE) & ~BIT(TIME_WAIT) &
				      ~BIT(SYN_RECV) & ~BIT(NEW_SYN_RECV)),
	      "as ss has it");

/* By Linux TCP state number. */
static const char *const state_names[] = {
	[1] = "ESTABLISHED", [SYN_SENT] = "SYN_SENT", [SYN_RECV] = "SYN_RECV",
	[4] = "FIN_WAIT1",   [5] = "FIN_WAIT2",	      [TIME_WAIT] = "TIME_WAIT",
	[CLOSE] = "CLOSE",   [8] = "CLOSE_WAIT",      [9] = "LAST_ACK",
	[LISTEN] = "LISTEN", [11] = "CLOSING",	      [NEW_SYN_RECV] = "SYN_RECV",
};
#define STATES (sizeof(state_names) / sizeof(state_names[0]))

/* Other names, and names of several. */
static const struct {
	const char *name;
	uint32_t states;
} more_names[] = {
	{ "estab", BIT(1) },
	{ "listening", BIT(LISTEN) },
	{ "closed", BIT(CLOSE) },
	{ "unconn", BIT(CLOSE) },
	{ "all", ALL_STATES },
	{ "connected", HF_STATES_CONNECTED },
	{ "synchronized", HF_STATES_CONNECTED & ~BIT(SYN_SENT) },
};

const char *hf_state_name(unsigned int state)
{
	return state < STATES ? state_names[state] : NULL;
}

/* Equal but for case and for what stands between words: FIN-WAIT-2, fin_wait2. */
static bool same_name(const char *text, size_t length, const char *name)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '-' || text[i] == '_')
			continue;
		while (*name == '_')
			name++;
		if (tolower((unsigned char)text[i]) != tolower((unsigned char)*name++))
			return false;
	}
	return !*name;
}

/* The states of one name; 0 = no such name. */
static uint32_t named_states(const char *text, size_t length)
{
	uint32_t states = 0;

	for (unsigned int i = 1; i < STATES; i++)
		if (same_name(text, length, state_names[i]))
			states |= BIT(i);
	for (size_t i = 0; i < sizeof(more_names) / sizeof(more_names[0]); i++)
		if (same_name(text, length, more_names[i].name))
			states |= more_names[i].states;
	return states;
}

static error_t parse_states(struct hf_filter_options *options, const char *list,
			    const struct argp_state *state)
{
	uint32_t states = 0;

	for (const char *name = list;; name++) {
		size_t length = strcspn(name, ",");
		uint32_t more = named_states(name, length);

		if (!more)
			return hf_option_error(
				state,
				"established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, "
				"closed, close-wait, last-ack, listening, closing, connected, "
				"synchronized or all",
				"--state \"%.*s\" is not a TCP state", (int)length, name);
		states |= more;
		name += length;
		if (!*name)
			break;
	}
	options->match.states = states;
	options->states_given = true;
	return 0;
}

/* "::1:80" is an address, and port 80 of "::1" may have been meant: say how that is written. */
static void warn_of_port(const char *option, const char *text, const struct argp_state *state)
{
	const char *last = strrchr(text, ':');
	struct hf_prefix other;
	char bracketed[64];

	if (*text == '[' || strchr(text, '/') || last == strchr(text, ':'))
		return;
	snprintf(bracketed, sizeof(bracketed), "[%.*s]:%s", (int)(last - text), text, last + 1);
	if (hf_prefix_parse(bracketed, &other))
		hf_option_warn(state,
			       "%s %s is taken as an address alone; for port %s of %.*s write %s",
			       option, text, last + 1, (int)(last - text), text, bracketed);
}

/* The same without the scope, "%eth0", which no prefix has. */
static error_t refuse_scope(const char *option, const char *text, const struct argp_state *state)
{
	size_t before = strcspn(text, "%"), scope = strcspn(text + before, "]/");
	char mend[128];

	snprintf(mend, sizeof(mend), "%s %.*s%s", option, (int)before, text, text + before + scope);
	return hf_option_error(state, mend,
			       "%s \"%s\": an address is taken without its scope (%.*s)", option,
			       text, (int)scope, text + before);
}

static error_t parse_end(struct hf_prefix *prefix, const char *option, const char *text,
			 const struct argp_state *state)
{
	if (hf_prefix_parse(text, prefix)) {
		warn_of_port(option, text, state);
		return 0;
	}
	if (strchr(text, '%'))
		return refuse_scope(option, text, state);
	return hf_option_error(state,
			       "10.0.0.0/8, 10.0.0.1:80, :5432, 2001:db8::/32 or [2001:db8::1]:80",
			       "%s \"%s\" is not an address, prefix or port", option, text);
}

static error_t parse_pid(struct hf_match *match, const char *text, const struct argp_state *state)
{
	match->fields |= HF_MATCH_PID;
	return hf_option_number(state, "--pid", text, 1, PID_MAX, &match->pid);
}

static error_t parse_name(const char **name, const char *option, const char *text,
			  const struct argp_state *state)
{
	char mend[32];

	*name = text;
	if (*text)
		return 0;
	snprintf(mend, sizeof(mend), "without %s", option);
	return hf_option_error(state, mend, "%s needs a name, and none is given", option);
}

static error_t parse_process(struct hf_filter_options *options, const char *text,
			     const struct argp_state *state)
{
	char mend[sizeof("--process ") + HF_PROCESS_NAME] = "--process ";

	if (strlen(text) < HF_PROCESS_NAME)
		return parse_name(&options->process, "--process", text, state);
	strncat(mend, text, HF_PROCESS_NAME - 1);
	return hf_option_error(state, mend,
			       "--process \"%s\": the kernel keeps %d characters of a name", text,
			       HF_PROCESS_NAME - 1);
}

static error_t parse_family(struct hf_match *match, enum hf_family family,
			    const struct argp_state *state)
{
	if (match->family)
		return hf_option_error(state, "one of them, or none for both",
				       "-4 and -6 exclude each other");
	match->family = (uint8_t)family;
	return 0;
}

static error_t parse_direction(struct hf_match *match, const char *text,
			       const struct argp_state *state)
{
	if (!strcmp(text, "in"))
		match->direction = HF_INCOMING;
	else if (!strcmp(text, "out"))
		match->direction = HF_OUTGOING;
	else
		return hf_option_error(state,
				       "--direction in, --direction out, or without it for both",
				       "--direction \"%s\" is neither in nor out", text);
	return 0;
}

static error_t parse_verdict(enum hf_verdict *verdict, const char *text,
			     const struct argp_state *state)
{
	if (!strcmp(text, "protected"))
		*verdict = HF_PROTECTED;
	else if (!strcmp(text, "slow"))
		*verdict = HF_SLOW;
	else if (!strcmp(text, "unprotected"))
		*verdict = HF_UNPROTECTED;
	else
		return hf_option_error(state, "--audit protected, slow or unprotected",
				       "--audit \"%s\" is not a verdict", text);
	return 0;
}

static error_t parse_option(struct hf_filter_options *options, int key, const char *text,
			    const struct argp_state *state)
{
	switch (key) {
	case LOCAL:
		return parse_end(&options->match.local, "--local", text, state);
	case REMOTE:
		return parse_end(&options->match.remote, "--remote", text, state);
	case PID:
		return parse_pid(&options->match, text, state);
	case PROCESS:
		return parse_process(options, text, state);
	case USER:
		return parse_name(&options->user, "--user", text, state);
	case CGROUP:
		return parse_name(&options->cgroup, "--cgroup", text, state);
	case NETNS:
		return parse_name(&options->netns, "--netns", text, state);
	case DIRECTION:
		return parse_direction(&options->match, text, state);
	case '4':
		return parse_family(&options->match, HF_IPV4, state);
	default: /* '6' */
		return parse_family(&options->match, HF_IPV6, state);
	}
}

static error_t parse_filter(int key, char *text, struct argp_state *state)
{
	struct hf_filter_options *options = state->input;
	error_t error;

	if (key == ARGP_KEY_INIT) {
		*options = (struct hf_filter_options){ .audit = HF_NOT_JUDGED };
		hf_match_any(&options->match);
		options->match.states = HF_STATES_CONNECTED;
		state->child_inputs[0] = options;
		return 0;
	}
	if (key != '4' && key != '6' && (key < LOCAL || key > DIRECTION))
		return ARGP_ERR_UNKNOWN;
	error = hf_option_once(state, options_table, key);
	return error ? error : parse_option(options, key, text, state);
}

static error_t parse_moment(int key, char *text, struct argp_state *state)
{
	struct hf_filter_options *options = state->input;

	if (key != STATE && key != AUDIT)
		return ARGP_ERR_UNKNOWN;
	if (hf_option_once(state, moment_table, key))
		return EINVAL;
	if (key == STATE)
		return parse_states(options, text, state);
	return parse_verdict(&options->audit, text, state);
}

static error_t refuse_moment(int key, char *text, struct argp_state *state)
{
	(void)text;
	if (key != STATE && key != AUDIT)
		return ARGP_ERR_UNKNOWN;
	return hf_option_error(state, "without it, or `holdfast apply` with it",
			       "--state and --audit do not go with watch, which takes connections "
			       "as they come");
}

static const struct argp moment_argp = { .options = moment_table, .parser = parse_moment };
static const struct argp refused_argp = { .options = refused_table, .parser = refuse_moment };
static const struct argp_child moment[] = { { &moment_argp, 0, NULL, 0 }, { 0 } };
static const struct argp_child no_moment[] = { { &refused_argp, 0, NULL, 0 }, { 0 } };

const struct argp hf_filter_argp = { .options = options_table,
				     .parser = parse_filter,
				     .children = moment };
const struct argp hf_filter_watch_argp = { .options = options_table,
					   .parser = parse_filter,
					   .children = no_moment };
