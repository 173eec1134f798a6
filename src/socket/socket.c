/* SPDX-License-Identifier: BSD-2-Clause */
#include <holdfast/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATES_CONNECTED                                                     \
	(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | \
	 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)
#define STATES_JUDGED (1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)

static int get_option(int fd, int level, int name, uint32_t *out)
{
	socklen_t size = sizeof(*out);

	return getsockopt(fd, level, name, out, &size) ? -errno : 0;
}

static int set_option(int fd, int level, int name, uint32_t value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* A raw socket may carry the protocol TCP, too. */
static int require_tcp(int fd)
{
	uint32_t domain, type, protocol;
	int rc = get_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol);

	rc = rc ? rc : get_option(fd, SOL_SOCKET, SO_TYPE, &type);
	rc = rc ? rc : get_option(fd, SOL_SOCKET, SO_DOMAIN, &domain);
	if (rc)
		return rc;
	if (protocol != IPPROTO_TCP || type != SOCK_STREAM ||
	    (domain != AF_INET && domain != AF_INET6))
		return -EPROTONOSUPPORT;
	return 0;
}

static int read_settings(int fd, struct hf_settings *out)
{
	int rc = get_option(fd, SOL_SOCKET, SO_KEEPALIVE, &out->keepalive);

	rc = rc ? rc : get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, &out->idle);
	rc = rc ? rc : get_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, &out->interval);
	rc = rc ? rc : get_option(fd, IPPROTO_TCP, TCP_KEEPCNT, &out->count);
	return rc ? rc : get_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &out->user_timeout_ms);
}

static int read_info(int fd, struct tcp_info *out)
{
	socklen_t size = sizeof(*out);

	*out = (struct tcp_info){ 0 };
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &size) ? -errno : 0;
}

static bool connected(const struct tcp_info *info)
{
	return 1u << info->tcpi_state & STATES_CONNECTED;
}

/* As the kernel's keepalive counts it; nothing was to be heard before there is a connection. */
static uint32_t silence_ms(const struct tcp_info *info)
{
	if (!connected(info))
		return 0;
	return info->tcpi_last_data_recv < info->tcpi_last_ack_recv ? info->tcpi_last_data_recv :
								      info->tcpi_last_ack_recv;
}

/*
 * Write a whole set so that no probe leaves at once (Linux tcp_keepalive_timer): values go in
 * before SO_KEEPALIVE; TCP_KEEPIDLE on a socket already on re-arms for idle - silence, so one that
 * has been silent longer is switched off and on: its timer starts anew.
 */
static int write_settings(int fd, const struct hf_settings *now, const struct hf_settings *want,
			  uint32_t silent_ms)
{
	bool restart = now->keepalive && want->keepalive && silent_ms / 1000 >= want->idle;
	int rc = 0;

	if (restart || (now->keepalive && !want->keepalive))
		rc = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (!rc && now->interval != want->interval)
		rc = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, want->interval);
	if (!rc && now->count != want->count)
		rc = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, want->count);
	if (!rc && now->idle != want->idle)
		rc = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, want->idle);
	if (!rc && want->keepalive && (restart || !now->keepalive))
		rc = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (!rc && now->user_timeout_ms != want->user_timeout_ms)
		rc = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, want->user_timeout_ms);
	return rc;
}

/* A user timeout that begins to stand would end a socket silent for so long too soon. */
static bool too_silent(const struct hf_settings *set, uint32_t silent_ms)
{
	uint64_t room = set->count > 2 ? (set->count - 2) * 1000ull * set->interval : 0;

	return silent_ms >= room;
}

static void settle_timeout(unsigned int options, uint32_t silent_ms, struct hf_protection *plan)
{
	struct hf_settings *want = &plan->after;

	if (!(options & HF_SOCKET_NO_TIMEOUT) && !want->user_timeout_ms)
		want->user_timeout_ms = hf_settings_user_timeout(want);
	if (!want->user_timeout_ms || want->user_timeout_ms == plan->before.user_timeout_ms ||
	    !too_silent(want, silent_ms))
		return;
	want->user_timeout_ms = plan->before.user_timeout_ms;
	plan->timeout_later = true;
}

static uint32_t jitter(uint32_t idle)
{
	uint32_t random = 0; /* many in step are better than none */

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return hf_settings_jitter(idle, random);
}

