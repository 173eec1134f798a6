/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screens of `top`, byte for byte. */
#include <stdlib.h>
#include <time.h>

#include "cli/top_text.h"
#include "core/duration.h"
#include "top_records.h"

#define CLOCK_MS INT64_C(1700000000000) /* 22:13:20 UTC */

static struct hf_record dead(uint64_t cookie)
{
	struct hf_record record = probing(cookie, 4);

	record.state = HF_CLOSE;
	record.flags |= HF_RECORD_HIDDEN;
	record.next_probe_ms = HF_NO_PROBE;
	return record;
}

static struct hf_record hostile(uint64_t cookie)
{
	struct hf_record record = unprotected(cookie);

	memcpy(record.process, "\033[2J\xff", sizeof("\033[2J\xff"));
	return record;
}

static void fill(struct hf_top_frame *frame)
{
	*frame = (struct hf_top_frame){
		.list = list_of(8, HF_TOP_BY_URGENCY, ""),
		.rates = { true, 2.5, 0.1, 12, 3, 7 },
		.event = { { HF_TOP_DIED, CLOCK_MS, { .local_port = 1 } },
			   { HF_TOP_APPEARED, CLOCK_MS - 1000, { .local_port = 2 } } },
		.events = 2,
		.time_ms = CLOCK_MS,
		.pass_ms = 4,
	};
	add(&frame->list, idle(1));
	add(&frame->list, slow(2));
	add(&frame->list, hostile(3));
	add(&frame->list, probing(4, 3));
	add(&frame->list, dead(5));
	hf_top_list_end(&frame->list);
}

static void assert_prints(const char *golden, char *printed)
{
	assert_string_equal(printed, golden);
	free(printed);
}

static void a_screen_of_80_columns(void **state)
{
	const struct hf_top_title title = { .delay_ms = 1000 };
	struct hf_top_frame frame;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fill(&frame);
	hf_top_print_title(&frame, &frame.list.view, &title, out);
	assert_int_equal(hf_top_print_rows(&frame.list, 0, 8, 80, out), 0);
	hf_top_print_events(&frame, 2, out);
	fclose(out);
	hf_top_list_free(&frame.list);
	assert_prints(
		"holdfast top - 22:13:20, every 1s, a pass takes 4ms\n"
		"Connections  4   1 probing   1 just died   goal: by rule, else 2min\n"
		"Audit        1 unprotected   1 slow   2 protected   0 not judged\n"
		"Per second   2.5 probes   12.0 appeared   3.0 gone   0.1 deaths (7 so far)\n"
		"Sort         urgency   rows 5 of 5\n"
		"STATUS       LOCAL           REMOTE         PROCESS      SILENT  UNANS  PROBE-IN\n"
		"dead         10.0.0.1:40005  10.0.0.2:5432  psql             5s      4         -\n"
		"probing      10.0.0.1:40004  10.0.0.2:5432  psql             5s      3        1s\n"
		"unprotected  10.0.0.1:40003  10.0.0.2:5432  \\x1b[2J\\xff      5s      0         -\n"
		"slow         10.0.0.1:40002  10.0.0.2:5432  psql             5s      0       15s\n"
		"protected    10.0.0.1:40001  10.0.0.2:5432  psql             5s      0       15s\n"
		"22:13:20  dead      [::]:1 -> [::]:0\n"
		"22:13:19  appeared  [::]:2 -> [::]:0\n",
		text);
}

static void the_title_tells_goal_filter_order_and_pause(void **state)
{
	const struct hf_goals goals = { .dead_within_ms = 30000, .keep_open_ms = 350000 };
	const struct hf_top_title title = { 500, &goals, true, true };
	const struct hf_top_view view = { .sort = HF_TOP_BY_RTT,
					  .reversed = true,
					  .filter = "a\033" };
	struct hf_top_frame frame;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fill(&frame);
	frame.rates.known = false;
	hf_top_print_title(&frame, &view, &title, out);
	fclose(out);
	hf_top_list_free(&frame.list);
	assert_prints(
		"holdfast top - 22:13:20, every 500ms, a pass takes 4ms   PAUSED\n"
		"Connections  4   1 probing   1 just died   goal: dead within 30s, open 5min 50s\n"
		"Audit        1 unprotected   1 slow   2 protected   0 not judged\n"
		"Per second   - probes   - appeared   - gone   - deaths (7 so far)\n"
		"Sort         rtt, reversed   Filter a\\x1b_   rows 5 of 5\n",
		text);
}

static char *detail_of(struct hf_record record, uint64_t later_ms)
{
	const struct hf_connection connection = judged(&record);
	const struct hf_top_detail detail = {
		.connection = &connection,
		.cgroup = "/a\nb",
		.at_ms = NOW_MS,
		.now_ms = NOW_MS + later_ms,
		.gone = record.state == HF_CLOSE,
	};
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	hf_top_print_detail(&detail, out);
	fclose(out);
	return text;
}

