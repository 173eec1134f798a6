/* SPDX-License-Identifier: BSD-2-Clause */
/* Durations as people write them: 500ms 30s 5min 2h 1d; a bare number is seconds. */
#ifndef HF_CORE_DURATION_H
#define HF_CORE_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_DURATION_TEXT 32

/*
 * Parse one number (fractions allowed, no sign, no exponent) and one unit: ms s min (or m) h d.
 * Milliseconds, rounded to the nearest; false, and *ms untouched, for anything else and for
 * what does not fit.
 */
bool hf_duration_parse(const char *text, uint64_t *ms);

/*
 * The shortest exact form with at most two units: "500ms", "4.5s", "2min", "1h 30min", "5d".
 * Returns the length; text has room for HF_DURATION_TEXT bytes.
 */
size_t hf_duration_format(uint64_t ms, char *text);

#endif
