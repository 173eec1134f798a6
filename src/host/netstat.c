/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/netstat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_PATH "/proc/thread-self/net/netstat"
#define PREFIX "TcpExt:"

struct counts {
	uint64_t probes, timeouts;
};

struct hf_netstat_place {
	uint32_t netns;
	struct counts last;
};

/* Two lines belong together, one of names and one of values, each beginning with PREFIX. */
static int take_values(char *names, char *values, struct counts *out)
{
	char *name_rest, *value_rest;
	char *name = strtok_r(names, " \n", &name_rest);
	char *value = strtok_r(values, " \n", &value_rest);
	unsigned int found = 0;

	for (; name && value;
	     name = strtok_r(NULL, " \n", &name_rest), value = strtok_r(NULL, " \n", &value_rest)) {
		if (!strcmp(name, "TCPKeepAlive"))
			out->probes = strtoull(value, NULL, 10), found++;
		else if (!strcmp(name, "TCPAbortOnTimeout"))
			out->timeouts = strtoull(value, NULL, 10), found++;
	}
	return found == 2 ? 0 : -EPROTO;
}

static int read_file(FILE *file, struct counts *out)
{
	char *names = NULL, *values = NULL;
	size_t names_size = 0, values_size = 0;
	int error = -EPROTO;

	while (getline(&names, &names_size, file) > 0 && getline(&values, &values_size, file) > 0) {
		if (strncmp(names, PREFIX, strlen(PREFIX)) != 0)
			continue;
		error = take_values(names, values, out);
		break;
	}
	free(names);
	free(values);
	return error;
}

static int read_counts(struct counts *out)
{
	FILE *file = fopen(FILE_PATH, "re");
	int error;

	if (!file)
		return -errno;
	error = read_file(file, out);
	fclose(file);
	return error;
}

static struct hf_netstat_place *find(struct hf_netstat *netstat, uint32_t netns)
{
	for (size_t i = 0; i < netstat->places; i++)
		if (netstat->place[i].netns == netns)
			return &netstat->place[i];
	return NULL;
}

static int add(struct hf_netstat *netstat, uint32_t netns, const struct counts *counts)
{
	size_t size = (netstat->places + 1) * sizeof(*netstat->place);
	struct hf_netstat_place *place = realloc(netstat->place, size);

	if (!place)
		return -ENOMEM;
	place[netstat->places++] = (struct hf_netstat_place){ netns, *counts };
	netstat->place = place;
	return 0;
}

int hf_netstat_look(struct hf_netstat *netstat, uint32_t netns)
{
	struct hf_netstat_place *place = find(netstat, netns);
	struct counts now = { 0 };
	int error = read_counts(&now);

	if (error)
		return error;
	if (!place)
		return add(netstat, netns, &now);
	if (now.probes >= place->last.probes && now.timeouts >= place->last.timeouts) {
		netstat->probes += now.probes - place->last.probes;
		netstat->timeouts += now.timeouts - place->last.timeouts;
	} /* else another namespace has taken the number of one that is gone */
	place->last = now;
	return 0;
}

void hf_netstat_free(struct hf_netstat *netstat)
{
	free(netstat->place);
	*netstat = (struct hf_netstat){ 0 };
}
