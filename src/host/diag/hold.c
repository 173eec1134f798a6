/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/diag/hold.h"

#include <holdfast/socket.h>
#include <string.h>
#include <sys/random.h>

#include "host/bpf/wishes.h"

static uint32_t draw(void)
{
	uint32_t random = 0; /* many in step are better than none */

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return random;
}

static void remember(const struct hf_wire_rule *rule, const struct hf_settings *own,
		     const struct hf_settings *written, uint32_t flags, struct hf_hold *hold)
{
	*hold = (struct hf_hold){
		.held = true,
		.memory = { .goals = rule->rule.goals,
			    .original = *own,
			    .written = *written,
			    .flags = flags,
			    .stamp = rule->stamp },
	};
	memcpy(hold->memory.rule, rule->rule.name, sizeof(hold->memory.rule));
}

/*
 * Nobody saw a program switch on what was on by then: one that sets the values of keepalive means it to
 * be on.
 */
static void learn_wishes(struct hf_memory *m, const struct hf_settings *now)
{
	bool set = now->idle != m->written.idle || now->interval != m->written.interval ||
		   now->count != m->written.count;

	take_wishes(m, now);
	if (set)
		m->original.keepalive = now->keepalive;
}

enum hf_outcome hf_diag_hold(int fd, const struct hf_wire_rule *rule, bool spread,
			     struct hf_record *record, struct hf_hold *hold)
{
	struct hf_settings own = record->settings, want = { 0 };
	enum hf_outcome outcome;

	if (rule->rule.flags & HF_RULE_LEAVE)
		return HF_OUTCOME_RULE_LEAVE;
	if (hold->held && held_already(&hold->memory, rule, &own, record->silent_ms))
		return HF_OUTCOME_HELD;
	if (record->unanswered)
		return HF_OUTCOME_PROBING;
	if (hold->held) {
		learn_wishes(&hold->memory, &own);
		own = hold->memory.original;
	}
	outcome = decide(rule, &own, spread, draw(), &want);
	if (outcome != HF_OUTCOME_SET && outcome != HF_OUTCOME_KEPT)
		return outcome;
	settle_timeout(rule, &own, &want, record->silent_ms, &record->flags);
	remember(rule, &own, &want, memory_flags(rule, outcome, &own, &want, record->flags), hold);
	if (hf_socket_set(fd, &want))
		return HF_OUTCOME_FAILED;
	record->settings = want;
	return outcome;
}

enum hf_outcome hf_diag_give_back(int fd, struct hf_hold *hold)
{
	struct hf_settings now;

	hold->held = false;
	if (hf_socket_get(fd, &now))
		return HF_OUTCOME_FAILED;
	learn_wishes(&hold->memory, &now);
	return hf_socket_set(fd, &hold->memory.original) ? HF_OUTCOME_FAILED : HF_OUTCOME_RESTORED;
}

bool hf_diag_timeout_due(const struct hf_hold *hold, uint32_t silent_ms)
{
	return hold->held && (hold->memory.flags & HF_MEMORY_TIMEOUT_LATER) &&
	       !too_silent(&hold->memory.written, silent_ms);
}
