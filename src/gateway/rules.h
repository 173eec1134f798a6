/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet filter's rules, as `nft` lists them. */
#ifndef HF_GATEWAY_RULES_H
#define HF_GATEWAY_RULES_H

#include <stdbool.h>

#define HF_RULE_WORD 64

struct hf_rule {
	char family[HF_RULE_WORD], table[HF_RULE_WORD], chain[HF_RULE_WORD];
	char hook[HF_RULE_WORD]; /* "forward"; "" where it is not known: other chains jump there */
	unsigned int handle;	 /* 0: none, the line is no rule */
	bool admits;		 /* a rule before it accepts what comes in by our device */
	const char *text;
};

/*
 * Call fn with each line of the ruleset; false ends it. What holds for a chain comes before its
 * rules. -1: they cannot be listed.
 */
int hf_rules_read(bool (*fn)(void *arg, const struct hf_rule *rule), void *arg);

#endif
