/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps, shared by name between the programs when they are linked into one object. */
#ifndef HF_HOST_BPF_MAPS_H
#define HF_HOST_BPF_MAPS_H

#include "host/bpf/kernel.h"
#include "host/bpf/wire.h"

#define HF_MAP_EVENTS_BYTES (1 << 20)

/* What was done to which socket; pinned by user space, without BPF_F_CLONE: a listener has none. */
struct hf_memory_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hf_memory);
};

/*
 * With hf_fixed.pinned the memory in use, put here by user space: what is loaded the quick way (see
 * bpf.c) cannot be given a map that is there already.
 */
struct hf_pinned_map {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct hf_memory_map);
};

/* Accepted sockets inherit their listener's creator until a pass finds their holder. */
struct hf_owners_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct hf_owner);
};

struct hf_rules_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HF_RULES_MAX);
	__type(key, __u32);
	__type(value, struct hf_wire_rule);
};

/* cgroup id -> bit i: rule i names this cgroup */
struct hf_cgroups_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u64);
};

/* Network namespaces that passes visit, by inode number. */
struct hf_known_netns_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
};

#endif
