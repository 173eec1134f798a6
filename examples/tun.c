/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine without a kernel of its own: a tiny TCP endpoint on a TUN device that opens a
 * connection to the real kernel's TCP, keeps it, and tells what becomes of it, a line each:
 *
 *	alive silent_ms=2250 unanswered=0 in_flight=0 rtt_ms=0
 *
 *	ip tuntap add mode tun name hf0
 *	ip address add 10.77.0.1/24 dev hf0 && ip link set hf0 up
 *	socat TCP-LISTEN:7000,bind=10.77.0.1 - &
 *	./tun -d hf0 -w 10 10.77.0.2:4000 10.77.0.1:7000
 *
 * It answers the kernel's own probes, too, and acknowledges data without keeping it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <holdfast/engine.h>

#define TICK_MS 50
#define SYN_TRIES 5
#define SYN_WAIT_MS 1000
#define WINDOW 65535

struct options {
	const char *device;
	struct hf_goals goals;
	unsigned long events; /* after so many it ends; 0 = never */
	bool timestamps;
	struct hf_flow_key key; /* originator: this program; responder: the kernel's listener */
};

struct connection {
	struct hf_engine *engine;
	void *memory; /* the engine's */
	hf_flow flow;
	struct hf_segment out; /* what stays the same in all that is sent */
	uint32_t next;	       /* our SND.NXT */
	uint32_t expected;     /* our RCV.NXT */
	uint32_t heard_tsval;
	unsigned long events;
	int tun;
	bool over;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "tun: %s: %s\n", what, why);
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die("/dev/net/tun", strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name, strerror(errno));
	return fd;
}

static void make_engine(struct connection *c)
{
	struct hf_engine_options options = { .flows = 1, .tick_ms = TICK_MS };
	size_t size;

	if (getrandom(options.key, sizeof(options.key), 0) < 0)
		die("getrandom", strerror(errno));
	size = (hf_engine_size(&options) + 63) / 64 * 64;
	c->memory = aligned_alloc(64, size);
	c->engine = c->memory ? hf_engine_init(c->memory, size, &options, now_ms()) : NULL;
	if (!c->engine)
		die("engine", "no memory");
}

static void report(struct connection *c, enum hf_event event, const struct hf_evidence *evidence)
{
	static const char *const names[] = {
		[HF_ALIVE] = "alive",	[HF_DEAD] = "dead",	  [HF_RESET] = "reset",
		[HF_CLOSED] = "closed", [HF_REVIVED] = "revived",
	};

	if (event == HF_NOTHING)
		return;
	printf("%s silent_ms=%u unanswered=%u in_flight=%d rtt_ms=%d\n", names[event],
	       evidence->silent_ms, evidence->unanswered, evidence->in_flight,
	       (int)evidence->rtt_ms); /* -1: none measured */
	fflush(stdout);
	c->events++;
	if (event == HF_RESET || event == HF_CLOSED)
		c->over = true;
}

/* The engine sees what goes out as well as what comes in: so the numbers of both ends move on. */
static void show_engine(struct connection *c, enum hf_side side, const struct hf_segment *segment)
{
	struct hf_heard heard;

	hf_engine_segment(c->engine, c->flow, side, segment, &heard);
	report(c, heard.event, &heard.evidence);
}

/* A packet that the device does not take is lost, as on any network. */
static void write_segment(const struct connection *c, const struct hf_segment *segment)
{
	uint8_t packet[HF_PACKET_MAX];
	size_t length = hf_segment_build(segment, packet, sizeof(packet));

	if (write(c->tun, packet, length) < 0 && errno != EAGAIN && errno != EIO)
		die("the TUN device", strerror(errno));
}

static void send_segment(struct connection *c, uint8_t flags)
{
	struct hf_segment segment = c->out;

	segment.flags = flags;
	segment.seq = c->next;
	segment.ack = c->expected;
	segment.tsval = (uint32_t)now_ms();
	segment.tsecr = c->heard_tsval;
	write_segment(c, &segment);
	show_engine(c, HF_ORIGINATOR, &segment);
}

/* The next segment of this connection; false if none is waiting. */
static bool receive(struct connection *c, struct hf_segment *out)
{
	uint8_t packet[65536];
	enum hf_side side;
	ssize_t size;

	while ((size = read(c->tun, packet, sizeof(packet))) > 0)
		if (hf_segment_parse(packet, (size_t)size, HF_VERIFY_CHECKSUMS, out) == HF_PARSED &&
		    hf_engine_find(c->engine, &out->source, &out->destination, &side) == c->flow &&
		    side == HF_RESPONDER)
			return true;
	return false;
}

/* RFC 9293 3.10.7.4, as far as an endpoint needs it that sends no data. */
static void answer(struct connection *c, const struct hf_segment *segment)
{
	bool probe = hf_segment_is_probe(segment, c->expected);
	uint32_t end = hf_segment_end(segment);

	if (segment->flags & HF_RST)
		return;
	if (segment->has_timestamps && !hf_seq_before(segment->tsval, c->heard_tsval))
		c->heard_tsval = segment->tsval;
	if (!hf_seq_before(c->expected, segment->seq) && hf_seq_before(c->expected, end)) {
		c->expected = end;
		if (segment->flags & HF_FIN) { /* nothing to say any more: close this side, too */
			send_segment(c, HF_FIN | HF_ACK);
			c->next++;
			return;
		}
	}
	if (probe || end != segment->seq)
		send_segment(c, HF_ACK);
}

