/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections that a watch without eBPF knows: what was done to each, and how each was when a
 * pass last saw it, from which is judged how it ended.
 */
#ifndef HF_HOST_DIAG_KNOWN_H
#define HF_HOST_DIAG_KNOWN_H

#include <stddef.h>

#include "host/diag/dump.h"
#include "host/files.h"
#include "host/diag/hold.h"

struct hf_known {
	struct hf_diag_socket last; /* as last seen; cookie and namespace are its key */
	struct hf_open_file file;   /* who holds it; fd -1 = not known */
	struct hf_hold hold;
	uint64_t heard_ms;	      /* the clock when its last segment came */
	uint64_t look_at_ms;	      /* when its settings are to be looked at again */
	uint32_t looks;		      /* so far */
	uint32_t pass;		      /* that saw it last */
	bool suspected;		      /* two probes were seen unanswered */
	bool left;		      /* alone, at the last look */
	size_t link;		      /* of its namespace */
	bool awaited;		      /* gone, and its final was waited for */
	struct hf_diag_socket *final; /* told when its program had let go of it; NULL = not yet */
	struct hf_known *next;
};

/* All of them; begin with a zeroed one. */
struct hf_knowns {
	void *tree;
	struct hf_known *first;
};

struct hf_known *hf_known_find(const struct hf_knowns *knowns, uint32_t netns, uint64_t cookie);
struct hf_known *hf_known_add(struct hf_knowns *knowns, const struct hf_diag_socket *socket);

/* Forget those of which fn says so. */
typedef bool (*hf_known_fn)(void *arg, struct hf_known *known);
void hf_knowns_drop(struct hf_knowns *knowns, hf_known_fn fn, void *arg);
void hf_knowns_free(struct hf_knowns *knowns);

/*
 * How a connection ended that is gone at now_ms: the errno that its program was told, negative where
 * that is not certain, 0 = closed. final: its socket after the end, which its program holds still.
 */
int hf_known_end(const struct hf_known *known, const struct hf_diag_socket *final, uint64_t now_ms);

/* The same of one that its program has let go of; known->final may be there or not. */
int hf_known_end_let_go(const struct hf_known *known, uint64_t now_ms);

#endif
