# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast run: the cgroup that a program is given, and who keeps it."""
import os
import re
import signal
import subprocess

import stolen
from lab import SESSION, wait_until
from runs import (CAPABLE, POLICY, USER, cgroup2, cgroup_of, ended, keeper_of, listening,
                  only_once, static, under)
from test_coverage import assert_planned
from test_programs import started


@only_once
def test_the_cgroup_is_gone_at_the_end(lab):
    marker = f"{SESSION}-{lab.number}-gone"
    program = lab.popen([*under("bpf"), "sh", "-c", "sleep 1", marker])
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup_of(program.pid)
    assert re.search(rf"/holdfast-run-{program.pid}(-\d+)?$", path)
    assert program.wait(5) == 0
    ended(lab, marker, path)


def test_descendants_that_outlive_the_command_stay_protected(lab):
    where = listening(lab.pair())
    marker = f"{SESSION}-{lab.number}-outlive"
    program = lab.popen([*under("bpf"), "sh", "-c", "(sleep 2; exec \"$@\") & echo $!", marker,
                         *static(lab, *where)], lab.client, stdout=subprocess.PIPE)
    child = int(program.stdout.readline())
    path = cgroup_of(child)
    assert program.wait(1) == 0, "the command itself has ended"
    wait_until(lambda: stolen.connected(child), 5, "the child has its connection")
    assert_planned(lab, stolen.options(child), POLICY)
    os.kill(child, signal.SIGKILL)
    ended(lab, marker, path)


@only_once
def test_what_a_killed_keeper_left_behind_goes_with_the_next_run(lab):
    marker = f"{SESSION}-{lab.number}-killed"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    keeper = wait_until(lambda: keeper_of(marker), 5, "the keeper")
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup2() + cgroup_of(program.pid)
    os.kill(keeper, signal.SIGKILL)
    lab.run("run", "--quiet", "--", "true")
    assert os.path.exists(path), "somebody lives in it"
    program.stdin.close()
    program.wait(5)
    lab.run("run", "--quiet", "--", "true")
    assert not os.path.exists(path)


@only_once
def test_cgroups_that_a_program_makes_are_its_own_until_it_has_ended(lab):
    marker = f"{SESSION}-{lab.number}-own"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup_of(program.pid)
    os.makedirs(cgroup2() + path + "/one/two")
    lab.run("run", "--quiet", "--", "true")
    assert os.path.exists(cgroup2() + path + "/one/two"), "empty, but the program's"
    program.stdin.close()
    program.wait(5)
    ended(lab, marker, path)


def test_in_a_delegated_cgroup_without_root(lab):
    where = listening(lab.pair())
    group = os.path.join(cgroup2(), f"{SESSION}-{lab.number}")
    os.mkdir(group)
    for name in ("", "cgroup.procs"):
        os.chown(os.path.join(group, name), 65534, 65534)
    program = started(lab, lab.client, "sh", "-c", f"echo $$ >{group}/cgroup.procs && exec \"$@\"",
                      "sh", *USER, *CAPABLE, *under("bpf", *POLICY, "--backend=bpf"),
                      *static(lab, *where))
    assert cgroup_of(program.pid).startswith(f"/{SESSION}-{lab.number}/holdfast-run-")
    assert_planned(lab, stolen.options(program.pid), POLICY)
    program.kill()
    wait_until(lambda: removed(group), 5, "nothing is left in it")


def removed(path):
    try:
        os.rmdir(path)
    except OSError:
        pass
    return not os.path.exists(path)
