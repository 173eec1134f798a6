/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/options_parse.h"
#include "cli/why.h"
#include "host/diag/dump.h"

#define ALL_STATES 0x1ffeu /* 1..12 */
#define FOUND 32	   /* in so many namespaces at once */
#define NEAR 5

struct why_options {
	struct hf_request request;
	struct hf_endpoint end[2]; /* local, remote */
	const char *text[2];
	unsigned int ends;
};

struct found {
	struct hf_record record;
	uint32_t inode;
	bool swapped;
};

enum nearness {
	NOT_NEAR = 0,
	SAME_PORT,
	SAME_REMOTE_ADDRESS,
	SAME_LOCAL,
	SAME_REMOTE,
};

struct near {
	struct hf_record record;
	enum nearness nearness;
};

struct listener {
	uint32_t netns;
	uint16_t port;
};

/* What a pass over all connections leaves. */
struct search {
	const struct hf_endpoint *end;
	struct found found[FOUND];
	size_t founds;
	struct near near[NEAR]; /* the nearest first */
	struct listener *listener;
	size_t listeners;
};

static error_t parse_end(struct why_options *options, const char *text,
			 const struct argp_state *state)
{
	if (options->ends == 2)
		return hf_option_error(state, "two ends: LOCAL REMOTE", "\"%s\" is one too many",
				       text);
	if (!hf_endpoint_parse(text, &options->end[options->ends]))
		return hf_option_error(state, "10.0.0.1:80 or [2001:db8::1]:80",
				       "\"%s\" is not an address and a port", text);
	options->text[options->ends++] = text;
	return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct why_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		options->ends = 0;
		hf_request_init(&options->request, state);
		return 0;
	case ARGP_KEY_ARG:
		return parse_end(options, argument, state);
	case ARGP_KEY_END:
		if (options->ends == 2)
			return 0;
		return hf_option_error(state, "holdfast why 10.0.0.1:41234 10.0.0.2:5432",
				       "both ends of the connection are needed, LOCAL and REMOTE");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "LOCAL REMOTE",
	.doc = "One connection explained: who holds it, the rule it is under, the settings in force "
	       "and who set them, how long until a dead peer is found and how that is reckoned, what "
	       "prevents protection, what happened so far, and what to do.\v"
	       "LOCAL and REMOTE are ADDR:PORT or [IPV6]:PORT, as `holdfast list` shows them. --netns "
	       "tells where to look, --pid which one if there are several. Any other FILTER and POLICY "
	       "are tried on it: whether a rule like that would take it, which condition does not "
	       "hold, and what it would set.",
	.children = hf_request_children,
};

/* --- Finding it --- */

static bool is_end(const struct hf_endpoint *end, const struct hf_address *address, uint16_t port)
{
	return end->port == port && end->address.word[0] == address->word[0] &&
	       end->address.word[1] == address->word[1];
}

static bool is_between(const struct hf_record *record, const struct hf_endpoint *local,
		       const struct hf_endpoint *remote)
{
	return is_end(local, &record->local, record->local_port) &&
	       is_end(remote, &record->remote, record->remote_port);
}

static enum nearness nearness_of(const struct hf_record *record, const struct hf_endpoint *local,
				 const struct hf_endpoint *remote)
{
	if (is_end(remote, &record->remote, record->remote_port))
		return SAME_REMOTE;
	if (is_end(local, &record->local, record->local_port))
		return SAME_LOCAL;
	if (is_end(remote, &record->remote, remote->port))
		return SAME_REMOTE_ADDRESS;
	return record->remote_port == remote->port ? SAME_PORT : NOT_NEAR;
}

static void note_near(struct search *search, const struct hf_record *record)
{
	enum nearness straight = nearness_of(record, &search->end[0], &search->end[1]);
	enum nearness swapped = nearness_of(record, &search->end[1], &search->end[0]);
	enum nearness nearness = straight > swapped ? straight : swapped;
	size_t i = NEAR;

	if (nearness <= search->near[NEAR - 1].nearness)
		return;
	for (; i > 1 && search->near[i - 2].nearness < nearness; i--)
		search->near[i - 1] = search->near[i - 2];
	search->near[i - 1] = (struct near){ .record = *record, .nearness = nearness };
}

