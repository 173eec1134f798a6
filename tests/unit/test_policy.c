/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/policy.h>

enum {
	ESTABLISHED = 1,
	CLOSE_WAIT = 8,
	NEW_SYN_RECV = 12
};

static struct hf_facts some_facts(void)
{
	struct hf_facts facts = {
		.state = ESTABLISHED,
		.netns = 4026531840u,
		.uid = 1000,
		.pid = 77,
		.family = HF_IPV4,
		.direction = HF_OUTGOING,
		.owner_known = 1,
		.process = "pgbouncer",
	};

	assert_true(hf_endpoint_parse("10.0.0.1:40000", &facts.local));
	assert_true(hf_endpoint_parse("10.0.0.2:5432", &facts.remote));
	return facts;
}

static struct hf_match any(void)
{
	struct hf_match match;

	memset(&match, 0xa5, sizeof(match));
	hf_match_any(&match);
	return match;
}

static enum hf_matched test_of(const struct hf_match *match, const struct hf_facts *facts)
{
	return hf_match_test(match, 0, facts);
}

static void any_matches_everything(void **state)
{
	struct hf_facts facts = some_facts(), nothing = { 0 };
	struct hf_match match = any();

	(void)state;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	assert_int_equal(test_of(&match, &nothing), HF_MATCHED);
	memset(&facts, 0xff, sizeof(facts));
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
}

