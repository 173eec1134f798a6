/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/demo_process.h"

#define PORT_WITHOUT 7001
#define PORT_WITH 7002
#define LOOK_EVERY (100 * HF_MS)

uint16_t hf_stage_port(enum hf_side side)
{
	return side == HF_WITH ? PORT_WITH : PORT_WITHOUT;
}

unsigned int hf_stage_number(const struct hf_stage *stage, const struct hf_stage_act *act)
{
	return (unsigned int)(act - stage->acts);
}

int hf_stage_fail(struct hf_stage *stage, const char *what)
{
	return hf_problem_set(stage->problem, HF_EXIT_FAILED, NULL, "%s: %s", what,
			      strerror(errno));
}

const char *hf_stage_told(int error)
{
	const char *name = error ? strerrorname_np(error) : "end of file";

	return name ? name : strerror(error);
}

bool hf_stage_connected(const struct hf_stage_act *act)
{
	return act->sides[HF_WITHOUT].connected_at && act->sides[HF_WITH].connected_at;
}

/* ---- what happens ---- */

static void told(struct hf_stage *stage, enum hf_side side, const struct hf_report *report)
{
	hf_timeline_mark(&stage->timeline, side, '!');
	hf_timeline_say(&stage->timeline, report->at, side, HF_WARN, "the program's read(): %s",
			hf_stage_told(report->error));
}

static void byte_arrived(struct hf_stage *stage, enum hf_side side, const struct hf_report *report)
{
	hf_timeline_mark(&stage->timeline, side, 'B');
	hf_timeline_say(&stage->timeline, report->at, side, HF_GOOD, "the byte arrives (%.1f ms)",
			(double)(report->at - stage->act->sent_at) / 1000);
}

static void on_report(struct hf_stage *stage, const struct hf_report *report)
{
	struct hf_stage_act *act = &stage->acts[report->id / 2];
	struct hf_stage_side *side = &act->sides[report->id % 2];
	bool shown = act == stage->act;

	switch (report->what) {
	case HF_REPORT_LISTENS:
		side->listens_at = report->at;
		break;
	case HF_REPORT_CONNECTED:
		side->connected_at = report->at;
		if (hf_stage_connected(act))
			hf_timeline_say(&stage->timeline, report->at, HF_BOTH, HF_PLAIN,
					"connected, idle");
		break;
	case HF_REPORT_BYTE:
		side->byte_at = report->at;
		if (shown)
			byte_arrived(stage, report->id % 2, report);
		break;
	case HF_REPORT_ENDED:
		side->ended_at = report->at;
		side->error = report->error;
		if (shown)
			told(stage, report->id % 2, report);
		break;
	}
}

static struct hf_stage_act *act_of(struct hf_stage *stage, const char *remote)
{
	char endpoint[64];

	for (unsigned int i = 0; i < HF_ACTS; i++) {
		snprintf(endpoint, sizeof(endpoint), "%s:%u", hf_world_address(i), PORT_WITH);
		if (!strcmp(endpoint, remote))
			return &stage->acts[i];
	}
	return NULL;
}

static void on_event(void *context, const struct hf_demo_event *event)
{
	struct hf_stage *stage = context;
	struct hf_stage_act *act = act_of(stage, event->remote);

	if (!act || act != stage->act || !strcmp(event->event, "closed"))
		return;
	if (!strcmp(event->event, "dead") || !strcmp(event->event, "reset")) {
		act->sides[HF_WITH].verdict = *event;
		hf_timeline_say(&stage->timeline, hf_demo_clock(), HF_WITH, HF_WARN,
				"Holdfast: %s: %s, %u unanswered, silent %.1f s", event->event,
				event->error, event->unanswered, event->silent_s);
	} else {
		hf_timeline_say(&stage->timeline, hf_demo_clock(), HF_WITH, HF_PLAIN,
				"Holdfast: %s", event->event);
	}
}

/* ---- what is seen ---- */

static void see_nat(struct hf_stage *stage, enum hf_side which, const struct hf_sight *sight)
{
	struct hf_stage_side *side = &stage->act->sides[which];
	int64_t now = hf_demo_clock();

	if (sight->nat_left_s >= 0 || side->forgotten_at || side->sight.nat_left_s < 0)
		return;
	side->forgotten_at = now;
	hf_timeline_say(&stage->timeline, now, which, HF_WARN, "the NAT forgets the connection");
}

static void see_probes(struct hf_stage *stage, enum hf_side which, const struct hf_sight *sight)
{
	struct hf_stage_side *side = &stage->act->sides[which];
	unsigned int before = side->sight.unanswered;
	int64_t now = hf_demo_clock();

	if (sight->unanswered > before)
		hf_timeline_say(&stage->timeline, now, which, HF_PLAIN, "probe %u: no answer",
				sight->unanswered);
	else if (before && !sight->unanswered && sight->established)
		hf_timeline_say(&stage->timeline, now, which, HF_GOOD,
				"the next probe is answered");
	if (sight->unanswered > side->lost)
		side->lost = sight->unanswered;
}

/* The counter is the namespace's; probes are sent by one connection at a time only. */
static void count_probes(struct hf_stage *stage, uint64_t probes)
{
	struct hf_stage_side *side = &stage->act->sides[HF_WITH];

	if (probes != stage->probes && !side->ended_at) {
		side->answered += side->sight.unanswered ? 0 :
							   (unsigned int)(probes - stage->probes);
		hf_timeline_mark(&stage->timeline, HF_WITH, side->sight.unanswered ? 'x' : '+');
	}
	stage->probes = probes;
}

