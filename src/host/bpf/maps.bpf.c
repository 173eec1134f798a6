// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The one place where maps and shared variables are defined; the programs link against it. */
#include "host/bpf/maps.h"

struct hf_memory_map memory SEC(".maps");
struct hf_pinned_map pinned SEC(".maps");
struct hf_owners_map owners SEC(".maps");
struct hf_rules_map rules SEC(".maps");
struct hf_cgroups_map cgroups SEC(".maps");
struct hf_known_netns_map known_netns SEC(".maps");

const volatile struct hf_fixed fixed;

struct hf_control control;
struct hf_counters counters;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
