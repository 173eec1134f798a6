/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/rules.h"

#include <stdio.h>
#include <string.h>

#include "gateway/tun.h"

/* What the line tells of where the next ones stand. */
static void place(const char *line, struct hf_rule *rule)
{
	const char *handle = strstr(line, "# handle "), *hook = strstr(line, " hook ");

	rule->text = line;
	rule->handle = 0;
	if (sscanf(line, " table %63s %63s {", rule->family, rule->table) == 2)
		return;
	if (sscanf(line, " chain %63s {", rule->chain) == 1) {
		*rule->hook = '\0';
		rule->admits = false;
		return;
	}
	if (hook)
		sscanf(hook, " hook %63s", rule->hook);
	else if (handle && !strchr(line, '{'))
		sscanf(handle, "# handle %u", &rule->handle);
	if (strstr(line, "iifname \"" HF_TUN_NAME "\" accept"))
		rule->admits = true;
}

int hf_rules_read(bool (*fn)(void *arg, const struct hf_rule *rule), void *arg)
{
	FILE *rules = popen("nft -a list ruleset 2>/dev/null", "re");
	struct hf_rule rule = { 0 };
	char line[4096];
	bool wanted = true;

	if (!rules)
		return -1;
	while (fgets(line, sizeof(line), rules)) {
		place(line, &rule);
		wanted = wanted && fn(arg, &rule);
	}
	return pclose(rules) ? -1 : 0;
}
