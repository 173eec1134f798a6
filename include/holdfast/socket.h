/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's keepalive of one's own sockets (Linux).
 *
 *	struct hf_goals goals = { .dead_within_ms = 60000 };
 *
 *	if (hf_socket_protect(fd, &goals, 0, NULL) < 0)
 *		...
 *
 * A descriptor is a TCP socket over IPv4 or IPv6 in any state: connected; not yet connected, then
 * the connection begins with these settings; listening, then what it accepts from now on inherits
 * them. Anything else is refused, and nothing is changed:
 *
 *	-EBADF           not an open descriptor
 *	-ENOTSOCK        not a socket
 *	-EPROTONOSUPPORT a socket, but not of TCP (UDP, UNIX, raw, MPTCP)
 *
 * The functions keep no state, take no lock and may be called by many threads at once.
 */
#ifndef HOLDFAST_SOCKET_H
#define HOLDFAST_SOCKET_H

#include <holdfast/settings.h>

HF_API_BEGIN

enum hf_socket_option {
	/* Replace what the socket was set to before, stricter or not. */
	HF_SOCKET_OVERRIDE = 1 << 0,
	/*
	 * Set no user timeout. Without one the kernel's retransmissions decide while data is in
	 * flight (a quarter of an hour). With one, a living peer whose window stays closed for that
	 * long is ended, too.
	 */
	HF_SOCKET_NO_TIMEOUT = 1 << 1,
};

/* What hf_socket_protect did. */
struct hf_protection {
	struct hf_settings before, after;
	uint8_t decision; /* enum hf_decision */
	/*
	 * It has been silent for so long that a user timeout would end it at the first lost probe:
	 * call again once it was heard, or data in flight stays unbounded.
	 */
	bool timeout_later;
};

/*
 * Make the socket keep the goals; goals NULL or empty: HF_DEAD_WITHIN_DEFAULT. options: enum
 * hf_socket_option. Settings that meet the goals stay; weaker ones are replaced as a whole set, no
 * bound gets longer (hf_settings_decide). Idle is shortened by a random tenth at most, where that
 * is at least a second. A user timeout of idle + count * interval is set where there is none.
 *
 * No probe leaves at once: a socket that has been silent for longer than the new idle waits a whole
 * idle from now.
 *
 * out: what was done, may be NULL; untouched unless 0 or -EEXIST is returned. 0: the socket keeps the
 * goals. Else nothing was changed:
 *	-ERANGE goals that whole seconds cannot keep (hf_settings_derive says which)
 *	-EEXIST settings of its own stand in the way (out->decision), and no HF_SOCKET_OVERRIDE
 *	-EBUSY  probes are unanswered at this moment; try again once it was heard
 */
int hf_socket_protect(int fd, const struct hf_goals *goals, unsigned int options,
		      struct hf_protection *out);

/*
 * Set exactly these settings; with keepalive 0 the other values are set, too, and rest. No probe
 * leaves at once, as above. A user timeout is set as it is, 0 takes it away.
 * -ERANGE: outside what struct hf_settings allows; nothing was changed.
 */
int hf_socket_set(int fd, const struct hf_settings *settings);

/* The settings in force, the system's defaults resolved. */
int hf_socket_get(int fd, struct hf_settings *out);

/* What is to be known of a socket. */
struct hf_socket_view {
	struct hf_settings settings;		 /* in force */
	struct hf_retransmission retransmission; /* its own; nobody arms */
	uint32_t silent_ms; /* since a segment was heard; UINT32_MAX while not connected */
	uint32_t in_flight; /* segments sent and not acknowledged */
	uint32_t rtt_ms;    /* smoothed, rounded up; UINT32_MAX = none measured */
	uint8_t state;	    /* Linux TCP state number, 1 = ESTABLISHED */
	uint8_t unanswered; /* probes: keepalive's, or the persist timer's at a closed window */
};

int hf_socket_look(int fd, struct hf_socket_view *out);

/*
 * How long until a dead peer is found, at worst, and is that good enough (hf_settings_audit)? goals
 * as for hf_socket_protect. bounds may be NULL. HF_NOT_JUDGED in a state without keepalive: only
 * ESTABLISHED, CLOSE_WAIT and FIN_WAIT2 are judged.
 */
enum hf_verdict hf_socket_audit(const struct hf_socket_view *view, const struct hf_goals *goals,
				struct hf_bounds *bounds);

HF_API_END

#endif
