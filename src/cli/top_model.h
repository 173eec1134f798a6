/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `top` keeps of a pass: counts of all connections, and the rows that come first. Their number
 * is fixed, so that neither memory nor sorting grows with the connections.
 */
#ifndef HF_CLI_TOP_MODEL_H
#define HF_CLI_TOP_MODEL_H

#include "cli/connection.h"

enum hf_top_rank {	/* what matters first */
	HF_TOP_DEAD,	/* gone: nobody had answered any more */
	HF_TOP_PROBING, /* a probe is overdue to be answered, or data have been sent again */
	HF_TOP_UNPROTECTED,
	HF_TOP_SLOW,
	HF_TOP_PROTECTED,
	HF_TOP_REST, /* not judged */
};
#define HF_TOP_RANKS 6

enum hf_top_sort {	   /* the first row is the one that has, or is, most of it */
	HF_TOP_BY_URGENCY, /* rank, then what is unanswered, then silence */
	HF_TOP_BY_UNANSWERED,
	HF_TOP_BY_SILENCE,
	HF_TOP_BY_NEXT_PROBE, /* the soonest first */
	HF_TOP_BY_BOUND,      /* idle; unbounded first */
	HF_TOP_BY_RTT,
	HF_TOP_BY_PROCESS, /* in the order of their names; unknown last */
	HF_TOP_BY_REMOTE,  /* in the order of addresses, IPv4 as ::ffff:a.b.c.d */
};
#define HF_TOP_SORTS 8
const char *hf_top_sort_name(enum hf_top_sort sort);

#define HF_TOP_FILTER 64

/* What the user wants to see. */
struct hf_top_view {
	enum hf_top_sort sort;
	bool reversed;
	char filter[HF_TOP_FILTER]; /* every word must occur in what is told of a row; "" = any */
	uint64_t chosen;	    /* cookie of the one to show in full, 0 = none */
};

struct hf_top_order {
	uint64_t key[2], tie; /* ascending */
};

struct hf_top_row {
	uint64_t heard_s; /* when it was last heard, on any clock: an order that stays the same */
	struct hf_record record;
	struct hf_connection connection; /* of this very record */
	enum hf_top_rank rank;
	struct hf_top_order order;
};

struct hf_top_counts {
	uint64_t connections; /* the dead left out */
	uint64_t dead, probing;
	uint64_t audit[HF_PROTECTED + 1]; /* by enum hf_verdict */
	uint64_t matched;		  /* by the view's filter, the dead among them */
};

/* The first rows in the order of a view; at[0..shown) are sorted between _end and _begin. */
struct hf_top_list {
	struct hf_top_view view;
	struct hf_top_counts counts;
	struct hf_top_row **at;
	unsigned int shown;
	struct hf_top_row *row; /* room for them all */
	unsigned int kept, room;
	uint64_t now_ms; /* CLOCK_MONOTONIC, as the next one added was seen; kept by the caller */
};

/* -ENOMEM or 0. A zeroed one may be freed, too. */
int hf_top_list_init(struct hf_top_list *list, unsigned int room);
void hf_top_list_free(struct hf_top_list *list);

/* A pass: begin, add every connection, end. */
void hf_top_list_begin(struct hf_top_list *list, const struct hf_top_view *view);
void hf_top_list_add(struct hf_top_list *list, const struct hf_connection *connection);
void hf_top_list_end(struct hf_top_list *list);

/* Show what is kept in another view, at once; what it leaves out comes with the next pass. */
void hf_top_list_turn(struct hf_top_list *list, const struct hf_top_view *view);

/* The row with this cookie; its index, or -1. */
int hf_top_list_find(const struct hf_top_list *list, uint64_t cookie);

void hf_top_row_set(struct hf_top_row *row, const struct hf_connection *connection);

/* A record in state CLOSE is the last known of one that died. */
enum hf_top_rank hf_top_rank(const struct hf_connection *connection);

/* Write an end of it, as hf_endpoint_format. */
size_t hf_top_end_text(const struct hf_record *record, bool remote, char *text);

/* "dead", "probing", "resending", "unprotected", "slow", "protected"; NULL for the rest. */
const char *hf_top_status(const struct hf_connection *connection);

/* Does every word of the filter occur, in any case, in its ends, owner, state, status or rule? */
bool hf_top_matches(const char *filter, const struct hf_connection *connection);

#endif
