/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FRAMES 3

struct hf_top_thread {
	pthread_t thread;
	bool started;
	struct hf_top_pass *pass;
	uint32_t delay_ms;
	int notice; /* eventfd */
	atomic_bool stop;
	struct hf_top_frame frame[FRAMES];
	struct hf_top_frame *filling; /* the thread's */
	struct hf_top_frame *shown;   /* the reader's, NULL before the first */
	pthread_mutex_t lock;	      /* of what follows */
	pthread_cond_t turned;
	struct hf_top_frame *waiting, *spare; /* one of them is NULL */
	struct hf_top_view view;
	bool paused, hurry, failed;
	struct hf_problem problem;
};

static uint64_t now_ms(void)
{
	return (uint64_t)hf_top_clock_ms(CLOCK_MONOTONIC);
}

static void give(struct hf_top_thread *thread)
{
	struct hf_top_frame *next = thread->waiting ? thread->waiting : thread->spare;

	thread->waiting = thread->filling;
	thread->filling = next;
	thread->spare = NULL;
	eventfd_write(thread->notice, 1);
}

/* Until the next pass is due, or there are to be no more. */
static void wait_for_turn(struct hf_top_thread *thread, uint64_t begun_ms)
{
	uint64_t ended_ms = now_ms(), earliest_ms = 2 * ended_ms - begun_ms, due_ms;
	struct timespec due;

	while (!thread->stop) {
		due_ms = begun_ms + thread->delay_ms;
		if (thread->hurry || due_ms < earliest_ms)
			due_ms = earliest_ms;
		if (!thread->paused && now_ms() >= due_ms)
			return;
		due = (struct timespec){ (time_t)(due_ms / 1000), (long)(due_ms % 1000) * 1000000 };
		if (thread->paused)
			pthread_cond_wait(&thread->turned, &thread->lock);
		else
			pthread_cond_timedwait(&thread->turned, &thread->lock, &due);
	}
}

static void *work(void *arg)
{
	struct hf_top_thread *thread = arg;
	struct hf_top_view view;
	uint64_t begun_ms;
	int result;

	pthread_mutex_lock(&thread->lock);
	while (!thread->stop && !thread->failed) {
		view = thread->view;
		thread->hurry = false;
		pthread_mutex_unlock(&thread->lock);
		begun_ms = now_ms();
		result = hf_top_pass_run(thread->pass, &view, thread->filling, &thread->problem);
		pthread_mutex_lock(&thread->lock);
		thread->failed = result < 0;
		if (result <= 0)
			give(thread);
		wait_for_turn(thread, begun_ms);
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

/* Signals are for the thread that started this one. */
static int run_thread(struct hf_top_thread *thread)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread->thread, NULL, work, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread->started = !error;
	return error;
}

static void init_lock(struct hf_top_thread *thread)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->turned, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&thread->lock, NULL);
}

static int start(struct hf_top_thread *thread, const struct hf_top_scope *scope, unsigned int rows)
{
	struct hf_top_scope ours = *scope;

	ours.stop = &thread->stop;
	thread->pass = hf_top_pass_new(&ours);
	if (!thread->pass)
		return ENOMEM;
	for (size_t i = 0; i < FRAMES; i++)
		if (hf_top_frame_init(&thread->frame[i], rows))
			return ENOMEM;
	thread->filling = &thread->frame[0];
	thread->spare = &thread->frame[1];
	thread->notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (thread->notice < 0)
		return errno;
	return run_thread(thread);
}

int hf_top_thread_start(struct hf_top_thread **out, const struct hf_top_scope *scope,
			unsigned int rows, uint32_t delay_ms, struct hf_problem *problem)
{
	struct hf_top_thread *thread = calloc(1, sizeof(*thread));
	int error;

	if (!thread)
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	thread->delay_ms = delay_ms;
	thread->notice = -1;
	init_lock(thread);
	error = start(thread, scope, rows);
	if (error) {
		hf_top_thread_stop(&thread);
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "cannot begin: %s",
				      strerror(error));
	}
	*out = thread;
	return 0;
}

void hf_top_thread_stop(struct hf_top_thread **slot)
{
	struct hf_top_thread *thread = *slot;

	if (!thread)
		return;
	pthread_mutex_lock(&thread->lock);
	thread->stop = true;
	pthread_cond_signal(&thread->turned);
	pthread_mutex_unlock(&thread->lock);
	if (thread->started)
		pthread_join(thread->thread, NULL);
	for (size_t i = 0; i < FRAMES; i++)
		hf_top_frame_free(&thread->frame[i]);
	hf_top_pass_free(&thread->pass);
	if (thread->notice >= 0)
		close(thread->notice);
	pthread_cond_destroy(&thread->turned);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
	*slot = NULL;
}

int hf_top_thread_fd(const struct hf_top_thread *thread)
{
	return thread->notice;
}

int hf_top_thread_take(struct hf_top_thread *thread, struct hf_top_frame **frame,
		       struct hf_problem *problem)
{
	eventfd_t notices;
	int result;

	eventfd_read(thread->notice, &notices);
	pthread_mutex_lock(&thread->lock);
	if (thread->waiting && !thread->failed) {
		thread->spare = thread->shown ? thread->shown : &thread->frame[2];
		thread->shown = thread->waiting;
		thread->waiting = NULL;
	}
	*frame = thread->shown;
	result = thread->failed ? -1 : 0;
	if (result)
		*problem = thread->problem;
	pthread_mutex_unlock(&thread->lock);
	return result;
}

void hf_top_thread_turn(struct hf_top_thread *thread, const struct hf_top_view *view, bool paused)
{
	pthread_mutex_lock(&thread->lock);
	thread->view = *view;
	thread->paused = paused;
	thread->hurry = true;
	pthread_cond_signal(&thread->turned);
	pthread_mutex_unlock(&thread->lock);
}
