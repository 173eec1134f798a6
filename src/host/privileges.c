/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/privileges.h"

#include <cap-ng.h>
#include <string.h>

bool hf_privileges_have(unsigned int capability)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

void hf_privileges_lacking(char text[HF_LACKING_TEXT])
{
	static const struct {
		unsigned int capability;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};

	*text = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		if (hf_privileges_have(needed[i].capability) || hf_privileges_have(CAP_SYS_ADMIN))
			continue;
		strcat(text, *text ? ", " : "");
		strcat(text, needed[i].name);
	}
}

void hf_privileges_keep(uint64_t capabilities)
{
	const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE;

	capng_get_caps_process();
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++)
		if (!(capabilities & HF_CAPABILITY(i)))
			capng_update(CAPNG_DROP, sets, i);
	capng_apply(CAPNG_SELECT_CAPS); /* the ambient ones go with the others */
}
