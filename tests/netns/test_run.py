# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast run: which connections of a program are protected, by eBPF and by a preloaded library."""
import os
import subprocess
import time

import pytest

import stolen
from lab import HERE, POLLING, check, wait_until
from runs import (BOTH, GOAL, POLICY, USER, behind_a_shell, dynamic, ends, go, listening,
                  only_once, setuid, static, threads, under)
from test_coverage import assert_planned, assert_untouched, settings
from test_programs import started


@pytest.mark.parametrize("kind", [dynamic, threads, behind_a_shell, static, setuid, go],
                         ids=lambda kind: kind.__name__)
def test_ebpf_reaches_every_kind_of_program(lab, kind):
    where = listening(lab.pair())
    program = started(lab, lab.client, *under("bpf"), *kind(lab, *where))
    wait_until(lambda: stolen.options(program.pid)["keepalive"], 2, "keepalive is on")
    assert_planned(lab, stolen.options(program.pid), POLICY)
    assert stolen.options(program.pid)["user_timeout_ms"] == 0


@pytest.mark.parametrize("kind", [dynamic, threads, behind_a_shell], ids=lambda kind: kind.__name__)
def test_a_preloaded_library_reaches_dynamic_programs(lab, kind):
    where = listening(lab.pair())
    program = started(lab, lab.client, *under("preload"), *kind(lab, *where))
    wait_until(lambda: stolen.options(program.pid)["user_timeout_ms"], 2, "connect() has returned")
    got = stolen.options(program.pid)
    assert_planned(lab, got, POLICY)
    assert got["user_timeout_ms"] == 1000 * (got["idle"] + got["interval"] * got["count"])


@pytest.mark.parametrize("kind, why", [(static, "statically linked"), (setuid, "setuid"),
                                       (go, "statically linked")],
                         ids=lambda given: getattr(given, "__name__", None))
def test_whom_a_preloaded_library_does_not_reach_is_told(lab, kind, why):
    where = listening(lab.pair())
    command = [word for word in under("preload") if word != "--quiet"]
    program = lab.popen([*command, *kind(lab, *where)], lab.client, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    wait_until(lambda: stolen.connected(program.pid), 10, "it has its connection")
    assert stolen.options(program.pid)["idle"] in (7200, 15)  # the kernel's, Go's own
    program.kill()
    _, said = program.communicate(timeout=5)
    assert b"holdfast: run: preloaded library" in said and why.encode() in said, said


@only_once
def test_a_go_program_that_is_linked_dynamically_is_told_too(lab):
    path = os.path.join(lab.directory, "go")
    check(["go", "build", "-ldflags=-linkmode=external", "-o", path, str(HERE / "hold.go")],
          env={**lab.env, "CGO_ENABLED": "1", "GOCACHE": os.path.join(lab.directory, "cache"),
               "GOFLAGS": "-p=1"})
    done = lab.run("run", "--", path, "127.0.0.1:1", prefix=USER)
    assert b"is a Go program" in done.stderr, done.stderr


@BOTH
def test_accepted_connections(lab, mechanism):
    _, far = ends(lab.pair(), (), server_prefix=under(mechanism))
    assert_planned(lab, far.options(), POLICY)


@BOTH
def test_the_other_end_is_left_alone(lab, mechanism):
    _, far = ends(lab.pair(), under(mechanism))
    assert_untouched(far.options())


def test_other_programs_beside_it_are_left_alone(lab):
    before, _ = lab.pair().connect()
    near, _ = ends(lab, under("bpf"))
    after, _ = lab.connect()
    time.sleep(11)  # a full pass
    assert_planned(lab, near.options(), POLICY)
    assert_untouched(before.options())
    assert_untouched(after.options())


@BOTH
@pytest.mark.parametrize("idle, interval, count", [(3, 1, 4), (5, 2, 5)])
def test_stricter_settings_are_kept_as_they_are(lab, mechanism, idle, interval, count):
    near, _ = ends(lab.pair(), under(mechanism), keepalive=1, idle=idle, interval=interval,
                   count=count)
    assert settings(near.options()) == (1, idle, interval, count)


@BOTH
def test_override_replaces_stricter_settings(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism, *POLICY, "--override"), keepalive=1, idle=3,
                   interval=1, count=4)
    assert_planned(lab, near.options(), POLICY)


@BOTH
def test_weaker_settings_are_replaced_as_a_whole_set(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism), keepalive=1, idle=60, interval=1, count=3)
    assert_planned(lab, near.options(), POLICY)


@BOTH
def test_wishes_after_the_connection_stands_are_taken_one_by_one(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism))
    for wish in ({"keepalive": 1}, {"idle": 300}, {"interval": 100}, {"count": 3}):
        near.set(**wish)
        assert_planned(lab, near.options(), POLICY)
    for wish in ({"idle": 3}, {"interval": 1}, {"count": 4}):
        near.set(**wish)
    assert settings(near.options()) == (1, 3, 1, 4), "the program's own set"
    near.set(keepalive=0)
    got = near.options()
    assert got["keepalive"], got
    assert 1.125 * (got["idle"] + got["interval"] * got["count"]) <= GOAL


