# SPDX-License-Identifier: GPL-2.0-or-later
"""What Holdfast does with few capabilities, what it keeps of many, and what it does where the
kernel refuses one of its programs."""
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import subprocess

import pytest

from lab import HERE, HOLDFAST, POLLING, SESSION, Watch, check, wait_until
from runs import cgroup2, cgroup_of, ended, keeper_of, under

# linux/capability.h
DAC_OVERRIDE, DAC_READ_SEARCH, NET_ADMIN, SYS_PTRACE, SYS_ADMIN = 1, 2, 12, 19, 21
THREE = ("bpf", "net_admin", "perfmon")
only_once = pytest.mark.parametrize("family", [4], indirect=True)


def nobody(netns, *capabilities):
    """Run as a plain user with these capabilities, inside a namespace."""
    sets = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ("nsenter", f"--net={netns.path}", "setpriv", "--reuid=65534", "--regid=65534",
            "--clear-groups", "--no-new-privs", f"--inh-caps={sets}", f"--ambient-caps={sets}",
            f"--bounding-set={sets}")


def capabilities_of(pid):
    """Those of every thread of a process, in any of its sets."""
    held = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        for value in re.findall(r"^Cap(?:Eff|Prm|Inh|Amb):\s+(\w+)$", status.read_text(), re.M):
            held |= int(value, 16)
    return held


def bits(*numbers):
    return sum(1 << number for number in numbers)


# -- a plain user with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON

def test_three_capabilities_are_enough_to_list_with_owners(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=20, interval=5, count=4)
    rows = lab.json("list", prefix=nobody(lab.client, *THREE))
    row = [row for row in rows if row["cookie"] == near.cookie][0]
    assert (row["pid"], row["uid"], row["idle"]) == (near.peer.pid, 0, 20)
    assert row["cgroup"] is None  # wants CAP_DAC_READ_SEARCH


def test_three_capabilities_are_enough_to_apply_and_to_give_back(lab):
    near, _ = lab.pair().connect()
    before, prefix = near.options(), nobody(lab.client, *THREE)
    lab.run("apply", "--dead-within", "20s", prefix=prefix)
    after = near.options()
    assert after["keepalive"] == 1 and after["idle"] <= 20
    assert lab.one(near)["rule"] == "apply"
    assert b"CAP_SYS_ADMIN" in lab.run("restore", prefix=prefix).stderr  # for other namespaces
    assert near.options() == before


def test_three_capabilities_are_enough_to_watch(lab):
    near, _ = lab.pair().connect()
    watch = Watch(lab, "--dead-within", "6s", "--restore", prefix=nobody(lab.client, *THREE))
    young, far = lab.connect()
    heard = lab.exchange(young, far)
    watch.wait("protected", local=young.local, pid=young.peer.pid)
    assert near.options()["keepalive"] == 1
    lab.server.cut()
    assert young.death("ETIMEDOUT", timeout=9) - heard <= 6 + POLLING
    assert watch.wait("dead", local=young.local)["evidence"]["errno"] == "ETIMEDOUT"
    assert watch.stop() == 0


@only_once
def test_rules_out_of_reach_are_said_to_be_unknown_and_not_to_be_none(lab):
    near, _ = lab.pair().connect()
    lab.watch("--dead-within", "20s")
    os.chmod(lab.env["HOLDFAST_BPFFS"], 0o700)
    prefix = nobody(lab.client, *THREE)
    assert b"rules are not known" in lab.run("list", prefix=prefix).stderr
    row, = lab.json("why", near.local, near.remote, prefix=prefix)
    assert (row["rule"], row["watcher"], row["settings"]["idle"]["set_by"]) == (None, None, None)
    assert "no-rule" not in [reason["reason"] for reason in row["prevents"]]
    told = lab.run("why", near.local, near.remote, prefix=prefix).stdout.decode()
    assert re.search(r"^  under +not known\n  watch +not known$", told, re.M)


@only_once
@pytest.mark.parametrize("more, limited", [((), {"namespaces", "probes"}),
                                           (("net_raw",), {"namespaces"})])
def test_three_capabilities_satisfy_doctor(lab, more, limited):
    findings = lab.json("doctor", prefix=nobody(lab.pair().client, *THREE, *more))
    assert not [row for row in findings if row["status"] == "missing"]
    assert {row["check"] for row in findings if row["status"] == "limited"} == limited


