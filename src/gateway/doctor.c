/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/conntrack.h"
#include "gateway/drops.h"
#include "gateway/rules.h"
#include "gateway/sniff_filter.h"
#include "gateway/tracked.h"
#include "gateway/tun.h"
#include "host/privileges.h"

#define FULL 90 /* per cent */

/* -1 where there is no such setting. */
static int setting(const char *path)
{
	FILE *file = fopen(path, "re");
	int value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void check_privileges(struct hf_finding *finding)
{
	if (hf_privileges_have(CAP_NET_ADMIN) && hf_privileges_have(CAP_NET_RAW))
		hf_finding_set(finding, HF_FINDING_OK, "", "CAP_NET_ADMIN and CAP_NET_RAW");
	else
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "run as root, or with the two capabilities",
			       "CAP_NET_ADMIN and CAP_NET_RAW are not both there");
}

static void check_tun(struct hf_finding *finding)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		hf_finding_set(finding, HF_FINDING_MISSING,
			       errno == ENOENT || errno == ENODEV ? "modprobe tun" : "run as root",
			       "cannot open /dev/net/tun: %s", strerror(errno));
	else
		hf_finding_set(finding, HF_FINDING_OK, "", "/dev/net/tun opens");
	if (fd >= 0)
		close(fd);
}

static void check_forwarding(struct hf_finding *finding)
{
	int v4 = setting("/proc/sys/net/ipv4/ip_forward");
	int v6 = setting("/proc/sys/net/ipv6/conf/all/forwarding");

	if (v4 > 0)
		hf_finding_set(finding, HF_FINDING_OK, "", v6 > 0 ? "IPv4 and IPv6" : "IPv4 only");
	else
		hf_finding_set(finding, v6 > 0 ? HF_FINDING_LIMITED : HF_FINDING_MISSING,
			       "sysctl -w net.ipv4.ip_forward=1",
			       v6 > 0 ? "IPv6 only" : "nothing is forwarded, so nothing crosses");
}

static void check_table(struct hf_finding *finding)
{
	uint32_t count, most;

	hf_conntrack_fill(&count, &most);
	if (!most)
		hf_finding_set(finding, HF_FINDING_MISSING, "modprobe nf_conntrack",
			       "there is no connection tracking table");
	else if (!setting("/proc/sys/net/netfilter/nf_conntrack_events"))
		hf_finding_set(finding, HF_FINDING_LIMITED,
			       "sysctl -w net.netfilter.nf_conntrack_events=2",
			       "%u of %u entries; no events: flows are found by dumps alone", count,
			       most);
	else if ((uint64_t)count * 100 > (uint64_t)most * FULL)
		hf_finding_set(finding, HF_FINDING_LIMITED, "holdfast gateway --on-dead reset",
			       "%u of %u entries: when it is full, new connections are dropped",
			       count, most);
	else
		hf_finding_set(finding, HF_FINDING_OK, "", "%u of %u entries", count, most);
}

/* The device is loose in source validation by a setting of its own; others' are never touched. */
static void check_settings(struct hf_finding *finding)
{
	bool strict = setting("/proc/sys/net/ipv4/conf/default/rp_filter") == 1 ||
		      setting("/proc/sys/net/ipv4/conf/all/rp_filter") == 1;

	if (strict && access("/proc/sys/net/ipv4/conf/all/rp_filter", W_OK))
		hf_finding_set(finding, HF_FINDING_MISSING, "mount -o remount,rw /proc/sys",
			       "rp_filter is strict, and the device's own cannot be set");
	else if (setting("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal") > 0)
		hf_finding_set(finding, HF_FINDING_LIMITED,
			       "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=0",
			       "RSTs with wrong numbers pass, and close entries of the living");
	else
		hf_finding_set(finding, HF_FINDING_OK, "", "nothing is in the way");
}

static void check_filter(struct hf_finding *finding)
{
	struct hf_sniff_filter *filter = hf_sniff_filter_make(0);
	int refusal = filter ? hf_sniff_filter_refusal(filter) : ENOMEM;

	if (refusal)
		hf_finding_set(finding, HF_FINDING_LIMITED, "run as root, or with CAP_BPF",
			       "all bare ACKs come up, not only those of flows in dialogue: the "
			       "kernel refuses the eBPF filter: %s",
			       strerror(refusal));
	else
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "eBPF: only answers of flows in dialogue come up");
	if (filter)
		hf_sniff_filter_free(&filter);
}

