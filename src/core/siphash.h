/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one compression
 * round and three final ones): a keyed hash that whoever chooses the input cannot steer.
 */
#ifndef HF_CORE_SIPHASH_H
#define HF_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Little-endian; in a form that compilers know for one load. */
static inline uint64_t hf_sip_load64(const uint8_t *at)
{
	return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 |
	       (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 |
	       (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

static inline uint64_t hf_sip_rotate(uint64_t word, unsigned int by)
{
	return word << by | word >> (64 - by);
}

static inline void hf_sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = hf_sip_rotate(v[1], 13) ^ v[0];
	v[3] = hf_sip_rotate(v[3], 16) ^ v[2];
	v[0] = hf_sip_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = hf_sip_rotate(v[1], 17) ^ v[2];
	v[3] = hf_sip_rotate(v[3], 21) ^ v[0];
	v[2] = hf_sip_rotate(v[2], 32);
}

static inline void hf_sip_compress(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	hf_sip_round(v);
	v[0] ^= word;
}

static inline uint64_t hf_siphash13(const uint64_t key[2], const void *data, size_t size)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575, /* "somepseu" */
		key[1] ^ 0x646f72616e646f6d, /* "dorandom" */
		key[0] ^ 0x6c7967656e657261, /* "lygenera" */
		key[1] ^ 0x7465646279746573, /* "tedbytes" */
	};
	uint64_t last = (uint64_t)size << 56;
	const uint8_t *at = data;
	size_t rest = size;

	for (; rest >= 8; rest -= 8, at += 8)
		hf_sip_compress(v, hf_sip_load64(at));
	for (size_t i = 0; i < rest; i++)
		last |= (uint64_t)at[i] << 8 * i;
	hf_sip_compress(v, last);
	v[2] ^= 0xff;
	hf_sip_round(v);
	hf_sip_round(v);
	hf_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
