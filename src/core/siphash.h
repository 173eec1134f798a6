/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one compression
 * round and three final ones): a keyed hash that whoever chooses the input cannot steer.
 */
#ifndef HF_CORE_SIPHASH_H
#define HF_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

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

static inline void hf_sip_begin(uint64_t v[4], const uint64_t key[2])
{
	v[0] = key[0] ^ 0x736f6d6570736575; /* "somepseu" */
	v[1] = key[1] ^ 0x646f72616e646f6d; /* "dorandom" */
	v[2] = key[0] ^ 0x6c7967656e657261; /* "lygenera" */
	v[3] = key[1] ^ 0x7465646279746573; /* "tedbytes" */
}

/* last: what does not fill a word, and above it the size modulo 256. */
static inline uint64_t hf_sip_end(uint64_t v[4], uint64_t last)
{
	hf_sip_compress(v, last);
	v[2] ^= 0xff;
	hf_sip_round(v);
	hf_sip_round(v);
	hf_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t hf_siphash13(const uint64_t key[2], const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t v[4], word = 0;

	hf_sip_begin(v, key);
	for (size_t i = 0; i < size; i++) {
		word |= (uint64_t)at[i] << 8 * (i % 8);
		if (i % 8 != 7)
			continue;
		hf_sip_compress(v, word);
		word = 0;
	}
	return hf_sip_end(v, word | (uint64_t)size << 56);
}

/* The same of 8 * count bytes that are words already, little-endian: the faster. */
static inline uint64_t hf_siphash13_words(const uint64_t key[2], const uint64_t *word, size_t count)
{
	uint64_t v[4];

	hf_sip_begin(v, key);
	for (size_t i = 0; i < count; i++)
		hf_sip_compress(v, word[i]);
	return hf_sip_end(v, (uint64_t)count * 8 << 56);
}

#endif
