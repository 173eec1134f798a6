/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fact: fsopen("cgroup2") + fsmount gives the root of the cgroup2 hierarchy where no mount point
 * of it can be seen (as inside "ip netns exec", which hides it under a new /sys).
 */
#define _GNU_SOURCE
#include "fact.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

int main(void)
{
	struct statfs fs;
	int root;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mount("tmpfs", "/sys", "tmpfs", 0, NULL));
	fact_saw(access("/sys/fs/cgroup", F_OK) < 0, "no /sys/fs/cgroup");
	root = fact_cgroup_root();
	MUST(fstatfs(root, &fs));
	fact_saw(fs.f_type == CGROUP2_SUPER_MAGIC, "file system 0x%lx", (long)fs.f_type);
	/* every cgroup but the root has a cgroup.type */
	fact_saw(!faccessat(root, "cgroup.procs", F_OK, 0) &&
			 faccessat(root, "cgroup.type", F_OK, 0),
		 "it is the root");
	return fact_end();
}
