/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of text come from top_text and top_detail; here they are put where they belong. Signals are
 * blocked and read as they come, in the one loop that also reads keys and frames: ncurses is never
 * called from a handler.
 */
#include "cli/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/table.h"
#include "cli/top_keys.h"
#include "cli/top_text.h"
#include "cli/top_thread.h"

#define LEAST_COLUMNS 80
#define LEAST_LINES 24
#define EVENT_LINES 4	    /* on the lowest screen; more on a higher one */
#define ESCAPE_MS 50	    /* so soon after it come the rest of a key's bytes */
#define TIMERS_EVERY_MS 200 /* while they count down */

enum colour_pair {
	PAIR_BAD = 1,
	PAIR_WARN,
	PAIR_GOOD
};

struct top {
	struct hf_top_thread *thread;
	struct hf_top_frame *frame; /* NULL before the first */
	struct hf_top_ui ui;
	struct hf_top_title title;
	struct hf_problem problem;
	SCREEN *screen;
	sigset_t signals, signals_before;
	int signal_fd;
	bool colour, failed;
};

/* --- Drawing. --- */

static void put_line(int y, const char *text, size_t length, attr_t look)
{
	size_t width, fits = hf_text_fit(text, length, (size_t)COLS, &width);

	move(y, 0);
	clrtoeol();
	attrset(look);
	addnstr(text, (int)fits);
	if (look & A_REVERSE)
		for (; width < (size_t)COLS; width++)
			addch(' ');
	attrset(A_NORMAL);
}

/* How line i of some text looks. */
typedef attr_t (*look_fn)(const struct top *top, unsigned int i);

/* The lines of a text from y on, at most so many, blank ones behind them; frees it. */
static void put_text(const struct top *top, int y, int lines, char *text, look_fn look)
{
	const char *line = text ? text : "";

	for (unsigned int i = 0; lines-- > 0; i++) {
		size_t length = strcspn(line, "\n");

		put_line(y++, line, length, *line && look ? look(top, i) : A_NORMAL);
		line += length + (line[length] == '\n');
	}
	free(text);
}

static attr_t look_of_heading(const struct top *top, unsigned int i)
{
	(void)top;
	return i ? A_NORMAL : A_BOLD;
}

static attr_t look_of_row(const struct top *top, unsigned int i)
{
	static const short pairs[] = { PAIR_BAD, PAIR_BAD, PAIR_BAD, PAIR_WARN, PAIR_GOOD, 0 };
	unsigned int at = top->ui.first + i - 1;
	enum hf_top_rank rank;
	attr_t look = A_NORMAL;

	if (!i)
		return A_BOLD | A_UNDERLINE;
	rank = top->frame->list.at[at]->rank;
	if (rank <= HF_TOP_PROBING)
		look |= A_BOLD;
	if (top->colour && pairs[rank])
		look |= (attr_t)COLOR_PAIR(pairs[rank]);
	return at == top->ui.at ? look | A_REVERSE : look;
}

/* A stream into *text, which the caller frees; NULL: no memory. */
static FILE *open_text(char **text, size_t *size)
{
	*text = NULL;
	return open_memstream(text, size);
}

static void draw_title(const struct top *top)
{
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	if (!out)
		return;
	hf_top_print_title(top->frame, &top->ui.view, &top->title, out);
	fclose(out);
	put_text(top, 0, HF_TOP_TITLE_LINES, text, look_of_heading);
}

static void draw_rows(const struct top *top, int y, int lines)
{
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	if (!out)
		return;
	hf_top_print_rows(&top->frame->list, top->ui.first, (unsigned int)lines - 1,
			  (unsigned int)COLS, out);
	fclose(out);
	put_text(top, y, lines, text, look_of_row);
}

static void draw_events(const struct top *top, int y, int lines)
{
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	if (!out)
		return;
	fputs("Last events\n", out);
	hf_top_print_events(top->frame, (unsigned int)lines - 1, out);
	fclose(out);
	put_text(top, y, lines, text, look_of_heading);
}

