/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries as a dump or an event shows them, and what is told of one that was closed. */
#include "gateway/flows.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ADDRESS(last)                                             \
	{                                                         \
		.byte = { [10] = 0xff, 0xff, 198, 51, 100, last } \
	}

static const struct hf_endpoint client = { ADDRESS(1), 40000, HF_IPV4 },
				server = { ADDRESS(2), 443, HF_IPV4 };
static struct hf_flows *flows;
static unsigned int told;

static void tell(void *unused, hf_flow flow)
{
	(void)unused;
	assert_int_equal(flow, 0);
	told++;
}

static void look(uint8_t state, uint8_t originator, uint8_t responder)
{
	const struct hf_entry entry = {
		.original = { client, server },
		.reply = { server, client },
		.id = 1,
		.status = IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED,
		.remaining_s = 10,
		.state = state,
		.flags = { originator, responder },
	};

	hf_flows_look(flows, &entry, false, 1000);
}

static int set_up(void **unused)
{
	const struct hf_goals goals = { .dead_within_ms = 8000 };
	const struct hf_prefix any = { .port_last = UINT16_MAX };
	const struct hf_flow_filter all = { .source = any, .destination = any };
	const struct hf_flows_user user = { .closed = tell };

	(void)unused;
	told = 0;
	if (hf_flows_open(&flows, &goals, &all, &user, 1000, NULL))
		return -1;
	hf_flows_begin(flows);
	look(TCP_CONNTRACK_ESTABLISHED, 0, 0);
	return hf_engine_exists(hf_flows_engine(flows), 0) ? 0 : -1;
}

static int tear_down(void **unused)
{
	(void)unused;
	hf_flows_close(&flows);
	return 0;
}

static void ask(void)
{
	struct hf_flow_view view;
	struct hf_action action;

	for (uint64_t now = 1000; now < 9000; now += HF_GATEWAY_TICK_MS) {
		hf_engine_advance(hf_flows_engine(flows), now, 0);
		if (hf_engine_next(hf_flows_engine(flows), &action))
			break;
	}
	hf_engine_look(hf_flows_engine(flows), 0, &view);
	assert_true(view.dialogue);
}

static void is_gone(unsigned int with)
{
	assert_int_equal(told, with);
	assert_false(hf_engine_exists(hf_flows_engine(flows), 0));
}

static void a_reset_amidst_a_dialogue_is_told(void **unused)
{
	(void)unused;
	ask();
	look(TCP_CONNTRACK_CLOSE, 0, 0);
	is_gone(1);
}

static void a_reset_of_a_flow_that_nobody_asked_is_not(void **unused)
{
	(void)unused;
	look(TCP_CONNTRACK_CLOSE, 0, 0);
	is_gone(0);
}

static void a_reset_after_a_fin_is_an_ordinary_end(void **unused)
{
	(void)unused;
	ask();
	look(TCP_CONNTRACK_CLOSE_WAIT, 0, IP_CT_TCP_FLAG_CLOSE_INIT);
	assert_true(hf_engine_exists(hf_flows_engine(flows), 0));
	look(TCP_CONNTRACK_CLOSE, 0, IP_CT_TCP_FLAG_CLOSE_INIT);
	is_gone(0);
}

static void a_fin_and_a_reset_between_two_looks_are_an_ordinary_end(void **unused)
{
	(void)unused;
	ask();
	look(TCP_CONNTRACK_CLOSE, IP_CT_TCP_FLAG_CLOSE_INIT, 0);
	is_gone(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_reset_amidst_a_dialogue_is_told),
		TEST(a_reset_of_a_flow_that_nobody_asked_is_not),
		TEST(a_reset_after_a_fin_is_an_ordinary_end),
		TEST(a_fin_and_a_reset_between_two_looks_are_an_ordinary_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
