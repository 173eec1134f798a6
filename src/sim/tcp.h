/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One end of a TCP connection, as little of it as keepalive can tell from a real one: it answers
 * as Linux does (validation in the order of tcp_validate_incoming, one slot of 500 ms for the
 * answers to all that is out of window, PAWS, RFC 5961), sends, retransmits, probes a closed
 * window and closes. What it does not have: reassembly, congestion control, scaled windows.
 *
 * It knows no addresses: those of a segment are the network's business.
 */
#ifndef HF_SIM_TCP_H
#define HF_SIM_TCP_H

#include <holdfast/segment.h>

#define HF_TCP_WINDOW UINT16_MAX
#define HF_TCP_RETRIES 15  /* retransmissions, as net.ipv4.tcp_retries2 */
#define HF_TCP_RTO_MS 1000 /* the first, doubled up to */
#define HF_TCP_RTO_MAX_MS 120000
#define HF_TCP_CHALLENGE_MS 500 /* net.ipv4.tcp_invalid_ratelimit */

enum hf_tcp_mark {
	HF_TCP_OPEN = 1 << 0, /* it holds the connection */
	HF_TCP_FIN_SENT = 1 << 1,
	HF_TCP_FIN_HEARD = 1 << 2,
	HF_TCP_DONE = 1 << 3,	     /* closed in the ordinary way */
	HF_TCP_NOT_READING = 1 << 4, /* what arrives fills the window */
	HF_TCP_WAITING = 1 << 5,     /* data waits for the other's window to open */
	HF_TCP_STAYS = 1 << 7,	     /* does not close because the other end does */
	HF_TCP_TIMER = 1 << 6,	     /* its owner runs a timer for it */
};

struct hf_tcp {
	uint32_t unacked, next; /* SND.UNA, SND.NXT */
	uint32_t expected;	/* RCV.NXT */
	uint32_t ts_recent;
	uint32_t answered_ms; /* when it last answered something out of window, + 1; 0 = never */
	uint32_t timed_ms;    /* since when the timer runs */
	uint16_t room;	      /* own window */
	uint16_t window;      /* the other's */
	uint8_t flags;	      /* enum hf_tcp_mark */
	uint8_t tries;	      /* retransmissions or persist probes in a row */
};

/* The moment, as the end sees it. */
struct hf_tcp_time {
	uint32_t now_ms;
	uint32_t tsval; /* its own clock */
	bool timestamps;
};

/* A connection has just been established: initial numbers of both ends, without their SYN. */
void hf_tcp_open(struct hf_tcp *tcp, uint32_t own, uint32_t other);

enum hf_tcp_outcome {
	HF_TCP_ANSWERS = 1 << 0, /* *answer is to be sent */
	HF_TCP_RESET = 1 << 1,	 /* the connection is gone: reset */
	HF_TCP_CLOSED = 1 << 2,	 /* the connection is over */
	HF_TCP_TOOK = 1 << 3,	 /* what was acknowledged or opened lets it send again */
};

/* A segment arrives at an end that is OPEN or DONE; returns enum hf_tcp_outcome. */
unsigned int hf_tcp_receive(struct hf_tcp *tcp, const struct hf_segment *segment,
			    const struct hf_tcp_time *time, struct hf_segment *answer);

/* What a host answers where there is no such connection (RFC 9293 3.10.7.1); false: nothing. */
bool hf_tcp_refuse(const struct hf_segment *segment, struct hf_segment *answer);

/* Send bytes of data; false, and HF_TCP_WAITING is set, while the other's window is closed. */
bool hf_tcp_send(struct hf_tcp *tcp, uint32_t bytes, const struct hf_tcp_time *time,
		 struct hf_segment *out);

/* Send FIN; false if that was done. */
bool hf_tcp_finish(struct hf_tcp *tcp, const struct hf_tcp_time *time, struct hf_segment *out);

/* Start or stop reading; true: tell the other by *out that there is room again. */
bool hf_tcp_read(struct hf_tcp *tcp, bool reading, const struct hf_tcp_time *time,
		 struct hf_segment *out);

/* How long until the timer of an end goes off; 0 = it needs none. */
uint32_t hf_tcp_timeout(const struct hf_tcp *tcp);

enum hf_tcp_timed {
	HF_TCP_IDLE,	/* nothing to be done: the timer stops */
	HF_TCP_SENDS,	/* *out is to be sent, and the timer runs on */
	HF_TCP_GIVES_UP /* the connection is gone */
};

/* The timer went off after hf_tcp_timeout. */
enum hf_tcp_timed hf_tcp_timer(struct hf_tcp *tcp, const struct hf_tcp_time *time,
			       struct hf_segment *out);

/* RST|ACK in sequence, as it is sent when a program aborts. */
void hf_tcp_abort(struct hf_tcp *tcp, const struct hf_tcp_time *time, struct hf_segment *out);

#endif
