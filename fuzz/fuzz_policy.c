/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a connection's facts, a program's own settings, goals, and rules: the search is
 * held against the test of each rule, and what is decided for the program is never weaker.
 */
#include <stdlib.h>
#include <string.h>

#include <holdfast/policy.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool held)
{
	if (!held)
		abort();
}

/* The next bytes as a value; zeros where there are no more. */
static void take(const uint8_t **data, size_t *size, void *out, size_t wanted)
{
	size_t taken = wanted < *size ? wanted : *size;

	memset(out, 0, wanted);
	memcpy(out, *data, taken);
	*data += taken;
	*size -= taken;
}

static void check_search(const uint8_t *data, size_t size)
{
	struct hf_rule rules[8];
	struct hf_facts facts;
	unsigned int count, index = HF_RULES_MAX;
	enum hf_matched found;

	take(&data, &size, &facts, sizeof(facts));
	for (count = 0; count < 8 && size; count++) {
		memset(&rules[count], 0, sizeof(rules[count]));
		take(&data, &size, &rules[count].match, sizeof(rules[count].match));
	}
	found = hf_policy_find(rules, count, &facts, &index);
	expect((found == HF_MATCHED_NO) == (index == HF_RULES_MAX));
	for (unsigned int i = 0; i < count && i < index; i++)
		expect(hf_match_test(&rules[i].match, i, &facts) == HF_MATCHED_NO);
	if (found != HF_MATCHED_NO)
		expect(hf_match_test(&rules[index].match, index, &facts) == found);
	if (facts.owner_known)
		expect(found != HF_MATCHED_UNKNOWN);
}

/* What a socket can hold: sysctl gives defaults beyond the options' own limits. */
static void limit_to_kernel(struct hf_settings *settings)
{
	settings->keepalive &= 1;
	settings->idle &= INT32_MAX;
	settings->interval &= INT32_MAX;
	settings->count &= UINT8_MAX;
	settings->user_timeout_ms &= INT32_MAX;
}

static void check_decision(const uint8_t *data, size_t size)
{
	struct hf_settings program, ours, set;
	struct hf_goals goals;
	struct hf_bounds bounds;

	take(&data, &size, &program, sizeof(program));
	take(&data, &size, &goals, sizeof(goals));
	limit_to_kernel(&program);
	hf_settings_bounds(&program, NULL, &bounds);
	expect((bounds.idle_ms == HF_UNBOUNDED) == !program.keepalive);
	if (hf_settings_derive(&goals, NULL, 0, &ours) > HF_DERIVED_ONE_LOSS)
		return;
	expect(hf_settings_meet(&ours, &goals));
	if (hf_settings_decide(&program, &goals, &ours, false, &set) != HF_REPLACE)
		return;
	expect(set.keepalive == 1 && hf_settings_no_weaker(&set, &program));
	expect(set.user_timeout_ms <= program.user_timeout_ms);
	expect(hf_settings_meet(&set, &goals));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_search(data, size);
	check_decision(data, size);
	return 0;
}
