/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes in a thread of their own, so that keys are answered while one goes on. Three frames go
 * round: one is being filled, one waits, one is shown.
 */
#ifndef HF_CLI_TOP_THREAD_H
#define HF_CLI_TOP_THREAD_H

#include "cli/top_pass.h"

struct hf_top_thread;

/*
 * Begin at once, one pass every delay_ms, and never more than half of the time. scope->stop is
 * filled in. rows: as many does a frame keep. -1 with a problem.
 */
int hf_top_thread_start(struct hf_top_thread **out, const struct hf_top_scope *scope,
			unsigned int rows, uint32_t delay_ms, struct hf_problem *problem);
/* A pass that goes on is broken off. */
void hf_top_thread_stop(struct hf_top_thread **thread);

/* Readable when there is a new frame, or an end to them. */
int hf_top_thread_fd(const struct hf_top_thread *thread);

/*
 * The newest frame, valid until the next call; NULL before the first. -1 with a problem where the
 * passes have ended.
 */
int hf_top_thread_take(struct hf_top_thread *thread, struct hf_top_frame **frame,
		       struct hf_problem *problem);

/* What the next passes are for; they begin now, or when paused not at all. */
void hf_top_thread_turn(struct hf_top_thread *thread, const struct hf_top_view *view, bool paused);

#endif
