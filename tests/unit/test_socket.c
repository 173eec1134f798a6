/* SPDX-License-Identifier: BSD-2-Clause */
/* On real connections over loopback; no privileges needed. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <holdfast/socket.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct hf_goals minute = { .dead_within_ms = 60000 };
static const struct hf_goals short_time = { .dead_within_ms = 5000 }; /* 1 s + 3 x 1 s */
static const struct hf_settings strict = { 1, 5, 2, 4, 13000 };
static const struct hf_settings weak = { 1, 600, 60, 5, 0 };

enum kind {
	IPV4,
	IPV6,
	MAPPED, /* AF_INET6 sockets that talk IPv4 */
	KINDS,
};

struct pair {
	int listener, near, far;
};

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} name;
static socklen_t name_size;

static void name_loopback(enum kind kind)
{
	name_size = kind == IPV4 ? sizeof(name.v4) : sizeof(name.v6);
	if (kind == IPV4) {
		name.v4 = (struct sockaddr_in){ .sin_family = AF_INET };
		name.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return;
	}
	name.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	name.v6.sin6_addr = in6addr_loopback;
	if (kind == MAPPED)
		name.v6.sin6_addr =
			(struct in6_addr){ { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } } };
}

/* A listener, and a socket that is not connected to it yet. */
static struct pair listen_pair(enum kind kind)
{
	struct pair pair = { .far = -1 };
	int family = kind == IPV4 ? AF_INET : AF_INET6;

	name_loopback(kind);
	pair.listener = socket(family, SOCK_STREAM, 0);
	assert_return_code(bind(pair.listener, &name.any, name_size), errno);
	assert_return_code(listen(pair.listener, 4), errno);
	assert_return_code(getsockname(pair.listener, &name.any, &name_size), errno);
	pair.near = socket(family, SOCK_STREAM, 0);
	assert_return_code(pair.near, errno);
	return pair;
}

static void join(struct pair *pair)
{
	assert_return_code(connect(pair->near, &name.any, name_size), errno);
	pair->far = accept(pair->listener, NULL, NULL);
	assert_return_code(pair->far, errno);
}

static struct pair connect_pair(enum kind kind)
{
	struct pair pair = listen_pair(kind);

	join(&pair);
	return pair;
}

static void close_pair(struct pair *pair)
{
	close(pair->listener);
	close(pair->near);
	if (pair->far >= 0)
		close(pair->far);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* From now on this socket hears nothing, as after a power cut. */
static void cut(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
			   errno);
}

static void heal(int fd)
{
	int unused = 0;

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)),
			   errno);
}

static unsigned int segments_sent(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), errno);
	return info.tcpi_segs_out;
}

static struct hf_settings settings_of(int fd)
{
	struct hf_settings settings;

	assert_int_equal(hf_socket_get(fd, &settings), 0);
	return settings;
}

static void assert_settings(int fd, const struct hf_settings *expected)
{
	struct hf_settings settings = settings_of(fd);

	assert_memory_equal(&settings, expected, sizeof(settings));
}

static struct hf_socket_view view_of(int fd)
{
	struct hf_socket_view view;

	assert_int_equal(hf_socket_look(fd, &view), 0);
	return view;
}

static enum hf_verdict verdict_of(int fd, const struct hf_goals *goals)
{
	struct hf_socket_view view = view_of(fd);

	return hf_socket_audit(&view, goals, NULL);
}

static void a_protected_socket_keeps_the_goals_in_every_family(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct pair pair = connect_pair(kind);
		struct hf_protection done;
		struct hf_settings after;

		assert_int_equal(verdict_of(pair.near, &minute), HF_UNPROTECTED);
		assert_int_equal(hf_socket_protect(pair.near, &minute, 0, &done), 0);
		after = settings_of(pair.near);
		assert_memory_equal(&done.after, &after, sizeof(after));
		assert_int_equal(done.before.keepalive, 0);
		assert_int_equal(done.decision, HF_REPLACE);
		assert_false(done.timeout_later);
		assert_true(hf_settings_meet(&after, &minute));
		assert_int_equal(after.user_timeout_ms, hf_settings_user_timeout(&after));
		assert_int_equal(verdict_of(pair.near, &minute), HF_PROTECTED);
		assert_int_equal(verdict_of(pair.far, &minute), HF_UNPROTECTED);
		close_pair(&pair);
	}
}

static void without_goals_the_default_goal_is_kept(void **state)
{
	struct pair pair = connect_pair(IPV4);
	struct hf_goals none = { 0 };

	(void)state;
	assert_int_equal(hf_socket_protect(pair.near, NULL, 0, NULL), 0);
	assert_int_equal(hf_socket_protect(pair.far, &none, 0, NULL), 0);
	assert_int_equal(verdict_of(pair.near, NULL), HF_PROTECTED);
	assert_int_equal(verdict_of(pair.far, NULL), HF_PROTECTED);
	close_pair(&pair);
}

