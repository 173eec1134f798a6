/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/why.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/options_parse.h"
#include "cli/why_arithmetic.h"
#include "host/cgroup.h"

const char *const hf_why_settings[HF_WHY_SETTINGS] = { "keepalive", "idle", "interval", "count",
						       "user_timeout_ms" };

uint32_t hf_why_value(const struct hf_settings *settings, enum hf_setting setting)
{
	switch (setting) {
	case HF_SETTING_KEEPALIVE:
		return settings->keepalive;
	case HF_SETTING_IDLE:
		return settings->idle;
	case HF_SETTING_INTERVAL:
		return settings->interval;
	case HF_SETTING_COUNT:
		return settings->count;
	default:
		return settings->user_timeout_ms;
	}
}

const char *hf_why_set_by(const struct hf_why *why, enum hf_setting setting)
{
	const struct hf_record *record = &why->record;

	if (!(record->flags & HF_RECORD_ORIGIN))
		return NULL;
	if (record->origin.ours & setting)
		return "holdfast";
	if (record->origin.unset & setting)
		return "sysctl";
	/* That these are off says nothing of who left them so. */
	if ((setting & (HF_SETTING_KEEPALIVE | HF_SETTING_USER_TIMEOUT)) &&
	    !hf_why_value(&record->settings, setting))
		return "default";
	return why->remembers ? "program" : NULL;
}

bool hf_why_known(const struct hf_why *why)
{
	return (why->record.flags & (HF_RECORD_FULL | HF_RECORD_HIDDEN)) == HF_RECORD_FULL;
}

static void add(struct hf_why *why, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct hf_why *why, const char *name, const char *format, ...)
{
	struct hf_why_reason *reason = &why->reason[why->reasons];
	va_list arguments;

	if (why->reasons == HF_WHY_REASONS)
		return;
	why->reasons++;
	reason->name = name;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof(reason->text), format, arguments);
	va_end(arguments);
}

static bool is_ruled(const struct hf_why *why)
{
	return why->record.flags & HF_RECORD_RULE;
}

/* --- Would the rule given take it? --- */

static void set_facts(const struct hf_why *why, struct hf_facts *facts)
{
	const struct hf_record *record = &why->record;
	char glob[PATH_MAX] = "";

	if (why->given->cgroup)
		snprintf(glob, sizeof(glob), "%s%s", *why->given->cgroup == '/' ? "" : "/",
			 why->given->cgroup);
	*facts = (struct hf_facts){
		.local = { .address = record->local, .port = record->local_port },
		.remote = { .address = record->remote, .port = record->remote_port },
		.state = record->state,
		.netns = record->netns,
		.uid = record->uid,
		.pid = record->pid,
		.cgroup_rules = *glob && why->cgroup && hf_cgroup_matches(glob, why->cgroup),
		.family = record->family,
		.direction = why->direction,
		.owner_known = !!(record->flags & HF_RECORD_OWNER),
		.uid_known = !!(record->flags & HF_RECORD_FULL),
	};
	memcpy(facts->process, record->process, sizeof(facts->process));
}

static bool is_any(const struct hf_prefix *prefix)
{
	return !(prefix->mask.word[0] | prefix->mask.word[1]) && !prefix->port_first &&
	       prefix->port_last == UINT16_MAX;
}

/* Keep one condition of a match; false if it was not given. */
static bool keep_local(const struct hf_match *match, struct hf_match *one)
{
	one->local = match->local;
	return !is_any(&one->local);
}

static bool keep_remote(const struct hf_match *match, struct hf_match *one)
{
	one->remote = match->remote;
	return !is_any(&one->remote);
}

static bool keep_state(const struct hf_match *match, struct hf_match *one)
{
	one->states = match->states;
	return one->states;
}

static bool keep_family(const struct hf_match *match, struct hf_match *one)
{
	one->family = match->family;
	return one->family;
}

