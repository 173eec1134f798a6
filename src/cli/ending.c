/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/ending.h"

#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void on_signal(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

/* Shells let what they start behind `&` ignore SIGINT, too, but that is no wish of anybody's. */
static bool under_nohup(int signal)
{
	struct sigaction action;

	return signal == SIGHUP && !sigaction(signal, NULL, &action) &&
	       action.sa_handler == SIG_IGN;
}

int hf_ending_open(struct hf_ending *ending, struct event_base *base)
{
	*ending = (struct hf_ending){ 0 };
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (under_nohup(ends[i]))
			continue;
		ending->signals[i] = evsignal_new(base, ends[i], on_signal, base);
		if (!ending->signals[i] || event_add(ending->signals[i], NULL))
			return -1;
	}
	return 0;
}

void hf_ending_close(struct hf_ending *ending)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ending->signals[i])
			event_free(ending->signals[i]);
}
