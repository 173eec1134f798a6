/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/tcp.h"

#include <string.h>

#define SEGMENT_MAX 1400 /* bytes of data in one segment */
#define PERSISTS_SLOW 7	 /* doublings of the timeout; more tries are unanswered persist probes */

void hf_tcp_open(struct hf_tcp *tcp, uint32_t own, uint32_t other)
{
	uint8_t timer = tcp->flags & HF_TCP_TIMER; /* its owner's: may still go off */

	*tcp = (struct hf_tcp){
		.unacked = own,
		.next = own,
		.expected = other,
		.room = HF_TCP_WINDOW,
		.window = HF_TCP_WINDOW,
		.flags = HF_TCP_OPEN | timer,
	};
}

/* --- What it says --- */

static void fill(const struct hf_tcp *tcp, const struct hf_tcp_time *time, uint32_t seq,
		 uint8_t flags, struct hf_segment *out)
{
	memset(out, 0, sizeof(*out));
	out->seq = seq;
	out->ack = tcp->expected;
	out->flags = HF_ACK | flags;
	out->window = tcp->room;
	out->has_timestamps = time->timestamps;
	out->tsval = time->timestamps ? time->tsval : 0;
	out->tsecr = time->timestamps ? tcp->ts_recent : 0;
}

static unsigned int acknowledge(const struct hf_tcp *tcp, const struct hf_tcp_time *time,
				struct hf_segment *answer)
{
	fill(tcp, time, tcp->next, 0, answer);
	return HF_TCP_ANSWERS;
}

/* To what is out of window, and as a challenge (RFC 5961): one slot for all of them. */
static unsigned int acknowledge_rarely(struct hf_tcp *tcp, const struct hf_tcp_time *time,
				       struct hf_segment *answer)
{
	if (tcp->answered_ms && time->now_ms + 1 - tcp->answered_ms < HF_TCP_CHALLENGE_MS)
		return 0;
	tcp->answered_ms = time->now_ms + 1;
	return acknowledge(tcp, time, answer);
}

/* --- What it hears --- */

static bool in_window(const struct hf_tcp *tcp, const struct hf_segment *segment)
{
	return !hf_seq_before(hf_segment_end(segment), tcp->expected) &&
	       !hf_seq_before(tcp->expected + tcp->room, segment->seq);
}

static bool is_old_timestamp(const struct hf_tcp *tcp, const struct hf_segment *segment,
			     const struct hf_tcp_time *time)
{
	return time->timestamps && segment->has_timestamps &&
	       hf_seq_before(segment->tsval, tcp->ts_recent);
}

static unsigned int hear_reset(struct hf_tcp *tcp, const struct hf_segment *segment,
			       const struct hf_tcp_time *time, struct hf_segment *answer)
{
	if (segment->seq == tcp->expected) {
		tcp->flags &= (uint8_t)~HF_TCP_OPEN;
		return HF_TCP_RESET;
	}
	return in_window(tcp, segment) ? acknowledge_rarely(tcp, time, answer) : 0;
}

/* As Linux since 6.14: an empty segment with an old timestamp is a disordered ACK, not answered. */
static unsigned int hear_old(struct hf_tcp *tcp, const struct hf_segment *segment,
			     const struct hf_tcp_time *time, struct hf_segment *answer)
{
	return segment->payload ? acknowledge(tcp, time, answer) : 0;
}

/* false: the segment is to be dropped, for an ACK that cannot be. */
static bool hear_ack(struct hf_tcp *tcp, const struct hf_segment *segment,
		     const struct hf_tcp_time *time, unsigned int *outcome)
{
	if (!(segment->flags & HF_ACK) || hf_seq_before(tcp->next, segment->ack))
		return false;
	if (!hf_seq_before(segment->seq, tcp->expected) || !segment->payload) {
		if ((!tcp->window && segment->window) || segment->ack != tcp->unacked)
			*outcome |= HF_TCP_TOOK;
		tcp->window = segment->window;
	}
	if (hf_seq_before(tcp->unacked, segment->ack)) {
		tcp->unacked = segment->ack;
		tcp->timed_ms = time->now_ms;
		tcp->tries = 0;
	} else if (tcp->flags & HF_TCP_WAITING && tcp->tries > PERSISTS_SLOW) {
		tcp->tries = PERSISTS_SLOW;
	}
	if (time->timestamps && segment->has_timestamps &&
	    !hf_seq_before(tcp->expected, segment->seq))
		tcp->ts_recent = segment->tsval;
	return true;
}

