/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the peer there, now? Each connection that is idle is sent a keepalive probe of our own, made of
 * the numbers that its socket holds; who answers is alive. No setting of any socket is touched.
 */
#ifndef HF_HOST_CHECK_H
#define HF_HOST_CHECK_H

#include <holdfast/address.h>
#include <signal.h>

#include "host/host.h"

struct hf_check;

enum hf_check_result {
	HF_CHECK_PENDING = 0, /* to be probed, or being probed */
	/* alive */
	HF_CHECK_ANSWERED, /* a probe, and rtt_us tells in what time if there was but one */
	HF_CHECK_HEARD,	   /* something else came from it since */
	/* dead */
	HF_CHECK_UNANSWERED, /* every probe, and nothing was heard since the first */
	/* reset */
	HF_CHECK_REFUSED, /* RST in answer to a probe; the kernel has ended it, as it always does */
	/* busy: the kernel itself waits for an answer, and no probe is sent */
	HF_CHECK_IN_FLIGHT, /* data is not acknowledged */
	HF_CHECK_UNSENT,    /* the peer's window is closed */
	/* closing */
	HF_CHECK_CLOSING, /* it has said its last word, or nobody holds it any more */
	/* unknown */
	HF_CHECK_NOT_OPEN,   /* not connected yet, or not any more */
	HF_CHECK_SIGNED,     /* MD5 or TCP-AO: a probe of ours would not be believed */
	HF_CHECK_GONE,	     /* closed meanwhile, or not as the filter says any more */
	HF_CHECK_UNSENDABLE, /* too few probes could be sent; error says why */
};
#define HF_CHECK_RESULTS 12

/* What is known of one connection; the result decides what of it has a meaning. */
struct hf_checked {
	struct hf_endpoint local, remote;
	enum hf_check_result result;
	uint8_t state;	      /* enum hf_state */
	uint8_t unanswered;   /* the kernel's own probes, keepalive and of a closed window */
	uint32_t in_flight;   /* segments */
	uint32_t retransmits; /* unanswered ones */
	uint32_t silent_ms;   /* when last looked at */
	uint32_t probes;      /* sent */
	uint32_t rtt_us;      /* UINT32_MAX = not measured */
	uint32_t waited_ms;   /* from the first probe to the result */
	int error;	      /* errno of the last probe that could not be sent */
};

struct hf_check_options {
	uint32_t interval_ms; /* from probe to probe to one peer; 1000 at least, SEMANTICS: the
				 * peer answers twice a second at most */
	uint32_t count;	      /* unanswered ones that are a death, from 1 on */
	uint32_t rate;	      /* probes a second, to all of them, from 1 on */
	bool dry_run;	      /* send nothing */
};
#define HF_CHECK_INTERVAL_MIN_MS 1000
#define HF_CHECK_CLOSE_MIN 3 /* probes that it takes to close a connection for being dead */

/* A selection for this has to gather these. */
#define HF_CHECK_GATHERS \
	(HF_GATHER_COOKIE | HF_GATHER_NUMBERS | HF_GATHER_TRAFFIC | HF_GATHER_RETRANSMISSION)

/*
 * Find the connections, and what needs no probe to be told of them. The host stays the caller's, and
 * has to outlive the check. HF_EXIT_MISSING without CAP_NET_RAW where something is to be probed.
 */
int hf_check_open(struct hf_check **out, struct hf_host *host,
		  const struct hf_check_options *options, struct hf_problem *problem);
void hf_check_close(struct hf_check **check);

size_t hf_check_count(const struct hf_check *check);
size_t hf_check_pending(const struct hf_check *check);
const struct hf_checked *hf_check_get(const struct hf_check *check, size_t i);

struct hf_check_listener {
	void (*told)(void *arg, const struct hf_checked *checked); /* once for each connection */
	void (*waits)(void *arg); /* whenever nothing else is to be done, five times a second */
	void *arg;
	const volatile sig_atomic_t *stop; /* not 0: end soon, whatever is pending */
};

/*
 * Tell what is known already, then probe those that are pending, until all are told of. After a dry
 * run, or where it was stopped, some are pending still.
 */
int hf_check_run(struct hf_check *check, const struct hf_check_listener *listener,
		 struct hf_problem *problem);

/*
 * End those found dead (not the kernel's own), each looked at once more just before: whoever was
 * heard, or is another one by now, is left alone. failed: of whom the kernel would not let go, and
 * *error why.
 */
struct hf_check_closed {
	uint64_t closed, spared, failed;
	int error;
};
int hf_check_close_dead(struct hf_check *check, struct hf_check_closed *out,
			struct hf_problem *problem);

#endif
