/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chance from a seed: the same seed, the same run. */
#ifndef HF_SIM_RANDOM_H
#define HF_SIM_RANDOM_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct hf_random {
	uint64_t state;
};

/* Uniform over all 64 bits (Steele, Lea and Flood: SplitMix64). */
static inline uint64_t hf_random_next(struct hf_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 up to, not including, 1. */
static inline double hf_random_unit(struct hf_random *random)
{
	return (double)(hf_random_next(random) >> 11) * 0x1p-53;
}

/* 0 up to, not including, n; n is at most 2^32. */
static inline uint64_t hf_random_below(struct hf_random *random, uint64_t n)
{
	return (hf_random_next(random) >> 32) * n >> 32;
}

/* True with this probability. No chance is drawn where there is none. */
static inline bool hf_random_chance(struct hf_random *random, double probability)
{
	return probability > 0 && hf_random_unit(random) < probability;
}

static inline double hf_random_exponential(struct hf_random *random, double mean)
{
	return -mean * log1p(-hf_random_unit(random));
}

/* Mean 0, standard deviation 1 (Box and Muller). */
static inline double hf_random_normal(struct hf_random *random)
{
	double radius = sqrt(-2 * log1p(-hf_random_unit(random)));

	return radius * cos(6.283185307179586 * hf_random_unit(random));
}

#endif
