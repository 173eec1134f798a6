/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet filter's rules, as `nft` lists them. */
#ifndef HF_GATEWAY_RULES_H
#define HF_GATEWAY_RULES_H

#include <stdbool.h>

#define HF_RULE_WORD 64

enum hf_rule_line {
	HF_LINE_OTHER,
	HF_LINE_TABLE, /* the first one of a table */
	HF_LINE_CHAIN, /* the first one of a chain */
	HF_LINE_HOOK,  /* where a chain is hooked in, and its policy */
	HF_LINE_RULE,
};

struct hf_rule {
	enum hf_rule_line line;
	char family[HF_RULE_WORD], table[HF_RULE_WORD], chain[HF_RULE_WORD];
	char hook[HF_RULE_WORD]; /* "forward"; "nat"; "" where it is not known: others jump there */
	unsigned int handle;	 /* of a rule; else 0 */
	bool admits;		 /* this rule or one before it accepts what comes by our device */
	const char *text;	 /* the line; log prefixes and comments are blotted out */
};

/*
 * Call fn with each line of the tables that see IP packets; false ends it. What holds for a chain
 * comes before its rules. -1: they cannot be listed.
 */
int hf_rules_read(bool (*fn)(void *arg, const struct hf_rule *rule), void *arg);

/* The first word that begins so; NULL: none. */
const char *hf_rule_word(const struct hf_rule *rule, const char *begin);

/* The rule has that word, as one of its own. */
bool hf_rule_says(const struct hf_rule *rule, const char *word);

/* The verdict is what it has for that key: "established" and "accept", say; in a map, too. */
bool hf_rule_gives(const struct hf_rule *rule, const char *key, const char *verdict);

/* It has that verdict for whatever comes, at least by TCP. */
bool hf_rule_always(const struct hf_rule *rule, const char *verdict);

#endif
