/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario_check.h"

#include <stdarg.h>

#define PORTS 64512 /* 1024..65535 */

struct check {
	struct hf_scenario *scenario;
	char *what;
	size_t size;
	const char *mend;
};

static int wrong(struct check *check, int line, const char *mend, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int wrong(struct check *check, int line, const char *mend, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(check->what, check->size, format, arguments);
	va_end(arguments);
	check->mend = mend;
	return line > 0 ? line : 1;
}

static int check_hosts(struct check *check, struct hf_hosts *hosts)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned int bits = 0;

	hosts->family = HF_IPV4;
	for (size_t i = 0; i < sizeof(mapped); i++)
		if (hosts->network.address.byte[i] != mapped[i] ||
		    hosts->network.mask.byte[i] != UINT8_MAX)
			hosts->family = HF_IPV6;
	for (size_t i = 0; i < 16; i++)
		bits += 8 - (unsigned int)__builtin_popcount(hosts->network.mask.byte[i]);
	if (bits < 32 && hosts->count + 2ull > 1ull << bits)
		return wrong(check, hosts->line, "a shorter prefix, or fewer hosts",
			     "%u hosts do not fit into the network of %s", hosts->count,
			     hosts->name);
	return 0;
}

static int check_link(struct check *check, const struct hf_link_spec *link)
{
	if (link->spread_us && link->shape == HF_CONSTANT)
		return wrong(check, link->line, "add shape = uniform, normal or lognormal",
			     "the spread of %s is spread by no shape", link->name);
	if (link->shape == HF_UNIFORM && link->spread_us > link->latency_us)
		return wrong(check, link->line, "a spread of at most the latency",
			     "%s would deliver segments before they are sent", link->name);
	if (!link->burst_us != !link->burst_every_us)
		return wrong(check, link->line, "give both burst and burst_every",
			     "the bursts of %s have no length or no frequency", link->name);
	return 0;
}

/* --- Keepalive --- */

bool hf_scenario_probing(const struct hf_keepalive_spec *keepalive, unsigned int sides,
			 uint32_t tick_ms, struct hf_probing *out)
{
	const struct hf_probing *given = &keepalive->probing;
	bool goals = keepalive->goals.dead_within_ms || keepalive->goals.keep_open_ms;
	struct hf_probing probing = *given;

	if (goals &&
	    hf_probing_derive(&keepalive->goals, sides, tick_ms, &probing) > HF_DERIVED_ONE_LOSS)
		return false;
	if (!goals && !(given->idle_ms && given->interval_ms && given->count))
		return false;
	if (given->idle_ms)
		probing.idle_ms = given->idle_ms;
	if (given->interval_ms)
		probing.interval_ms = given->interval_ms;
	if (given->count)
		probing.count = given->count;
	if (given->in_flight_ms)
		probing.in_flight_ms = given->in_flight_ms;
	if (!probing.in_flight_ms)
		probing.in_flight_ms = probing.idle_ms + probing.count * probing.interval_ms;
	probing.garbage_last = given->garbage_last;
	*out = probing;
	return !keepalive->goals.dead_within_ms ||
	       hf_probing_bound(&probing, sides, tick_ms) <= keepalive->goals.dead_within_ms;
}

static int check_keepalive(struct check *check, const struct hf_keepalive_spec *keepalive,
			   unsigned int sides, uint32_t tick_ms)
{
	struct hf_probing probing;

	if (hf_scenario_probing(keepalive, sides, tick_ms, &probing))
		return 0;
	return wrong(check, keepalive->line,
		     "longer goals; or idle, interval and count that keep them",
		     "keepalive %s cannot keep its goals, or has none, with %u end%s probed",
		     keepalive->name, sides, sides == 1 ? "" : "s");
}

/* --- Flows --- */

uint32_t hf_scenario_per_host(const struct hf_scenario *scenario, uint32_t flows)
{
	uint32_t hosts = scenario->host[scenario->flow[flows].from].count;

	return (scenario->flow[flows].count + hosts - 1) / hosts;
}

