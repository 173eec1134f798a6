/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a pass, and who holds them. */
#ifndef HF_HOST_DIAG_COLLECT_H
#define HF_HOST_DIAG_COLLECT_H

#include "host/diag/pass.h"

struct hf_sighting {
	struct hf_diag_socket socket;
	struct hf_open_file file; /* who holds it; fd -1 = not known */
	uint64_t heard_ms;	  /* the clock when its last segment came */
	size_t link;
	bool searched;		/* its holder was looked for in this pass */
	bool twice;		/* another one is the same socket */
	struct hf_known *known; /* in a watch, NULL = new */
};

/* Fill host->sighting with the sockets that the rule's addresses name, and their holders. */
int hf_diag_collect(struct hf_diag_host *host, struct hf_problem *problem);

/* Does the rule name it? */
enum hf_matched hf_diag_match(const struct hf_diag_host *host, const struct hf_diag_socket *socket);

/* Are its settings to be looked at in this pass? */
bool hf_diag_is_due(const struct hf_diag_host *host, const struct hf_sighting *sighting);

uint64_t hf_diag_clock_ms(void);

#endif
