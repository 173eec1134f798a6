/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host/doctor.h"

#include <bpf/btf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/bpf.h"
#include "host/cgroup.h"
#include "host/check_channel.h"
#include "host/diag/dump.h"
#include "host/files.h"
#include "host/memory.h"
#include "host/privileges.h"

#include "holdfast.skel.h"

/* What is known by sock_diag at no privilege whatever. */
#define WITHOUT_BPF                                                                               \
	"By polls: user timeouts stand, errno of a death is told where it is certain, `restore` " \
	"knows nothing"

void hf_finding_set(struct hf_finding *finding, enum hf_finding_state state, const char *mend,
		    const char *format, ...)
{
	va_list arguments;

	finding->state = state;
	va_start(arguments, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
	va_end(arguments);
	snprintf(finding->mend, sizeof(finding->mend), "%s", mend);
}

static void check_kernel(struct hf_finding *finding)
{
	struct utsname name;

	uname(&name);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "use a kernel with CONFIG_DEBUG_INFO_BTF=y, such as Debian's",
			       "Linux %s carries no type information (BTF)", name.release);
	else
		hf_finding_set(finding, HF_FINDING_OK, "", "Linux %s with BTF, %u jiffies a second",
			       name.release, hf_bpf_hz());
}

static void check_privileges(struct hf_finding *finding)
{
	char lacking[HF_LACKING_TEXT];

	hf_privileges_lacking(lacking);
	if (*lacking)
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "run as root, or with the three capabilities", "no %s", lacking);
	else
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
}

/* Load programs and say what they are for, or why they cannot be had, without naming ourselves. */
static void try_programs(struct hf_finding *finding, unsigned int programs, const char *purpose)
{
	bool optional = !(programs & ~HF_PROGRAMS_OPTIONAL);
	struct hf_load load = { .programs = programs,
				.memory = -1,
				.fixed.modes = ~0u,
				.fixed.audits = true,
				.fixed.gathers = HF_GATHER_ALL };
	struct hf_bpf *bpf;
	struct hf_problem problem;

	if (hf_bpf_load(&bpf, &load, &problem)) {
		char *see_doctor = strstr(problem.mend, HF_SEE_DOCTOR);

		if (see_doctor)
			*see_doctor = '\0';
		hf_finding_set(finding, optional ? HF_FINDING_LIMITED : HF_FINDING_MISSING,
			       problem.mend, "%s: %s", purpose, problem.what);
		return;
	}
	hf_bpf_unload(&bpf);
	hf_finding_set(finding, HF_FINDING_OK, "", "%s", purpose);
}

static void check_sockets(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_SWEEP, "open sockets are seen and set (iter/tcp)");
}

static void check_owners(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_OWNERS, "their processes are known (iter/task_file)");
}

static void check_new(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_SOCKOPS, "new connections are steered (sockops)");
}

static void check_makers(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_SOCK_CREATE,
		     "who makes them is known at once (cgroup/sock_create)");
}

static void check_clamp(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_SETSOCKOPT,
		     "weaker values set later are put right (cgroup/setsockopt)");
}

static bool enum_has(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_enum *value = btf_enum(type);

	for (int i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__str_by_offset(btf, value[i].name_off), name))
			return true;
	return false;
}

/* Is there an enumerator of that name in the kernel's types? */
static bool kernel_knows(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool knows = false;

	if (!btf)
		return false;
	for (unsigned int id = 1; !knows && id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		knows = btf_is_enum(type) && enum_has(btf, type, name);
	}
	btf__free(btf);
	return knows;
}

static void check_open_events(struct hf_finding *finding)
{
	try_programs(finding, HF_PROGRAM_SWEEP | HF_PROGRAM_SOCKOPS,
		     "connections that were open before are heard and armed, too");
	if (finding->state == HF_FINDING_OK && !kernel_knows("TCP_BPF_SOCK_OPS_CB_FLAGS"))
		try_programs(finding, HF_PROGRAM_TRACED,
			     "connections that were open before are heard, too, and armed within "
			     "a second (tracepoints)");
}

static void check_cgroups(struct hf_finding *finding)
{
	int root = hf_cgroup_root();

	if (root == -EPERM) {
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "run as root, or enter by `nsenter --net=/run/netns/NAME`, which "
			       "leaves /sys as it is",
			       "no cgroup2 hierarchy is mounted where we look (`ip netns exec` "
			       "hides /sys), and only root may mount one");
		return;
	}
	if (root < 0) {
		hf_finding_set(finding, HF_FINDING_MISSING,
			       "mount it: mount -t cgroup2 none DIRECTORY",
			       "no cgroup2 hierarchy: %s", strerror(-root));
		return;
	}
	close(root);
	if (hf_cgroup_is_host_root())
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "the root of the cgroup2 hierarchy is in reach");
	else
		hf_finding_set(
			finding, HF_FINDING_LIMITED, "run outside of the container",
			"a cgroup namespace hides the rest of the host: only connections of this "
			"container are steered");
}

static void check_memory(struct hf_finding *finding)
{
	struct hf_problem problem;
	int place = hf_memory_place(false, &problem);
	int map;

	if (place < 0) {
		if (problem.exit == HF_EXIT_DONE)
			hf_finding_set(finding, HF_FINDING_OK, "", "nothing is remembered yet");
		else
			hf_finding_set(finding, HF_FINDING_LIMITED, problem.mend, "%s",
				       problem.what);
		return;
	}
	map = hf_memory_get(place);
	hf_finding_set(finding, HF_FINDING_OK, "", "%s; %s",
		       map >= 0 ? "what was done is remembered" : "nothing is remembered yet",
		       hf_watcher_lives(place) ? "a watcher is running" : "no watcher is running");
	if (map >= 0)
		close(map);
	close(place);
}