static void a_socket_protected_before_it_connects_stays_so(void **state)
{
	struct pair pair = listen_pair(IPV6);
	struct hf_settings before;

	(void)state;
	assert_int_equal(view_of(pair.near).silent_ms, UINT32_MAX);
	assert_int_equal(verdict_of(pair.near, &minute), HF_NOT_JUDGED);
	assert_int_equal(hf_socket_protect(pair.near, &minute, 0, NULL), 0);
	before = settings_of(pair.near);
	join(&pair);
	assert_settings(pair.near, &before);
	assert_int_equal(verdict_of(pair.near, &minute), HF_PROTECTED);
	close_pair(&pair);
}

static void what_a_protected_listener_accepts_is_protected(void **state)
{
	struct pair pair = listen_pair(IPV4);

	(void)state;
	assert_int_equal(hf_socket_protect(pair.listener, &minute, 0, NULL), 0);
	assert_int_equal(verdict_of(pair.listener, &minute), HF_NOT_JUDGED);
	join(&pair);
	assert_int_equal(verdict_of(pair.far, &minute), HF_PROTECTED);
	assert_int_equal(verdict_of(pair.near, &minute), HF_UNPROTECTED);
	close_pair(&pair);
}

static void assert_refused(int fd, int error)
{
	struct hf_protection done = { .decision = 77 };
	struct hf_settings settings = { .idle = 77 };
	struct hf_socket_view view = { .state = 77 };

	assert_int_equal(hf_socket_protect(fd, &minute, HF_SOCKET_OVERRIDE, &done), error);
	assert_int_equal(hf_socket_set(fd, &strict), error);
	assert_int_equal(hf_socket_get(fd, &settings), error);
	assert_int_equal(hf_socket_look(fd, &view), error);
	assert_int_equal(done.decision, 77);
	assert_int_equal(settings.idle, 77);
	assert_int_equal(view.state, 77);
}

static void what_is_no_tcp_socket_is_refused(void **state)
{
	static const struct {
		int family, type;
	} others[] = { { AF_INET, SOCK_DGRAM },
		       { AF_INET6, SOCK_DGRAM },
		       { AF_UNIX, SOCK_STREAM },
		       { AF_NETLINK, SOCK_RAW } };
	int pipes[2];

	(void)state;
	for (unsigned int i = 0; i < COUNT(others); i++) {
		int fd = socket(others[i].family, others[i].type, 0);

		assert_return_code(fd, errno);
		assert_refused(fd, -EPROTONOSUPPORT);
		close(fd);
		assert_refused(fd, -EBADF);
	}
	assert_return_code(pipe(pipes), errno);
	assert_refused(pipes[0], -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);
	assert_refused(-1, -EBADF);
}

static void stricter_settings_stay_and_weaker_ones_go_as_a_whole(void **state)
{
	struct pair pair = connect_pair(IPV4);
	struct hf_protection done;

	(void)state;
	assert_int_equal(hf_socket_set(pair.near, &strict), 0);
	assert_int_equal(hf_socket_protect(pair.near, &minute, 0, &done), 0);
	assert_int_equal(done.decision, HF_KEEP);
	assert_settings(pair.near, &strict);

	assert_int_equal(hf_socket_set(pair.far, &weak), 0);
	assert_int_equal(hf_socket_protect(pair.far, &minute, 0, &done), 0);
	assert_int_equal(done.decision, HF_REPLACE);
	assert_memory_equal(&done.before, &weak, sizeof(weak));
	assert_true(done.after.interval != weak.interval && done.after.count != weak.count);
	close_pair(&pair);
}

static void override_replaces_stricter_settings_too(void **state)
{
	struct pair pair = connect_pair(IPV4);
	struct hf_settings after;

	(void)state;
	assert_int_equal(hf_socket_set(pair.near, &strict), 0);
	assert_int_equal(hf_socket_protect(pair.near, &minute, HF_SOCKET_OVERRIDE, NULL), 0);
	after = settings_of(pair.near);
	assert_true(after.idle > strict.idle && after.user_timeout_ms > strict.user_timeout_ms);
	assert_true(hf_settings_meet(&after, &minute));
	close_pair(&pair);
}