@only_once
@pytest.mark.parametrize("command", ["list", "audit", "apply", "watch"])
@pytest.mark.parametrize("lacking", ["bpf", "perfmon"])
def test_without_one_of_them_it_is_exit_3_and_names_them(lab, command, lacking):
    left = [name for name in THREE if name != lacking]
    done = lab.run(command, "--backend", "bpf", prefix=nobody(lab.pair().client, *left), exit=3)
    assert f"CAP_{lacking.upper()}" in done.stderr.decode()


@only_once
def test_without_net_admin_it_lists_but_does_not_watch(lab):
    near, _ = lab.pair().connect()
    prefix = nobody(lab.client, "bpf", "perfmon")
    assert near.local in lab.run("list", prefix=prefix).stdout.decode()
    done = lab.run("watch", "--backend", "bpf", prefix=prefix, exit=3)
    assert b"CAP_NET_ADMIN" in done.stderr


@only_once
@pytest.mark.parametrize("command", ["list", "audit", "apply", "watch"])
def test_another_namespace_wants_sys_admin_and_it_says_so(lab, command):
    lab.pair()
    done = lab.run(command, "--netns", lab.server.name, prefix=nobody(lab.client, *THREE), exit=3)
    assert b"CAP_SYS_ADMIN" in done.stderr


@only_once
@pytest.mark.parametrize("capabilities", [(), THREE], ids=["none", "three"])
def test_of_all_namespaces_those_in_reach_are_shown_and_the_rest_is_told(lab, capabilities):
    near, _ = lab.pair().connect()
    lab.apply("--dead-within", "20s")
    prefix = nobody(lab.client, *capabilities)
    for command, exit in ("list", 0), ("audit", 3):  # a part is not judged
        done = lab.run(command, "--netns", "all", prefix=prefix, exit=exit)
        assert re.search(rb"^holdfast: other network namespaces \(\d+\) are not", done.stderr, re.M)
        assert command == "audit" or near.local in done.stdout.decode()


# -- what root keeps

@only_once
@pytest.mark.parametrize("where, kept", [
    ("own", 0), ("named", bits(SYS_ADMIN)), ("all", bits(SYS_ADMIN, SYS_PTRACE, NET_ADMIN))])
def test_a_watch_keeps_only_what_its_passes_need(lab, where, kept):
    lab.pair()
    netns = {"own": (), "named": ("--netns", lab.client.name), "all": ("--netns", "all")}[where]
    inside = ("nsenter", f"--net={lab.client.path}") if where == "own" else ()
    filters = ("--remote", lab.server.address)
    watch = Watch(lab, *netns, *filters, "--dead-within", "6s", prefix=inside)
    assert capabilities_of(watch.process.pid) == kept
    near, far = lab.connect()
    heard = lab.exchange(near, far)
    watch.wait("protected", local=near.local, timeout=5)
    lab.server.cut()
    assert near.death("ETIMEDOUT", timeout=9) - heard <= 6 + POLLING
    assert watch.stop() == 0