static bool keep_direction(const struct hf_match *match, struct hf_match *one)
{
	one->direction = match->direction;
	return one->direction;
}

static bool keep_user(const struct hf_match *match, struct hf_match *one)
{
	one->uid = match->uid;
	one->fields = match->fields & HF_MATCH_UID;
	return one->fields;
}

static bool keep_process(const struct hf_match *match, struct hf_match *one)
{
	memcpy(one->process, match->process, sizeof(one->process));
	one->fields = match->fields & HF_MATCH_PROCESS;
	return one->fields;
}

static bool keep_cgroup(const struct hf_match *match, struct hf_match *one)
{
	one->fields = match->fields & HF_MATCH_CGROUP;
	return one->fields;
}

static const struct {
	const char *name;
	bool (*keep)(const struct hf_match *match, struct hf_match *one);
} conditions[] = {
	{ "local", keep_local },     { "remote", keep_remote },	      { "state", keep_state },
	{ "family", keep_family },   { "direction", keep_direction }, { "user", keep_user },
	{ "process", keep_process }, { "cgroup", keep_cgroup },
};
static_assert(sizeof(conditions) / sizeof(*conditions) < HF_WHY_CONDITIONS, "and --audit");

static void note_condition(struct hf_why *why, const char *name, enum hf_matched matched)
{
	why->condition[why->conditions++] = (struct hf_why_condition){ name, matched };
	if (matched == HF_MATCHED_NO || why->matched == HF_MATCHED_NO)
		why->matched = HF_MATCHED_NO;
	else if (matched == HF_MATCHED_UNKNOWN)
		why->matched = matched;
}

static void try_conditions(struct hf_why *why)
{
	const struct hf_filter_options *filter = &why->request->filter;
	struct hf_match match = why->given->rule.match, one;
	struct hf_facts facts;

	set_facts(why, &facts);
	match.states = filter->states_given ? filter->match.states : 0;
	if (why->given->cgroup)
		match.fields |= HF_MATCH_CGROUP;
	why->matched = HF_MATCHED;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		hf_match_any(&one);
		if (conditions[i].keep(&match, &one))
			note_condition(why, conditions[i].name, hf_match_test(&one, 0, &facts));
	}
	if (filter->audit)
		note_condition(why, "audit",
			       filter->audit == why->connection.verdict ? HF_MATCHED :
									  HF_MATCHED_NO);
}

/* --- Judged by what, and what a rule with these goals would do --- */

static void choose_goals(struct hf_why *why)
{
	why->judge = HF_WHY_DEFAULT;
	why->goals = (struct hf_goals){ .dead_within_ms = HF_DEAD_WITHIN_DEFAULT };
	if (why->request->policy.given) {
		why->judge = HF_WHY_POLICY;
		why->goals = why->given->rule.goals;
	} else if (is_ruled(why)) {
		why->judge = HF_WHY_RULE;
		why->goals = why->record.goals;
	}
}

static void decide(struct hf_why *why)
{
	struct hf_settings ours = why->given->rule.settings;

	why->own = why->record.settings;
	if (is_ruled(why) && (why->record.flags & HF_RECORD_ORIGIN))
		why->own = why->record.origin.original;
	if (why->judge != HF_WHY_POLICY)
		hf_settings_derive(&why->goals, NULL, 0, &ours);
	why->decision = hf_settings_decide(&why->own, &why->goals, &ours,
					   why->request->policy.override, &why->would);
}

/* --- What prevents protection --- */

static bool is_judged(const struct hf_why *why)
{
	return why->connection.verdict != HF_NOT_JUDGED;
}