static void a_user_timeout_too_short_for_three_probes_stands_in_the_way(void **state)
{
	static const struct hf_settings own = { 0, 7200, 75, 9, 2000 };
	struct pair pair = connect_pair(IPV4);
	struct hf_protection done;

	(void)state;
	assert_int_equal(hf_socket_set(pair.near, &own), 0);
	assert_int_equal(hf_socket_protect(pair.near, &minute, 0, &done), -EEXIST);
	assert_int_equal(done.decision, HF_LEAVE_TIMEOUT);
	assert_memory_equal(&done.after, &own, sizeof(own));
	assert_settings(pair.near, &own);
	assert_int_equal(hf_socket_protect(pair.near, &minute, HF_SOCKET_OVERRIDE, NULL), 0);
	assert_int_equal(verdict_of(pair.near, &minute), HF_PROTECTED);
	close_pair(&pair);
}

static void goals_that_seconds_cannot_keep_change_nothing(void **state)
{
	static const struct hf_goals impossible[] = { { HF_DEAD_WITHIN_MIN - 1, 0 },
						      { 0, HF_KEEP_OPEN_MIN - 1 } };
	struct pair pair = connect_pair(IPV4);
	struct hf_settings before = settings_of(pair.near);

	(void)state;
	for (unsigned int i = 0; i < COUNT(impossible); i++) {
		assert_int_equal(hf_socket_protect(pair.near, &impossible[i], 0, NULL), -ERANGE);
		assert_settings(pair.near, &before);
	}
	close_pair(&pair);
}

static void without_a_user_timeout_data_in_flight_is_slow(void **state)
{
	struct pair pair = connect_pair(IPV4);

	(void)state;
	assert_int_equal(hf_socket_protect(pair.near, &minute, HF_SOCKET_NO_TIMEOUT, NULL), 0);
	assert_int_equal(settings_of(pair.near).user_timeout_ms, 0);
	assert_true(settings_of(pair.near).keepalive);
	assert_int_equal(verdict_of(pair.near, &minute), HF_SLOW);
	close_pair(&pair);
}

static void settings_are_set_as_given_or_not_at_all(void **state)
{
	static const struct hf_settings off = { 0, 9, 8, 7, 0 };
	static const struct hf_settings wrong[] = {
		{ 2, 9, 8, 7, 0 },
		{ 1, 0, 8, 7, 0 },
		{ 1, HF_IDLE_MAX + 1, 8, 7, 0 },
		{ 1, 9, 0, 7, 0 },
		{ 1, 9, HF_INTERVAL_MAX + 1, 7, 0 },
		{ 1, 9, 8, 0, 0 },
		{ 1, 9, 8, HF_COUNT_MAX + 1, 0 },
		{ 1, 9, 8, 7, HF_GOAL_MAX + 1u },
	};
	static const struct hf_settings most = { 1, HF_IDLE_MAX, HF_INTERVAL_MAX, HF_COUNT_MAX,
						 HF_GOAL_MAX };
	struct pair pair = connect_pair(IPV4);

	(void)state;
	assert_int_equal(hf_socket_set(pair.near, &most), 0);
	assert_settings(pair.near, &most);
	for (unsigned int i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(hf_socket_set(pair.near, &wrong[i]), -ERANGE);
		assert_settings(pair.near, &most);
	}
	assert_int_equal(hf_socket_set(pair.near, &off), 0);
	assert_settings(pair.near, &off);
	close_pair(&pair);
}

/* One whose keepalive was off, and one whose first probe was far away. */
static void a_long_silent_socket_is_not_probed_at_once(void **state)
{
	struct pair pair = connect_pair(IPV4);
	int ends[] = { pair.near, pair.far };
	unsigned int sent[COUNT(ends)];

	(void)state;
	assert_int_equal(hf_socket_set(pair.far, &weak), 0);
	sleep_ms(3000);
	for (unsigned int i = 0; i < COUNT(ends); i++) {
		struct hf_settings two = { 1, 2, 1, 5, 0 };

		assert_in_range(view_of(ends[i]).silent_ms, 2900, 4000);
		sent[i] = segments_sent(ends[i]);
		assert_int_equal(hf_socket_set(ends[i], &two), 0);
	}
	sleep_ms(1500);
	for (unsigned int i = 0; i < COUNT(ends); i++)
		assert_int_equal(segments_sent(ends[i]), sent[i]);
	sleep_ms(1200);
	for (unsigned int i = 0; i < COUNT(ends); i++)
		assert_true(segments_sent(ends[i]) > sent[i]);
	close_pair(&pair);
}

static void a_long_silent_socket_gets_its_user_timeout_once_it_was_heard(void **state)
{
	struct pair pair = connect_pair(IPV4);
	struct hf_protection done;
	char octet = 0;

	(void)state;
	sleep_ms(1500);
	assert_int_equal(hf_socket_protect(pair.near, &short_time, 0, &done), 0);
	assert_true(done.timeout_later);
	assert_int_equal(settings_of(pair.near).user_timeout_ms, 0);
	assert_int_equal(write(pair.far, &octet, 1), 1);
	assert_int_equal(read(pair.near, &octet, 1), 1);
	assert_int_equal(hf_socket_protect(pair.near, &short_time, 0, &done), 0);
	assert_false(done.timeout_later);
	assert_int_equal(settings_of(pair.near).user_timeout_ms, 4000);
	close_pair(&pair);
}

