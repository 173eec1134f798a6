/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_sight.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP_STATE_ESTABLISHED 1

struct row { /* of /proc/net/tcp */
	unsigned int remote, port, state, unanswered;
};

static FILE *open_net(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, name);
	return fopen(path, "re");
}

/* sl local remote st tx:rx tr:when retransmits uid probes ...; the heading is skipped */
static bool next_row(FILE *file, struct row *row)
{
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*u: %*x:%*x %x:%x %x %*x:%*x %*x:%*x %*x %*u %u", &row->remote,
			   &row->port, &row->state, &row->unanswered) == 4)
			return true;
	}
	return false;
}

static int look_at_socket(pid_t client, const char *address, uint16_t port, struct hf_sight *out)
{
	FILE *file = open_net(client, "tcp");
	struct row row;

	if (!file)
		return -errno;
	while (next_row(file, &row)) {
		if (row.remote != inet_addr(address) || row.port != port)
			continue;
		out->established = row.state == TCP_STATE_ESTABLISHED;
		out->unanswered = row.unanswered;
	}
	fclose(file);
	return 0;
}

static int look_at_nat(pid_t nat, const char *address, uint16_t port, struct hf_sight *out)
{
	FILE *file = open_net(nat, "nf_conntrack");
	char line[512];
	char to_address[32];
	char to_port[16];
	unsigned int left;

	if (!file)
		return -errno;
	snprintf(to_address, sizeof(to_address), " dst=%s ", address);
	snprintf(to_port, sizeof(to_port), " dport=%u ", port);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "ipv4 2 tcp 6 %u", &left) == 1 && strstr(line, to_address) &&
		    strstr(line, to_port))
			out->nat_left_s = (int)left;
	}
	fclose(file);
	return 0;
}

int hf_sight_look(pid_t client, pid_t nat, const char *address, uint16_t port, struct hf_sight *out)
{
	struct hf_sight seen = { .nat_left_s = -1 };
	int rc = look_at_socket(client, address, port, &seen);

	if (!rc)
		rc = look_at_nat(nat, address, port, &seen);
	if (!rc)
		*out = seen;
	return rc;
}

/* netstat comes in pairs of lines: the names, then the values in the same order. */
static uint64_t counter_of(char *names, char *values, const char *wanted)
{
	char *name_rest, *value_rest;
	char *name = strtok_r(names, " \n", &name_rest);
	char *value = strtok_r(values, " \n", &value_rest);

	while (name && value) {
		if (!strcmp(name, wanted))
			return strtoull(value, NULL, 10);
		name = strtok_r(NULL, " \n", &name_rest);
		value = strtok_r(NULL, " \n", &value_rest);
	}
	return 0;
}

uint64_t hf_sight_probes(pid_t pid)
{
	FILE *file = open_net(pid, "netstat");
	char names[8192], values[8192];
	uint64_t probes = 0;

	if (!file)
		return 0;
	if (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file))
		probes = counter_of(names, values, "TCPKeepAlive");
	fclose(file);
	return probes;
}
