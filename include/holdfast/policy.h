/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters and rules: which connections, and what is wanted of them.
 *
 * A match is a fixed-size record of numbers, so that the very same record and the very same
 * test work in the kernel (eBPF) and here. Names (users, namespaces, cgroup globs) are
 * resolved to numbers before.
 */
#ifndef HOLDFAST_POLICY_H
#define HOLDFAST_POLICY_H

#include <stdalign.h>

#include <holdfast/address.h>
#include <holdfast/settings.h>

HF_API_BEGIN

#define HF_RULES_MAX 64
#define HF_RULE_NAME 32
#define HF_PROCESS_NAME 16 /* Linux TASK_COMM_LEN, NUL included */

enum hf_direction {
	HF_ANY_DIRECTION = 0,
	HF_OUTGOING, /* connected from here */
	HF_INCOMING, /* accepted here */
};

/* What is known of one connection. Unknown owners have owner_known false. */
struct hf_facts {
	struct hf_endpoint local, remote;
	uint32_t state; /* Linux TCP state number, 1 = ESTABLISHED */
	uint32_t netns; /* inode number, 0 = unknown */
	uint32_t uid;
	uint32_t pid;	       /* thread group id */
	uint64_t cgroup_rules; /* bit i: the connection's cgroup is one that rule i names */
	uint8_t family;	       /* enum hf_family of the socket */
	uint8_t direction;     /* enum hf_direction */
	uint8_t owner_known;
	uint8_t uid_known; /* the socket's own, where the owner is not; with the owner it is known */
	alignas(8) char process[HF_PROCESS_NAME]; /* group leader's name, zero-padded */
};

enum hf_match_field { /* which of the fields below count; prefixes always do */
	HF_MATCH_NETNS = 1 << 0,
	HF_MATCH_UID = 1 << 1,
	HF_MATCH_PID = 1 << 2,
	HF_MATCH_PROCESS = 1 << 3,
	HF_MATCH_CGROUP = 1 << 4,
};
#define HF_MATCH_OWNER (HF_MATCH_UID | HF_MATCH_PID | HF_MATCH_PROCESS)

struct hf_match {
	struct hf_prefix local, remote;
	uint32_t fields; /* enum hf_match_field */
	uint32_t states; /* bit n: Linux TCP state n; 0 = any */
	uint32_t netns;
	uint32_t uid;
	uint32_t pid;
	uint8_t family;	   /* enum hf_family; HF_IPV6 includes v4-mapped sockets, as in ss */
	uint8_t direction; /* enum hf_direction */
	alignas(8) char process[HF_PROCESS_NAME]; /* compared as a whole, zero-padded */
};

enum hf_rule_flag {
	HF_RULE_LEAVE = 1 << 0,	   /* hands off */
	HF_RULE_OVERRIDE = 1 << 1, /* replace what the program set, stricter or not */
	HF_RULE_ARM = 1 << 2,	   /* the user timeout is armed while data is unanswered (watch) */
	HF_RULE_FIXED_TIMEOUT = 1 << 3, /* the user timeout stands all the time (apply) */
};

struct hf_rule {
	struct hf_match match;
	struct hf_goals goals;
	struct hf_settings settings; /* derived, or given */
	uint32_t flags;		     /* enum hf_rule_flag */
	alignas(8) char name[HF_RULE_NAME];
};

enum hf_matched {
	HF_MATCHED_NO = 0,
	HF_MATCHED,
	HF_MATCHED_UNKNOWN, /* hangs on an owner that is not known yet */
};

/* Everything matches. */
HF_API void hf_match_any(struct hf_match *out);

/* index: the rule's number, for the cgroup bits. */
HF_API enum hf_matched hf_match_test(const struct hf_match *match, unsigned int index,
				     const struct hf_facts *facts);

/*
 * First match wins. *index is the rule's number for HF_MATCHED and for HF_MATCHED_UNKNOWN
 * (the first rule that hangs on the owner), untouched for HF_MATCHED_NO.
 */
HF_API enum hf_matched hf_policy_find(const struct hf_rule *rules, unsigned int count,
				      const struct hf_facts *facts, unsigned int *index);

HF_API_END

#endif
