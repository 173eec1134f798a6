/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway: its options, what happens as events, and a line that counts. */
#include "cli/command.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ending.h"
#include "cli/event.h"
#include "cli/options.h"
#include "cli/options_parse.h"
#include "cli/table.h"
#include "cli/writer.h"
#include "core/duration.h"
#include "gateway/gateway.h"

#define RATE 10000 /* packets a second: 4 Mbit/s of questions */
#define RATE_MAX 10000000
#define BRAKE_DEATHS 100
#define BRAKE_WITHIN_MS 10000
#define BRAKE_HOLD_MS 900000 /* what data in flight outlives of an outage: tcp_retries2 = 15 */

struct gateway_options {
	struct hf_policy_options policy;
	struct hf_output_options output;
	struct hf_gateway_options gateway;
	struct hf_prefix ports; /* of --port: no address */
};

struct gateway {
	struct hf_gateway *gateway;
	struct event_base *base;
	struct event *second;
	struct hf_ending ending;
	struct hf_writer *writer;
	uint32_t netns;
	bool json, colour, live, failed;
};

enum {
	ON_DEAD = HF_OPTION_KEY,
	DRY_RUN,
	SOURCE,
	DESTINATION,
	PORT,
	MARK,
	EXCLUDE,
	RATE_KEY,
	BRAKE,
};

static const struct argp_option options_table[] = {
	{ "on-dead", ON_DEAD, "observe|free|reset", 0,
	  "What follows: nothing but the report (the default); the table's entry is freed; the "
	  "surviving end is reset, too",
	  0 },
	{ "dry-run", DRY_RUN, 0, 0, "Send nothing: show which flows would be asked, and when", 0 },
	{ "source", SOURCE, "END", 0, "Flows opened from there: ADDR[/LEN][:PORT[-PORT]]", 0 },
	{ "destination", DESTINATION, "END", 0, "Flows opened to there, before any NAT", 0 },
	{ "port", PORT, "PORT[-PORT]", 0, "Flows opened to these ports", 0 },
	{ "mark", MARK, "N[/MASK]", 0, "Flows of this connection mark", 0 },
	{ "exclude", EXCLUDE, "END", 0, "But none with an end there; may be repeated", 0 },
	{ "rate", RATE_KEY, "N", 0,
	  "Send so many packets a second at most (default 10000; 0: no limit)", 0 },
	{ "brake", BRAKE, "N/DUR[/HOLD]|off", 0,
	  "More than N deaths within DUR are an outage: measures pause until most live again, or for "
	  "HOLD (default 100/10s/15min)",
	  0 },
	{ 0 },
};

/* --- Options --- */

static error_t parse_end(struct hf_prefix *out, const char *option, const char *text,
			 const struct argp_state *state)
{
	if (hf_prefix_parse(text, out))
		return 0;
	return hf_option_error(state,
			       "10.0.0.0/8, 10.0.0.1:80, :5432, 2001:db8::/32 or [2001:db8::1]:80",
			       "%s \"%s\" is not an address, prefix or port", option, text);
}

static error_t parse_exclude(struct hf_flow_filter *filter, const char *text,
			     const struct argp_state *state)
{
	if (filter->excludes == HF_EXCLUDES_MAX)
		return hf_option_error(state, "wider prefixes", "more than %d times --exclude",
				       HF_EXCLUDES_MAX);
	return parse_end(&filter->exclude[filter->excludes++], "--exclude", text, state);
}

static error_t parse_port(struct hf_prefix *out, const char *text, const struct argp_state *state)
{
	char end[32];

	snprintf(end, sizeof(end), ":%s", text);
	if (strlen(text) > 11 || !hf_prefix_parse(end, out))
		return hf_option_error(state, "--port 5432 or --port 1000-2000",
				       "--port \"%s\" is not a port", text);
	return 0;
}

static bool names_ports(const struct hf_prefix *prefix)
{
	return prefix->port_first || prefix->port_last != UINT16_MAX;
}

/* Both say where flows were opened to, whichever is given first. */
static error_t join_ports(struct gateway_options *options, const struct argp_state *state)
{
	struct hf_prefix *destination = &options->gateway.filter.destination;

	if (!names_ports(&options->ports))
		return 0;
	if (names_ports(destination))
		return hf_option_error(
			state, "the port in one of them",
			"--port and the port of --destination contradict each other");
	destination->port_first = options->ports.port_first;
	destination->port_last = options->ports.port_last;
	return 0;
}