static void draw_detail(const struct top *top, int y, int lines)
{
	const struct hf_top_ui *ui = &top->ui;
	struct hf_top_detail detail = {
		.connection = &ui->chosen.connection,
		.cgroup = ui->cgroup,
		.policy = top->title.policy,
		.at_ms = ui->chosen_at_ms,
		.now_ms = (uint64_t)hf_top_clock_ms(CLOCK_MONOTONIC),
		.gone = ui->gone,
	};
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	if (!out)
		return;
	if (ui->paused)
		detail.now_ms = detail.at_ms;
	hf_top_print_detail(&detail, out);
	fclose(out);
	put_text(top, y, lines, text, NULL);
}

static void draw_help(const struct top *top, int y, int lines)
{
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	if (!out)
		return;
	hf_top_print_help(out);
	fclose(out);
	put_text(top, y, lines, text, NULL);
}

static void draw_small(void)
{
	char text[64];

	snprintf(text, sizeof(text), "top needs %dx%d, this is %dx%d; q quits", LEAST_COLUMNS,
		 LEAST_LINES, COLS, LINES);
	put_line(0, text, strlen(text), A_NORMAL);
}

static void draw_list(struct top *top, int y, int lines)
{
	int events = EVENT_LINES + 1 + (LINES - LEAST_LINES) / 4;

	top->ui.page = (unsigned int)(lines - events - 1);
	hf_top_scroll(&top->ui, &top->frame->list);
	draw_rows(top, y, lines - events);
	draw_events(top, y + lines - events, events);
}

static void draw_foot(const struct top *top)
{
	static const char *const feet[] = {
		[HF_TOP_LIST] =
			"q quit  h help  / filter  s sort  r reverse  Enter detail  p pause",
		[HF_TOP_TYPING] = "type words to filter by; Enter keeps them, Esc drops them",
		[HF_TOP_DETAIL] = "Enter back  q quit  h help  p pause",
		[HF_TOP_HELP] = "any key: back  q quit",
	};
	const char *foot = feet[top->ui.mode];

	put_line(LINES - 1, foot, strlen(foot), A_REVERSE);
}

static void draw(struct top *top)
{
	int y = HF_TOP_TITLE_LINES, lines = LINES - y - 1;

	erase();
	if (COLS < LEAST_COLUMNS || LINES < LEAST_LINES) {
		draw_small();
	} else if (!top->frame) {
		put_line(0, "looking ...", strlen("looking ..."), A_NORMAL);
	} else {
		top->title.paused = top->ui.paused;
		top->title.typing = top->ui.mode == HF_TOP_TYPING;
		draw_title(top);
		if (top->ui.mode == HF_TOP_HELP)
			draw_help(top, y, lines);
		else if (top->ui.mode == HF_TOP_DETAIL)
			draw_detail(top, y, lines);
		else
			draw_list(top, y, lines);
		draw_foot(top);
	}
	refresh();
}

/* --- What comes in. --- */

static int translate(int key)
{
	switch (key) {
	case KEY_UP:
		return HF_TOP_UP;
	case KEY_DOWN:
		return HF_TOP_DOWN;
	case KEY_PPAGE:
		return HF_TOP_PAGE_UP;
	case KEY_NPAGE:
		return HF_TOP_PAGE_DOWN;
	case KEY_HOME:
		return HF_TOP_HOME;
	case KEY_END:
		return HF_TOP_END;
	case KEY_BACKSPACE:
	case 0x7f:
	case '\b':
		return HF_TOP_BACKSPACE;
	case KEY_ENTER:
	case '\r':
	case '\n':
		return HF_TOP_ENTER;
	case 0x1b:
		return HF_TOP_ESCAPE;
	default:
		return key < 256 ? key : -1;
	}
}

static void turn(struct top *top)
{
	if (top->frame)
		hf_top_list_turn(&top->frame->list, &top->ui.view);
	hf_top_thread_turn(top->thread, &top->ui.view, top->ui.paused);
}