static void explain_unjudged(struct hf_why *why)
{
	const struct hf_record *record = &why->record;

	if (record->flags & HF_RECORD_KERNEL)
		add(why, "kernel", "a socket of the kernel's own: never touched");
	if (record->state == HF_SYN_SENT || record->state == HF_SYN_RECV)
		add(why, "state", "not connected yet: keepalive begins when it is");
	else if (record->state == HF_TIME_WAIT || record->state == HF_CLOSE)
		add(why, "state", "it has ended: nothing is left to protect");
	else if (!(HF_STATES_JUDGED >> record->state & 1))
		add(why, "state",
		    "it is closing: what is left to be acknowledged decides, not keepalive");
	if (record->flags & HF_RECORD_ORPHAN)
		add(why, "orphan", "no process holds it any more: the kernel ends it by itself");
	if (record->flags & HF_RECORD_HIDDEN)
		add(why, "privilege",
		    "its settings are out of reach, as another user's program holds it: run as root");
}

static void explain_idle(struct hf_why *why)
{
	const struct hf_bounds *bounds = &why->connection.bounds;
	const struct hf_settings *settings = &why->record.settings;
	char bound[HF_SECONDS_TEXT], goal[HF_SECONDS_TEXT];

	if (!settings->keepalive) {
		add(why, "keepalive-off", "keepalive is off: while idle, nothing asks the peer");
		return;
	}
	if (why->goals.dead_within_ms && bounds->idle_ms > why->goals.dead_within_ms)
		add(why, "slow-idle", "idle, a dead peer is found within %s; the goal is %s",
		    hf_option_seconds(bounds->idle_ms, bound),
		    hf_option_seconds(why->goals.dead_within_ms, goal));
	if (why->goals.keep_open_ms &&
	    !hf_settings_meet(settings,
			      &(struct hf_goals){ .keep_open_ms = why->goals.keep_open_ms }))
		add(why, "late-keep-open",
		    "probes lost in a row leave it silent for up to %s; the path forgets after %s",
		    hf_option_seconds(bounds->keep_open_ms, bound),
		    hf_option_seconds(why->goals.keep_open_ms, goal));
}

static void explain_in_flight(struct hf_why *why)
{
	uint64_t granted = 2ull * why->rtx.rto_ms * 9 / 8; /* until the first retransmission */
	char bound[HF_SECONDS_TEXT], goal[HF_SECONDS_TEXT];

	if (!why->goals.dead_within_ms ||
	    why->connection.bounds.in_flight_ms <= why->goals.dead_within_ms + granted)
		return;
	add(why, "slow-in-flight",
	    "with data in flight, a dead peer is found within %s; the goal is %s from the first "
	    "retransmission on",
	    hf_option_seconds(why->connection.bounds.in_flight_ms, bound),
	    hf_option_seconds(why->goals.dead_within_ms, goal));
}

static void explain_own(struct hf_why *why)
{
	char timeout[HF_SECONDS_TEXT];

	if (why->decision == HF_LEAVE_TIMEOUT)
		add(why, "own-user-timeout",
		    "the program's own user timeout %s ends before 3 probes are sent: Holdfast leaves "
		    "the socket alone",
		    hf_option_seconds(why->own.user_timeout_ms, timeout));
	if (why->decision == HF_LEAVE_STRICT)
		add(why, "own-stricter",
		    "no set of whole seconds keeps the goals and is as strict as the program's own "
		    "(%us + %u x %us): Holdfast leaves the socket alone",
		    why->own.idle, why->own.count, why->own.interval);
}

static void explain_rule(struct hf_why *why)
{
	const struct hf_record *record = &why->record;
	bool flags = is_ruled(why) && (record->flags & HF_RECORD_ORIGIN);

	if (!is_ruled(why) && (!why->remembers || !(record->flags & HF_RECORD_ORIGIN)))
		return; /* whether one has taken it is not known */
	if (!is_ruled(why))
		add(why, "no-rule", "%s",
		    why->watcher ?
			    "no rule has taken it: the watch that is running is for others, or "
			    "leaves it alone" :
			    "no rule has taken it, and no watch is running");
	else if ((record->flags & HF_RECORD_ARMS) && !why->watcher)
		add(why, "no-watcher",
		    "no watch is running: nobody arms the user timeout while data is in flight");
	if (flags && (record->origin.memory & HF_MEMORY_TIMEOUT_LATER))
		add(why, "timeout-later",
		    "it was silent for too long to be given a user timeout: one lost probe would "
		    "have ended it");
	if (record->unanswered && !is_ruled(why))
		add(why, "probing",
		    "probes are unanswered: Holdfast sets nothing until that settles");
}