static void check_namespaces(struct hf_finding *finding)
{
	if (!hf_privileges_have(CAP_SYS_ADMIN))
		hf_finding_set(finding, HF_FINDING_LIMITED, "add CAP_SYS_ADMIN for --netns",
			       "no other network namespace can be entered");
	else if (!hf_privileges_have(CAP_SYS_PTRACE))
		hf_finding_set(finding, HF_FINDING_LIMITED, "add CAP_SYS_PTRACE",
			       "namespaces held by other users' sockets only are not found");
	else
		hf_finding_set(finding, HF_FINDING_OK, "", "all network namespaces can be entered");
}

static void check_probes(struct hf_finding *finding)
{
	struct hf_channel channel;
	struct hf_problem problem;

	if (hf_channel_open(&channel, &problem)) {
		hf_finding_set(finding, HF_FINDING_LIMITED, "add CAP_NET_RAW for `holdfast check`",
			       "%s", problem.what);
		return;
	}
	hf_channel_close(&channel);
	hf_finding_set(finding, HF_FINDING_OK, "", "`holdfast check` can send probes of its own");
}

/* Kernels before 5.6 do not lend descriptors; Yama may lend those of descendants only. */
static bool descriptors_are_lent(void)
{
	struct hf_borrowing borrowing = { .pidfd = -1 };
	struct hf_open_file file = { .pid = (uint32_t)getpid(), .fd = STDIN_FILENO };
	int fd = hf_files_borrow(&borrowing, &file, 0);

	if (fd >= 0)
		close(fd);
	hf_files_let_go(&borrowing);
	return fd != -ENOSYS && fd != -EPERM;
}

static bool is_yama_strict(void)
{
	int scope = 0;
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (!file)
		return false;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope > 0;
}

/* How far Holdfast gets by sock_diag, with what it cannot know there in any case. */
static void check_without_bpf(struct hf_finding *finding)
{
	struct mnl_socket *link = hf_diag_open();
	enum hf_finding_state state = HF_FINDING_OK;
	char lacking[HF_LACKING_TEXT];

	hf_privileges_lacking(lacking);
	if (*lacking) /* then it is what is left */
		state = HF_FINDING_LIMITED;
	if (link)
		mnl_socket_close(link);
	if (!link)
		hf_finding_set(finding, HF_FINDING_LIMITED, "load the kernel's module tcp_diag",
			       "no sock_diag: %s", strerror(errno));
	else if (!descriptors_are_lent())
		hf_finding_set(
			finding, HF_FINDING_LIMITED, "use Linux 5.6 or newer",
			"connections are listed, but their settings neither known nor set: the kernel "
			"lends no descriptors (pidfd_getfd)");
	else if (!hf_privileges_have(CAP_SYS_PTRACE))
		hf_finding_set(
			finding, state, state ? "run as root, or with CAP_SYS_PTRACE" : "",
			"connections of %s are set and watched; of all others owner and settings are "
			"unknown. " WITHOUT_BPF,
			is_yama_strict() ? "no program (Yama)" : "one's own programs");
	else
		hf_finding_set(
			finding, HF_FINDING_OK, "",
			"connections of all programs are listed, set and watched. " WITHOUT_BPF);
}

static bool is_program(const char *name)
{
	static const char *const places[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], name);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

static void check_demo(struct hf_finding *finding)
{
	if (is_program("ip") && is_program("nft"))
		hf_finding_set(finding, HF_FINDING_OK, "",
			       "ip and nft are there for `holdfast demo`");
	else
		hf_finding_set(finding, HF_FINDING_LIMITED, "install iproute2 and nftables",
			       "`holdfast demo` needs ip and nft");
}

static long sysctl_of(const char *name)
{
	char path[PATH_MAX];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void check_defaults(struct hf_finding *finding)
{
	hf_finding_set(
		finding, HF_FINDING_OK, "",
		"where a program asks for keepalive and no more: idle %ld s, interval %ld s, count "
		"%ld; data is given up after %ld retransmissions",
		sysctl_of("tcp_keepalive_time"), sysctl_of("tcp_keepalive_intvl"),
		sysctl_of("tcp_keepalive_probes"), sysctl_of("tcp_retries2"));
}

static const struct {
	const char *name;
	void (*check)(struct hf_finding *finding);
} checks[] = {
	{ "kernel", check_kernel },
	{ "privileges", check_privileges },
	{ "open sockets", check_sockets },
	{ "owners", check_owners },
	{ "new sockets", check_new },
	{ "makers", check_makers },
	{ "later values", check_clamp },
	{ "events", check_open_events },
	{ "cgroups", check_cgroups },
	{ "memory", check_memory },
	{ "namespaces", check_namespaces },
	{ "probes", check_probes },
	{ "without eBPF", check_without_bpf },
	{ "defaults", check_defaults },
	{ "demo", check_demo },
};

void hf_doctor_examine(void (*fn)(void *arg, const struct hf_finding *finding), void *arg)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct hf_finding finding = { .check = checks[i].name };

		checks[i].check(&finding);
		fn(arg, &finding);
	}
}