static error_t parse_mark(struct hf_flow_filter *filter, const char *text,
			  const struct argp_state *state)
{
	unsigned long long mark, mask = UINT32_MAX;
	const char *part = text;
	char *end;

	errno = 0;
	mark = strtoull(part, &end, 0);
	if (*end == '/' && end != part)
		mask = strtoull(part = end + 1, &end, 0);
	if (*end || end == part || errno || mark > UINT32_MAX || mask > UINT32_MAX || *part == '-')
		return hf_option_error(state, "--mark 0x10 or --mark 0x10/0xff",
				       "--mark \"%s\" is not possible", text);
	filter->mark_mask = (uint32_t)mask;
	filter->mark = (uint32_t)(mark & mask);
	return 0;
}

static error_t parse_on_dead(enum hf_on_dead *out, const char *text, const struct argp_state *state)
{
	static const char *const names[] = { "observe", "free", "reset" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*out = i;
			return 0;
		}
	return hf_option_error(state, "--on-dead observe, free or reset",
			       "--on-dead \"%s\" is unknown", text);
}

static bool parse_time(const char *text, size_t length, uint32_t *out)
{
	char time[32];
	uint64_t ms = 0;

	if (length >= sizeof(time))
		return false;
	memcpy(time, text, length);
	time[length] = '\0';
	if (!hf_duration_parse(time, &ms) || !ms || ms > HF_GOAL_MAX)
		return false;
	*out = (uint32_t)ms;
	return true;
}

static error_t parse_brake(struct hf_gateway_options *options, const char *text,
			   const struct argp_state *state)
{
	unsigned long long deaths;
	const char *within, *hold;
	char *end;

	if (!strcmp(text, "off")) {
		options->brake_deaths = 0;
		return 0;
	}
	errno = 0;
	deaths = strtoull(text, &end, 10);
	within = *end == '/' ? end + 1 : end;
	hold = strchrnul(within, '/');
	if (*text < '0' || *text > '9' || errno || !deaths || deaths > UINT32_MAX ||
	    !parse_time(within, (size_t)(hold - within), &options->brake_within_ms) ||
	    (*hold && !parse_time(hold + 1, strlen(hold + 1), &options->brake_hold_ms)))
		return hf_option_error(state,
				       "--brake 100/10s, --brake 100/10s/15min or --brake off",
				       "--brake \"%s\" is not possible", text);
	options->brake_deaths = (uint32_t)deaths;
	return 0;
}

static error_t parse_option(struct hf_gateway_options *options, struct hf_prefix *ports, int key,
			    const char *text, const struct argp_state *state)
{
	switch (key) {
	case ON_DEAD:
		return parse_on_dead(&options->on_dead, text, state);
	case DRY_RUN:
		options->dry_run = true;
		return 0;
	case SOURCE:
		return parse_end(&options->filter.source, "--source", text, state);
	case DESTINATION:
		return parse_end(&options->filter.destination, "--destination", text, state);
	case PORT:
		return parse_port(ports, text, state);
	case MARK:
		return parse_mark(&options->filter, text, state);
	case EXCLUDE:
		return parse_exclude(&options->filter, text, state);
	case RATE_KEY:
		return hf_option_number(state, "--rate", text, 0, RATE_MAX, &options->rate);
	default: /* BRAKE */
		return parse_brake(options, text, state);
	}
}

/* What is told to a kernel's TCP is not what two ends are probed with. */
static error_t check(struct gateway_options *options, const struct argp_state *state)
{
	const struct hf_policy_options *policy = &options->policy;
	const struct hf_settings *written = &policy->written;

	if (written->idle || written->interval || written->count || written->user_timeout_ms ||
	    policy->override)
		return hf_option_error(state, "--dead-within 2min, --keep-open 1h",
				       "the gateway takes goals only");
	return join_ports(options, state);
}

static void init(struct gateway_options *options, struct argp_state *state)
{
	options->gateway = (struct hf_gateway_options){
		.filter = { .source = hf_prefix_any, .destination = hf_prefix_any },
		.rate = RATE,
		.brake_deaths = BRAKE_DEATHS,
		.brake_within_ms = BRAKE_WITHIN_MS,
		.brake_hold_ms = BRAKE_HOLD_MS,
	};
	options->ports = hf_prefix_any;
	state->child_inputs[0] = &options->policy;
	state->child_inputs[1] = &options->output;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct gateway_options *options = state->input;
	error_t error = 0;

	if (key == ARGP_KEY_INIT) {
		init(options, state);
		return 0;
	}
	if (key == ARGP_KEY_SUCCESS)
		return check(options, state);
	if (key < ON_DEAD || key > BRAKE)
		return ARGP_ERR_UNKNOWN;
	if (key != EXCLUDE)
		error = hf_option_once(state, options_table, key);
	return error ? error : parse_option(&options->gateway, &options->ports, key, text, state);
}