static void explain(struct hf_why *why)
{
	if (!is_judged(why)) {
		explain_unjudged(why);
		return;
	}
	if (why->connection.verdict == HF_PROTECTED)
		return;
	explain_idle(why);
	explain_in_flight(why);
	explain_own(why);
	explain_rule(why);
}

/* --- What to do --- */

static void ends_text(const struct hf_why *why, char *local, char *remote)
{
	const struct hf_record *r = &why->record;
	struct hf_endpoint near = { r->local, r->local_port, r->family };
	struct hf_endpoint far = { r->remote, r->remote_port, r->family };

	hf_endpoint_format(&near, local);
	hf_endpoint_format(&far, remote);
}

/* The goals as options, each with a blank before it. */
static void policy_text(const struct hf_why *why, char *text, size_t size)
{
	const struct hf_policy_options *policy = &why->request->policy;
	struct hf_goals goals = policy->given ? policy->written_goals : why->goals;
	char duration[HF_SECONDS_TEXT], given[HF_WHY_TEXT] = "";
	int end;

	end = snprintf(text, size, "%s%s", goals.dead_within_ms ? " --dead-within " : "",
		       goals.dead_within_ms ? hf_option_seconds(goals.dead_within_ms, duration) :
					      "");
	end += snprintf(text + end, size - (size_t)end, "%s%s",
			goals.keep_open_ms ? " --keep-open " : "",
			goals.keep_open_ms ? hf_option_seconds(goals.keep_open_ms, duration) : "");
	hf_option_settings(&policy->written, given, sizeof(given));
	snprintf(text + end, size - (size_t)end, "%s", given);
}

static void advise(struct hf_why *why)
{
	const char *netns = why->request->filter.netns;
	char local[HF_ENDPOINT_TEXT], remote[HF_ENDPOINT_TEXT], policy[HF_WHY_TEXT];
	bool left = why->decision == HF_LEAVE_TIMEOUT || why->decision == HF_LEAVE_STRICT;

	if (!is_judged(why) || why->connection.verdict == HF_PROTECTED)
		return;
	ends_text(why, local, remote);
	policy_text(why, policy, sizeof(policy));
	if (is_ruled(why) && (why->record.flags & HF_RECORD_ARMS)) {
		snprintf(why->next, sizeof(why->next), "holdfast watch%s%s%s",
			 netns ? " --netns " : "", netns ? netns : "", policy);
		why->next_note = why->watcher ?
					 "in place of the watch that is running, with its filter" :
					 "with the filter that it had";
		return;
	}
	snprintf(why->next, sizeof(why->next), "holdfast apply%s%s --local %s --remote %s%s%s",
		 netns ? " --netns " : "", netns ? netns : "", local, remote, policy,
		 left ? " --override" : "");
	why->next_note = left ? "or let the program choose other settings" :
				"now and once; `holdfast watch` does it for new ones, too";
}

void hf_why_judge(struct hf_why *why)
{
	why->remembers = hf_host_remembers(why->host);
	why->watcher = hf_host_armed(why->host);
	if (why->record.flags & HF_RECORD_FULL)
		why->cgroup = hf_host_cgroup(why->host, why->record.cgroup);
	choose_goals(why);
	hf_connection_judge(&why->record, &why->goals, why->watcher, &why->connection);
	why->connection.host = why->host;
	why->rtx = hf_connection_retransmission(&why->record, why->watcher);
	if (hf_why_known(why))
		decide(why);
	try_conditions(why);
	explain(why);
	advise(why);
}
