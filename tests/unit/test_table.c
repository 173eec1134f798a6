/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/connection.h"
#include "cli/table.h"

static const struct hf_column name = { "name", "NAME", HF_LEFT, 0, 0 },
			      value = { "value", "VALUE", HF_RIGHT, 0, 0 },
			      path = { "path", "PATH", HF_LEFT, 6, 0 },
			      extra = { "extra", "EXTRA", HF_LEFT, 0, 1 },
			      first_to_go = { "gone", "GONE", HF_LEFT, 0, 2 };

static const struct hf_column found = { "found", "FOUND", HF_WRAPPED, 6, 0 },
			      mend = { "mend", "MEND", HF_WRAPPED, 6, 0 };

static const struct hf_column *const wrapped[] = { &name, &found, &mend };
static const struct hf_column *const pair[] = { &name, &value };
static const struct hf_column *const wide[] = { &name, &path, &extra, &first_to_go };

#define OUTPUT 4096
static char output[OUTPUT];

/* The table writes into memory: not a terminal. */
static struct hf_table *open_memory(bool json, FILE **out)
{
	memset(output, 0, sizeof(output));
	*out = fmemopen(output, sizeof(output), "w");
	assert_non_null(*out);
	return hf_table_open(pair, 2, json, *out);
}

static void one_text_cell(struct hf_table *table, const char *text)
{
	hf_table_text(table, text, HF_PLAIN);
	hf_table_number(table, 1);
	hf_table_end_row(table);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	FILE *out;
	struct hf_table *table = open_memory(false, &out);

	(void)state;
	hf_table_text(table, "[2001:db8::1]:65535", HF_BAD);
	hf_table_number(table, 7);
	hf_table_end_row(table);
	hf_table_text(table, "a", HF_PLAIN);
	hf_table_number(table, UINT64_MAX);
	hf_table_end_row(table);
	assert_int_equal(hf_table_close(&table), 2);
	assert_null(table);
	assert_string_equal(output, "NAME                                VALUE\n"
				    "[2001:db8::1]:65535                     7\n"
				    "a                    18446744073709551615\n");
	fclose(out);
}

static void width_counts_columns_not_bytes(void **state)
{
	FILE *out;
	struct hf_table *table = open_memory(false, &out);

	(void)state;
	one_text_cell(table, "Gr\u00fc\u00dfe");
	one_text_cell(table, "\u65e5\u672c\u8a9e");
	one_text_cell(table, "e\u0301");
	hf_table_close(&table);
	assert_string_equal(output, "NAME    VALUE\n"
				    "Gr\u00fc\u00dfe       1\n"
				    "\u65e5\u672c\u8a9e      1\n"
				    "e\u0301           1\n");
	fclose(out);
}

static void hostile_text_is_escaped(void **state)
{
	FILE *out;
	struct hf_table *table = open_memory(false, &out);

	(void)state;
	one_text_cell(table, "\033[31m\n\u202e\xff\\");
	hf_table_close(&table);
	assert_string_equal(output, "NAME                        VALUE\n"
				    "\\x1b[31m\\x0a\\u{202e}\\xff\\\\      1\n");
	fclose(out);
}

static void long_text_is_kept_whole(void **state)
{
	FILE *out;
	char text[1001];
	struct hf_table *table = open_memory(false, &out);

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	one_text_cell(table, text);
	text[254] = '\0'; /* around the longest that is packed short */
	one_text_cell(table, text);
	one_text_cell(table, text + 1);
	hf_table_close(&table);
	assert_int_equal(strspn(strchr(output, '\n') + 1, "x"), 1000);
	assert_int_equal(strlen(output), 4 * (1000 + 2 + 5 + 1));
	fclose(out);
}

/* One cell of each kind, in text and in JSON. */
static void check_cell(void (*put)(struct hf_table *table, uint64_t value), uint64_t value_of,
		       const char *text, const char *json)
{
	FILE *out;
	struct hf_table *table = open_memory(false, &out);
	char expected[128];

	hf_table_none(table);
	put(table, value_of);
	hf_table_end_row(table);
	hf_table_close(&table);
	fclose(out);
	assert_string_equal(strrchr(output, ' ') + 1, text);

	table = open_memory(true, &out);
	hf_table_none(table);
	put(table, value_of);
	hf_table_end_row(table);
	hf_table_close(&table);
	fclose(out);
	snprintf(expected, sizeof(expected), "{\"name\":null,\"value\":%s}\n", json);
	assert_string_equal(output, expected);
}

