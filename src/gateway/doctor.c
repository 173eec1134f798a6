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
#include "gateway/tun.h"
#include "host/privileges.h"

#define FULL 90 /* per cent */
#define WORD 64

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

/* Where in a ruleset a line stands. */
struct place {
	char family[WORD], table[WORD], chain[WORD];
	bool forwards, admits; /* the chain has the hook, and a rule for our device before others */
};

static void insist(struct hf_finding *finding, const struct place *place, const char *why)
{
	char mend[256];

	snprintf(mend, sizeof(mend), "nft insert rule %s %s %s iifname %s accept", place->family,
		 place->table, place->chain, HF_TUN_NAME);
	hf_finding_set(finding, HF_FINDING_MISSING, mend, "%s in %s %s %s", why, place->family,
		       place->table, place->chain);
}

/* One line of `nft list ruleset`; true: it stands in the way. */
static bool read_line(const char *line, struct place *place, struct hf_finding *finding)
{
	if (sscanf(line, " table %63s %63s {", place->family, place->table) == 2)
		return false;
	if (sscanf(line, " chain %63s {", place->chain) == 1) {
		place->forwards = place->admits = false;
		return false;
	}
	if (strstr(line, "iifname \"" HF_TUN_NAME "\" accept"))
		place->admits = true;
	if (place->admits)
		return false;
	if (strstr(line, "fib saddr") && strstr(line, "oif") && strstr(line, "drop")) {
		insist(finding, place, "source validation would drop what is sent,");
		return true;
	}
	place->forwards |= strstr(line, "hook forward") && strstr(line, "policy drop");
	return false;
}

/*
 * Rules that would stop what comes from the device. A chain that drops by default may still let it
 * pass by a rule for established connections.
 */
static void check_rules(struct hf_finding *finding)
{
	FILE *rules = popen("nft list ruleset 2>/dev/null", "re");
	struct place place = { 0 }, dropping = { 0 };
	bool stopped = false, lets_pass = false;
	char line[1024];

	while (rules && !stopped && fgets(line, sizeof(line), rules)) {
		stopped = read_line(line, &place, finding);
		if (place.forwards && !*dropping.chain)
			dropping = place;
		if (place.forwards &&
		    (place.admits || (strstr(line, "established") && strstr(line, "accept"))))
			lets_pass = true;
	}
	if (!rules || pclose(rules))
		hf_finding_set(finding, HF_FINDING_LIMITED, "install nftables, run as root",
			       "`nft list ruleset` does not work, so the rules are not known");
	else if (!stopped && *dropping.chain && !lets_pass)
		insist(finding, &dropping, "what is forwarded is dropped");
	else if (!stopped)
		hf_finding_set(finding, HF_FINDING_OK, "", "no rule was found that is in the way");
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
		{ "gateway: rules", check_rules },
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct hf_finding finding = { .check = checks[i].name };

		checks[i].check(&finding);
		fn(arg, &finding);
	}
}
