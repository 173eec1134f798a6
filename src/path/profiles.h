/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Known idle timeouts of the usual middleboxes, for --keep-open PROFILE. */
#ifndef HF_PATH_PROFILES_H
#define HF_PATH_PROFILES_H

#include <stddef.h>
#include <stdint.h>

struct hf_profile {
	const char *name;      /* "aws-nlb" */
	const char *middlebox; /* "AWS Network Load Balancer" */
	uint32_t idle_s;       /* established TCP */
	const char *on_expiry; /* "RST on next packet", "silent drop", "" = not known */
	const char *note;      /* settable ranges and conditions, may be "" */
	const char *source;    /* where the figure is published */
};

extern const struct hf_profile hf_profiles[];
extern const size_t hf_profiles_count;

/* NULL if there is none of that name. */
const struct hf_profile *hf_profile_find(const char *name);

#endif