static const struct argp_child children[] = {
	{ &hf_policy_argp, 0, NULL, 0 },
	{ &hf_output_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options_table,
	.parser = parse,
	.doc = "Watch every TCP flow that crosses this machine, until interrupted: both ends are "
	       "probed in turns before the flow would be forgotten, here or in boxes on its way, and "
	       "who is dead is reported.\v"
	       "Flows come from this network namespace's own connection tracking table; those of "
	       "the machine itself and offloaded ones are left out. An end is dead if it leaves all "
	       "questions and probes unanswered, or answers a probe with a RST of exactly the right "
	       "number. Goals only: --idle and the like are for a kernel's own TCP.",
	.children = children,
};

/* --- Events --- */

static const enum hf_event_kind kinds[] = {
	[HF_GATEWAY_ASKED] = HF_EVENT_PROTECTED, [HF_GATEWAY_DEAD] = HF_EVENT_DEAD,
	[HF_GATEWAY_RESET] = HF_EVENT_RESET,	 [HF_GATEWAY_REVIVED] = HF_EVENT_REVIVED,
	[HF_GATEWAY_FREED] = HF_EVENT_DESTROYED, [HF_GATEWAY_BRAKED] = HF_EVENT_BRAKED,
	[HF_GATEWAY_LOST] = HF_EVENT_LOST,	 [HF_GATEWAY_SLOW] = HF_EVENT_ERROR,
	[HF_GATEWAY_ERROR] = HF_EVENT_ERROR,
};

static const char *end_of(const struct hf_gateway_news *news)
{
	if (news->gone[HF_ORIGINATOR] && news->gone[HF_RESPONDER])
		return "both";
	return news->gone[HF_ORIGINATOR] ? "originator" : "responder";
}

static void record_of(const struct gateway *gateway, const struct hf_gateway_news *news,
		      struct hf_record *out)
{
	const struct hf_endpoint *end = news->key->end;

	*out = (struct hf_record){
		.local = end[HF_ORIGINATOR].address,
		.remote = end[HF_RESPONDER].address,
		.local_port = end[HF_ORIGINATOR].port,
		.remote_port = end[HF_RESPONDER].port,
		.family = end[HF_ORIGINATOR].family,
		.netns = gateway->netns,
		.silent_ms = news->evidence.silent_ms,
		.unanswered = news->evidence.unanswered,
		.srtt_us = news->evidence.rtt_ms == UINT32_MAX ? 0 : news->evidence.rtt_ms * 1000,
	};
}

static void wipe(const struct gateway *gateway)
{
	if (gateway->live)
		fputs("\r\033[K", hf_writer_file(gateway->writer));
}

static void emit(struct gateway *gateway, const struct hf_notice *event)
{
	FILE *out = hf_writer_room(gateway->writer);

	if (!out)
		return;
	wipe(gateway);
	hf_event_print(event, gateway->json, gateway->colour, out);
}

static void say_unread(struct gateway *gateway)
{
	uint64_t unread = hf_writer_left_out(gateway->writer);
	struct hf_notice event;
	char action[64];

	if (!unread)
		return;
	snprintf(action, sizeof(action), "%llu events were lost: they were not read",
		 (unsigned long long)unread);
	hf_event_now(HF_EVENT_LOST, NULL, action, &event);
	emit(gateway, &event);
}

static void on_news(void *arg, const struct hf_gateway_news *news)
{
	struct gateway *gateway = arg;
	struct hf_record record;
	struct hf_notice event;

	say_unread(gateway);
	if (news->key)
		record_of(gateway, news, &record);
	hf_event_now(kinds[news->event], news->key ? &record : NULL, news->action, &event);
	event.end = news->key ? end_of(news) : NULL;
	emit(gateway, &event);
	hf_writer_flush(gateway->writer);
}

static void print_counts(const struct gateway *gateway, FILE *out)
{
	struct hf_gateway_statistics now;

	hf_gateway_look(gateway->gateway, &now);
	fprintf(out, "%u flows, %u in dialogue, %llu alive, %llu dead, %llu freed, %llu reset",
		now.engine.flows, now.engine.dialogues, (unsigned long long)now.engine.alive,
		(unsigned long long)now.dead, (unsigned long long)now.freed,
		(unsigned long long)now.reset);
	if (now.table_most)
		fprintf(out, ", table %.0f %%", 100.0 * now.table / now.table_most);
	if (now.left_out.offloaded)
		fprintf(out, ", %u offloaded", now.left_out.offloaded);
	if (now.held_ms)
		fprintf(out, ", %llu ms held up by the rate", (unsigned long long)now.held_ms);
	if (now.slow_ms)
		fprintf(out, ", %llu ms behind", (unsigned long long)now.slow_ms);
	if (now.lost)
		fprintf(out, ", %llu lost", (unsigned long long)now.lost);
	if (now.braked)
		fputs(", braked", out);
}

/* What is longer than the terminal would leave a line behind each time. */
static void print_line(const struct gateway *gateway, FILE *out)
{
	char line[512] = "";
	FILE *file = fmemopen(line, sizeof(line), "w");

	if (!file)
		return;
	print_counts(gateway, file);
	fclose(file);
	fprintf(out, "%.*s", (int)hf_terminal_width(stdout), line);
}

/* What it took, at the end. */
static void print_traffic(const struct gateway *gateway)
{
	struct hf_gateway_statistics now;

	hf_gateway_look(gateway->gateway, &now);
	fprintf(stderr, ", %llu sent, %llu heard\n", (unsigned long long)now.sent,
		(unsigned long long)now.heard);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *gateway = arg;

	(void)fd;
	(void)what;
	wipe(gateway);
	print_line(gateway, hf_writer_file(gateway->writer));
	hf_writer_flush(gateway->writer);
}

/* --- Running --- */

static int start(struct gateway *gateway, const struct gateway_options *options,
		 struct hf_problem *problem)
{
	const struct timeval second = { .tv_sec = 1 };

	gateway->base = event_base_new();
	if (gateway->base && !hf_ending_open(&gateway->ending, gateway->base)) {
		gateway->writer = hf_writer_open(gateway->base, STDOUT_FILENO);
		gateway->second = event_new(gateway->base, -1, EV_PERSIST, on_second, gateway);
	}
	if (!gateway->writer || !gateway->second ||
	    (gateway->live && event_add(gateway->second, &second)))
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot start the event loop");
	return hf_gateway_open(&gateway->gateway, gateway->base, &options->gateway, on_news,
			       gateway, problem);
}

static void end(struct gateway *gateway)
{
	hf_gateway_close(&gateway->gateway);
	if (gateway->second)
		event_free(gateway->second);
	if (gateway->writer && hf_command_output(hf_writer_close(&gateway->writer)))
		gateway->failed = true;
	hf_ending_close(&gateway->ending);
	if (gateway->base)
		event_base_free(gateway->base);
}

static void say(const struct gateway_options *options)
{
	const struct hf_goals *goals = &options->gateway.goals;
	char dead_within[HF_DURATION_TEXT] = "-", keep_open[HF_DURATION_TEXT] = "-";

	if (goals->dead_within_ms)
		hf_duration_format(goals->dead_within_ms, dead_within);
	if (goals->keep_open_ms)
		hf_duration_format(goals->keep_open_ms, keep_open);
	fprintf(stderr, "holdfast: watching what crosses (dead within %s, keep open %s%s)\n",
		dead_within, keep_open, options->gateway.dry_run ? ", dry run" : "");
}

static uint32_t own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) ? 0 : (uint32_t)status.st_ino;
}

static int run(int argc, char **argv)
{
	struct gateway_options options = { 0 };
	struct gateway gateway = { .netns = own_netns() };
	struct hf_problem problem = { 0 };
	int exit = HF_EXIT_DONE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	options.gateway.goals = options.policy.goals;
	gateway.json = options.output.json;
	gateway.colour = hf_colour_wanted(stdout);
	gateway.live = !gateway.json && isatty(STDOUT_FILENO);
	signal(SIGPIPE, SIG_IGN);
	if (start(&gateway, &options, &problem)) {
		exit = hf_command_fail(&problem);
	} else {
		say(&options);
		event_base_dispatch(gateway.base);
		wipe(&gateway);
		hf_writer_flush(gateway.writer);
		fputs("holdfast: ", stderr);
		print_counts(&gateway, stderr);
		print_traffic(&gateway);
	}
	end(&gateway);
	return exit ? exit : gateway.failed ? HF_EXIT_FAILED : HF_EXIT_DONE;
}

const struct hf_command hf_cmd_gateway = {
	.name = "gateway",
	.summary = "probe the flows that cross this machine, act on the dead",
	.argp = &argp,
	.run = run,
};
