# SPDX-License-Identifier: GPL-2.0-or-later
"""check: it changes no setting, ends only what was proved dead, and tells what it does."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from checks import (FIELDS, NET_ADMIN, NET_RAW, Running, Sniffer, borrowed, check, drop, of,
                    only_once, ports, run_tool)
from lab import HOLDFAST, wait_until
from test_errors import NO_CAPABILITIES, NOBODY
from test_names import NAMES, assert_safe, named
from test_privileges import THREE, bits, capabilities_of, full_pipe, nobody


# -- nothing is changed

class Poller(threading.Thread):
    """Looks at all keepalive settings of a socket, as often as it can."""
    OPTIONS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (6, socket.TCP_KEEPIDLE),
               (6, socket.TCP_KEEPINTVL), (6, socket.TCP_KEEPCNT), (6, 18)]

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.seen, self.looks, self.done = borrowed(sock), set(), 0, threading.Event()
        self.start()

    def run(self):
        while not self.done.is_set():
            self.seen.add(tuple(self.sock.getsockopt(*option) for option in self.OPTIONS))
            self.looks += 1
            time.sleep(0.0005)

    def stop(self):
        time.sleep(0.02)
        self.done.set()
        self.join()
        self.sock.close()
        return self.seen


def test_no_setting_is_changed_not_for_an_instant(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002, keepalive=1, idle=600).values()
    drop(lab.server, 7002)
    pollers = [Poller(alive[0]), Poller(dead[0])]
    check(lab, exit=1)
    check(lab, "--close-dead", exit=1)
    for poller in pollers:
        assert poller.stop() == {(1, 600, 75, 9, 0)} and poller.looks > 500
    poller = Poller(alive[0])
    lab.apply("--dead-within", "20s")
    assert len(poller.stop()) > 1  # it would have been seen


@only_once
def test_no_program_is_loaded_that_could_change_one(lab):
    near, _ = lab.pair().connect()
    lab.server.cut()
    running = Running(lab)
    time.sleep(1)
    held = set()
    for fdinfo in pathlib.Path(f"/proc/{running.process.pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # an iterator's, that is closed again
            held |= set(re.findall(r"^prog_id:\s+(\d+)$", fdinfo.read_text(), re.M))
    assert held
    for number in held:
        code = run_tool("bpftool", "prog", "dump", "xlated", "id", number)
        assert "bpf_seq_write" in code and "setsockopt" not in code
    running.process.send_signal(signal.SIGINT)
    running.end()
    assert near.options()["keepalive"] == 0


# -- closing

def test_close_dead_ends_the_dead_and_only_them(lab):
    lab.pair()
    alive, dead, late, busy = ports(lab, 7001, 7002, 7003, 7004).values()
    drop(lab.server, 7002, 7004)
    drop(lab.server, 7003, table="late")
    busy[0].send(text="x")
    running = Running(lab, "--close-dead", "--count", "4")
    time.sleep(1.5)
    lab.server.nft("delete table inet late\n")
    assert running.end() == 1
    assert b"closed 1 dead" in running.said
    verdicts = {row["remote"]: row["verdict"] for row in running.rows()}
    assert [verdicts[near.remote] for near, _ in (alive, dead, late, busy)] == [
        "alive", "dead", "alive", "busy"]
    assert dead[0].death("ECONNABORTED", timeout=1)
    for near, far in (alive, late):
        lab.exchange(near, far)
    assert lab.one(busy[0])["state"] == "ESTABLISHED"


def test_close_dead_spares_whoever_is_heard_before_the_end(lab):
    """The verdict is told first, and here the reader takes its time."""
    near, far = lab.pair().connect()
    lab.server.cut()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, bytes(4096))
    process = lab.popen([HOLDFAST, "check", *lab.where(None), "--json", "--close-dead",
                         "--count", "3"], None, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    time.sleep(4)
    assert process.poll() is None
    lab.server.heal()
    lab.exchange(near, far)
    assert b"3 probes unanswered" in os.read(reader, 4096) + os.read(reader, 4096)
    os.close(reader)
    said = process.communicate(timeout=5)[1]
    assert b"closed 0 dead" in said and b"left 1" in said, said
    assert process.returncode == 1
    lab.exchange(near, far)


def test_close_dead_takes_no_fewer_than_three_probes(lab):
    lab.pair().connect()
    for count in ("1", "2"):
        done = lab.run("check", *lab.where(None), "--close-dead", "--count", count, exit=2)
        assert b"--count 3" in done.stderr and not done.stdout


def test_a_dry_run_sends_nothing_and_closes_nothing(lab):
    lab.pair()
    idle, busy = ports(lab, 7001, 7002).values()
    drop(lab.server, 7001, 7002)
    busy[0].send(text="x")
    sniffer = Sniffer(lab, lab.client)
    rows = check(lab, "--dry-run", "--close-dead")
    assert (of(rows, idle[0])["verdict"], of(rows, idle[0])["evidence"]) == (
        "unknown", "would be probed")
    assert of(rows, busy[0])["verdict"] == "busy"
    port = int(idle[0].local.rpartition(":")[2])
    assert not [segment for segment in sniffer.segments() if port in (segment.sport, segment.dport)]
    assert lab.one(idle[0])["state"] == "ESTABLISHED"


# -- how it is told

def test_rows_come_as_the_verdicts_do(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    running, started = Running(lab), time.monotonic()
    first = json.loads(running.out.next(1))
    assert (first["remote"], first["verdict"]) == (alive[0].remote, "alive")
    assert time.monotonic() - started < 1.5
    assert running.end() == 1
    assert [(row["remote"], row["verdict"]) for row in running.rows()] == [
        (dead[0].remote, "dead")]


@only_once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_tells_what_is_missing(lab, number):
    lab.pair()
    _, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    running = Running(lab, "--count", "100")
    time.sleep(1)
    started = time.monotonic()
    running.process.send_signal(number)
    assert running.end() == 4 and time.monotonic() - started < 1
    assert [row["verdict"] for row in running.rows()] == ["alive"]
    assert b"1 of 2" in running.said
    assert lab.one(dead[0])["state"] == "ESTABLISHED"


def test_the_text_is_a_table(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    lines = lab.run("check", *lab.where(None), "--count", "2", exit=1).stdout.decode().splitlines()
    assert lines[0].split() == [name.replace("_ms", "").upper() for name in FIELDS]
    assert len(lines) == 3
    assert lines[1].startswith(alive[0].local) and "alive" in lines[1] and "ms" in lines[1]
    assert lines[2].startswith(dead[0].local) and "2 probes unanswered" in lines[2]
    assert lines[1].index("alive") == lines[2].index("dead") == lines[0].index("VERDICT")


def test_filters_choose_who_is_probed(lab):
    lab.pair()
    first, second = ports(lab, 7001, 7002).values()
    assert list(check(lab, "--remote", ":7002")) == [(second[0].local, second[0].remote)]
    assert len(check(lab, "--pid", str(first[0].peer.pid))) == 2
    assert check(lab, "--remote", ":7003") == {}


@only_once
@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_finds_its_connections(lab, kind):
    near, _, _, _ = named(lab, kind)
    done = lab.run("check", *lab.where(None), "--process", NAMES[kind][0])
    assert near.local in assert_safe(done.stdout, None)


WRONG = ["--count 0", "--count 128", "--count x", "--interval 0", "--interval 999ms",
         "--interval soon", "--rate 0", "--rate 1e3", "--rate -1", "--count 3 --count 3",
         "--dead-within 10s", "surplus"]


@only_once
@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_exit_2(lab, words):
    done = lab.run("check", *words.split(), exit=2)
    assert done.stderr.startswith(b"holdfast") and not done.stdout


@only_once
def test_the_rate_is_kept(lab):
    lab.pair()
    peer = lab.peer(lab.client)
    listener, port = peer.listen("127.0.0.1")
    peer.call("connect", host="127.0.0.1", port=port, count=100)
    peer.call("accept", id=listener, count=100)
    started = time.monotonic()
    assert len(check(lab, "--rate", "100")) == 200
    assert 1.9 <= time.monotonic() - started <= 4


# -- privileges

@only_once
@pytest.mark.parametrize("prefix", [NOBODY, NO_CAPABILITIES], ids=["nobody", "no-capabilities"])
def test_without_privileges_it_is_exit_3(lab, prefix):
    message = lab.run("check", prefix=prefix, exit=3).stderr.decode()
    assert message.startswith("holdfast: ") and ("root" in message or "CAP_" in message), message


@only_once
def test_probes_want_net_raw_and_nothing_else_beside_the_three(lab):
    near, _ = lab.pair().connect()
    done = lab.run("check", prefix=nobody(lab.client, *THREE), exit=3)
    assert b"CAP_NET_RAW" in done.stderr
    rows = lab.json("check", prefix=nobody(lab.client, *THREE, "net_raw"))
    assert [(row["remote"], row["verdict"]) for row in rows] == [(near.remote, "alive")]


@only_once
def test_it_keeps_what_probing_and_closing_need(lab):
    lab.pair().connect()
    lab.server.cut()
    with full_pipe() as full:
        process = lab.popen([HOLDFAST, "check", "--count", "100"], lab.client, stdout=full,
                            stderr=full)
        kept = bits(NET_RAW, NET_ADMIN)
        wait_until(lambda: capabilities_of(process.pid) == kept, 5, f"it holds {kept:#x}")
        process.kill()
        process.wait(5)
