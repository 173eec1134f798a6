/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which entries are probed: open, not of this machine itself, not offloaded, as the filter says. */
#include <ifaddrs.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/flows_private.h"

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hf_address));
}

static bool address_of(const struct sockaddr *from, struct hf_address *out)
{
	memset(out, 0, sizeof(*out));
	if (from && from->sa_family == AF_INET) {
		memset(out->byte + 10, 0xff, 2);
		memcpy(out->byte + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr,
		       4);
		return true;
	}
	if (from && from->sa_family == AF_INET6) {
		memcpy(out->byte, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
		       16);
		return true;
	}
	return false;
}

void hf_flows_read_own(struct hf_flows *flows)
{
	struct ifaddrs *all = NULL;
	struct hf_address *own;
	size_t count = 0;

	if (getifaddrs(&all))
		return;
	for (struct ifaddrs *one = all; one; one = one->ifa_next)
		count++;
	own = calloc(count + 1, sizeof(*own));
	count = 0;
	for (struct ifaddrs *one = all; own && one; one = one->ifa_next)
		count += address_of(one->ifa_addr, &own[count]);
	freeifaddrs(all);
	if (!own)
		return;
	qsort(own, count, sizeof(*own), compare);
	free(flows->own);
	flows->own = own;
	flows->owns = count;
}

static bool is_own(const struct hf_flows *flows, const struct hf_endpoint *end)
{
	bool loopback = end->family == HF_IPV4 && end->address.byte[12] == 127;

	return loopback ||
	       bsearch(&end->address, flows->own, flows->owns, sizeof(*flows->own), compare);
}

static bool holds(const struct hf_prefix *prefix, const struct hf_endpoint *end)
{
	return hf_prefix_holds(prefix, &end->address, end->port);
}

static bool passes(const struct hf_flow_filter *filter, const struct hf_entry *entry)
{
	if (!holds(&filter->source, &entry->original[0]) ||
	    !holds(&filter->destination, &entry->original[1]) ||
	    (entry->mark & filter->mark_mask) != filter->mark)
		return false;
	for (size_t i = 0; i < filter->excludes; i++)
		if (holds(&filter->exclude[i], &entry->original[0]) ||
		    holds(&filter->exclude[i], &entry->original[1]) ||
		    holds(&filter->exclude[i], &entry->reply[0]))
			return false;
	return true;
}

/*
 * Is it established, or half-closed? A responder that has forgotten the connection, but listens,
 * takes our SYN for a new one, and the table goes back to SYN_RECV while the originator lives.
 */
static bool is_open(const struct hf_entry *entry)
{
	switch (entry->state) {
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return true;
	case TCP_CONNTRACK_SYN_RECV:
		return entry->status & IPS_ASSURED;
	default:
		return false;
	}
}

bool hf_flows_want(struct hf_flows *flows, const struct hf_entry *entry)
{
	struct hf_flows_counts *count = &flows->counting;

	if (!(entry->status & IPS_SEEN_REPLY) || entry->status & IPS_DYING || !is_open(entry))
		return false;
	if (is_own(flows, &entry->original[0]) || is_own(flows, &entry->reply[0]))
		return count->own++, false;
	if (entry->status & (IPS_OFFLOAD | IPS_HW_OFFLOAD))
		return count->offloaded++, false;
	if (entry->status & IPS_SEQ_ADJUST)
		return count->altered++, false;
	if (entry->zone || !passes(&flows->filter, entry))
		return count->filtered++, false;
	return true;
}