static bool all_acknowledged(const struct hf_tcp *tcp)
{
	return tcp->unacked == tcp->next;
}

static unsigned int maybe_closed(struct hf_tcp *tcp)
{
	if (!(tcp->flags & HF_TCP_FIN_SENT) || !(tcp->flags & HF_TCP_FIN_HEARD) ||
	    !all_acknowledged(tcp) || (tcp->flags & HF_TCP_DONE))
		return 0;
	tcp->flags |= HF_TCP_DONE;
	tcp->flags &= (uint8_t)~HF_TCP_OPEN;
	return HF_TCP_CLOSED;
}

/* Data and FIN. Whatever occupies the sequence space is answered, new or not. */
static unsigned int hear_data(struct hf_tcp *tcp, const struct hf_segment *segment,
			      const struct hf_tcp_time *time, struct hf_segment *answer)
{
	uint32_t reach = hf_segment_end(segment), fresh = reach - tcp->expected;
	bool fits = fresh <= (uint32_t)tcp->room + !!(segment->flags & HF_FIN);

	if (reach == segment->seq)
		return 0;
	if (hf_seq_before(tcp->expected, reach) && !hf_seq_before(tcp->expected, segment->seq) &&
	    fits && !(tcp->flags & HF_TCP_FIN_HEARD)) {
		tcp->expected = reach;
		if (segment->flags & HF_FIN)
			tcp->flags |= HF_TCP_FIN_HEARD;
		if (tcp->flags & HF_TCP_NOT_READING)
			tcp->room = fresh < tcp->room ? (uint16_t)(tcp->room - fresh) : 0;
	}
	return acknowledge(tcp, time, answer);
}

static unsigned int receive_open(struct hf_tcp *tcp, const struct hf_segment *segment,
				 const struct hf_tcp_time *time, struct hf_segment *answer)
{
	unsigned int outcome = 0;

	if (segment->flags & HF_RST)
		return hear_reset(tcp, segment, time, answer);
	if (segment->flags & HF_SYN)
		return acknowledge_rarely(tcp, time, answer);
	if (is_old_timestamp(tcp, segment, time))
		return hear_old(tcp, segment, time, answer);
	if (!in_window(tcp, segment))
		return segment->payload ? acknowledge(tcp, time, answer) :
					  acknowledge_rarely(tcp, time, answer);
	if (!hear_ack(tcp, segment, time, &outcome))
		return 0;
	outcome |= hear_data(tcp, segment, time, answer);
	return outcome | maybe_closed(tcp);
}

unsigned int hf_tcp_receive(struct hf_tcp *tcp, const struct hf_segment *segment,
			    const struct hf_tcp_time *time, struct hf_segment *answer)
{
	if (tcp->flags & HF_TCP_OPEN)
		return receive_open(tcp, segment, time, answer);
	/* TIME-WAIT: the other's FIN may come again */
	return segment->flags & HF_FIN ? acknowledge(tcp, time, answer) : 0;
}

bool hf_tcp_refuse(const struct hf_segment *segment, struct hf_segment *answer)
{
	if (segment->flags & HF_RST)
		return false;
	memset(answer, 0, sizeof(*answer));
	answer->flags = HF_RST;
	if (segment->flags & HF_ACK) {
		answer->seq = segment->ack;
		return true;
	}
	answer->flags |= HF_ACK;
	answer->ack = hf_segment_end(segment);
	return true;
}

/* --- What it does of itself --- */

static bool may_send(const struct hf_tcp *tcp, uint32_t bytes)
{
	uint32_t out = tcp->next - tcp->unacked;

	return !(tcp->flags & HF_TCP_FIN_SENT) && out + bytes <= tcp->window;
}

