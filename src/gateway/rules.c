/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/tun.h"

static const char *find(const char *text, const char *begin)
{
	const char *at = text;

	while ((at = strstr(at, begin)) && at > text && !strchr(" \t,", at[-1]))
		at++;
	return at;
}

const char *hf_rule_word(const struct hf_rule *rule, const char *begin)
{
	return find(rule->text, begin);
}

bool hf_rule_says(const struct hf_rule *rule, const char *word)
{
	for (const char *at = rule->text; (at = find(at, word)); at++)
		if (strchr(" ,\n", at[strlen(word)]))
			return rule->line == HF_LINE_RULE;
	return false;
}

bool hf_rule_gives(const struct hf_rule *rule, const char *key, const char *verdict)
{
	char pair[2 * HF_RULE_WORD];

	if (!hf_rule_says(rule, "vmap"))
		return hf_rule_says(rule, key) && hf_rule_says(rule, verdict);
	snprintf(pair, sizeof(pair), "%s : %s", key, verdict);
	return hf_rule_word(rule, pair);
}

bool hf_rule_always(const struct hf_rule *rule, const char *verdict)
{
	static const char *const statements[] = {
		" counter packets %*u bytes %*u%n",
		" log prefix %*s%n",
		" log%n",
		" level %*s%n",
		" flags all%n",
		" meta l4proto tcp%n",
	};
	const char *at = rule->text;
	int length, skipped;

	do {
		skipped = 0;
		for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
			length = 0;
			sscanf(at, statements[i], &length);
			skipped += length;
			at += length;
		}
	} while (skipped);
	at += strspn(at, " \t");
	return hf_rule_says(rule, verdict) && !strncmp(at, verdict, strlen(verdict));
}

/* What people wrote looks like anything. */
static void blot(char *line, const char *before)
{
	char *at = strstr(line, before);

	if (at)
		for (at += strlen(before); *at && *at != '"'; at++)
			*at = '-';
}

static void enter_chain(struct hf_rule *rule)
{
	rule->line = HF_LINE_CHAIN;
	*rule->hook = '\0';
	rule->admits = false;
}

/* Chains of other types see the first packet of a connection only. */
static void hook(struct hf_rule *rule, const char *type)
{
	rule->line = HF_LINE_HOOK;
	if (strcmp(type, "filter"))
		strcpy(rule->hook, type);
}

/* What the line is, and what it tells of where the next ones stand. What opens something ends so. */
static void place(char *line, struct hf_rule *rule)
{
	const char *handle;
	char type[HF_RULE_WORD];

	blot(line, "log prefix \"");
	blot(line, "comment \"");
	rule->text = line;
	rule->handle = 0;
	rule->line = HF_LINE_OTHER;
	handle = strstr(line, "# handle ");
	if (sscanf(line, " table %63s %63s {", rule->family, rule->table) == 2)
		rule->line = HF_LINE_TABLE;
	else if (sscanf(line, " chain %63s {", rule->chain) == 1)
		enter_chain(rule);
	else if (sscanf(line, " type %63s hook %63s", type, rule->hook) == 2)
		hook(rule, type);
	else if (handle && !strstr(line, "{ # handle ") &&
		 sscanf(handle, "# handle %u", &rule->handle) == 1)
		rule->line = HF_LINE_RULE;
	if (hf_rule_gives(rule, "\"" HF_TUN_NAME "\"", "accept") && !hf_rule_word(rule, "oif") &&
	    !hf_rule_says(rule, "!="))
		rule->admits = true;
}

int hf_rules_read(bool (*fn)(void *arg, const struct hf_rule *rule), void *arg)
{
	FILE *rules = popen("nft -a list ruleset 2>/dev/null", "re");
	struct hf_rule rule = { 0 };
	char *line = NULL;
	size_t size = 0;
	bool wanted = true;

	if (!rules)
		return -1;
	while (getline(&line, &size, rules) >= 0) {
		place(line, &rule);
		if (*rule.family == 'i') /* ip, ip6, inet */
			wanted = wanted && fn(arg, &rule);
	}
	free(line);
	return pclose(rules) ? -1 : 0;
}
