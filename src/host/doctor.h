/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of Holdfast this kernel and these privileges allow. */
#ifndef HF_HOST_DOCTOR_H
#define HF_HOST_DOCTOR_H

enum hf_finding_state {
	HF_FINDING_OK,
	HF_FINDING_LIMITED, /* it works, but for something */
	HF_FINDING_MISSING, /* something that watch needs is not there */
};

struct hf_finding {
	enum hf_finding_state state;
	const char *check;
	char detail[384];
	char mend[256]; /* "" = nothing to do */
};

/* What was found; mend: "" = nothing to do. */
void hf_finding_set(struct hf_finding *finding, enum hf_finding_state state, const char *mend,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Call fn with the finding of each check, in a fixed order. Changes nothing. */
void hf_doctor_examine(void (*fn)(void *arg, const struct hf_finding *finding), void *arg);

#endif