static void a_socket_under_suspicion_is_left_until_it_is_heard(void **state)
{
	static const struct hf_settings quick = { 1, 1, 1, 100, 0 };
	struct pair pair = connect_pair(IPV4);

	(void)state;
	assert_int_equal(hf_socket_set(pair.near, &quick), 0);
	cut(pair.far);
	sleep_ms(1600);
	assert_true(view_of(pair.near).unanswered > 0);
	assert_int_equal(hf_socket_protect(pair.near, &minute, HF_SOCKET_OVERRIDE, NULL), -EBUSY);
	assert_settings(pair.near, &quick);
	heal(pair.far);
	sleep_ms(1200);
	assert_int_equal(view_of(pair.near).unanswered, 0);
	assert_int_equal(hf_socket_protect(pair.near, &minute, HF_SOCKET_OVERRIDE, NULL), 0);
	close_pair(&pair);
}

static void data_in_flight_and_round_trips_are_seen(void **state)
{
	struct pair pair = connect_pair(IPV6);
	struct hf_socket_view view = view_of(pair.near);
	struct hf_bounds bounds;

	(void)state;
	assert_int_equal(view.state, 1);
	assert_int_equal(view.in_flight, 0);
	assert_in_range(view.rtt_ms, 1, 100);
	assert_int_equal(view.retransmission.rtt_ms, view.rtt_ms);
	assert_in_range(view.retransmission.rto_ms, 200, 1000);
	assert_int_equal(hf_socket_audit(&view, &minute, &bounds), HF_UNPROTECTED);
	assert_true(bounds.idle_ms == HF_UNBOUNDED);
	cut(pair.far);
	assert_int_equal(write(pair.near, "x", 1), 1);
	assert_int_equal(view_of(pair.near).in_flight, 1);
	close_pair(&pair);
}

/* When the program is told of its peer's death, in ms from the call; written: data in flight. */
static void assert_told_within_the_bound(bool written)
{
	struct pair pair = connect_pair(IPV4);
	struct pollfd waiting = { .fd = pair.near, .events = POLLIN };
	struct hf_socket_view view;
	struct hf_bounds bounds;
	double begin, told;
	char octet;

	assert_int_equal(hf_socket_protect(pair.near, &short_time, 0, NULL), 0);
	view = view_of(pair.near);
	assert_int_equal(hf_socket_audit(&view, &short_time, &bounds), HF_PROTECTED);
	cut(pair.far);
	begin = now();
	if (written)
		assert_int_equal(write(pair.near, "x", 1), 1);
	assert_int_equal(poll(&waiting, 1, 15000), 1);
	told = (now() - begin) * 1000;
	assert_int_equal(read(pair.near, &octet, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(told <= (double)(written ? bounds.in_flight_ms : bounds.idle_ms) + 100);
	assert_true(told >= 3500);
	close_pair(&pair);
}

static void a_dead_peer_is_told_within_the_bound(void **state)
{
	(void)state;
	assert_told_within_the_bound(false);
}

static void with_data_in_flight_too(void **state)
{
	(void)state;
	assert_told_within_the_bound(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_protected_socket_keeps_the_goals_in_every_family),
		cmocka_unit_test(without_goals_the_default_goal_is_kept),
		cmocka_unit_test(a_socket_protected_before_it_connects_stays_so),
		cmocka_unit_test(what_a_protected_listener_accepts_is_protected),
		cmocka_unit_test(what_is_no_tcp_socket_is_refused),
		cmocka_unit_test(stricter_settings_stay_and_weaker_ones_go_as_a_whole),
		cmocka_unit_test(override_replaces_stricter_settings_too),
		cmocka_unit_test(a_user_timeout_too_short_for_three_probes_stands_in_the_way),
		cmocka_unit_test(goals_that_seconds_cannot_keep_change_nothing),
		cmocka_unit_test(without_a_user_timeout_data_in_flight_is_slow),
		cmocka_unit_test(settings_are_set_as_given_or_not_at_all),
		cmocka_unit_test(a_long_silent_socket_is_not_probed_at_once),
		cmocka_unit_test(a_long_silent_socket_gets_its_user_timeout_once_it_was_heard),
		cmocka_unit_test(a_socket_under_suspicion_is_left_until_it_is_heard),
		cmocka_unit_test(data_in_flight_and_round_trips_are_seen),
		cmocka_unit_test(a_dead_peer_is_told_within_the_bound),
		cmocka_unit_test(with_data_in_flight_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
