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
		hf_finding_set(finding, HF_FINDING_MISSING, "modprobe tun",
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

/* --- Rules --- */

struct search {
	struct hf_finding *finding;
	struct hf_rule drops; /* a chain that drops what is forwarded */
	bool lets_pass, tracks;
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

static bool in_words(const struct hf_rule *rule, const char *first, const char *second)
{
	return rule->handle && strstr(rule->text, first) && strstr(rule->text, second);
}

/* A chain of that hook, or one that it may jump to. */
static bool may_see(const struct hf_rule *rule, const char *hook)
{
	return !*rule->hook || !strcmp(rule->hook, hook);
}

static bool find_validation(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;

	if (rule->admits || !in_words(rule, "fib saddr", "drop") || !strstr(rule->text, "oif"))
		return true;
	insist(search->finding, HF_FINDING_MISSING, rule, "source validation drops what is sent,");
	return false;
}

/*
 * A chain that drops by default may still let it pass by a rule for established connections; one
 * that drops the invalid takes some of the questions, but not all.
 */
static bool find_drop(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;
	bool forwards = !strcmp(rule->hook, "forward");

	if (forwards && !rule->handle && strstr(rule->text, "policy drop") && !*search->drops.chain)
		search->drops = *rule;
	if (*search->drops.chain && may_see(rule, "forward") &&
	    (rule->admits || in_words(rule, "established", "accept")))
		search->lets_pass = true;
	if (!rule->admits && may_see(rule, "forward") && in_words(rule, "invalid", "drop"))
		insist(search->finding, HF_FINDING_LIMITED, rule,
		       "most questions are dropped as invalid");
	return true;
}

static bool find_unseen(void *arg, const struct hf_rule *rule)
{
	struct search *search = arg;
	bool offloads = in_words(rule, "flow add @", ""), untracked = in_words(rule, "notrack", "");
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
	static const char *const words[] = { "ct ", "masquerade", "snat ", "dnat ", "redirect" };
	struct search *search = arg;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		search->tracks |= in_words(rule, words[i], "");
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

	if (look(&search, find_drop) && *search.drops.chain && !search.lets_pass)
		insist(finding, HF_FINDING_MISSING, &search.drops, "what is forwarded is dropped");
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