static void on_keys(struct top *top)
{
	static const struct hf_top_list nothing;
	const struct hf_top_list *list = top->frame ? &top->frame->list : &nothing;
	uint64_t seen_ms = top->frame ? top->frame->at_ms : 0;
	bool turned = false;
	int key;

	while ((key = getch()) != ERR) {
		if (key == '\f')
			clearok(stdscr, TRUE);
		turned |= hf_top_key(&top->ui, list, translate(key), seen_ms);
	}
	if (turned)
		turn(top);
}

static void on_frame(struct top *top)
{
	top->failed = hf_top_thread_take(top->thread, &top->frame, &top->problem);
	if (!top->frame || top->failed)
		return;
	hf_top_list_turn(&top->frame->list, &top->ui.view); /* it may be for an earlier one */
	hf_top_follow(&top->ui, top->frame);
}

static void resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

static void on_signals(struct top *top)
{
	struct signalfd_siginfo signal;

	while (read(top->signal_fd, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
		if (signal.ssi_signo == SIGWINCH)
			resize();
		else
			top->ui.quit = true;
	}
}

static void wait_for_more(struct top *top)
{
	struct pollfd fds[] = {
		{ STDIN_FILENO, POLLIN, 0 },
		{ top->signal_fd, POLLIN, 0 },
		{ top->ui.paused ? -1 : hf_top_thread_fd(top->thread), POLLIN, 0 },
	};
	bool counting = top->ui.mode == HF_TOP_DETAIL && !top->ui.paused && !top->ui.gone;

	if (poll(fds, 3, counting ? TIMERS_EVERY_MS : -1) < 0)
		return; /* stopped and continued: all is drawn anew */
	if (fds[1].revents)
		on_signals(top);
	if (fds[0].revents & ~POLLIN)
		top->ui.quit = true; /* the terminal has gone */
	else if (fds[0].revents)
		on_keys(top);
	if (fds[2].revents && !top->ui.paused)
		on_frame(top);
}

/* --- Beginning and end. --- */

static int block_signals(struct top *top)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };

	sigemptyset(&top->signals);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&top->signals, signals[i]);
	sigprocmask(SIG_BLOCK, &top->signals, &top->signals_before);
	top->signal_fd = signalfd(-1, &top->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (top->signal_fd < 0)
		return hf_problem_set(&top->problem, HF_EXIT_FAILED, NULL, "signalfd: %s",
				      strerror(errno));
	return 0;
}

static void choose_colours(struct top *top)
{
	top->colour = hf_colour_wanted(stdout) && has_colors() && start_color() == OK;
	if (!top->colour)
		return;
	use_default_colors();
	init_pair(PAIR_BAD, COLOR_RED, -1);
	init_pair(PAIR_WARN, COLOR_YELLOW, -1);
	init_pair(PAIR_GOOD, COLOR_GREEN, -1);
}

static int open_screen(struct top *top)
{
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8"); /* what is drawn is, whatever the locale */
	use_env(FALSE);
	use_tioctl(TRUE); /* COLUMNS may be older than the window */
	top->screen = newterm(NULL, stdout, stdin);
	if (!top->screen)
		return hf_problem_set(&top->problem, HF_EXIT_FAILED, NULL,
				      "cannot draw on this terminal");
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	choose_colours(top);
	return 0;
}

static void close_screen(struct top *top)
{
	if (top->screen) {
		endwin();
		delscreen(top->screen);
	}
	if (top->signal_fd >= 0)
		close(top->signal_fd);
	sigprocmask(SIG_SETMASK, &top->signals_before, NULL);
}

int hf_top_screen_run(const struct hf_top_screen *screen, const struct hf_top_scope *scope,
		      struct hf_problem *problem)
{
	struct top top = {
		.ui.view = screen->view,
		.title = { .delay_ms = screen->delay_ms, .policy = scope->policy },
	};

	top.failed = block_signals(&top) ||
		     hf_top_thread_start(&top.thread, scope, screen->rows, screen->delay_ms,
					 &top.problem) ||
		     open_screen(&top);
	while (!top.failed && !top.ui.quit) {
		draw(&top);
		wait_for_more(&top);
	}
	close_screen(&top);
	hf_top_thread_stop(&top.thread);
	if (top.failed)
		*problem = top.problem;
	return top.failed ? -1 : 0;
}