/* What the socket is to have, from plan->before on. */
static int decide(const struct hf_goals *goals, unsigned int options, struct hf_protection *plan)
{
	struct hf_settings ours;

	if (hf_settings_derive(goals, NULL, 0, &ours) > HF_DERIVED_ONE_LOSS)
		return -ERANGE;
	plan->after = plan->before;
	plan->decision = hf_settings_decide(&plan->before, goals, &ours,
					    options & HF_SOCKET_OVERRIDE, &plan->after);
	if (plan->decision == HF_LEAVE_TIMEOUT || plan->decision == HF_LEAVE_STRICT)
		return -EEXIST;
	/* With a user timeout, an earlier start is not always an earlier end. */
	if (plan->decision == HF_REPLACE && !plan->after.user_timeout_ms)
		plan->after.idle = jitter(plan->after.idle);
	return 0;
}

int hf_socket_protect(int fd, const struct hf_goals *goals, unsigned int options,
		      struct hf_protection *out)
{
	const struct hf_goals usual = { .dead_within_ms = HF_DEAD_WITHIN_DEFAULT };
	struct hf_protection plan = { 0 };
	struct tcp_info info;
	int rc = require_tcp(fd);

	rc = rc ? rc : read_settings(fd, &plan.before);
	rc = rc ? rc : read_info(fd, &info);
	if (rc)
		return rc;
	if (connected(&info) && info.tcpi_probes)
		return -EBUSY;
	rc = decide(goals ? goals : &usual, options, &plan);
	if (!rc) {
		settle_timeout(options, silence_ms(&info), &plan);
		rc = write_settings(fd, &plan.before, &plan.after, silence_ms(&info));
	}
	if (out && (!rc || rc == -EEXIST))
		*out = plan;
	return rc;
}

static bool in_range(const struct hf_settings *settings)
{
	return settings->keepalive <= 1 && settings->idle >= 1 && settings->idle <= HF_IDLE_MAX &&
	       settings->interval >= 1 && settings->interval <= HF_INTERVAL_MAX &&
	       settings->count >= 1 && settings->count <= HF_COUNT_MAX &&
	       settings->user_timeout_ms <= HF_GOAL_MAX;
}

int hf_socket_set(int fd, const struct hf_settings *settings)
{
	struct hf_settings now;
	struct tcp_info info;
	int rc = require_tcp(fd);

	if (!rc && !in_range(settings))
		rc = -ERANGE;
	rc = rc ? rc : read_settings(fd, &now);
	rc = rc ? rc : read_info(fd, &info);
	return rc ? rc : write_settings(fd, &now, settings, silence_ms(&info));
}

int hf_socket_get(int fd, struct hf_settings *out)
{
	struct hf_settings settings;
	int rc = require_tcp(fd);

	rc = rc ? rc : read_settings(fd, &settings);
	if (!rc)
		*out = settings;
	return rc;
}

/* net.ipv4.tcp_retries2, which no socket option tells. */
static uint32_t retries2(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_retries2", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t got;

	if (fd < 0)
		return HF_RETRIES2;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? (uint32_t)strtoul(text, NULL, 10) : HF_RETRIES2;
}

/* The kernel keeps the RTO doubled so many times. */
static uint32_t rto_ms(const struct tcp_info *info)
{
	uint32_t rto = (info->tcpi_rto >> (info->tcpi_backoff & 15)) / 1000;

	return rto ? rto : HF_RTO_MIN;
}

int hf_socket_look(int fd, struct hf_socket_view *out)
{
	struct hf_socket_view view = { .silent_ms = UINT32_MAX, .rtt_ms = UINT32_MAX };
	struct tcp_info info;
	int rc = require_tcp(fd);

	rc = rc ? rc : read_settings(fd, &view.settings);
	rc = rc ? rc : read_info(fd, &info);
	if (rc)
		return rc;
	view.state = info.tcpi_state;
	view.retransmission.rto_ms = HF_RTO_MIN;
	view.retransmission.retries = retries2();
	if (connected(&info)) {
		view.silent_ms = silence_ms(&info);
		view.unanswered = info.tcpi_probes;
		view.in_flight = info.tcpi_unacked;
		view.retransmission.rto_ms = rto_ms(&info);
	}
	if (connected(&info) && info.tcpi_rtt) {
		view.rtt_ms = (info.tcpi_rtt + 999) / 1000;
		view.retransmission.rtt_ms = view.rtt_ms;
	}
	*out = view;
	return 0;
}

enum hf_verdict hf_socket_audit(const struct hf_socket_view *view, const struct hf_goals *goals,
				struct hf_bounds *bounds)
{
	if (bounds)
		hf_settings_bounds(&view->settings, &view->retransmission, bounds);
	if (view->state > TCP_CLOSING || !(1u << view->state & STATES_JUDGED))
		return HF_NOT_JUDGED;
	return hf_settings_audit(&view->settings, goals, &view->retransmission);
}
