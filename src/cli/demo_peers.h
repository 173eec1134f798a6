/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain program: connects and reads, or accepts and writes what it is told, and never
 * sets a socket option. Each end is a process of its own; what happens to it is reported through
 * one pipe shared by all.
 */
#ifndef HF_CLI_DEMO_PEERS_H
#define HF_CLI_DEMO_PEERS_H

#include <stdint.h>
#include <sys/types.h>

enum hf_report_what {
	HF_REPORT_LISTENS,
	HF_REPORT_CONNECTED,
	HF_REPORT_BYTE,	 /* one arrived */
	HF_REPORT_ENDED, /* connect() or read() ended; error 0: end of file */
};

struct hf_report {
	int64_t at; /* hf_demo_clock() */
	enum hf_report_what what;
	int error;
	uint16_t id; /* as given at the start */
};

struct hf_peer {
	pid_t pid;
	int commands; /* -1: none */
};

/* Start one in the namespace of host; 0 or -errno. reports: the pipe to write to. */
int hf_peer_server(struct hf_peer *peer, pid_t host, uint16_t port, int reports, uint16_t id);
int hf_peer_client(struct hf_peer *peer, pid_t host, const char *address, uint16_t port,
		   int reports, uint16_t id);

/* Tell a server to send one byte to its client; 0 or -errno. */
int hf_peer_send(const struct hf_peer *peer);

/*
 * End the program. Its connection goes at once, with a reset: a FIN that nobody acknowledges
 * would keep the socket, and so the namespace, for minutes. Harmless on one never started.
 */
void hf_peer_end(struct hf_peer *peer);

#endif
