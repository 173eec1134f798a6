/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario_keys.h"

#include <assert.h>

#define MINUTE 60e3
#define DAY (24 * 60 * MINUTE)
#define FOREVER ((double)HF_SCENARIO_TIME_MAX)
#define US 1e9 /* the longest latency, spread or burst */

#define KEY(text, type, member, what, ...)                                               \
	{                                                                                \
		.name = (text), .offset = offsetof(struct type, member), .kind = (what), \
		__VA_ARGS__                                                              \
	}
#define LIMITS(low, high) .least = (low), .most = (high)

static const struct hf_key scenario_keys[] = {
	KEY("duration", hf_scenario, duration_ms, HF_VALUE_MILLISECONDS, LIMITS(1000, FOREVER),
	    .required = true),
	KEY("about", hf_scenario, about, HF_VALUE_TEXT, LIMITS(0, 256)),
	{ 0 },
};

static const struct hf_key hosts_keys[] = {
	KEY("count", hf_hosts, count, HF_VALUE_NUMBER, LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("network", hf_hosts, network, HF_VALUE_NETWORK, .required = true),
	KEY("timestamps", hf_hosts, timestamps, HF_VALUE_SWITCH),
	KEY("answers_unknown", hf_hosts, answers_unknown, HF_VALUE_SWITCH),
	KEY("delay", hf_hosts, delay_ms, HF_VALUE_MILLISECONDS, LIMITS(0, 10 * MINUTE)),
	{ 0 },
};

static const struct hf_key link_keys[] = {
	KEY("count", hf_link_spec, count, HF_VALUE_NUMBER, LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("latency", hf_link_spec, latency_us, HF_VALUE_MICROSECONDS, LIMITS(0, US)),
	KEY("spread", hf_link_spec, spread_us, HF_VALUE_MICROSECONDS, LIMITS(0, US)),
	KEY("shape", hf_link_spec, shape, HF_VALUE_WORD,
	    .words = "constant uniform normal lognormal"),
	KEY("loss", hf_link_spec, loss, HF_VALUE_FRACTION, LIMITS(0, 1)),
	KEY("burst", hf_link_spec, burst_us, HF_VALUE_MICROSECONDS, LIMITS(1, 4e9)),
	KEY("burst_every", hf_link_spec, burst_every_us, HF_VALUE_MICROSECONDS, LIMITS(1, 4e9)),
	KEY("burst_loss", hf_link_spec, burst_loss, HF_VALUE_FRACTION, LIMITS(0, 1)),
	KEY("reorder", hf_link_spec, reorder, HF_VALUE_FRACTION, LIMITS(0, 1)),
	KEY("reorder_by", hf_link_spec, reorder_by_us, HF_VALUE_MICROSECONDS, LIMITS(0, US)),
	KEY("duplicate", hf_link_spec, duplicate, HF_VALUE_FRACTION, LIMITS(0, 1)),
	{ 0 },
};

static const struct hf_key nat_keys[] = {
	/* of a firewall, too */
	KEY("count", hf_nat_spec, count, HF_VALUE_NUMBER, LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("timeout", hf_nat_spec, timeout_ms, HF_VALUE_MILLISECONDS, LIMITS(1000, FOREVER)),
	KEY("capacity", hf_nat_spec, capacity, HF_VALUE_NUMBER, LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("on_expiry", hf_nat_spec, on_expiry, HF_VALUE_WORD, .words = "silent reset"),
	KEY("loose", hf_nat_spec, loose, HF_VALUE_SWITCH),
	{ 0 },
};

static const struct hf_key keepalive_keys[] = {
	KEY("dead_within", hf_keepalive_spec, goals.dead_within_ms, HF_VALUE_MILLISECONDS,
	    LIMITS(1, HF_GOAL_MAX)),
	KEY("keep_open", hf_keepalive_spec, goals.keep_open_ms, HF_VALUE_MILLISECONDS,
	    LIMITS(1, HF_GOAL_MAX)),
	KEY("idle", hf_keepalive_spec, probing.idle_ms, HF_VALUE_MILLISECONDS,
	    LIMITS(1, HF_PROBING_MAX)),
	KEY("interval", hf_keepalive_spec, probing.interval_ms, HF_VALUE_MILLISECONDS,
	    LIMITS(HF_INTERVAL_MIN_MS, HF_PROBING_MAX)),
	KEY("count", hf_keepalive_spec, probing.count, HF_VALUE_SMALL,
	    LIMITS(HF_COUNT_MIN, HF_COUNT_MAX)),
	KEY("in_flight", hf_keepalive_spec, probing.in_flight_ms, HF_VALUE_MILLISECONDS,
	    LIMITS(1, HF_PROBING_MAX)),
	KEY("garbage_last", hf_keepalive_spec, probing.garbage_last, HF_VALUE_SWITCH),
	{ 0 },
};

static const struct hf_key gateway_keys[] = {
	KEY("keepalive", hf_gateway_spec, keepalive, HF_VALUE_KEEPALIVE, .required = true),
	KEY("capacity", hf_gateway_spec, capacity, HF_VALUE_NUMBER,
	    LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("tick", hf_gateway_spec, tick_ms, HF_VALUE_MILLISECONDS, LIMITS(1, 10000)),
	KEY("on_dead", hf_gateway_spec, on_dead, HF_VALUE_WORD, .words = "observe free reset"),
	KEY("asks", hf_gateway_spec, asks, HF_VALUE_SWITCH),
	{ 0 },
};

static const struct hf_key flows_keys[] = {
	KEY("count", hf_flows_spec, count, HF_VALUE_NUMBER, LIMITS(1, HF_SCENARIO_FLOWS_MAX)),
	KEY("from", hf_flows_spec, from, HF_VALUE_HOSTS, .required = true),
	KEY("to", hf_flows_spec, to, HF_VALUE_HOSTS, .required = true),
	KEY("via", hf_flows_spec, via, HF_VALUE_VIA),
	KEY("port", hf_flows_spec, port, HF_VALUE_NUMBER, LIMITS(1, UINT16_MAX)),
	KEY("from_keepalive", hf_flows_spec, keepalive[HF_ORIGINATOR], HF_VALUE_KEEPALIVE),
	KEY("to_keepalive", hf_flows_spec, keepalive[HF_RESPONDER], HF_VALUE_KEEPALIVE),
	KEY("open_over", hf_flows_spec, open_over_ms, HF_VALUE_MILLISECONDS, LIMITS(0, FOREVER)),
	KEY("activity", hf_flows_spec, activity_ms, HF_VALUE_MILLISECONDS, LIMITS(1, FOREVER)),
	KEY("talks", hf_flows_spec, talker, HF_VALUE_WORD, .words = "from to both"),
	KEY("bytes", hf_flows_spec, bytes, HF_VALUE_NUMBER, LIMITS(1, 1400)),
	KEY("reopen", hf_flows_spec, reopen_ms, HF_VALUE_MILLISECONDS, LIMITS(1, FOREVER)),
	KEY("as_bytes", hf_flows_spec, as_bytes, HF_VALUE_FRACTION, LIMITS(0, 1)),
	{ 0 },
};

static const struct hf_key fault_keys[] = {
	KEY("kind", hf_fault_spec, kind, HF_VALUE_WORD, .required = true,
	    .words = "power_cut freeze pause close half_close partition forget suspend"),
	KEY("hosts", hf_fault_spec, hosts, HF_VALUE_HOSTS),
	KEY("link", hf_fault_spec, link, HF_VALUE_LINK),
	KEY("nat", hf_fault_spec, nat, HF_VALUE_NAT),
	KEY("gateway", hf_fault_spec, gateway, HF_VALUE_GATEWAY),
	KEY("at", hf_fault_spec, at_ms, HF_VALUE_MILLISECONDS, LIMITS(0, FOREVER),
	    .required = true),
	KEY("for", hf_fault_spec, for_ms, HF_VALUE_MILLISECONDS, LIMITS(1, FOREVER)),
	KEY("every", hf_fault_spec, every_ms, HF_VALUE_MILLISECONDS, LIMITS(1000, FOREVER)),
	KEY("fraction", hf_fault_spec, fraction, HF_VALUE_FRACTION, LIMITS(0, 1)),
	{ 0 },
};

static const struct hf_key expect_keys[] = {
#define X(member) KEY(#member, hf_scenario, expect[HF_EXPECT_##member], HF_VALUE_RANGE),
	HF_EXPECTATIONS(X)
#undef X
		{ 0 },
};

/* --- Sections: where their structs are, and what holds where nothing is said. --- */

static const struct hf_hosts hosts_default = { .count = 1,
					       .timestamps = true,
					       .answers_unknown = true };
static const struct hf_link_spec link_default = { .count = 1, .burst_loss = 1 };
static const struct hf_nat_spec nat_default = { .rewrites = true,
						.count = 1,
						.timeout_ms =
							(uint32_t)(124 * MINUTE), /* RFC 5382 */
						.capacity = UINT32_MAX };
static const struct hf_nat_spec firewall_default = { .count = 1,
						     .timeout_ms = (uint32_t)(5 * DAY),
						     .capacity = UINT32_MAX };
static const struct hf_keepalive_spec keepalive_default = { 0 };
static const struct hf_gateway_spec gateway_default = { .tick_ms = HF_TICK_MS,
							.on_dead = HF_DEAD_FREE };
static const struct hf_flows_spec flows_default = {
	.count = 1,
	.port = 443,
	.keepalive = { HF_NONE, HF_NONE },
	.bytes = 200,
};
static const struct hf_fault_spec fault_default = {
	.hosts = HF_NONE,
	.link = HF_NONE,
	.nat = HF_NONE,
	.gateway = HF_NONE,
	.fraction = 1,
};

#define SECTION(text, table, member, counter, default_, has_title, is_element)                  \
	{                                                                                       \
		.name = (text), .keys = (table), .array = offsetof(struct hf_scenario, member), \
		.size = sizeof(((struct hf_scenario *)0)->member[0]),                           \
		.count = offsetof(struct hf_scenario, counter), .start = &(default_),           \
		.titled = (has_title), .element = (is_element),                                 \
	}

const struct hf_section hf_scenario_sections[HF_SCENARIO_SECTIONS] = {
	{ .name = "scenario", .keys = scenario_keys, .titled = true },
	{ .name = "expect", .keys = expect_keys },
	SECTION("hosts", hosts_keys, host, hosts_count, hosts_default, true, false),
	SECTION("link", link_keys, link, links, link_default, true, true),
	SECTION("nat", nat_keys, nat, nats, nat_default, true, true),
	SECTION("firewall", nat_keys, nat, nats, firewall_default, true, true),
	SECTION("keepalive", keepalive_keys, keepalive, keepalives, keepalive_default, true, false),
	SECTION("gateway", gateway_keys, gateway, gateways, gateway_default, true, true),
	SECTION("flows", flows_keys, flow, flows, flows_default, true, false),
	SECTION("fault", fault_keys, fault, faults, fault_default, false, false),
};

#define HEAD_OF(type)                                                          \
	static_assert(offsetof(struct type, name) == 0 &&                      \
			      offsetof(struct type, line) == HF_SCENARIO_NAME, \
		      #type " begins with name and line")
HEAD_OF(hf_hosts);
HEAD_OF(hf_link_spec);
HEAD_OF(hf_nat_spec);
HEAD_OF(hf_keepalive_spec);
HEAD_OF(hf_gateway_spec);
HEAD_OF(hf_flows_spec);
static_assert(offsetof(struct hf_fault_spec, line) == 0, "hf_fault_spec begins with line");
