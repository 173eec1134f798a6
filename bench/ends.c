/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ends DEVICE near|far FLOWS: one side of very many TCP flows without a socket for any of them,
 * behind a TUN device: near opens them, far accepts. Numbers are a function of the flow, so that
 * nothing is to be remembered: each end answers as RFC 9293 3.10.7.4 has it, whatever is not
 * exactly in sequence by an ACK that says what would be.
 *
 * Flow i is 10.1.0.0 + i / 50000, port 1024 + i % 50000, to 10.2.0.1:443. It does what lines on
 * stdin say and answers each with a line:
 *	open		open all flows; "opened N" once there are so many
 *	cut PERCENT	from now on flows i with i % 100 < PERCENT are dead on the far side
 *	count		"told T wrong W first F median M last L": doomed flows that were reset and
 *			others, and when since the cut, in ms
 */
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <holdfast/segment.h>

#include <core/bytes.h>
#include <core/mix.h>

#define NEAR 0x0a010000u
#define FAR 0x0a020001u
#define PORTS 50000
#define PORT_FIRST 1024
#define PORT_FAR 443
#define AT_ONCE 200 /* SYNs out: fewer than a TUN device's queue holds */
#define PATIENCE_MS 500
#define WINDOW 500

enum {
	UNOPENED,
	OPENED,
	TOLD
};

static int tun;
static bool far;
static uint32_t flows, opened, asked, percent;
static uint8_t *state;	/* of each flow: near only */
static uint32_t *delay; /* of the resets, in order of time */
static uint32_t told, wrong;
static uint64_t cut_ms;
static bool opening;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What the end sends next. */
static uint32_t number_of(uint32_t flow, bool of_far)
{
	return (uint32_t)hf_mix((uint64_t)flow * 2 + of_far);
}

static bool doomed(uint32_t flow)
{
	return flow % 100 < percent;
}

static void send_segment(uint32_t flow, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint8_t packet[40] = { 0x45, [3] = 40, [6] = 0x40, [8] = 64, [9] = 6 }, *tcp = packet + 20;
	uint32_t address = NEAR + flow / PORTS;
	uint16_t port = (uint16_t)(PORT_FIRST + flow % PORTS);

	hf_store32(packet + 12, far ? FAR : address);
	hf_store32(packet + 16, far ? address : FAR);
	hf_store16(tcp, far ? PORT_FAR : port);
	hf_store16(tcp + 2, far ? port : PORT_FAR);
	hf_store32(tcp + 4, seq);
	hf_store32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	hf_store16(tcp + 14, WINDOW);
	hf_sum_store(packet + 10, hf_sum_add(0, packet, 20));
	hf_sum_store(tcp + 16, hf_sum_add(hf_sum_pseudo(packet + 12, 8, 20), tcp, 20));
	if (write(tun, packet, sizeof(packet)) < 0)
		err(1, "tun");
}

static void answer(uint32_t flow)
{
	send_segment(flow, HF_ACK, number_of(flow, far), number_of(flow, !far));
}

/* --- The near side opens --- */

static void open_next(void)
{
	while (asked < flows && asked < opened + AT_ONCE) {
		if (state[asked] == UNOPENED)
			send_segment(asked, HF_SYN, number_of(asked, false) - 1, 0);
		asked++;
	}
}

static void on_handshake(uint32_t flow)
{
	answer(flow);
	if (state[flow] != UNOPENED)
		return;
	state[flow] = OPENED;
	opened++;
	open_next();
}

/* --- Segments --- */

static void on_reset(uint32_t flow, const struct hf_segment *segment)
{
	if (segment->seq != number_of(flow, !far) || far || state[flow] != OPENED)
		return;
	state[flow] = TOLD;
	if (doomed(flow))
		delay[told++] = (uint32_t)(now_ms() - cut_ms);
	else
		wrong++;
}

static uint32_t flow_of(const struct hf_segment *segment)
{
	const struct hf_endpoint *near = far ? &segment->source : &segment->destination;
	uint32_t flow =
		(hf_load32(near->address.byte + 12) - NEAR) * PORTS + near->port - PORT_FIRST;

	if (flow >= flows)
		errx(1, "a packet that is none of ours");
	return flow;
}

static void on_segment(const struct hf_segment *segment)
{
	uint32_t flow = flow_of(segment), expected = number_of(flow, !far);

	if (far && doomed(flow))
		return;
	if (segment->flags & HF_RST)
		on_reset(flow, segment);
	else if (!far && state[flow] == TOLD)
		send_segment(flow, HF_RST, segment->ack, 0);
	else if (!far && segment->flags & HF_SYN && state[flow] == UNOPENED)
		on_handshake(flow);
	else if (far && segment->flags == HF_SYN && segment->seq == expected - 1)
		send_segment(flow, HF_SYN | HF_ACK, number_of(flow, true) - 1, expected);
	else if (segment->seq != expected || segment->flags & HF_SYN)
		answer(flow);
}

static void on_packets(void)
{
	struct hf_segment segment;
	uint8_t packet[2048];
	ssize_t size;

	while ((size = read(tun, packet, sizeof(packet))) > 0)
		if (hf_segment_parse(packet, (size_t)size, HF_TRUST_CHECKSUMS, &segment) ==
		    HF_PARSED)
			on_segment(&segment);
}

/* --- Orders --- */

static void obey(const char *line)
{
	if (!strcmp(line, "open\n")) {
		opening = true;
	} else if (sscanf(line, "cut %u", &percent) == 1) {
		cut_ms = now_ms();
		puts("cut");
	} else if (!strcmp(line, "count\n")) {
		printf("told %u wrong %u first %u median %u last %u\n", told, wrong,
		       told ? delay[0] : 0, told ? delay[told / 2] : 0, told ? delay[told - 1] : 0);
	} else {
		errx(1, "what is %s", line);
	}
}

/* What was lost of the handshakes is sent again. */
static void keep_opening(void)
{
	static uint64_t since;
	static uint32_t before;

	if (opened != before || !since) {
		before = opened;
		since = now_ms();
	} else if (now_ms() - since > PATIENCE_MS) {
		asked = 0;
		since = now_ms();
	}
	open_next();
	if (opened == flows) {
		opening = false;
		printf("opened %u\n", opened);
	}
}

static int make_device(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		err(1, "tun %s", name);
	return fd;
}

int main(int argc, char **argv)
{
	char line[64];

	flows = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	if (!flows || flows > 1000 * PORTS)
		errx(2, "usage: ends DEVICE near|far FLOWS");
	far = !strcmp(argv[2], "far");
	state = calloc(flows, sizeof(*state));
	delay = calloc(flows, sizeof(*delay));
	if (!state || !delay)
		err(1, "memory");
	tun = make_device(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		struct pollfd fds[] = { { .fd = tun, .events = POLLIN },
					{ .fd = STDIN_FILENO, .events = POLLIN } };

		poll(fds, 2, opening ? 10 : -1);
		on_packets();
		if (fds[1].revents && !fgets(line, sizeof(line), stdin))
			return 0;
		if (fds[1].revents)
			obey(line);
		if (opening)
			keep_opening();
	}
}