static void check_answers(struct hf_finding *finding)
{
	struct hf_tracked *tracked = hf_tracked_open();

	if (tracked)
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "eBPF: the table's own numbers tell far-off forgeries apart");
	else
		hf_finding_set(finding, HF_FINDING_LIMITED,
			       "run as root, or with CAP_BPF, on Linux 5.18 or later",
			       "forged ACKs of any numbers put a death off while they last: eBPF "
			       "cannot ask the table: %s",
			       strerror(errno));
	hf_tracked_close(&tracked);
}

static void check_departures(struct hf_finding *finding)
{
	struct hf_drops *drops = hf_drops_open(0);

	if (drops)
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "eBPF: nobody is taken for dead by packets that this machine drops");
	else
		hf_finding_set(
			finding, HF_FINDING_LIMITED, "run as root, or with CAP_BPF and CAP_PERFMON",
			"should rules of this machine drop what is sent, the living are taken "
			"for dead: eBPF cannot tell: %s",
			strerror(errno));
	hf_drops_close(&drops);
}

/* --- Rules --- */

struct search {
	struct hf_finding *finding;
	struct hf_rule drops;	     /* the chain, if that is its policy; else its name is "" */
	struct hf_rule waits;	     /* drops, unless what is jumped to before lets pass */
	enum hf_finding_state state; /* how bad that would be; HF_FINDING_OK: nothing waits */
	bool passes, jumps;	     /* the chain lets pass, or jumps, by its rules so far */
	bool passes_there;	     /* a chain of this table that others jump to lets pass */
	bool tracks;
};

static void insist(struct hf_finding *finding, enum hf_finding_state state,
		   const struct hf_rule *rule, const char *what)
{
	char mend[256];

	snprintf(mend, sizeof(mend), "nft insert rule %s %s %s iifname %s accept", rule->family,
		 rule->table, rule->chain, HF_TUN_NAME);
	hf_finding_set(finding, state, mend, "%s in %s %s %s", what, rule->family, rule->table,
		       rule->chain);
}

/* A chain that forwarded packets come through, or one that others may jump to. */
static bool may_see(const struct hf_rule *rule)
{
	static const char *const hooks[] = { "", "prerouting", "forward", "postrouting" };

	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		if (!strcmp(rule->hook, hooks[i]))
			return true;
	return false;
}

static bool refuses(const struct hf_rule *rule)
{
	return hf_rule_says(rule, "drop") || hf_rule_says(rule, "reject");
}

static bool find_validation(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;

	if (rule->admits || !strstr(rule->text, "fib saddr") || !hf_rule_says(rule, "oif") ||
	    !refuses(rule))
		return true;
	insist(search->finding, HF_FINDING_MISSING, rule, "source validation drops what is sent,");
	return false;
}

/* What is established, as all that is sent; rules for other devices do not count. */
static bool accepts(const struct hf_rule *rule)
{
	if (rule->admits)
		return true;
	return !hf_rule_word(rule, "iif") && !hf_rule_word(rule, "oif") &&
	       (hf_rule_gives(rule, "established", "accept") || hf_rule_always(rule, "accept"));
}

/* It is for all devices but some, or for combinations with some. */
static bool refuses_strangers(const struct hf_rule *rule)
{
	const char *device = hf_rule_word(rule, "iif");

	if (!device || !refuses(rule) || strstr(rule->text, "fib "))
		return false;
	device += strcspn(device, " ");
	return !strncmp(device, " !=", 3) || (!strncmp(device, " . ", 3) && strstr(device, " !="));
}

static bool refuses_invalid(const struct hf_rule *rule)
{
	return hf_rule_gives(rule, "invalid", "drop") || hf_rule_gives(rule, "invalid", "reject");
}

/* After a jump the other chain may have let it pass: that is known when the table ends. */
static void suspect(struct search *search, const struct hf_rule *rule, enum hf_finding_state state)
{
	if (search->jumps && state > search->state) {
		search->waits = *rule;
		search->state = state;
	} else if (!search->jumps && state > search->finding->state) {
		insist(search->finding, state, rule,
		       state == HF_FINDING_MISSING ? "what is forwarded is dropped" :
						     "what is sent may be dropped");
	}
}

static void end_chain(struct search *search)
{
	if (*search->drops.chain && !search->passes)
		suspect(search, &search->drops, HF_FINDING_MISSING);
	*search->drops.chain = '\0';
	search->passes = search->jumps = false;
}

static void end_table(struct search *search)
{
	end_chain(search);
	if (search->state && !search->passes_there)
		suspect(search, &search->waits, search->state);
	search->state = HF_FINDING_OK;
	search->passes_there = false;
}