static void seconds_have_two_units_at_most(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text, *json;
	} cases[] = {
		{ 0, "0s\n", "0" },
		{ 1, "1ms\n", "0.001" },
		{ 999, "999ms\n", "0.999" },
		{ 1000, "1s\n", "1" },
		{ 4500, "4.5s\n", "4.5" },
		{ 4560, "4.6s\n", "4.56" },
		{ 9949, "9.9s\n", "9.949" },
		{ 9999, "10s\n", "9.999" },
		{ 53000, "53s\n", "53" },
		{ 59499, "59s\n", "59.499" },
		{ 59500, "1min\n", "59.5" },
		{ 110250, "1min50s\n", "110.25" },
		{ 120000, "2min\n", "120" },
		{ 3599400, "59min59s\n", "3599.4" },
		{ 3599500, "1h\n", "3599.5" },
		{ 5400000, "1h30min\n", "5400" },
		{ 86369499, "23h59min\n", "86369.499" },
		{ 86370000, "1d\n", "86370" },
		{ 432000000, "5d\n", "432000" },
		{ 100800000, "1d4h\n", "100800" },
		{ UINT64_MAX, "never\n", "null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_cell(hf_table_seconds, cases[i].ms, cases[i].text, cases[i].json);
}

static void milliseconds_have_three_digits(void **state)
{
	static const struct {
		uint64_t us;
		const char *text, *json;
	} cases[] = {
		{ 0, "0.00ms\n", "0.0" },	 { 42, "0.04ms\n", "0.042" },
		{ 420, "0.42ms\n", "0.42" },	 { 9994, "9.99ms\n", "9.994" },
		{ 9995, "10.0ms\n", "9.995" },	 { 12345, "12.3ms\n", "12.345" },
		{ 99949, "99.9ms\n", "99.949" }, { 99950, "100ms\n", "99.95" },
		{ 250400, "250ms\n", "250.4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_cell(hf_table_milliseconds, cases[i].us, cases[i].text, cases[i].json);
}

static void put_bool(struct hf_table *table, uint64_t set)
{
	hf_table_bool(table, set);
}

static void put_none(struct hf_table *table, uint64_t unused)
{
	(void)unused;
	hf_table_none(table);
}

static void the_other_cells(void **state)
{
	(void)state;
	check_cell(hf_table_number, 0, "0\n", "0");
	check_cell(hf_table_number, 4294967296, "4294967296\n", "4294967296");
	check_cell(put_bool, 1, "yes\n", "true");
	check_cell(put_bool, 0, "no\n", "false");
	check_cell(put_none, 0, "-\n", "null");
}

static void json_gives_text_back(void **state)
{
	static const char hostile[] = "\033\"\\\n\u202e\u0301";
	struct hf_table *table;
	json_t *object;
	FILE *out;

	(void)state;
	table = open_memory(true, &out);
	one_text_cell(table, hostile);
	hf_table_bytes(table, "a\xff", 2, HF_BAD);
	hf_table_number(table, 2);
	hf_table_end_row(table);
	assert_int_equal(hf_table_close(&table), 2);
	fclose(out);

	assert_null(strchr(output, '\033'));
	object = json_loads(output, JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_string_value(json_object_get(object, "name")), hostile);
	json_decref(object);
	object = json_loads(strchr(output, '\n') + 1, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(object, "name")), "a\\xff");
	json_decref(object);
}

/* --- On a terminal --- */

struct terminal {
	int keyboard; /* the other side */
	FILE *screen;
};

static struct terminal open_terminal(unsigned short columns)
{
	struct winsize size = { .ws_row = 24, .ws_col = columns };
	struct terminal terminal = { .keyboard = posix_openpt(O_RDWR | O_NOCTTY) };
	struct termios modes;
	int slave;

	assert_true(terminal.keyboard >= 0);
	assert_int_equal(grantpt(terminal.keyboard), 0);
	assert_int_equal(unlockpt(terminal.keyboard), 0);
	slave = open(ptsname(terminal.keyboard), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(tcgetattr(slave, &modes), 0);
	cfmakeraw(&modes);
	assert_int_equal(tcsetattr(slave, TCSANOW, &modes), 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	terminal.screen = fdopen(slave, "w");
	unsetenv("COLUMNS");
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	return terminal;
}

/* All that was printed: once the screen is closed, reading ends with an error (EIO). */
static void close_terminal(struct terminal *terminal)
{
	size_t length = 0;
	ssize_t more;

	fclose(terminal->screen);
	while ((more = read(terminal->keyboard, output + length, sizeof(output) - 1 - length)) > 0)
		length += (size_t)more;
	output[length] = '\0';
	close(terminal->keyboard);
}

static void print_wide(struct terminal *terminal)
{
	struct hf_table *table = hf_table_open(wide, 4, false, terminal->screen);

	hf_table_text(table, "first", HF_BAD);
	hf_table_text(table, "/system.slice", HF_PLAIN);
	hf_table_text(table, "extra", HF_PLAIN);
	hf_table_text(table, "gone", HF_PLAIN);
	hf_table_end_row(table);
	hf_table_close(&table);
	close_terminal(terminal);
}

static void a_wide_terminal_shows_all(void **state)
{
	struct terminal terminal = open_terminal(33);

	(void)state;
	print_wide(&terminal);
	assert_string_equal(output, "NAME   PATH           EXTRA  GONE\n"
				    "first  /system.slice  extra  gone\n");
}

static void a_narrow_terminal_cuts_what_is_flexible(void **state)
{
	struct terminal terminal = open_terminal(30);

	(void)state;
	print_wide(&terminal);
	assert_string_equal(output, "NAME   PATH        EXTRA  GONE\n"
				    "first  /system.s\u2026  extra  gone\n");
}

static void a_narrower_one_drops_columns_by_priority(void **state)
{
	struct terminal terminal = open_terminal(22);

	(void)state;
	print_wide(&terminal);
	assert_string_equal(output, "NAME   PATH      EXTRA\n"
				    "first  /system\u2026  extra\n");
	terminal = open_terminal(13);
	print_wide(&terminal);
	assert_string_equal(output, "NAME   PATH\n"
				    "first  /syst\u2026\n");
}

static struct hf_connection one_over_ipv6(struct hf_record *record)
{
	static const struct hf_record over_ipv6 = {
		.family = HF_IPV6,
		.state = HF_ESTABLISHED,
		.flags = HF_RECORD_FULL | HF_RECORD_OWNER | HF_RECORD_RULE,
		.pid = 4194304,
		.process = "a-long-process",
		.rule = "a-rule-of-a-name-as-long-as-that",
	};

	struct hf_endpoint local, remote;

	assert_true(hf_endpoint_parse("[2001:db8:1234:5678::1]:54321", &local));
	assert_true(hf_endpoint_parse("[2001:db8:1234:5678::9999]:54320", &remote));
	*record = over_ipv6;
	record->local = local.address;
	record->local_port = local.port;
	record->remote = remote.address;
	record->remote_port = remote.port;
	return (struct hf_connection){ .record = record, .verdict = HF_UNPROTECTED };
}

/* What list prints of it, the widest line of it checked. */
static void list_over_ipv6(unsigned short width)
{
	struct terminal terminal = open_terminal(width);
	struct hf_record record;
	struct hf_connection connection = one_over_ipv6(&record);
	struct hf_columns columns;
	struct hf_table *table;

	hf_columns_default(HF_COLUMNS_TEXT, &columns);
	table = hf_table_open(columns.column, columns.count, false, terminal.screen);
	hf_connection_row(table, &columns, &connection);
	hf_table_close(&table);
	close_terminal(&terminal);
	for (const char *line = output; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= width);
}

static void connections_over_ipv6_fit_with_addresses_whole(void **state)
{
	(void)state;
	list_over_ipv6(80);
	assert_non_null(strstr(output, "[2001:db8:1234:5678::1]:54321  ["));
	assert_non_null(strstr(output, "[2001:db8:1234:5678::9999]:54320  "));
	assert_non_null(strstr(output, "unprotected\n"));
	list_over_ipv6(50);
	assert_non_null(strstr(output, "[2001:db8:1234:5678::9999]:54320  unprotected\n"));
}

static void put_finding(struct hf_table *table, const char *what, const char *advice)
{
	hf_table_text(table, "disk", HF_PLAIN);
	hf_table_text(table, what, HF_PLAIN);
	hf_table_text(table, advice, HF_PLAIN);
	hf_table_end_row(table);
}

static void wrapped_columns_go_on_below(void **state)
{
	struct terminal terminal = open_terminal(22);
	struct hf_table *table = hf_table_open(wrapped, 3, false, terminal.screen);

	(void)state;
	put_finding(table, "it is full", "make room on it");
	put_finding(table, "unreadable", NULL);
	hf_table_close(&table);
	close_terminal(&terminal);
	assert_string_equal(output, "NAME  FOUND    MEND\n"
				    "disk  it is    make\n"
				    "      full     room on\n"
				    "               it\n"
				    "disk  unreada  -\n"
				    "      ble\n");
}

static void the_rest_of_a_line_is_wrapped_on_a_terminal_only(void **state)
{
	struct terminal terminal = open_terminal(30);
	FILE *out;

	(void)state;
	fputs("because   ", terminal.screen);
	hf_terminal_wrap(terminal.screen, 10, "there are twenty columns left");
	close_terminal(&terminal);
	assert_string_equal(output, "because   there are twenty\n"
				    "          columns left\n");
	memset(output, 0, sizeof(output));
	out = fmemopen(output, sizeof(output), "w");
	hf_terminal_wrap(out, 10, "there are as many columns as anybody could wish for in a file");
	fclose(out);
	assert_string_equal(strchr(output, '\n'), "\n");
}

static void columns_in_the_environment_win_on_a_terminal_only(void **state)
{
	struct terminal terminal = open_terminal(200);
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	assert_int_equal(hf_terminal_width(terminal.screen), 200);
	setenv("COLUMNS", "22", 1);
	assert_int_equal(hf_terminal_width(terminal.screen), 22);
	setenv("COLUMNS", "many", 1);
	assert_int_equal(hf_terminal_width(terminal.screen), 200);
	setenv("COLUMNS", "22", 1);
	assert_int_equal(hf_terminal_width(out), 0);
	unsetenv("COLUMNS");
	fclose(out);
	print_wide(&terminal);
}

static void colour_is_for_terminals_that_want_it(void **state)
{
	struct terminal terminal = open_terminal(80);
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	assert_false(hf_colour_wanted(terminal.screen));
	setenv("NO_COLOR", "", 1);
	assert_true(hf_colour_wanted(terminal.screen));
	assert_false(hf_colour_wanted(out));
	setenv("TERM", "dumb", 1);
	assert_false(hf_colour_wanted(terminal.screen));
	setenv("TERM", "xterm", 1);
	fclose(out);
	print_wide(&terminal);
	assert_string_equal(output,
			    "\033[1mNAME\033[0m   \033[1mPATH\033[0m           \033[1mEXTRA\033[0m"
			    "  \033[1mGONE\033[0m\n"
			    "\033[31mfirst\033[0m  /system.slice  extra  gone\n");
}

static void failed_output_is_told(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		FILE *out = fopen("/dev/full", "w");
		struct hf_table *table = hf_table_open(pair, 2, json, out);

		for (int i = 0; i < 10000; i++)
			one_text_cell(table, "row");
		assert_int_equal(hf_table_close(&table), -ENOSPC);
		fclose(out);
	}
}

static void many_rows_come_out_in_order(void **state)
{
	struct hf_table *table;
	unsigned long number = 0, line = 0;
	char text[64];
	FILE *out = tmpfile();

	(void)state;
	assert_non_null(out);
	table = hf_table_open(pair, 2, false, out);
	for (uint64_t i = 0; i < 50000; i++) {
		hf_table_text(table, i % 1000 ? "name" : "\u65e5", HF_GOOD);
		hf_table_number(table, i);
		hf_table_end_row(table);
	}
	assert_int_equal(hf_table_close(&table), 50000);
	rewind(out);
	assert_non_null(fgets(text, sizeof(text), out));
	for (; fgets(text, sizeof(text), out); line++) {
		assert_int_equal(sscanf(text, "%*s %lu", &number), 1);
		assert_int_equal(number, line);
	}
	assert_int_equal(line, 50000);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(width_counts_columns_not_bytes),
		cmocka_unit_test(hostile_text_is_escaped),
		cmocka_unit_test(long_text_is_kept_whole),
		cmocka_unit_test(seconds_have_two_units_at_most),
		cmocka_unit_test(milliseconds_have_three_digits),
		cmocka_unit_test(the_other_cells),
		cmocka_unit_test(json_gives_text_back),
		cmocka_unit_test(a_wide_terminal_shows_all),
		cmocka_unit_test(a_narrow_terminal_cuts_what_is_flexible),
		cmocka_unit_test(a_narrower_one_drops_columns_by_priority),
		cmocka_unit_test(connections_over_ipv6_fit_with_addresses_whole),
		cmocka_unit_test(wrapped_columns_go_on_below),
		cmocka_unit_test(the_rest_of_a_line_is_wrapped_on_a_terminal_only),
		cmocka_unit_test(columns_in_the_environment_win_on_a_terminal_only),
		cmocka_unit_test(colour_is_for_terminals_that_want_it),
		cmocka_unit_test(failed_output_is_told),
		cmocka_unit_test(many_rows_come_out_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
