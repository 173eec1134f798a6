/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that prove kernel facts share. Each runs alone, as root, in a network
 * namespace (and where it attaches programs, a cgroup) of its own; prints one line of what
 * it saw; and exits 0 where the fact holds, 1 where it does not or could not be tried.
 */
#ifndef HF_FACT_H
#define HF_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a call that must not fail for the proof to make sense; ends the program if it does. */
#define MUST(call) fact_must((call), #call)
long fact_must(long rc, const char *call);

/* Adds an observation to the line; the fact holds if every one is as claimed. */
void fact_saw(bool as_claimed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the line; the exit status. */
int fact_end(void);

double fact_now(void); /* s, monotonic */
void fact_sleep(double seconds);

/* Enters a new network namespace whose loopback is up. */
void fact_namespace(void);

/* A file descriptor of the cgroup2 root, found without any mount point. */
int fact_cgroup_root(void);

/*
 * Makes a cgroup and a child of it and moves this process into the child. Returns the parent,
 * to attach programs to: what they do then also proves that a child inherits them. Removed at exit.
 */
int fact_cgroup(void);

enum fact_family {
	FACT_IPV4,
	FACT_IPV6,
	FACT_MAPPED, /* AF_INET6 sockets at both ends that talk IPv4 */
	FACT_FAMILIES,
};
extern const char *const fact_family_names[FACT_FAMILIES];

/* The two ends of a loopback connection. */
struct fact_pair {
	int listener;
	int client; /* connected */
	int server; /* accepted */
	uint16_t client_port;
	uint16_t server_port;
};

/* A listener and a socket not yet connected, then the connection; or both steps in one. */
struct fact_pair fact_listen(enum fact_family family);
void fact_join(struct fact_pair *pair, enum fact_family family);
struct fact_pair fact_connect(enum fact_family family);

int fact_get(int fd, int level, int name);
void fact_set(int fd, int level, int name, int value);

/* Keepalive values first, SO_KEEPALIVE last; user_timeout_ms 0 is not set. */
void fact_keepalive(int fd, int idle, int interval, int count, int user_timeout_ms);

/* From now on this socket hears nothing, as after a power cut; and hears again. */
void fact_cut(int fd);
void fact_heal(int fd);

/* Its socket vanishes without a word, as after a reboot: segments for it are answered by RST. */
void fact_forget(int fd);

/* Writes until the peer, which does not read, has closed its window. */
void fact_fill(int fd);

/* Waits until fd fails; its errno, or 0 after so long. *after: when, in s from the call. */
int fact_error(int fd, double seconds, double *after);

struct fact_segment {
	double time; /* as fact_now() */
	uint16_t from, to;
	uint8_t flags; /* TH_* of <netinet/tcp.h> */
	unsigned int length;
};

/* Listens to the IPv4 TCP segments on loopback; next: false when none came until then. */
int fact_sniff(void);
bool fact_sniff_next(int sniffer, double until, struct fact_segment *segment);

struct bpf_link;
struct bpf_program;

/* Makes an iterator of link, in the network namespace of this moment. */
int fact_iter_create(struct bpf_link *link);
/* Reads it to its end and closes it; the bytes it gave. */
long fact_iter_drain(int iterator);

#endif