static void both_prefixes_must_hold(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	assert_true(hf_prefix_parse(":5432", &match.remote));
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	assert_true(hf_prefix_parse("10.0.0.0/24:40000-50000", &match.local));
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	assert_true(hf_prefix_parse("10.0.0.0/24:40001-50000", &match.local));
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	assert_true(hf_prefix_parse("10.0.0.1", &match.local));
	assert_true(hf_prefix_parse("10.0.0.1", &match.remote));
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void a_mapped_socket_is_ipv6_by_family_and_ipv4_by_prefix(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	facts.family = HF_IPV6;
	assert_true(hf_prefix_parse("10.0.0.0/8", &match.remote));
	match.family = HF_IPV6;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	match.family = HF_IPV4;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void the_direction_must_be_known_to_match(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	match.direction = HF_OUTGOING;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	match.direction = HF_INCOMING;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	facts.direction = HF_ANY_DIRECTION;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void states_are_a_set(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	match.states = 1u << ESTABLISHED | 1u << CLOSE_WAIT;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	facts.state = CLOSE_WAIT;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	facts.state = NEW_SYN_RECV;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	match.states = UINT32_MAX;
	facts.state = 32;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void the_namespace_counts_only_where_asked_for(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	match.netns = 1;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	match.fields = HF_MATCH_NETNS;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	match.netns = facts.netns;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
}

static void the_cgroup_bit_is_that_of_the_rule(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	match.fields = HF_MATCH_CGROUP;
	facts.cgroup_rules = 1ull << 63 | 1ull << 5;
	for (unsigned int index = 0; index < 200; index++) {
		bool expected = index == 5 || index == 63;

		assert_int_equal(hf_match_test(&match, index, &facts),
				 expected ? HF_MATCHED : HF_MATCHED_NO);
	}
}

static void every_owner_field_must_be_equal(void **state)
{
	static const unsigned int fields[] = { HF_MATCH_UID, HF_MATCH_PID, HF_MATCH_PROCESS };
	struct hf_facts facts = some_facts();

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct hf_match match = any();

		match.fields = fields[i];
		assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
		match.fields = HF_MATCH_OWNER;
		match.uid = fields[i] == HF_MATCH_UID ? 0 : facts.uid;
		match.pid = fields[i] == HF_MATCH_PID ? 0 : facts.pid;
		if (fields[i] != HF_MATCH_PROCESS)
			memcpy(match.process, facts.process, sizeof(match.process));
		assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
		match.fields &= ~fields[i];
		assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	}
}

static void process_names_are_compared_as_a_whole(void **state)
{
	static const char *const others[] = { "pgbounce", "pgbouncer2", "", "PGBOUNCER" };
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	match.fields = HF_MATCH_PROCESS;
	strcpy(match.process, "pgbouncer");
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	for (unsigned int i = 0; i < 4; i++) {
		memset(match.process, 0, sizeof(match.process));
		strcpy(match.process, others[i]);
		assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	}
	memcpy(match.process, "pool-thread-777", 16);
	memcpy(facts.process, "pool-thread-778", 16);
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
	facts.process[14] = '7';
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
}

static void an_unknown_owner_leaves_only_owner_fields_open(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	facts.owner_known = 0;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	match.fields = HF_MATCH_UID;
	match.uid = facts.uid;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_UNKNOWN);
	match.family = HF_IPV6; /* no owner can mend that */
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void a_uid_is_known_without_the_process_that_holds_the_socket(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_match match = any();

	(void)state;
	facts.owner_known = 0;
	facts.uid_known = 1;
	match.fields = HF_MATCH_UID;
	match.uid = facts.uid;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED);
	match.fields |= HF_MATCH_PID;
	match.pid = facts.pid + 1;
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_UNKNOWN);
	match.uid++; /* no process can mend that */
	assert_int_equal(test_of(&match, &facts), HF_MATCHED_NO);
}

static void the_first_match_wins(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_rule rules[3];
	unsigned int index = 99;

	(void)state;
	memset(rules, 0, sizeof(rules));
	for (unsigned int i = 0; i < 3; i++)
		rules[i].match = any();
	rules[0].match.family = HF_IPV6;

	assert_int_equal(hf_policy_find(rules, 0, &facts, &index), HF_MATCHED_NO);
	assert_int_equal(hf_policy_find(rules, 1, &facts, &index), HF_MATCHED_NO);
	assert_int_equal(index, 99);
	assert_int_equal(hf_policy_find(rules, 3, &facts, &index), HF_MATCHED);
	assert_int_equal(index, 1);
}

static void a_rule_that_hangs_on_the_owner_stops_the_search(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_rule rules[2];
	unsigned int index = 99;

	(void)state;
	memset(rules, 0, sizeof(rules));
	rules[0].match = any();
	rules[1].match = any();
	rules[0].match.fields = HF_MATCH_PID;
	rules[0].match.pid = 1;

	facts.owner_known = 0;
	assert_int_equal(hf_policy_find(rules, 2, &facts, &index), HF_MATCHED_UNKNOWN);
	assert_int_equal(index, 0);
	facts.owner_known = 1;
	assert_int_equal(hf_policy_find(rules, 2, &facts, &index), HF_MATCHED);
	assert_int_equal(index, 1);
}

static void the_rules_own_number_selects_its_cgroup_bit(void **state)
{
	struct hf_facts facts = some_facts();
	struct hf_rule rules[HF_RULES_MAX];
	unsigned int index = 99;

	(void)state;
	memset(rules, 0, sizeof(rules));
	for (unsigned int i = 0; i < HF_RULES_MAX; i++) {
		rules[i].match = any();
		rules[i].match.fields = HF_MATCH_CGROUP;
	}
	for (unsigned int i = 0; i < HF_RULES_MAX; i++) {
		facts.cgroup_rules = 1ull << i;
		assert_int_equal(hf_policy_find(rules, HF_RULES_MAX, &facts, &index), HF_MATCHED);
		assert_int_equal(index, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_matches_everything),
		cmocka_unit_test(both_prefixes_must_hold),
		cmocka_unit_test(a_mapped_socket_is_ipv6_by_family_and_ipv4_by_prefix),
		cmocka_unit_test(the_direction_must_be_known_to_match),
		cmocka_unit_test(states_are_a_set),
		cmocka_unit_test(the_namespace_counts_only_where_asked_for),
		cmocka_unit_test(the_cgroup_bit_is_that_of_the_rule),
		cmocka_unit_test(every_owner_field_must_be_equal),
		cmocka_unit_test(process_names_are_compared_as_a_whole),
		cmocka_unit_test(an_unknown_owner_leaves_only_owner_fields_open),
		cmocka_unit_test(a_uid_is_known_without_the_process_that_holds_the_socket),
		cmocka_unit_test(the_first_match_wins),
		cmocka_unit_test(a_rule_that_hangs_on_the_owner_stops_the_search),
		cmocka_unit_test(the_rules_own_number_selects_its_cgroup_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