/* Who drops the invalid drops some of the questions, whatever is established. */
static void judge(struct search *search, const struct hf_rule *rule)
{
	bool hooked = *rule->hook;

	if (!rule->admits && refuses_invalid(rule) && search->finding->state == HF_FINDING_OK)
		insist(search->finding, HF_FINDING_LIMITED, rule,
		       "most questions are dropped as invalid");
	search->passes |= accepts(rule);
	search->passes_there |= search->passes && !hooked;
	if (search->passes)
		return;
	if (!hf_rule_word(rule, "iif"))
		search->jumps |= hf_rule_says(rule, "jump") || hf_rule_says(rule, "goto");
	if (refuses_strangers(rule) ||
	    (hooked && (hf_rule_always(rule, "drop") || hf_rule_always(rule, "reject"))))
		suspect(search, rule, HF_FINDING_LIMITED);
}

static bool find_drop(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;

	if (rule->line == HF_LINE_TABLE)
		end_table(search);
	else if (rule->line == HF_LINE_CHAIN)
		end_chain(search);
	else if (rule->line == HF_LINE_HOOK && may_see(rule) && strstr(rule->text, "policy drop"))
		search->drops = *rule;
	else if (rule->line == HF_LINE_RULE && may_see(rule))
		judge(search, rule);
	return true;
}

static bool find_unseen(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;
	bool offloads = strstr(rule->text, "flow add @"), untracked = hf_rule_says(rule, "notrack");
	char mend[256];

	if (!offloads && !untracked)
		return true;
	snprintf(mend, sizeof(mend), "nft delete rule %s %s %s handle %u", rule->family,
		 rule->table, rule->chain, rule->handle);
	hf_finding_set(search->finding, HF_FINDING_LIMITED, mend,
		       offloads ? "flows are offloaded in %s %s %s: they are left out" :
				  "flows are not tracked in %s %s %s: they are not seen",
		       rule->family, rule->table, rule->chain);
	return false;
}

/* The kernel tracks only where a rule asks for it. */
static bool find_tracking(void *arg, const struct hf_rule *rule)
{
	static const char *const words[] = { "ct", "masquerade", "snat", "dnat", "redirect" };
	struct search *search = arg;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		search->tracks |= hf_rule_says(rule, words[i]);
	return !search->tracks;
}

/* Rules that were looked through for something; false: they could not be, and that is told. */
static bool look(struct search *search, bool (*fn)(void *arg, const struct hf_rule *rule))
{
	hf_finding_set(search->finding, HF_FINDING_OK, "", "no rule was found that is in the way");
	if (!hf_rules_read(fn, search))
		return true;
	hf_finding_set(search->finding, HF_FINDING_LIMITED, "install nftables, run as root",
		       "`nft list ruleset` does not work, so the rules are not known");
	return false;
}

static void check_validation(struct hf_finding *finding)
{
	look(&(struct search){ .finding = finding }, find_validation);
}

static void check_drops(struct hf_finding *finding)
{
	struct search search = { .finding = finding };

	if (look(&search, find_drop))
		end_table(&search);
}

static void check_unseen(struct hf_finding *finding)
{
	look(&(struct search){ .finding = finding }, find_unseen);
}

static void check_tracking(struct hf_finding *finding)
{
	struct search search = { .finding = finding };
	uint32_t count, most;

	hf_conntrack_fill(&count, &most);
	if (!look(&search, find_tracking))
		return;
	if (search.tracks || count)
		hf_finding_set(finding, HF_FINDING_OK, "", "connections are tracked");
	else
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "nft 'add table inet track; add chain inet track on { type filter "
			       "hook forward priority 0; }; add rule inet track on ct state new "
			       "accept'",
			       "no rule asks for tracking, so no connection is tracked");
}

void hf_gateway_examine(void (*fn)(void *arg, const struct hf_finding *finding), void *arg)
{
	static const struct {
		const char *name;
		void (*check)(struct hf_finding *finding);
	} checks[] = {
		{ "gateway: privileges", check_privileges },
		{ "gateway: TUN device", check_tun },
		{ "gateway: forwarding", check_forwarding },
		{ "gateway: connection tracking", check_table },
		{ "gateway: tracked flows", check_tracking },
		{ "gateway: settings", check_settings },
		{ "gateway: filter", check_filter },
		{ "gateway: answers", check_answers },
		{ "gateway: departures", check_departures },
		{ "gateway: source validation", check_validation },
		{ "gateway: dropping rules", check_drops },
		{ "gateway: hidden flows", check_unseen },
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct hf_finding finding = { .check = checks[i].name };

		checks[i].check(&finding);
		fn(arg, &finding);
	}
}
