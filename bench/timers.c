/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timers [N...]: what a timer costs in the wheel, in libev, libuv and libevent, with N of them
 * (10000, 1000000 and 10000000) touched in random order. Time is virtual: clock_gettime is our
 * own here, so that all see the same two minutes pass in steps of 250 ms.
 *
 * Each timer has an idle time of its own, 30 to 120 s, and starts again whenever it expires. The
 * wheel's stand in 84-byte records, its re-arming is lazy, as the engine's; the libraries' are
 * bare. Everybody's timers lie in memory of the same kind (huge pages, if the kernel gives them).
 *
 * Each operation prints a line, `timers N=1000000 impl=libev op=rearm ns=123.4 count=1000000`:
 *	insert	a timer that does not run is started
 *	rearm	one that runs is moved: traffic was heard
 *	expire	comes up, is told, starts again; nothing else happens meanwhile
 *	settle	the same in the two minutes after everything was re-armed once: the wheel
 *		takes up what was put off, at the cost of those expiries that come of it
 *	cancel	one that runs is stopped
 *	drop	what a cancelled one costs when its slot comes up (the wheel only)
 *	store	nothing but a store into the record (impl=limit): no timer costs less
 *	miss	nothing but a load that the next one waits for (impl=limit)
 * in processor time, the best of several rounds. For rearm, cancel and store the wheel's records
 * are fetched some timers ahead, as hf_engine_segments does. Then `timers N=1000000 op=rearm
 * against=libev ratio=23.4` for each library. Those of an N run in a process of their own each,
 * one after the other: memory is released between.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <uv.h>

#include <core/bytes.h>
#include <core/mix.h>
#include <core/wheel.h>

#define STEP_MS 250
#define WINDOW_MS 120000
#define IDLE_MIN_MS 30000
#define IDLE_MAX_MS 120000
#define BATCH 32 /* as the engine's */
#define AHEAD 32
#define ROUNDS 5
#define PATIENCE_NS 60e9 /* no further round after that */

static uint64_t clock_ms = 1000000;
static uint64_t expired;

/* What the libraries get for the time of any clock. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = (time_t)(clock_ms / 1000);
	now->tv_nsec = (long)(clock_ms % 1000 * 1000000);
	return 0;
}

static double cpu_ns(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Zeroed and touched: page faults belong to nobody's operation. */
static void *allocate(size_t size)
{
	size_t huge = 2u << 20, all = (size + huge - 1) / huge * huge;
	void *memory = aligned_alloc(huge, all);

	if (!memory)
		err(1, "%zu bytes", all);
	madvise(memory, all, MADV_HUGEPAGE);
	memset(memory, 0, all);
	return memory;
}

static uint32_t idle_of(uint32_t i)
{
	return IDLE_MIN_MS + (uint32_t)(hf_mix(i) % (IDLE_MAX_MS - IDLE_MIN_MS));
}

/* A way to keep timers; all work on timers in the order given, step runs what is due. */
struct contestant {
	const char *name;
	void (*make)(uint32_t n);
	void (*insert)(const uint32_t *order, uint32_t n);
	void (*rearm)(const uint32_t *order, uint32_t n);
	void (*cancel)(const uint32_t *order, uint32_t n);
	void (*step)(void);
	uint64_t (*dropped)(void);			  /* entries found stale so far; or NULL, */
	void (*store)(const uint32_t *order, uint32_t n); /* and then there are neither */
	void (*miss)(const uint32_t *order, uint32_t n);
};

/* The wheel. */

struct record {
	uint8_t flow[72]; /* key, numbers, ... */
	uint32_t heard_ms, idle_ms;
	uint16_t slot;
	uint8_t rest[2];
};
_Static_assert(sizeof(struct record) == 84, "a record as the engine's");

static struct hf_wheel wheel;
static struct record *records;
static uint64_t stale;

static void wheel_make(uint32_t n)
{
	size_t size = hf_wheel_size(n);

	records = allocate(n * sizeof(*records));
	for (uint32_t i = 0; i < n; i++)
		records[i] = (struct record){ .idle_ms = idle_of(i), .slot = HF_WHEEL_NO_SLOT };
	hf_wheel_init(&wheel, allocate(size), size, STEP_MS, clock_ms);
	printf("timers N=%u impl=holdfast op=memory bytes_per_timer=%.2f\n", n,
	       (double)(size + sizeof(wheel)) / n);
}

static void wheel_put(uint32_t number, struct record *it)
{
	/* Milliseconds as the engine keeps them: the low 32 bits. */
	int32_t left = (int32_t)(it->heard_ms + it->idle_ms - (uint32_t)clock_ms);

	it->slot = hf_wheel_put(&wheel, number, clock_ms + (uint64_t)left);
	if (it->slot == HF_WHEEL_NO_SLOT)
		errx(1, "the wheel is full");
}

static void wheel_insert(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		records[order[i]].heard_ms = (uint32_t)clock_ms;
		wheel_put(order[i], &records[order[i]]);
	}
}