/* A TCP need not wait until the engine has seen enough: it knows the numbers itself. */
static void tell_numbers(const struct connection *c)
{
	const struct hf_numbers numbers = {
		.expected = c->next,
		.next = c->expected,
		.tsval = (uint32_t)now_ms(),
		.tsecr = c->heard_tsval,
		.window = WINDOW,
		.has_timestamps = c->out.has_timestamps,
	};

	hf_engine_learn(c->engine, c->flow, HF_RESPONDER, &numbers);
}

static void shake_hands(struct connection *c)
{
	struct pollfd waiting = { .fd = c->tun, .events = POLLIN };
	struct hf_segment segment;

	for (unsigned int tries = 0; tries < SYN_TRIES; tries++) {
		send_segment(c, HF_SYN);
		while (poll(&waiting, 1, SYN_WAIT_MS) > 0) {
			hf_engine_advance(c->engine, now_ms(), 0);
			if (!receive(c, &segment))
				continue;
			if (segment.flags & HF_RST)
				die("connect", "refused");
			if (segment.flags != (HF_SYN | HF_ACK) || segment.ack != c->next + 1)
				continue;
			c->next++;
			c->expected = segment.seq + 1;
			c->heard_tsval = segment.tsval;
			c->out.has_timestamps &= segment.has_timestamps;
			send_segment(c, HF_ACK);
			tell_numbers(c);
			return;
		}
	}
	die("connect", "no answer");
}

static void act(struct connection *c, const struct hf_action *action)
{
	struct hf_numbers numbers;
	struct hf_segment probe;

	if (action->kind == HF_VERDICT)
		report(c, action->event, &action->evidence);
	if (action->kind != HF_SEND_PROBE ||
	    !hf_engine_numbers(c->engine, action->flow, action->target, &numbers))
		return;
	hf_segment_probe(&c->out.source, &c->out.destination, &numbers, action->garbage, &probe);
	write_segment(c, &probe);
}

/* Until something arrives or is due. */
static void wait_for_work(const struct connection *c)
{
	struct pollfd waiting = { .fd = c->tun, .events = POLLIN };
	uint64_t due = hf_engine_due(c->engine), now = now_ms();
	uint64_t left = due > now ? due - now : 0;

	poll(&waiting, 1, due == UINT64_MAX ? -1 : left > INT32_MAX ? INT32_MAX : (int)left);
}

/*
 * What has arrived is shown to the engine before it is asked what to do: after a pause of this
 * process the answers lie here already.
 */
static void run(struct connection *c, unsigned long events)
{
	struct hf_segment segment;
	struct hf_action action;

	while (!c->over && (!events || c->events < events)) {
		wait_for_work(c);
		hf_engine_advance(c->engine, now_ms(), 0);
		while (receive(c, &segment)) {
			show_engine(c, HF_RESPONDER, &segment);
			answer(c, &segment);
		}
		while (hf_engine_next(c->engine, &action))
			act(c, &action);
	}
}

static void start(struct connection *c, const struct options *options)
{
	struct hf_probing probing;
	uint32_t sequence;

	if (getrandom(&sequence, sizeof(sequence), 0) < 0)
		die("getrandom", strerror(errno));
	if (hf_probing_derive(&options->goals, 1, TICK_MS, &probing) > HF_DERIVED_ONE_LOSS)
		die("goal", "cannot be kept");
	c->tun = open_tun(options->device);
	make_engine(c);
	if (!hf_engine_set_probing(c->engine, 0, &probing) ||
	    hf_engine_add(c->engine, &options->key, HF_WATCH_RESPONDER, 0, 0, &c->flow) != HF_ADDED)
		die("flow", "ends of different families");
	c->out.source = options->key.end[HF_ORIGINATOR];
	c->out.destination = options->key.end[HF_RESPONDER];
	c->out.window = WINDOW;
	c->out.has_timestamps = options->timestamps;
	c->next = sequence;
	shake_hands(c);
	printf("connected timestamps=%d idle_ms=%u interval_ms=%u count=%u bound_ms=%llu\n",
	       c->out.has_timestamps, probing.idle_ms, probing.interval_ms, probing.count,
	       (unsigned long long)hf_probing_bound(&probing, 1, TICK_MS));
	fflush(stdout);
}

static uint32_t milliseconds(const char *seconds)
{
	return (uint32_t)(strtod(seconds, NULL) * 1000);
}

static bool parse(int argc, char **argv, struct options *out)
{
	int option;

	while ((option = getopt(argc, argv, "d:k:n:tw:")) != -1) {
		if (option == 'd')
			out->device = optarg;
		else if (option == 'k')
			out->goals.keep_open_ms = milliseconds(optarg);
		else if (option == 'w')
			out->goals.dead_within_ms = milliseconds(optarg);
		else if (option == 'n')
			out->events = strtoul(optarg, NULL, 10);
		else if (option == 't')
			out->timestamps = true;
		else
			return false;
	}
	return argc - optind == 2 &&
	       hf_endpoint_parse(argv[optind], &out->key.end[HF_ORIGINATOR]) &&
	       hf_endpoint_parse(argv[optind + 1], &out->key.end[HF_RESPONDER]);
}

int main(int argc, char **argv)
{
	struct options options = { .device = "hf0" };
	struct connection connection = { 0 };

	if (!parse(argc, argv, &options)) {
		fprintf(stderr,
			"usage: %s [-d DEVICE] [-w SECONDS] [-k SECONDS] [-t] [-n EVENTS] LOCAL REMOTE\n"
			"  -w  a dead peer is found within so long   -t  with timestamps\n"
			"  -k  the path is kept open that forgets after so long\n",
			argv[0]);
		return 2;
	}
	start(&connection, &options);
	run(&connection, options.events);
	close(connection.tun);
	free(connection.memory);
	return 0;
}
