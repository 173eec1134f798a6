/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/sniff_filter.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <holdfast/segment.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "answers.skel.h"

static_assert(sizeof(struct hf_answer_key) == sizeof(struct hf_table_key), "one layout");

struct hf_sniff_filter {
	struct answers_bpf *bpf; /* NULL: refused */
	int refusal;
	unsigned int own_device;
};

/* --- Without eBPF --- */

#define FLAGS_ASKED (HF_FIN | HF_SYN | HF_RST | HF_ACK)

#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD_HALF(at) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define BYTE_BEHIND(at) BPF_STMT(BPF_LD | BPF_B | BPF_IND, at) /* at + X */
#define IF_EQUAL(what, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what, yes, no)
#define IF_BITS(what, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, what, yes, no)
#define IF_EQUAL_X(yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, yes, no)
#define DO(operation, what) BPF_STMT(BPF_ALU | (operation) | BPF_K, what)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

/* Packets begin with the IP header. The device's index is put into the second instruction. */
static struct sock_filter ipv4[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
	IF_EQUAL(0, 17, 0),
	LOAD_BYTE(9),
	IF_EQUAL(IPPROTO_TCP, 0, 15),
	LOAD_HALF(6),
	IF_BITS(0x3fff, 13, 0), /* a fragment */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BYTE_BEHIND(13),
	IF_BITS(HF_RST, 9, 0),
	DO(BPF_AND, FLAGS_ASKED),
	IF_EQUAL(HF_ACK, 0, 8),
	BYTE_BEHIND(12), /* the length of both headers is that of the packet */
	DO(BPF_RSH, 4),
	DO(BPF_LSH, 2),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD_HALF(2),
	IF_EQUAL_X(0, 1),
	RETURN(HF_ANSWERS_SNAP),
	RETURN(0),
};

static struct sock_filter ipv6[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
	IF_EQUAL(0, 13, 0),
	LOAD_BYTE(6),
	IF_EQUAL(IPPROTO_TCP, 0, 11),
	LOAD_BYTE(40 + 13),
	IF_BITS(HF_RST, 8, 0),
	DO(BPF_AND, FLAGS_ASKED),
	IF_EQUAL(HF_ACK, 0, 7),
	LOAD_BYTE(40 + 12),
	DO(BPF_RSH, 4),
	DO(BPF_LSH, 2),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD_HALF(4),
	IF_EQUAL_X(0, 1),
	RETURN(HF_ANSWERS_SNAP),
	RETURN(0),
};

static int attach_classic(const struct hf_sniff_filter *filter, int fd, bool v6)
{
	struct sock_fprog program = { sizeof(ipv4) / sizeof(*ipv4), ipv4 };

	if (v6)
		program = (struct sock_fprog){ sizeof(ipv6) / sizeof(*ipv6), ipv6 };
	program.filter[1].k = filter->own_device;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* --- eBPF --- */

static struct answers_bpf *load(unsigned int own_device, uint32_t seed)
{
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	struct answers_bpf *bpf = answers_bpf__open();
	int error = errno;

	if (bpf) {
		bpf->rodata->hf_own_device = own_device;
		bpf->rodata->hf_seed = seed;
		error = -answers_bpf__load(bpf);
		if (error) {
			answers_bpf__destroy(bpf);
			bpf = NULL;
		}
	}
	libbpf_set_print(before);
	errno = error;
	return bpf;
}

struct hf_sniff_filter *hf_sniff_filter_make(unsigned int own_device)
{
	struct hf_sniff_filter *filter = calloc(1, sizeof(*filter));
	uint32_t seed;

	if (!filter || getrandom(&seed, sizeof(seed), 0) < 0) {
		free(filter);
		return NULL;
	}
	filter->own_device = own_device;
	filter->bpf = load(own_device, seed);
	filter->refusal = filter->bpf ? 0 : errno;
	return filter;
}

void hf_sniff_filter_free(struct hf_sniff_filter **filter)
{
	struct hf_sniff_filter *old = *filter;

	*filter = NULL;
	if (old && old->bpf)
		answers_bpf__destroy(old->bpf);
	free(old);
}

int hf_sniff_filter_attach(const struct hf_sniff_filter *filter, int fd, bool v6)
{
	int program = filter->bpf ? bpf_program__fd(filter->bpf->progs.hf_answer) : -1;

	if (program < 0)
		return attach_classic(filter, fd, v6);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program));
}

void hf_sniff_filter_listen(struct hf_sniff_filter *filter, const struct hf_table_key *key, bool on)
{
	struct hf_answer_key name;
	uint8_t *cell;

	if (!filter->bpf)
		return;
	memcpy(&name, key, sizeof(name));
	cell = &filter->bpf->bss->hf_answers[hf_answer_cell(&name, filter->bpf->rodata->hf_seed)];
	if (*cell != HF_ANSWERS_FULL)
		*cell = (uint8_t)(*cell + (on ? 1 : -1));
}

int hf_sniff_filter_refusal(const struct hf_sniff_filter *filter)
{
	return filter->refusal;
}