static char state_of(const struct hf_stage_act *act, const struct hf_stage_side *side)
{
	bool broken = act->new_server || (act->cut_at && !act->back_at);

	if (!side->connected_at || side->ended_at)
		return ' ';
	return side->forgotten_at || broken ? '~' : '-';
}

static void show_status(struct hf_stage *stage, enum hf_side which)
{
	const struct hf_stage_side *side = &stage->act->sides[which];
	const char *state = side->sight.established ? "ESTABLISHED" : "";
	char *text = stage->timeline.status[which];
	size_t size = sizeof(stage->timeline.status[which]);

	if (side->sight.nat_left_s < 0)
		snprintf(text, size, "%s", state);
	else
		snprintf(text, size, "%s  NAT entry: %d s", state, side->sight.nat_left_s);
}

int hf_stage_look(struct hf_stage *stage, struct hf_stage_act *act)
{
	const char *server = hf_world_address(hf_stage_number(stage, act));
	struct hf_sight sight;

	for (enum hf_side i = HF_WITHOUT; i <= HF_WITH; i++) {
		if (hf_sight_look(stage->world.client, stage->world.nat, server, hf_stage_port(i),
				  &sight))
			return hf_stage_fail(stage, "cannot see the connections in /proc");
		if (act == stage->act) {
			see_nat(stage, i, &sight);
			see_probes(stage, i, &sight);
		}
		act->sides[i].sight = sight;
	}
	return 0;
}

static int draw(struct hf_stage *stage)
{
	/* Counted first: a probe that leaves while we look would else be taken for an answered one */
	uint64_t probes = hf_sight_probes(stage->world.client);
	char state[2];

	if (hf_stage_look(stage, stage->act))
		return -1;
	for (enum hf_side i = HF_WITHOUT; i <= HF_WITH; i++) {
		state[i] = state_of(stage->act, &stage->act->sides[i]);
		show_status(stage, i);
	}
	hf_timeline_advance(&stage->timeline, hf_demo_clock(), state);
	count_probes(stage, probes);
	return 0;
}

/* ---- waiting ---- */

static int read_signal(struct hf_stage *stage)
{
	struct signalfd_siginfo info;

	if (read(stage->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	stage->signal = (int)info.ssi_signo;
	return -1;
}

/* Wait for one thing to happen, or until then. */
static int pump(struct hf_stage *stage, int64_t until)
{
	/* Holdfast may know of a connection before its program does: told in that order, it puzzles */
	bool hear = stage->watch.pid && (!stage->act || hf_stage_connected(stage->act));
	struct pollfd fds[] = {
		{ .fd = stage->signals, .events = POLLIN },
		{ .fd = stage->reports[0], .events = POLLIN },
		{ .fd = hear ? stage->watch.events.fd : -1, .events = POLLIN },
		{ .fd = hear ? stage->watch.words.fd : -1, .events = POLLIN },
	};
	int64_t left = until - hf_demo_clock();
	struct hf_report report;

	if (poll(fds, 4, left > 0 ? (int)(left / HF_MS) + 1 : 0) < 0 && errno != EINTR)
		return hf_stage_fail(stage, "poll");
	if (fds[0].revents && read_signal(stage))
		return -1;
	if (fds[1].revents && read(stage->reports[0], &report, sizeof(report)) == sizeof(report))
		on_report(stage, &report);
	if (fds[2].revents || fds[3].revents)
		return hf_demo_watch_read(&stage->watch, on_event, stage, stage->problem);
	return 0;
}

int hf_stage_wait(struct hf_stage *stage, int64_t time, bool (*done)(const struct hf_stage *))
{
	int64_t until = hf_demo_clock() + time;
	int64_t now, next;

	do {
		now = hf_demo_clock();
		next = until;
		if (stage->act && now >= stage->next_look) {
			stage->next_look = now + LOOK_EVERY;
			if (draw(stage))
				return -1;
		}
		if (done && done(stage))
			return 0;
		if (stage->act && stage->next_look < next)
			next = stage->next_look;
		if (pump(stage, next))
			return -1;
	} while (hf_demo_clock() < until);
	return 0;
}

/* ---- open and close ---- */

int hf_stage_open(struct hf_stage *stage, struct hf_problem *problem)
{
	sigset_t stop;

	memset(stage, 0, sizeof(*stage));
	stage->problem = problem;
	stage->signals = stage->reports[0] = stage->reports[1] = -1;
	for (unsigned int i = 0; i < 2 * HF_ACTS; i++)
		stage->acts[i / 2].sides[i % 2].sight.nat_left_s = -1;
	hf_timeline_open(&stage->timeline, stdout);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	if (pipe2(stage->reports, O_CLOEXEC) || sigprocmask(SIG_BLOCK, &stop, NULL))
		return hf_stage_fail(stage, "cannot begin");
	stage->signals = signalfd(-1, &stop, SFD_CLOEXEC);
	return stage->signals < 0 ? hf_stage_fail(stage, "signalfd") : 0;
}

void hf_stage_close(struct hf_stage *stage)
{
	for (unsigned int i = 0; i < 2 * HF_ACTS; i++)
		hf_peer_end(&stage->acts[i / 2].sides[i % 2].client);
	for (unsigned int i = 0; i < 2 * HF_ACTS; i++)
		hf_peer_end(&stage->acts[i / 2].sides[i % 2].server);
	hf_demo_watch_stop(&stage->watch);
	hf_world_close(&stage->world);
	close(stage->signals);
	close(stage->reports[0]);
	close(stage->reports[1]);
}