static void one_in_full_with_its_timers_counting_down(void **state)
{
	struct hf_record record = idle(1);

	(void)state;
	record.flags |= HF_RECORD_RULE;
	strcpy(record.rule, "database");
	record.goals.dead_within_ms = 60000;
	assert_prints("Local        10.0.0.1:40001\n"
		      "Remote       10.0.0.2:5432\n"
		      "State        ESTABLISHED, protected\n"
		      "Owner        psql, pid 701, uid 0\n"
		      "Cgroup       /a\\x0ab\n"
		      "Namespace    0, cookie 1\n"
		      "\n"
		      "Keepalive    on: idle 20s, interval 5s, count 4, user timeout 30000ms\n"
		      "Silent       for 7s\n"
		      "Next probe   in 13s\n"
		      "Unanswered   0 of 4 probes, 0 retransmissions; 0 segments in flight\n"
		      "Round trip   1.00ms, retransmission after 200ms\n"
		      "Dead found   idle within 33.8s, with data in flight within 32.4s\n"
		      "Rule         database, dead within 1min\n"
		      "Judged by    the rule's goals, dead within 1min\n",
		      detail_of(record, 2000));
}

static void one_that_is_probing_tells_when_it_will_be_dead(void **state)
{
	struct hf_record record = probing(1, 2);

	(void)state;
	record.silent_ms = 26000;
	record.settings.user_timeout_ms = 0;
	assert_prints("Local        10.0.0.1:40001\n"
		      "Remote       10.0.0.2:5432\n"
		      "State        ESTABLISHED, probing; audit: slow\n"
		      "Owner        psql, pid 701, uid 0\n"
		      "Cgroup       /a\\x0ab\n"
		      "Namespace    0, cookie 1\n"
		      "\n"
		      "Keepalive    on: idle 20s, interval 5s, count 4, user timeout unset\n"
		      "Silent       for 26s\n"
		      "Next probe   in 1s\n"
		      "Told dead    in 11s, if nothing is heard\n"
		      "Unanswered   2 of 4 probes, 0 retransmissions; 0 segments in flight\n"
		      "Round trip   1.00ms, retransmission after 200ms\n"
		      "Dead found   idle within 45s, with data in flight within 17min 40.1s\n"
		      "Rule         none\n"
		      "Judged by    the default goals, dead within 2min\n",
		      detail_of(record, 0));
	record.settings.user_timeout_ms = 30000;
	assert_prints("Local        10.0.0.1:40001\n"
		      "Remote       10.0.0.2:5432\n"
		      "State        ESTABLISHED, probing; audit: protected\n"
		      "Owner        psql, pid 701, uid 0\n"
		      "Cgroup       /a\\x0ab\n"
		      "Namespace    0, cookie 1\n"
		      "\n"
		      "Keepalive    on: idle 20s, interval 5s, count 4, user timeout 30000ms\n"
		      "Silent       for 26s\n"
		      "Next probe   in 1s\n"
		      "Told dead    in 6s, if nothing is heard\n"
		      "Unanswered   2 of 4 probes, 0 retransmissions; 0 segments in flight\n"
		      "Round trip   1.00ms, retransmission after 200ms\n"
		      "Dead found   idle within 33.8s, with data in flight within 32.4s\n"
		      "Rule         none\n"
		      "Judged by    the default goals, dead within 2min\n",
		      detail_of(record, 0));
}

static void one_of_which_the_settings_are_unknown(void **state)
{
	(void)state;
	assert_prints("Local        10.0.0.1:40001\n"
		      "Remote       10.0.0.2:5432\n"
		      "State        CLOSE, dead   GONE: this is what was last seen\n"
		      "Owner        psql, pid 701, uid 0\n"
		      "Cgroup       /a\\x0ab\n"
		      "Namespace    0, cookie 1\n"
		      "\n"
		      "Keepalive    its settings are not known\n"
		      "Silent       for 5s\n"
		      "Next probe   none is due\n"
		      "Unanswered   4 probes, 0 retransmissions; 0 segments in flight\n"
		      "Round trip   1.00ms, retransmission after 200ms\n"
		      "Rule         none\n"
		      "Judged by    the default goals, dead within 2min\n",
		      detail_of(dead(1), 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_screen_of_80_columns),
		cmocka_unit_test(the_title_tells_goal_filter_order_and_pause),
		cmocka_unit_test(one_in_full_with_its_timers_counting_down),
		cmocka_unit_test(one_that_is_probing_tells_when_it_will_be_dead),
		cmocka_unit_test(one_of_which_the_settings_are_unknown),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
