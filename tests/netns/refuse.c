// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into Holdfast by a test: a kernel that refuses the eBPF programs whose names stand in
 * $HF_TEST_REFUSE, one after the other with blanks between. It also refuses programs that would load
 * others from within the kernel, where their names are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static bool is_refused(const char *name)
{
	const char *refused = getenv("HF_TEST_REFUSE");
	const char *found = refused && *name ? strstr(refused, name) : NULL;

	return found && strcspn(found, " ") == strlen(name);
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	const union bpf_attr *attributes;
	long argument[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	attributes = (const union bpf_attr *)argument[1];
	if (number == SYS_bpf && argument[0] == BPF_PROG_LOAD &&
	    (attributes->prog_type == BPF_PROG_TYPE_SYSCALL || is_refused(attributes->prog_name))) {
		errno = EINVAL;
		return -1;
	}
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return next(number, argument[0], argument[1], argument[2], argument[3], argument[4],
		    argument[5]);
}