bool hf_tcp_send(struct hf_tcp *tcp, uint32_t bytes, const struct hf_tcp_time *time,
		 struct hf_segment *out)
{
	if (!may_send(tcp, bytes)) {
		if (!(tcp->flags & HF_TCP_FIN_SENT))
			tcp->flags |= HF_TCP_WAITING;
		return false;
	}
	fill(tcp, time, tcp->next, HF_PSH, out);
	out->payload = bytes;
	if (all_acknowledged(tcp))
		tcp->timed_ms = time->now_ms;
	tcp->next += bytes;
	tcp->flags &= (uint8_t)~HF_TCP_WAITING;
	return true;
}

bool hf_tcp_finish(struct hf_tcp *tcp, const struct hf_tcp_time *time, struct hf_segment *out)
{
	if (tcp->flags & HF_TCP_FIN_SENT)
		return false;
	fill(tcp, time, tcp->next, HF_FIN, out);
	if (all_acknowledged(tcp))
		tcp->timed_ms = time->now_ms;
	tcp->next++;
	tcp->flags |= HF_TCP_FIN_SENT;
	tcp->flags &= (uint8_t)~HF_TCP_WAITING;
	return true;
}

bool hf_tcp_read(struct hf_tcp *tcp, bool reading, const struct hf_tcp_time *time,
		 struct hf_segment *out)
{
	bool was_closed = !tcp->room;

	if (!reading) {
		tcp->flags |= HF_TCP_NOT_READING;
		return false;
	}
	tcp->flags &= (uint8_t)~HF_TCP_NOT_READING;
	tcp->room = HF_TCP_WINDOW;
	if (!was_closed || !(tcp->flags & HF_TCP_OPEN))
		return false;
	acknowledge(tcp, time, out);
	return true;
}

uint32_t hf_tcp_timeout(const struct hf_tcp *tcp)
{
	uint64_t timeout = (uint64_t)HF_TCP_RTO_MS
			   << (tcp->tries < PERSISTS_SLOW ? tcp->tries : PERSISTS_SLOW);

	if (!(tcp->flags & HF_TCP_OPEN))
		return 0;
	if (all_acknowledged(tcp) && !(tcp->flags & HF_TCP_WAITING))
		return 0;
	return timeout < HF_TCP_RTO_MAX_MS ? (uint32_t)timeout : HF_TCP_RTO_MAX_MS;
}

/* What is unacknowledged, from its beginning on: as much as one segment holds. */
static void fill_again(const struct hf_tcp *tcp, const struct hf_tcp_time *time,
		       struct hf_segment *out)
{
	bool fin = tcp->flags & HF_TCP_FIN_SENT;
	uint32_t bytes = tcp->next - tcp->unacked - fin;

	fill(tcp, time, tcp->unacked, fin && bytes <= SEGMENT_MAX ? HF_FIN : HF_PSH, out);
	out->payload = bytes < SEGMENT_MAX ? bytes : SEGMENT_MAX;
}

enum hf_tcp_timed hf_tcp_timer(struct hf_tcp *tcp, const struct hf_tcp_time *time,
			       struct hf_segment *out)
{
	bool persists;

	if (!hf_tcp_timeout(tcp))
		return HF_TCP_IDLE;
	tcp->timed_ms = time->now_ms;
	persists = all_acknowledged(tcp); /* a window that stays closed is probed for ever */
	if (tcp->tries == HF_TCP_RETRIES + (persists ? PERSISTS_SLOW : 0)) {
		tcp->flags &= (uint8_t)~HF_TCP_OPEN;
		return HF_TCP_GIVES_UP;
	}
	tcp->tries++;
	if (persists)
		fill(tcp, time, tcp->unacked - 1, 0, out);
	else
		fill_again(tcp, time, out);
	return HF_TCP_SENDS;
}

void hf_tcp_abort(struct hf_tcp *tcp, const struct hf_tcp_time *time, struct hf_segment *out)
{
	fill(tcp, time, tcp->next, HF_RST, out);
	tcp->flags &= (uint8_t)~HF_TCP_OPEN;
}
