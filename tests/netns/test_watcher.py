# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose connections a watch looks after, what becomes of them when it ends, and how it may end."""
import contextlib
import os
import signal
import subprocess
import time

import pytest

from lab import wait_until
from test_coverage import assert_planned

POLICY = ("--dead-within", "10s")


def two_servers(lab):
    """A connection to each of two ports."""
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    near = []
    for _ in range(2):
        listener, port = server.listen(lab.server.address)
        near.append(client.connect(lab.server.address, port))
        server.accept(listener)
    return near


def remote_port(sock):
    return ":" + sock.remote.rsplit(":", 1)[1]


def test_what_an_earlier_watch_held_is_not_armed_nor_told_by_one_with_another_filter(lab):
    earlier, ours = two_servers(lab)
    lab.watch(*POLICY, "--remote", remote_port(earlier)).stop()
    assert_planned(lab, earlier.options(), POLICY)
    watch = lab.watch(*POLICY, "--remote", remote_port(ours))
    lab.server.cut()
    for sock in (earlier, ours):
        sock.send(text="x")
    wait_until(lambda: ours.options()["user_timeout_ms"], 3, "it is armed")
    time.sleep(1.5)
    assert earlier.options()["user_timeout_ms"] == 0
    watch.stop()
    assert [sock.options()["user_timeout_ms"] for sock in (earlier, ours)] == [0, 0]
    assert not watch.seen(local=earlier.local)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM],
                         ids=lambda number: number.name)
def test_every_end_takes_armed_timeouts_back_and_restores(lab, number):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    watch = lab.watch(*POLICY, "--restore")
    lab.server.cut()
    near.send(text="x")
    wait_until(lambda: near.options()["user_timeout_ms"], 3, "it is armed")
    assert watch.stop(number) == 0
    options = near.options()
    assert (options["keepalive"], options["user_timeout_ms"]) == (0, 0)


def test_nohup_is_honoured(lab):
    lab.pair()
    watch = lab.watch(*POLICY, prefix=("nohup",))
    watch.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert watch.process.poll() is None
    assert watch.stop() == 0


def test_an_interrupt_while_it_starts_ends_it_in_peace(lab):
    lab.pair()
    for _ in range(8):
        process = lab.popen(lab.command("watch", *lab.where(None), *POLICY), stderr=subprocess.PIPE)
        wait_until(lambda: handles(process.pid, signal.SIGINT), 5, "it has begun")
        loaded = any("bpf-prog" in name for name in names(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0, process.stderr.read()
        if not loaded:
            return
    raise AssertionError("no signal is caught before the programs are loaded")


def handles(pid, number):
    """Does the process catch the signal?"""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


def test_restore_reaches_a_process_that_took_another_name(lab):
    near, _ = lab.pair().connect()
    before = near.options()
    name = open(f"/proc/{near.peer.pid}/comm", encoding="ascii").read().strip()
    watch = lab.watch(*POLICY, "--process", name, "--restore")
    wait_until(lambda: near.options()["keepalive"], 3, "it is under the rule")
    near.peer.call("rename", hex=b"other".hex())
    lab.connect()  # makes the watch look again at who holds what
    time.sleep(2.5)
    assert watch.stop() == 0
    assert near.options() == before


def test_apply_leaves_what_a_running_watch_holds(lab):
    held, free = two_servers(lab)
    lab.watch("--dead-within", "8s", "--remote", remote_port(held))
    before = held.options()
    told = {row["remote"]: row["outcome"] for row in lab.apply("--dead-within", "5min")
            if row["local"] in (held.local, free.local)}
    assert told == {held.remote: "watched", free.remote: "set"}
    assert held.options() == before


def test_two_at_once_on_a_fresh_bpffs_remember_both(lab):
    near = two_servers(lab)
    before = [sock.options() for sock in near]
    processes = [lab.popen(lab.command("apply", *lab.where(None), *POLICY, "--remote",
                                       remote_port(sock)), stderr=subprocess.PIPE) for sock in near]
    for process in processes:
        assert (process.wait(10), process.stderr.read()) == (0, b"")
    assert all(sock.options()["keepalive"] for sock in near)
    lab.run("restore")
    assert [sock.options() for sock in near] == before


def test_a_memory_that_cannot_be_read_is_not_an_empty_one(lab):
    lab.pair()
    env = {**lab.env, "HOLDFAST_BPFFS": lab.directory}
    assert b"not a directory on a bpffs" in lab.run("restore", exit=2, env=env).stderr
    assert b"rules are not known" in lab.run("list", *lab.where(None), env=env).stderr


def test_output_that_nobody_reads_holds_nothing_up(lab):
    lab.pair()
    read, write = os.pipe()
    process = lab.popen(lab.command("watch", "--json", *lab.where(None), *POLICY), stdout=write,
                        stderr=subprocess.PIPE)
    os.close(write)
    wait_until(lambda: b"watching" in process.stderr.readline(), 10, "it watches")
    client, server = lab.peer(lab.client), lab.peer(lab.server)
    listener, port = server.listen(lab.server.address)
    client.call("connect", host=lab.server.address, port=port, count=300)  # more than a pipe holds
    near = client.connect(lab.server.address, port)
    assert_planned(lab, near.options(), POLICY)
    lab.server.cut()
    near.send(text="x")
    wait_until(lambda: near.options()["user_timeout_ms"], 3, "it is armed, with a full pipe")
    lab.server.heal()
    wait_until(lambda: not near.options()["user_timeout_ms"], 3, "it is taken back")
    process.terminate()
    assert process.wait(5) == 0
    assert os.read(read, 65536).startswith(b'{"time":')
    os.close(read)


def test_a_namespace_that_is_gone_is_let_go(lab):
    lab.pair()
    extra = lab.namespace("extra")
    watch = lab.watch(*POLICY, "--remote", "127.9.8.7", netns="all")  # nobody else's
    assert extra.inode in open_files(watch.process.pid)
    extra.delete()
    late = lab.peer(lab.namespace("late"))  # unknown so far: makes it look for namespaces
    listener, port = late.listen("127.9.8.7")
    near = late.connect("127.9.8.7", port)
    late.accept(listener)
    wait_until(lambda: near.options()["keepalive"], 5, "it is under the rule")
    wait_until(lambda: extra.inode not in open_files(watch.process.pid), 5, "it is let go")


def names(pid):
    """Of its open files."""
    folder = f"/proc/{pid}/fd"
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"{folder}/{fd}")


def open_files(pid):
    """Their inode numbers."""
    folder = f"/proc/{pid}/fd"
    inodes = set()
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.stat(f"{folder}/{fd}").st_ino)
    return inodes