/* A record that is written to soon is on its way. */
static inline __attribute__((always_inline)) void fetch(const uint32_t *order, uint32_t i,
							uint32_t n)
{
	hf_prefetch(&records[order[i + AHEAD < n ? i + AHEAD : i]].heard_ms, sizeof(uint32_t));
}

static void wheel_rearm(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		fetch(order, i, n);
		records[order[i]].heard_ms = (uint32_t)clock_ms;
	}
}

static void wheel_cancel(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		fetch(order, i, n);
		records[order[i]].slot = HF_WHEEL_NO_SLOT;
	}
}

static void wheel_store(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		fetch(order, i, n);
		records[order[i]].rest[0] = (uint8_t)i;
	}
}

/* What is read is 0: but the processor must wait to know which record comes next. */
static void wheel_miss(const uint32_t *order, uint32_t n)
{
	uint32_t read = 0;

	for (uint32_t i = 0; i < n; i++)
		read = records[order[i + read]].rest[1];
	expired += read;
}

static void wheel_serve(uint32_t number, uint16_t slot)
{
	struct record *it = &records[number];

	if (it->slot != slot) {
		stale++;
		return;
	}
	if ((int32_t)((uint32_t)clock_ms - it->heard_ms) >= (int32_t)it->idle_ms) {
		it->heard_ms = (uint32_t)clock_ms;
		expired++;
	}
	wheel_put(number, it);
}

static void wheel_step(void)
{
	uint32_t numbers[BATCH];
	uint16_t slot;
	size_t n;

	hf_wheel_advance(&wheel, clock_ms);
	while ((n = hf_wheel_take(&wheel, numbers, BATCH, &slot))) {
		for (size_t i = 0; i < n; i++)
			__builtin_prefetch(&records[numbers[i]].heard_ms, 1);
		for (size_t i = 0; i < n; i++)
			wheel_serve(numbers[i], slot);
	}
}

static uint64_t wheel_dropped(void)
{
	return stale;
}

/* libev: ev_timer_again is how it wants timeouts on activity to be moved. */

static struct ev_loop *ev_it;
static ev_timer *ev_timers;

static void libev_told(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	expired++;
}

static void libev_make(uint32_t n)
{
	ev_it = ev_loop_new(EVFLAG_AUTO);
	ev_timers = allocate(n * sizeof(*ev_timers));
	for (uint32_t i = 0; i < n; i++)
		ev_timer_init(&ev_timers[i], libev_told, idle_of(i) / 1e3, idle_of(i) / 1e3);
}

static void libev_insert(const uint32_t *order, uint32_t n)
{
	ev_now_update(ev_it);
	for (uint32_t i = 0; i < n; i++)
		ev_timer_again(ev_it, &ev_timers[order[i]]);
}

static void libev_cancel(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ev_timer_stop(ev_it, &ev_timers[order[i]]);
}

static void libev_step(void)
{
	ev_run(ev_it, EVRUN_NOWAIT);
}

/* libuv */

static uv_loop_t uv_it;
static uv_timer_t *uv_timers;

static void libuv_told(uv_timer_t *timer)
{
	(void)timer;
	expired++;
}

static void libuv_make(uint32_t n)
{
	uv_loop_init(&uv_it);
	uv_timers = allocate(n * sizeof(*uv_timers));
	for (uint32_t i = 0; i < n; i++)
		uv_timer_init(&uv_it, &uv_timers[i]);
}

static void libuv_insert(const uint32_t *order, uint32_t n)
{
	uv_update_time(&uv_it);
	for (uint32_t i = 0; i < n; i++)
		uv_timer_start(&uv_timers[order[i]], libuv_told, idle_of(order[i]),
			       idle_of(order[i]));
}

static void libuv_rearm(const uint32_t *order, uint32_t n)
{
	uv_update_time(&uv_it);
	for (uint32_t i = 0; i < n; i++)
		uv_timer_again(&uv_timers[order[i]]);
}

static void libuv_cancel(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		uv_timer_stop(&uv_timers[order[i]]);
}

static void libuv_step(void)
{
	uv_run(&uv_it, UV_RUN_NOWAIT);
}

/* libevent */

static struct event_base *event_it;
static struct event *events;

static void libevent_told(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	expired++;
}

static void libevent_make(uint32_t n)
{
	event_it = event_base_new();
	events = allocate(n * sizeof(*events));
	for (uint32_t i = 0; i < n; i++)
		event_assign(&events[i], event_it, -1, EV_PERSIST, libevent_told, NULL);
}

static void libevent_insert(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t idle = idle_of(order[i]);
		struct timeval after = { idle / 1000, idle % 1000 * 1000 };

		event_add(&events[order[i]], &after);
	}
}

static void libevent_cancel(const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		event_del(&events[order[i]]);
}

static void libevent_step(void)
{
	event_base_loop(event_it, EVLOOP_NONBLOCK);
}

