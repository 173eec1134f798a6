/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers in network order at any alignment, and the Internet checksum (RFC 1071).
 *
 * The sum is taken over words as they lie in memory: it comes out in memory order, too, whatever
 * the machine's byte order (RFC 1071 2 (B)).
 */
#ifndef HF_CORE_BYTES_H
#define HF_CORE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t hf_load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t hf_load32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void hf_store16(uint8_t *at, uint16_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

static inline void hf_store32(uint8_t *at, uint32_t number)
{
	uint8_t bytes[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
			     (uint8_t)(number >> 8), (uint8_t)number };

	memcpy(at, bytes, sizeof(bytes)); /* one store, where four by themselves might be mixed */
}

/*
 * Bytes that will be read and written are on their way into the cache. Always inline: a call of
 * what does nothing but this is taken for superfluous by gcc, and dropped.
 */
static inline __attribute__((always_inline)) void hf_prefetch(const void *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += 64)
		__builtin_prefetch((const uint8_t *)bytes + at, 1);
	__builtin_prefetch((const uint8_t *)bytes + size - 1, 1);
}

/* Add bytes to a sum; only the last ones added may be odd in number. */
static inline uint64_t hf_sum_add(uint64_t sum, const uint8_t *at, size_t size)
{
	uint32_t word = 0;

	for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, at, size);
	return sum + word;
}

/* What an address pair, TCP and its length add to TCP's sum (RFC 9293 3.1, RFC 8200 8.1). */
static inline uint64_t hf_sum_pseudo(const uint8_t *addresses, size_t size, uint16_t tcp_length)
{
	uint8_t rest[4] = { 0, 6, (uint8_t)(tcp_length >> 8), (uint8_t)tcp_length };

	return hf_sum_add(hf_sum_add(0, addresses, size), rest, sizeof(rest));
}

/*
 * To 16 bits, in the same order; 0xffff, never 0, for a sum that includes its own right checksum.
 * The sum of 64 KB is below 2^48: the last addition carries no more.
 */
static inline uint16_t hf_sum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)((sum >> 16) + sum);
}

static inline void hf_sum_store(uint8_t *at, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~hf_sum_fold(sum);

	memcpy(at, &checksum, sizeof(checksum));
}

#endif
