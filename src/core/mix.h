/* SPDX-License-Identifier: BSD-2-Clause */
/* Fingerprints: whether two multisets of numbers are the same, by the sums of their mixes. */
#ifndef HF_CORE_MIX_H
#define HF_CORE_MIX_H

#include <stdint.h>

/* A bijection that leaves no pattern (Steele, Lea and Flood's SplitMix64, its last steps). */
static inline uint64_t hf_mix(uint64_t word)
{
	word += 0x9e3779b97f4a7c15;
	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

#endif
