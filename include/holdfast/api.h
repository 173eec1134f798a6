/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a declaration part of libholdfast.
 *
 * Everything a public header declares stands between HF_API_BEGIN and HF_API_END: it is exported by
 * the shared library, which hides all else, and C++ may call it.
 */
#ifndef HOLDFAST_API_H
#define HOLDFAST_API_H

#ifdef __cplusplus
#define HF_C_LINKAGE_BEGIN extern "C" {
#define HF_C_LINKAGE_END }
#else
#define HF_C_LINKAGE_BEGIN
#define HF_C_LINKAGE_END
#endif

/* Outside of GCC and clang the linker's own means decide what a shared library exports. */
#ifdef __GNUC__
#define HF_API_BEGIN _Pragma("GCC visibility push(default)") HF_C_LINKAGE_BEGIN
#define HF_API_END HF_C_LINKAGE_END _Pragma("GCC visibility pop")
#else
#define HF_API_BEGIN HF_C_LINKAGE_BEGIN
#define HF_API_END HF_C_LINKAGE_END
#endif

/* How the functions are linked: an eBPF program that includes the sources makes them static inline. */
#ifndef HF_API
#define HF_API
#endif

#endif