static int note_listener(struct search *search, const struct hf_record *record)
{
	struct listener *grown;

	if (record->local_port != search->end[0].port && record->local_port != search->end[1].port)
		return 0;
	grown = realloc(search->listener, (search->listeners + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	search->listener = grown;
	grown[search->listeners++] = (struct listener){ record->netns, record->local_port };
	return 0;
}

static int look(void *arg, const struct hf_record *record)
{
	struct search *search = arg;
	bool straight = is_between(record, &search->end[0], &search->end[1]);

	if (record->state == HF_LISTEN)
		return note_listener(search, record);
	if (!straight && !is_between(record, &search->end[1], &search->end[0])) {
		note_near(search, record);
		return 0;
	}
	if (search->founds < FOUND)
		search->found[search->founds++] = (struct found){
			.record = *record,
			.inode = record->flags & HF_RECORD_FULL ? hf_diag_inode(record) : 0,
			.swapped = !straight,
		};
	return 0;
}

static uint8_t direction_of(const struct search *search, const struct hf_record *record)
{
	for (size_t i = 0; i < search->listeners; i++)
		if (search->listener[i].netns == record->netns &&
		    search->listener[i].port == record->local_port)
			return HF_INCOMING;
	return HF_OUTGOING;
}

/* --- Choosing one of several --- */

static void drop(struct search *search, size_t i)
{
	memmove(&search->found[i], &search->found[i + 1],
		(--search->founds - i) * sizeof(*search->found));
}

static bool is_held_by(const struct found *found, uint32_t pid)
{
	struct hf_holder holder[HF_WHY_HOLDERS];
	size_t holders = hf_holders_find(found->inode, holder, HF_WHY_HOLDERS);

	if ((found->record.flags & HF_RECORD_OWNER) && found->record.pid == pid)
		return true;
	for (size_t i = 0; i < holders && i < HF_WHY_HOLDERS; i++)
		if (holder[i].pid == pid)
			return true;
	return false;
}

/* Those of a process; then, if any is as the ends were given, those only. */
static void narrow(struct search *search, const struct hf_match *match)
{
	bool straight = false;

	for (size_t i = search->founds; (match->fields & HF_MATCH_PID) && i--;)
		if (!is_held_by(&search->found[i], match->pid))
			drop(search, i);
	for (size_t i = 0; i < search->founds; i++)
		straight |= !search->found[i].swapped;
	for (size_t i = search->founds; straight && i--;)
		if (search->found[i].swapped)
			drop(search, i);
}

/* --- None, or too many --- */

static void show_near(const struct hf_record *record, const char *why)
{
	struct hf_endpoint local = { record->local, record->local_port, record->family };
	struct hf_endpoint remote = { record->remote, record->remote_port, record->family };
	char near[HF_ENDPOINT_TEXT], far[HF_ENDPOINT_TEXT];

	hf_endpoint_format(&local, near);
	hf_endpoint_format(&remote, far);
	fprintf(stderr, "  %s %s %s, %s\n", near, far, hf_state_name(record->state), why);
}

static int refuse_none(const struct why_options *options, const struct search *search,
		       size_t others)
{
	static const char *const names[] = {
		[SAME_PORT] = "same port",
		[SAME_REMOTE_ADDRESS] = "same remote address",
		[SAME_LOCAL] = "same local end",
		[SAME_REMOTE] = "same remote end",
	};
	const struct hf_filter_options *filter = &options->request.filter;
	struct hf_problem problem;

	hf_problem_set(&problem, HF_EXIT_USAGE,
		       filter->netns ? "`holdfast list` shows what there is" :
				       "--netns all looks in all network namespaces",
		       "no TCP connection %s %s%s%s", options->text[0], options->text[1],
		       filter->netns ? " in network namespace " : " in this network namespace",
		       filter->netns ? filter->netns : "");
	if (others)
		hf_problem_set(&problem, HF_EXIT_USAGE, "without --pid",
			       "process %u does not hold the connection %s %s", filter->match.pid,
			       options->text[0], options->text[1]);
	hf_command_fail(&problem);
	if (!others && search->near[0].nearness)
		fputs("near it:\n", stderr);
	for (size_t i = 0; !others && i < NEAR && search->near[i].nearness; i++)
		show_near(&search->near[i].record, names[search->near[i].nearness]);
	return problem.exit;
}

static int refuse_many(const struct why_options *options, const struct search *search)
{
	char why[64];
	struct hf_problem problem;

	hf_problem_set(&problem, HF_EXIT_USAGE, "choose one by --netns or --pid",
		       "%zu connections %s %s", search->founds, options->text[0], options->text[1]);
	hf_command_fail(&problem);
	for (size_t i = 0; i < search->founds; i++) {
		snprintf(why, sizeof(why), "namespace %u, process %u",
			 search->found[i].record.netns, search->found[i].record.pid);
		show_near(&search->found[i].record, why);
	}
	return problem.exit;
}

/* --- All of it --- */

static int tell(const struct why_options *options, const struct hf_selection *given,
		const struct search *search, struct hf_host *host)
{
	const struct found *found = &search->found[0];
	struct hf_why why = {
		.record = found->record,
		.host = host,
		.request = &options->request,
		.given = given,
		.swapped = found->swapped,
		.direction = direction_of(search, &found->record),
	};

	why.connection.record = &why.record;
	why.holders = hf_holders_find(found->inode, why.holder, HF_WHY_HOLDERS);
	if (!why.holders && (why.record.flags & HF_RECORD_OWNER)) {
		why.holder[0].pid = why.record.pid;
		memcpy(why.holder[0].process, why.record.process, HF_PROCESS_NAME);
		why.holders = 1;
	}
	hf_why_judge(&why);
	return options->request.output.json ? hf_why_print_json(&why) : hf_why_print_text(&why);
}

static int answer(const struct why_options *options, const struct hf_selection *given,
		  struct search *search, struct hf_host *host)
{
	size_t all = search->founds;

	narrow(search, &options->request.filter.match);
	if (!search->founds)
		return refuse_none(options, search, all);
	if (search->founds > 1)
		return refuse_many(options, search);
	return tell(options, given, search, host);
}

static int run(int argc, char **argv)
{
	struct why_options options;
	struct hf_selection given, all = { 0 };
	struct search search = { .end = options.end };
	struct hf_problem problem;
	struct hf_host *host;
	int failed, exit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return HF_EXIT_USAGE;
	if (hf_request_select(&options.request, "why", &given, &problem))
		return hf_command_fail(&problem);
	hf_match_any(&all.rule.match);
	all.netns = options.request.filter.netns;
	all.states = ALL_STATES;
	all.gathers = HF_GATHER_ALL | HF_GATHER_ORIGIN;
	all.backend = given.backend;
	if (hf_host_open(&host, HF_USE_LOOK, &all, &problem))
		return hf_command_fail(&problem);
	hf_command_warn(hf_host_warning(host));
	failed = hf_host_pass(host, HF_MODE_SHOW | HF_MODE_OWNERS, look, &search, &problem);
	if (failed == -ENOMEM)
		hf_problem_set(&problem, HF_EXIT_FAILED, NULL, "out of memory");
	exit = failed ? hf_command_fail(&problem) : answer(&options, &given, &search, host);
	hf_host_close(&host);
	free(search.listener);
	return exit;
}

const struct hf_command hf_cmd_why = {
	.name = "why",
	.summary = "one connection explained: rule, settings, bounds, what prevents protection",
	.argp = &argp,
	.run = run,
};
