/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/drops.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dropped.skel.h"
#include "host/bpf/answers.h"

struct hf_drops {
	struct dropped_bpf *bpf;
};

static int load(struct hf_drops *drops, unsigned int own_device)
{
	struct stat netns;

	if (stat("/proc/thread-self/ns/net", &netns))
		return -errno;
	drops->bpf = dropped_bpf__open();
	if (!drops->bpf)
		return -errno;
	drops->bpf->rodata->hf_own_device = own_device;
	drops->bpf->rodata->hf_own_netns = (uint32_t)netns.st_ino;
	return dropped_bpf__load(drops->bpf) || dropped_bpf__attach(drops->bpf) ? -errno : 0;
}

struct hf_drops *hf_drops_open(unsigned int own_device)
{
	struct hf_drops *drops = calloc(1, sizeof(*drops));
	libbpf_print_fn_t before;
	int error;

	if (!drops)
		return NULL;
	before = libbpf_set_print(NULL);
	error = load(drops, own_device);
	libbpf_set_print(before);
	if (error)
		hf_drops_close(&drops);
	errno = -error;
	return drops;
}

void hf_drops_close(struct hf_drops **drops)
{
	struct hf_drops *old = *drops;

	*drops = NULL;
	if (old)
		dropped_bpf__destroy(old->bpf);
	free(old);
}

bool hf_drops_any(const struct hf_drops *drops)
{
	return drops && drops->bpf->bss->hf_noted;
}

static struct hf_answer_key key_of(const struct hf_endpoint *from, const struct hf_endpoint *to)
{
	struct hf_answer_key key = { .port = { from->port, to->port } };

	memcpy(key.address[0], from->address.byte, sizeof(key.address[0]));
	memcpy(key.address[1], to->address.byte, sizeof(key.address[1]));
	return key;
}

uint32_t hf_drops_count(const struct hf_drops *drops, const struct hf_endpoint *from,
			const struct hf_endpoint *to)
{
	struct hf_answer_key key = key_of(from, to);
	uint32_t count;

	if (!hf_drops_any(drops) ||
	    bpf_map_lookup_elem(bpf_map__fd(drops->bpf->maps.hf_drops), &key, &count))
		return 0;
	return count;
}

void hf_drops_forget(const struct hf_drops *drops, const struct hf_endpoint *from,
		     const struct hf_endpoint *to)
{
	struct hf_answer_key key = key_of(from, to);

	if (hf_drops_any(drops))
		bpf_map_delete_elem(bpf_map__fd(drops->bpf->maps.hf_drops), &key);
}