static int check_via(struct check *check, const struct hf_flows_spec *flows)
{
	const struct hf_path *via = &flows->via;

	for (uint32_t i = 0; i < via->count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (via->element[i].kind == via->element[j].kind &&
			    via->element[i].index == via->element[j].index)
				return wrong(check, flows->line, "name each of them once",
					     "the way of %s goes through the same thing twice",
					     flows->name);
	return 0;
}

static int check_keepalives(struct check *check, const struct hf_flows_spec *flows)
{
	const struct hf_scenario *scenario = check->scenario;
	int line = 0;

	for (int side = 0; side < 2 && !line; side++)
		if (flows->keepalive[side] != HF_NONE)
			line = check_keepalive(check, &scenario->keepalive[flows->keepalive[side]],
					       1, HF_TICK_MS);
	for (uint32_t i = 0; i < flows->via.count && !line; i++) {
		const struct hf_gateway_spec *gateway =
			&scenario->gateway[flows->via.element[i].index];

		if (flows->via.element[i].kind == HF_GATEWAY)
			line = check_keepalive(check, &scenario->keepalive[gateway->keepalive], 2,
					       gateway->tick_ms);
	}
	return line;
}

static int check_ports(struct check *check, uint32_t index)
{
	const struct hf_scenario *scenario = check->scenario;
	const struct hf_flows_spec *flows = &scenario->flow[index];
	uint64_t ports = 0;

	for (uint32_t i = 0; i <= index; i++)
		if (scenario->flow[i].from == flows->from)
			ports += hf_scenario_per_host(scenario, i);
	if (ports > PORTS / 2)
		return wrong(check, flows->line, "more hosts, or fewer flows",
			     "each host of %s would have %llu connections: too many for its ports",
			     scenario->host[flows->from].name, (unsigned long long)ports);
	return 0;
}

static int check_flows(struct check *check, uint32_t index)
{
	const struct hf_scenario *scenario = check->scenario;
	const struct hf_flows_spec *flows = &scenario->flow[index];
	int line;

	if (flows->from == flows->to)
		return wrong(check, flows->line, "make sections of two groups of hosts",
			     "the flows of %s go from hosts to the same hosts", flows->name);
	if (scenario->host[flows->from].family != scenario->host[flows->to].family)
		return wrong(check, flows->line, "networks of one family",
			     "the flows of %s go from IPv4 to IPv6 or back", flows->name);
	if (flows->open_over_ms > scenario->duration_ms)
		return wrong(check, flows->line, "a shorter open_over, or a longer duration",
			     "some flows of %s would be opened after the end", flows->name);
	line = check_via(check, flows);
	if (!line)
		line = check_keepalives(check, flows);
	return line ? line : check_ports(check, index);
}

/* --- Faults --- */

static const char *const targets[] = {
	/* by enum hf_fault_kind */
	[HF_POWER_CUT] = "hosts", [HF_FREEZE] = "hosts",     [HF_PAUSE] = "hosts",
	[HF_CLOSE] = "hosts",	  [HF_HALF_CLOSE] = "hosts", [HF_PARTITION] = "link",
	[HF_FORGET] = "nat",	  [HF_SUSPEND] = "gateway",
};

static uint32_t target(const struct hf_fault_spec *fault)
{
	switch (fault->kind) {
	case HF_PARTITION:
		return fault->link;
	case HF_FORGET:
		return fault->nat;
	case HF_SUSPEND:
		return fault->gateway;
	default:
		return fault->hosts;
	}
}

static int check_fault(struct check *check, const struct hf_fault_spec *fault)
{
	bool endless = fault->kind == HF_CLOSE || fault->kind == HF_HALF_CLOSE ||
		       fault->kind == HF_FORGET;
	int given = (fault->hosts != HF_NONE) + (fault->link != HF_NONE) + (fault->nat != HF_NONE) +
		    (fault->gateway != HF_NONE);

	if (target(fault) == HF_NONE || given != 1)
		return wrong(check, fault->line, targets[fault->kind],
			     "the fault does not say whom it befalls, by this key and no other");
	if (fault->at_ms >= check->scenario->duration_ms)
		return wrong(check, fault->line, "an earlier time, or a longer duration",
			     "the fault comes after the end");
	if (endless && fault->for_ms)
		return wrong(check, fault->line, "leave out for", "this kind of fault has no end");
	if (fault->every_ms && fault->for_ms >= fault->every_ms)
		return wrong(check, fault->line, "every longer than for",
			     "the fault comes again before it has gone");
	return 0;
}

int hf_scenario_check(struct hf_scenario *scenario, char *what, size_t size, const char **mend)
{
	struct check check = { .scenario = scenario, .what = what, .size = size };
	uint64_t flows = 0;
	int line = 0;

	for (uint32_t i = 0; i < scenario->hosts_count && !line; i++)
		line = check_hosts(&check, &scenario->host[i]);
	for (uint32_t i = 0; i < scenario->links && !line; i++)
		line = check_link(&check, &scenario->link[i]);
	for (uint32_t i = 0; i < scenario->flows && !line; i++) {
		line = check_flows(&check, i);
		flows += scenario->flow[i].count;
	}
	for (uint32_t i = 0; i < scenario->faults && !line; i++)
		line = check_fault(&check, &scenario->fault[i]);
	if (!line && (!flows || flows > HF_SCENARIO_FLOWS_MAX))
		line = wrong(&check, 1, "from 1 to 50000000 in all",
			     "a scenario without flows, or with too many");
	*mend = check.mend;
	return line;
}