@contextlib.contextmanager
def full_pipe():
    """A pipe that takes nothing more: whoever writes to it waits."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


@only_once
@pytest.mark.parametrize("words, kept", [
    ("list", 0), ("list --columns local,cgroup", bits(DAC_READ_SEARCH)),
    ("list --netns {server}", bits(SYS_ADMIN)), ("audit", 0), ("apply", 0),
    ("restore", bits(SYS_ADMIN, SYS_PTRACE, NET_ADMIN))])
def test_a_pass_is_made_with_what_it_needs_and_no_more(lab, words, kept):
    lab.pair().connect()
    lab.apply("--dead-within", "1min")
    words = words.format(server=lab.server.name).split()
    with full_pipe() as full:
        process = lab.popen([HOLDFAST, *words], lab.client, stdout=full, stderr=full)
        wait_until(lambda: capabilities_of(process.pid) == kept, 5, f"it holds {kept:#x}")
        assert process.poll() is None
        process.kill()
        process.wait(5)


@only_once
def test_the_keeper_of_a_run_keeps_what_its_passes_and_its_end_need(lab):
    marker = f"{SESSION}-{lab.number}-keeper"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    kept = bits(DAC_OVERRIDE, NET_ADMIN, SYS_PTRACE, SYS_ADMIN)
    wait_until(lambda: (keeper := keeper_of(marker)) and capabilities_of(keeper) == kept, 5,
               f"it holds {kept:#x}")
    path = cgroup_of(program.pid)
    group = pathlib.Path(cgroup2() + path, "one")  # of another user's, in which is one more
    group.joinpath("two").mkdir(parents=True)
    os.chown(group, 65534, 65534)
    program.stdin.close()
    assert program.wait(5) == 1
    ended(lab, marker, path)


# -- programs that the kernel refuses

def refusing(lab, *names):
    """The environment of a kernel that refuses the programs of these names."""
    library = os.path.join(lab.directory, "refuse.so")
    check(["cc", "-std=gnu17", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o",
           library, str(HERE / "refuse.c"), "-ldl"])
    return {**lab.env, "LD_PRELOAD": library, "HF_TEST_REFUSE": " ".join(names)}


OPTIONAL = {  # program: what a watch says that it goes without, doctor's check of it
    "hf_owners_pass": ("who holds", "owners"),
    "hf_sock_create": ("who makes", "makers"),
    "hf_setsockopt": ("weaker values", "later values"),
}


@only_once
@pytest.mark.parametrize("refused", [*([name] for name in OPTIONAL), list(OPTIONAL)],
                         ids="+".join)
def test_a_watch_does_without_what_the_kernel_refuses_and_says_so(lab, refused):
    near, _ = lab.pair().connect()
    watch = lab.watch("--dead-within", "6s", env=refusing(lab, *refused))
    young, far = lab.connect()
    heard = lab.exchange(young, far)
    watch.wait("protected", local=young.local)
    assert near.options()["keepalive"] == young.options()["keepalive"] == 1
    for name, (lack, _) in OPTIONAL.items():
        assert any(lack in line for line in watch.said) == (name in refused), watch.said
    lab.server.cut()
    assert young.death("ETIMEDOUT", timeout=9) - heard <= 6 + POLLING
    watch.wait("dead", local=young.local)


@only_once
def test_without_setsockopt_the_next_pass_puts_a_weaker_value_right(lab):
    watch = lab.pair().watch("--dead-within", "6s", env=refusing(lab, "hf_setsockopt"))
    near, _ = lab.connect()
    wait_until(lambda: near.options()["keepalive"], 2, "it is under the rule")
    watch.process.send_signal(signal.SIGSTOP)  # no pass comes between
    near.set(idle=300)
    assert near.options()["idle"] == 300
    watch.process.send_signal(signal.SIGCONT)
    wait_until(lambda: near.options()["idle"] == 2, 4, "a pass puts it right")


@only_once
@pytest.mark.parametrize("program", [*OPTIONAL, "hf_sockops", "hf_sweep"])
def test_doctor_names_what_the_kernel_refuses(lab, program):
    needed = {"hf_sockops": "new sockets", "hf_sweep": "open sockets"}
    expected = ({needed[program]: "missing", "events": "missing"} if program in needed
                else {OPTIONAL[program][1]: "limited"})
    findings = lab.json("doctor", env=refusing(lab, program), exit=int(program in needed))
    assert expected == {row["check"]: row["status"] for row in findings if row["status"] != "ok"}


@only_once
def test_without_owners_list_says_null(lab):
    near, _ = lab.pair().connect()
    env = refusing(lab, "hf_owners_pass")
    row = [row for row in lab.json("list", *lab.where(None), env=env)
           if row["cookie"] == near.cookie][0]
    assert (row["pid"], row["process"], row["keepalive"]) == (None, None, False)
    done = lab.run("list", "--backend", "bpf", "--pid", str(near.peer.pid), env=env, exit=3)
    assert b"who holds" in done.stderr


@only_once
@pytest.mark.parametrize("command, program", [
    ("list", "hf_sweep"), ("apply", "hf_sweep"), ("watch", "hf_sweep"), ("watch", "hf_sockops")])
def test_without_what_it_cannot_do_without_it_is_exit_3(lab, command, program):
    lab.pair()
    done = lab.run(command, "--backend", "bpf", *lab.where(None), env=refusing(lab, program),
                   exit=3)
    assert b"doctor" in done.stderr
