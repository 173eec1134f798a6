/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/check_connections.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/siphash.h"

#define FIRST_ROOM 1024 /* a power of two, as all later ones */
#define NONE UINT32_MAX

struct key {
	struct hf_address local, remote;
	uint32_t netns;
	uint16_t local_port, remote_port;
};
static_assert(sizeof(struct key) == 40, "a key has no padding: it is hashed and compared whole");

void hf_connections_init(struct hf_connections *connections)
{
	*connections = (struct hf_connections){ 0 };
	if (getrandom(connections->key, sizeof(connections->key), 0) < 0)
		abort(); /* not with so few bytes */
}

void hf_connections_free(struct hf_connections *connections)
{
	free(connections->entry);
	free(connections->head);
	*connections = (struct hf_connections){ 0 };
}

static uint32_t *head_of(const struct hf_connections *connections, const struct key *key)
{
	uint64_t hash = hf_siphash13(connections->key, key, sizeof(*key));

	return &connections->head[hash & (connections->room - 1)];
}

static struct key key_of(const struct hf_check_connection *c)
{
	return (struct key){ c->checked.local.address, c->checked.remote.address, c->netns,
			     c->checked.local.port, c->checked.remote.port };
}

/* The first with this key from entry i of its hash on. */
static struct hf_check_connection *find_from(const struct hf_connections *connections, uint32_t i,
					     const struct key *key)
{
	for (; i != NONE; i = connections->entry[i].next) {
		const struct key own = key_of(&connections->entry[i]);

		if (!memcmp(&own, key, sizeof(own)))
			return &connections->entry[i];
	}
	return NULL;
}

static void link_entry(struct hf_connections *connections, uint32_t i)
{
	const struct key key = key_of(&connections->entry[i]);
	uint32_t *head = head_of(connections, &key);

	connections->entry[i].next = *head;
	*head = i;
}

static bool grow(struct hf_connections *connections)
{
	uint32_t room = connections->room ? 2 * connections->room : FIRST_ROOM;
	uint32_t *head = malloc(room * sizeof(*head));
	struct hf_check_connection *entry =
		head ? realloc(connections->entry, room * sizeof(*entry)) : NULL;

	if (!entry) {
		free(head);
		return false;
	}
	free(connections->head);
	memset(head, 0xff, room * sizeof(*head)); /* NONE */
	connections->entry = entry;
	connections->head = head;
	connections->room = room;
	for (uint32_t i = 0; i < connections->count; i++)
		link_entry(connections, i);
	return true;
}

struct hf_check_connection *hf_connections_add(struct hf_connections *connections,
					       const struct hf_record *record)
{
	struct hf_check_connection *c;

	if (connections->count == connections->room && !grow(connections))
		return NULL;
	c = &connections->entry[connections->count];
	*c = (struct hf_check_connection){
		.checked = { .local = { record->local, record->local_port, record->family },
			     .remote = { record->remote, record->remote_port, record->family },
			     .rtt_us = UINT32_MAX },
		.cookie = record->cookie,
		.netns = record->netns,
		.kernels = record->flags & HF_RECORD_KERNEL,
	};
	link_entry(connections, connections->count++);
	return c;
}

struct hf_check_connection *hf_connections_find(const struct hf_connections *connections,
						const struct hf_record *record)
{
	const struct key key = { record->local, record->remote, record->netns, record->local_port,
				 record->remote_port };
	struct hf_check_connection *c = NULL;

	if (connections->count)
		c = find_from(connections, *head_of(connections, &key), &key);
	while (c && c->cookie != record->cookie)
		c = find_from(connections, c->next, &key);
	return c;
}

struct hf_check_connection *hf_connections_next(const struct hf_connections *connections,
						uint32_t netns, const struct hf_segment *segment,
						const struct hf_check_connection *last)
{
	const struct key key = { segment->destination.address, segment->source.address, netns,
				 segment->destination.port, segment->source.port };

	if (!connections->count)
		return NULL;
	return find_from(connections, last ? last->next : *head_of(connections, &key), &key);
}
