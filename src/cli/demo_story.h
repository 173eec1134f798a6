/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the demo plays: four acts, each with two connections of the same plain program, one
 * under Holdfast and one not. All that is shown and judged was measured in this run.
 */
#ifndef HF_CLI_DEMO_STORY_H
#define HF_CLI_DEMO_STORY_H

#include "cli/demo_stage.h"

#define HF_STORY_DEAD_WITHIN_S 5 /* the promise */

/* Build the world and play on an open stage; 0, or -1 as hf_stage_wait. */
int hf_story_play(struct hf_stage *stage);

/* Then: the summary. 0, or -1 with *problem where something was not as claimed. */
int hf_story_judge(struct hf_stage *stage, struct hf_problem *problem);

#endif