@BOTH
def test_a_listeners_wishes_are_those_of_what_it_accepts(lab, mechanism):
    lab.pair()
    server, client = lab.peer(lab.server, under(mechanism)), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    server.call("set_options", id=listener, values={"keepalive": 1, "idle": 3, "interval": 4})
    client.connect(lab.server.address, port)
    far = server.accept(listener)
    assert settings(far.options()) == (1, 3, 1, 9), "its first probe is not put off"
    far.set(count=3)
    assert settings(far.options()) == (1, 3, 4, 3), "now its own set meets the goal"


@BOTH
def test_a_descriptor_opened_before_is_taken_over(lab, mechanism):
    outside, far = ends(lab.pair(), ())
    assert_untouched(outside.options())
    program = outside.peer.call("spawn", id=outside.id, prefix=list(under(mechanism)))
    assert program
    wait_until(lambda: outside.options()["keepalive"], 3, "the inherited connection is protected")
    assert_planned(lab, outside.options(), POLICY)
    assert_untouched(far.options())


def test_a_socket_handed_over_is_taken_in_within_10_s(lab):
    outside, _ = ends(lab.pair(), ())
    inside = lab.peer(lab.client, under("bpf"))
    path = os.path.join(lab.directory, "channel")
    channel = inside.call("take_listen", path=path)
    inside.start("take", id=channel)
    outside.peer.call("twin", id=outside.id)
    outside.give(path=path)
    taken = inside.answer(5)
    got = wait_until(lambda: (options := inside.call("options", id=taken))["keepalive"] and options,
                     11, "the socket is protected")
    assert_planned(lab, got, POLICY)


def test_a_program_that_goes_to_another_network_namespace(lab):
    where = listening(lab.pair())
    elsewhere = lab.namespace("elsewhere")
    program = started(lab, elsewhere, *under("bpf"), "nsenter", f"--net={lab.client.path}",
                      *static(lab, *where))
    assert_planned(lab, stolen.options(program.pid), POLICY)


@BOTH
def test_programs_that_fork_exec_and_exit(lab, mechanism):
    """Five children, each by way of a shell that goes away; all of them are protected."""
    where = listening(lab.pair())
    kind = static if mechanism == "bpf" else dynamic
    text = " ".join(f"'{word}'" for word in kind(lab, *where))
    program = lab.popen([*under(mechanism), "sh", "-c",
                         f"for i in 1 2 3 4 5; do (exec sh -c 'exec \"$@\"' sh {text}) & done;"
                         f" true; (true) & wait"], lab.client)
    held = wait_until(lambda: (found := connections(lab.client)) and len(found) == 5 and found, 10,
                      "five connections")
    for options in held:
        assert_planned(lab, options, POLICY)
    assert program.poll() is None


def connections(netns):
    """The options of every connection that a process in the namespace holds."""
    found = []
    for pid in check(["ip", "netns", "pids", netns.name]).split():
        try:
            found += [stolen.options_of(sock) for sock in stolen.tcp_sockets(int(pid))]
        except OSError:
            pass
    return found


# -- Dead peers

@BOTH
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in flight"])
def test_a_dead_peer_is_found_within_the_goal(lab, mechanism, busy):
    near, far = ends(lab.pair(), under(mechanism, "--dead-within", "8s"))
    heard = lab.exchange(near, far)
    lab.server.cut()
    if busy:
        near.send(text="x")
    fixed = 0.5 if busy and mechanism == "preload" else 0  # from the first retransmission on
    assert near.death("ETIMEDOUT", timeout=12) - heard <= 8 + fixed + POLLING


def test_ebpf_leaves_no_user_timeout_standing(lab):
    near, far = ends(lab.pair(), under("bpf", "--dead-within", "10s"))
    lab.exchange(near, far)
    lab.server.cut()
    near.send(text="x")
    wait_until(lambda: near.options()["user_timeout_ms"], 3, "it is armed")
    lab.server.heal()
    far.hears("x", timeout=10)
    wait_until(lambda: not near.options()["user_timeout_ms"], 3, "it is taken back")


def test_an_inherited_connection_with_data_in_flight_is_found_dead_within_the_goal(lab):
    outside, far = ends(lab.pair(), ())
    outside.peer.call("spawn", id=outside.id, prefix=list(under("bpf", "--dead-within", "12s")))
    wait_until(lambda: outside.options()["keepalive"], 3, "it is protected")
    heard = lab.exchange(outside, far)
    lab.server.cut()
    outside.send(text="x")
    assert outside.death("ETIMEDOUT", timeout=16) - heard <= 12 + POLLING