static const struct contestant contestants[] = {
	{ "holdfast", wheel_make, wheel_insert, wheel_rearm, wheel_cancel, wheel_step,
	  wheel_dropped, wheel_store, wheel_miss },
	{ "libev", libev_make, libev_insert, libev_insert, libev_cancel, libev_step, NULL, NULL,
	  NULL },
	{ "libuv", libuv_make, libuv_insert, libuv_rearm, libuv_cancel, libuv_step, NULL, NULL,
	  NULL },
	{ "libevent", libevent_make, libevent_insert, libevent_insert, libevent_cancel,
	  libevent_step, NULL, NULL, NULL },
};
#define CONTESTANTS (sizeof(contestants) / sizeof(*contestants))

enum operation {
	INSERT,
	REARM,
	EXPIRE,
	SETTLE,
	CANCEL,
	DROP,
	STORE,
	MISS,
};
#define OPERATION_KINDS (MISS + 1)
static const char *const operations[OPERATION_KINDS] = {
	"insert", "rearm", "expire", "settle", "cancel", "drop", "store", "miss",
};

struct result {
	double ns[OPERATION_KINDS]; /* each; 0 = not measured */
	uint64_t count[OPERATION_KINDS];
};

static void shuffle(uint32_t *order, uint32_t n)
{
	static uint64_t seed = 1;

	for (uint32_t i = n; i > 1; i--) {
		uint32_t other = (uint32_t)(hf_mix(seed++) % i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static void note(struct result *result, enum operation operation, double ns, uint64_t count)
{
	if (!result->count[operation] || ns / (double)count < result->ns[operation])
		result->ns[operation] = ns / (double)count;
	result->count[operation] += count;
}

static void time_all(struct result *result, enum operation operation,
		     void (*work)(const uint32_t *, uint32_t), const uint32_t *order, uint32_t n)
{
	double since = cpu_ns();

	work(order, n);
	note(result, operation, cpu_ns() - since, n);
}

/* Two minutes pass. */
static void time_window(struct result *result, enum operation operation,
			const struct contestant *it)
{
	uint64_t before = operation == DROP ? it->dropped() : expired;
	double since = cpu_ns();

	for (uint32_t ms = 0; ms < WINDOW_MS + STEP_MS; ms += STEP_MS) {
		clock_ms += STEP_MS;
		it->step();
	}
	note(result, operation, cpu_ns() - since,
	     (operation == DROP ? it->dropped() : expired) - before);
}

static void measure_round(const struct contestant *it, uint32_t *order, uint32_t n,
			  struct result *result)
{
	shuffle(order, n);
	time_all(result, INSERT, it->insert, order, n);
	time_window(result, EXPIRE, it);
	shuffle(order, n);
	clock_ms += 10000;
	it->step(); /* what came up by itself meanwhile */
	time_all(result, REARM, it->rearm, order, n);
	time_window(result, SETTLE, it);
	shuffle(order, n);
	time_all(result, CANCEL, it->cancel, order, n);
	if (!it->dropped)
		return;
	time_window(result, DROP, it);
	shuffle(order, n);
	time_all(result, STORE, it->store, order, n);
	time_all(result, MISS, it->miss, order, n);
}

static void measure(const struct contestant *it, uint32_t n, struct result *result)
{
	uint32_t *order = allocate(n * sizeof(*order));

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	it->make(n);
	for (uint32_t i = 0; i < ROUNDS && (!i || cpu_ns() < PATIENCE_NS); i++)
		measure_round(it, order, n, result);
	for (uint32_t i = 0; i < OPERATION_KINDS; i++) {
		if (result->count[i])
			printf("timers N=%u impl=%s op=%s ns=%.1f count=%" PRIu64 "\n", n,
			       i >= STORE ? "limit" : it->name, operations[i], result->ns[i],
			       result->count[i]);
	}
}

static void in_a_process(const struct contestant *it, uint32_t n, struct result *result)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		measure(it, n, result);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(1, "%s with %u timers failed", it->name, n);
}

static void compare(uint32_t n, const struct result *results)
{
	for (uint32_t i = 1; i < CONTESTANTS; i++) {
		for (uint32_t kind = INSERT; kind <= CANCEL; kind++)
			printf("timers N=%u op=%s against=%s ratio=%.1f\n", n, operations[kind],
			       contestants[i].name, results[i].ns[kind] / results->ns[kind]);
	}
}

static void run(uint32_t n)
{
	size_t size = CONTESTANTS * sizeof(struct result);
	struct result *results =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (results == MAP_FAILED)
		err(1, "mmap");
	for (uint32_t i = 0; i < CONTESTANTS; i++)
		in_a_process(&contestants[i], n, &results[i]);
	compare(n, results);
	munmap(results, size);
}

int main(int count, char **words)
{
	static const uint32_t usual[] = { 10000, 1000000, 10000000 };

	for (int i = 1; i < count; i++)
		run((uint32_t)strtoul(words[i], NULL, 0));
	for (uint32_t i = 0; count < 2 && i < sizeof(usual) / sizeof(*usual); i++)
		run(usual[i]);
	return 0;
}
