# SPDX-License-Identifier: GPL-2.0-or-later
"""why: one connection explained, checked against what the kernel and the other commands say."""
import json
import re
import shlex
import socket

import pytest

import stolen
from lab import HOLDFAST, wait_until
from test_errors import NOBODY
from test_list import FIELDS
from test_names import NAMED, assert_safe, named

KEYS = FIELDS + ("swapped direction holders watcher rule_goals goals judged_by conditions matches "
                 "would settings sysctl bounds so_far prevents next").split()
OWN = {"keepalive": 1, "idle": 10, "interval": 2, "count": 5, "user_timeout_ms": 20000}
only_ipv4 = pytest.mark.parametrize("family", [4], indirect=True)


def why(lab, sock, *arguments, netns=None, ends=None):
    """The object that why --json prints."""
    ends = ends or (sock.local, sock.remote)
    rows = lab.json("why", *ends, *lab.where(netns), *arguments)
    assert len(rows) == 1
    return rows[0]


def text(lab, sock, *arguments):
    return lab.run("why", sock.local, sock.remote, *lab.where(None), *arguments).stdout.decode()


def set_by(row):
    return {name: setting["set_by"] for name, setting in row["settings"].items()}


def own(row):
    return {name: setting["own"] for name, setting in row["settings"].items()}


def reasons(row):
    return [reason["reason"] for reason in row["prevents"]]


def do_next(lab, row):
    """Do what it advises, as typed in a shell."""
    words = shlex.split(row["next"])
    assert words[0] == "holdfast"
    lab.run(*words[1:])


def test_an_unprotected_connection_and_the_command_that_mends_it(lab):
    near, _ = lab.pair().connect()
    row, listed = why(lab, near), lab.one(near)
    assert list(row) == KEYS
    assert all(row[key] == listed[key] for key in FIELDS if key != "silent_s")
    assert set_by(row) == {"keepalive": "default", "idle": "sysctl", "interval": "sysctl",
                           "count": "sysctl", "user_timeout_ms": "default"}
    assert row["sysctl"] == {"idle": 7200, "interval": 75, "count": 9}
    assert row["direction"] == "out" and not row["swapped"] and not row["watcher"]
    assert row["holders"] == [{"pid": near.peer.pid, "process": listed["process"]}]
    assert reasons(row) == ["keepalive-off", "slow-in-flight", "no-rule"]
    assert row["judged_by"] == "default" and row["goals"]["dead_within_s"] == 120
    assert row["matches"] is None and row["rule_goals"] is None
    do_next(lab, row)
    after = why(lab, near)
    assert after["audit"] == "protected" and after["prevents"] == [] and after["next"] is None
    assert after["rule"] == "apply" and set_by(after)["user_timeout_ms"] == "holdfast"


def test_an_accepted_connection(lab):
    _, far = lab.pair().connect()
    assert why(lab, far, netns=lab.server)["direction"] == "in"


def test_protected_by_a_watch_and_what_the_program_has_without_it(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=600)
    lab.watch("--dead-within", "60s", "--keep-open", "350s")
    row, plan = why(lab, near), lab.plan("--dead-within", "60s", "--keep-open", "350s")
    assert (row["rule"], row["watcher"], row["judged_by"]) == ("watch", True, "rule")
    assert row["rule_goals"] == row["goals"] == {"dead_within_s": 60, "keep_open_s": 350}
    assert set_by(row) == {"keepalive": "program", "idle": "holdfast", "interval": "holdfast",
                           "count": "sysctl", "user_timeout_ms": "default"}
    assert own(row) == {"keepalive": None, "idle": 600, "interval": 75, "count": None,
                        "user_timeout_ms": None}
    assert row["settings"]["interval"]["value"] == plan["interval"]
    assert row["audit"] == "protected" and row["prevents"] == []
    assert row["bounds"]["in_flight"]["bound_s"] == 60


def test_a_watch_that_has_ended_is_missed(lab):
    near, _ = lab.pair().connect()
    watch = lab.watch("--dead-within", "30s")
    assert why(lab, near)["audit"] == "protected"
    watch.stop()
    row = why(lab, near)
    assert row["audit"] == "slow" and not row["watcher"]
    assert reasons(row) == ["slow-in-flight", "no-watcher"]
    assert row["next"] == f"holdfast watch --netns {lab.client.name} --dead-within 30s"


def test_a_watch_for_others_is_told_apart_from_none(lab):
    near, _ = lab.pair().connect()
    lab.watch("--remote", ":1")
    row = why(lab, near)
    assert row["watcher"] and row["rule"] is None and "no-rule" in reasons(row)
    assert "watch that is running" in row["prevents"][-1]["text"]


def test_protected_by_the_program_itself(lab):
    near, _ = lab.pair().connect(**OWN)
    row = why(lab, near)
    assert row["audit"] == "protected" and row["rule"] is None
    assert row["prevents"] == [] and row["next"] is None
    assert set(set_by(row).values()) == {"program"}


def test_settings_that_a_rule_keeps_are_the_programs(lab):
    near, _ = lab.pair().connect(**OWN)
    lab.watch("--dead-within", "60s")
    row = why(lab, near)
    assert row["rule"] == "watch" and set(set_by(row).values()) == {"program"}


def test_a_stricter_value_set_later_is_the_programs(lab):
    near, _ = lab.pair().connect()
    lab.watch("--dead-within", "60s")
    near.set(keepalive=1, idle=3, interval=1, count=4)
    row = why(lab, near)
    assert row["settings"]["idle"]["value"] == 3 and row["rule"] == "watch"
    assert set_by(row) == {"keepalive": "program", "idle": "program", "interval": "program",
                           "count": "program", "user_timeout_ms": "default"}


def test_its_own_short_user_timeout_prevents_protection(lab):
    near, _ = lab.pair().connect(user_timeout_ms=500)
    lab.apply()
    assert near.options()["keepalive"] == 0
    row = why(lab, near)
    assert row["audit"] == "unprotected"
    assert "own-user-timeout" in reasons(row) and "0.5s" in str(row["prevents"])
    assert row["would"]["outcome"] == "own-timeout"
    assert "--override" in row["next"]
    do_next(lab, row)
    assert why(lab, near)["audit"] == "protected"


def test_what_policy_would_do_and_judges_by(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=30, interval=5, count=3, user_timeout_ms=45000)
    assert why(lab, near)["audit"] == "protected"
    row, plan = why(lab, near, "--dead-within", "20s"), lab.plan("--dead-within", "20s")
    assert (row["judged_by"], row["audit"]) == ("policy", "slow")
    assert reasons(row)[:2] == ["slow-idle", "slow-in-flight"]
    assert row["would"] == {"outcome": "set", **{k: plan[k] for k in ("idle", "interval", "count")}}
    assert why(lab, near, "--dead-within", "2min")["would"]["outcome"] == "keep"
    row = why(lab, near, "--keep-open", "35s")
    assert row["audit"] != "protected" and "late-keep-open" in reasons(row)
    row = why(lab, near, "--idle", "9", "--interval", "2", "--count", "4")
    assert row["would"] == {"outcome": "set", "idle": 9, "interval": 2, "count": 4}
    do_next(lab, row)
    got = near.options()
    assert (got["idle"], got["interval"], got["count"]) == (9, 2, 4)


def test_each_condition_of_a_filter_is_tried_by_itself(lab):
    near, _ = lab.pair().connect()
    port, v6 = near.remote.rpartition(":")[2], lab.family == 6
    tried = {
        f"--remote :{port}": ("remote", True), "--remote :1": ("remote", False),
        f"--local {near.local}": ("local", True), "--local :1-2": ("local", False),
        "--state established": ("state", True), "--state close-wait": ("state", False),
        "-6": ("family", v6), "-4": ("family", not v6),
        "--direction out": ("direction", True), "--direction in": ("direction", False),
        "--user 0": ("user", True), "--user 12345": ("user", False),
        f"--process {lab.one(near)['process']}": ("process", True),
        "--cgroup /**": ("cgroup", True), "--cgroup nowhere": ("cgroup", False),
        "--audit unprotected": ("audit", True), "--audit protected": ("audit", False),
    }
    for words, (name, holds) in tried.items():
        row = why(lab, near, *words.split())
        assert row["conditions"] == {name: holds} and row["matches"] is holds, words
    row = why(lab, near, "--user", "0", "--remote", ":1", "--direction", "out")
    assert row["conditions"] == {"remote": False, "direction": True, "user": True}
    assert row["matches"] is False
    assert "does not hold" in text(lab, near, "--remote", ":1")


def test_sysctls_in_force_are_told(lab):
    lab.pair().client.sysctl(ipv4__tcp_keepalive_time=55, ipv4__tcp_keepalive_intvl=6,
                             ipv4__tcp_retries2=3)
    near, _ = lab.connect(keepalive=1, interval=4)
    row = why(lab, near)
    assert row["sysctl"] == {"idle": 55, "interval": 6, "count": 9}
    assert {k: row["settings"][k] for k in ("idle", "interval")} == {
        "idle": {"value": 55, "set_by": "sysctl", "own": None},
        "interval": {"value": 4, "set_by": "program", "own": None}}
    assert row["so_far"]["retries2"] == 3 and "tcp_retries2 3: 3s" in str(row["bounds"])
    lab.client.sysctl(ipv4__tcp_keepalive_time=66)
    assert why(lab, near)["settings"]["idle"]["value"] == 66


def test_the_arithmetic_is_that_of_the_bound(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=53, interval=5, count=9)
    row = why(lab, near)
    assert row["bounds"]["idle"] == {
        "bound_s": 110.25,
        "arithmetic": "last heard + idle 53s + 9 x 5s = 98s, an eighth late: 110.25s"}
    assert row["bounds"]["in_flight"]["arithmetic"].endswith(f"= {row['bound_in_flight_s']}s")
    assert "110.25s <= 120s" in text(lab, near)


def test_an_armed_timeout_and_retransmissions_are_told(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.watch("--dead-within", "30s")
    lab.server.cut()
    near.send(text="x")
    row = wait_until(lambda: (r := why(lab, near))["so_far"]["armed_ms"] and r, 3, "it is armed")
    assert row["so_far"]["retransmissions"] >= 1 and row["so_far"]["retransmitting_s"] < 5
    assert row["settings"]["user_timeout_ms"] == {
        "value": near.options()["user_timeout_ms"], "set_by": "holdfast", "own": 0}
    assert "armed by Holdfast" in text(lab, near)


def test_unanswered_probes_raise_a_suspicion(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.watch("--dead-within", "10s")
    lab.server.cut()
    row = wait_until(lambda: (r := why(lab, near))["so_far"]["suspected"] and r, 9, "suspected")
    assert row["unanswered"] >= 2 and row["silent_s"] > 3
    assert "two probes unanswered" in text(lab, near)


@pytest.mark.parametrize("bound", [False, True], ids=["", "bound to a device"])
def test_all_holders_are_named(lab, bound):
    near, _ = lab.pair().connect()
    if bound:
        route = lab.client.run("ip", "-o", "route", "get", lab.server.address)
        for sock in stolen.tcp_sockets(near.peer.pid):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                            route.split(" dev ")[1].split()[0].encode())
    child = near.peer.call("spawn", id=near.id, prefix=[])
    # Between fork and exec the child may still have its parent's name.
    rows = wait_until(lambda: len(r := why(lab, near)["holders"]) == 2 and r[1]["process"] ==
                      "sleep" and r, 3, "the child holds it, too")
    assert {row["pid"] for row in rows} == {near.peer.pid, child}


def test_one_that_nobody_holds_is_not_judged(lab):
    near, _ = lab.pair().connect()
    lab.server.cut()
    near.send(text="x")
    near.close()
    row = why(lab, near)
    assert (row["state"], row["audit"], row["next"]) == ("FIN_WAIT1", None, None)
    assert reasons(row) == ["state", "orphan"] and row["holders"] == []


def test_time_wait_is_not_judged_and_has_no_settings(lab):
    near, far = lab.pair().connect()
    near.close()
    far.close()
    row = wait_until(lambda: (r := why(lab, near))["state"] == "TIME_WAIT" and r, 3, "TIME_WAIT")
    assert reasons(row) == ["state"]
    assert (row["settings"], row["bounds"], row["would"], row["audit"]) == (None,) * 4
    assert "not judged" in text(lab, near)


def test_one_not_connected_yet_is_not_judged(lab):
    lab.pair().connect()
    client, port = lab.default[0], lab.default[3]
    lab.server.cut()
    client.start("connect", host=lab.server.address, port=port)
    opening = wait_until(lambda: lab.list("--state", "syn-sent"), 3, "SYN_SENT")[0]
    row = why(lab, None, ends=(opening["local"], opening["remote"]))
    assert row["state"] == "SYN_SENT" and reasons(row) == ["state"]


def test_half_closed_ones_are_judged(lab):
    near, far = lab.pair().connect()
    far.shutdown()
    assert wait_until(lambda: why(lab, near)["state"] == "CLOSE_WAIT", 2, "CLOSE_WAIT")
    assert why(lab, near)["audit"] == "unprotected"


def test_the_other_order_is_forgiven(lab):
    near, _ = lab.pair().connect()
    row = why(lab, near, ends=(near.remote, near.local))
    assert row["swapped"] and (row["local"], row["remote"]) == (near.local, near.remote)
    done = lab.run("why", near.remote, near.local, *lab.where(None))
    assert b"other way round" in done.stdout


def test_of_both_ends_on_one_host_the_one_asked_for_is_told(lab):
    peer = lab.pair().peer(lab.client)
    host = "127.0.0.1" if lab.family == 4 else "::1"
    listener, port = peer.listen(host)
    near, far = peer.connect(host, port), peer.accept(listener)
    assert why(lab, near)["cookie"] == near.cookie
    assert why(lab, far)["cookie"] == far.cookie
    assert [why(lab, end)["direction"] for end in (near, far)] == ["out", "in"]


@only_ipv4
def test_a_v4_mapped_connection_by_either_spelling(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    _, port = server.listen("::")
    near = client.connect("::ffff:" + lab.server.address, port)
    assert near.local.startswith("[::ffff:")
    plain = [end.replace("[::ffff:", "").replace("]", "") for end in (near.local, near.remote)]
    for ends in ((near.local, near.remote), plain):
        row = why(lab, near, ends=ends)
        assert (row["cookie"], row["family"]) == (near.cookie, "ipv6")
        assert row["holders"][0]["pid"] == client.pid


def test_another_namespace_is_looked_into_when_told(lab):
    near, _ = lab.pair().connect()
    done = lab.run("why", near.local, near.remote, exit=2)
    assert b"no TCP connection" in done.stderr and b"--netns all" in done.stderr
    assert why(lab, near, netns="all")["netns"] == lab.client.inode


def twins(lab):
    """Two connections with the very same ends, each in a namespace of its own."""
    host, made = "127.0.0.1" if lab.family == 4 else "::1", []
    for netns in (lab.client, lab.server):
        netns.sysctl(ipv4__ip_local_port_range=f"{40000 + lab.number} {40000 + lab.number}")
        peer = lab.peer(netns)
        peer.listen(host, 30000 + lab.number)
        made.append(peer.connect(host, 30000 + lab.number))
    assert (made[0].local, made[0].remote) == (made[1].local, made[1].remote)
    return made


def test_of_several_one_is_chosen_by_its_process(lab):
    for sock in (both := twins(lab.pair())):
        assert why(lab, sock, "--pid", str(sock.peer.pid), netns="all")["cookie"] == sock.cookie
    done = lab.run("why", both[0].local, both[0].remote, "--netns", "all", exit=2)
    for sock, netns in zip(both, (lab.client, lab.server)):
        assert f"namespace {netns.inode}, process {sock.peer.pid}" in done.stderr.decode()


def test_a_process_that_does_not_hold_it_is_told(lab):
    near, _ = lab.pair().connect()
    done = lab.run("why", near.local, near.remote, *lab.where(None), "--pid", "1", exit=2)
    assert b"process 1 does not hold" in done.stderr


def test_not_found_names_what_is_near(lab):
    near, _ = lab.pair().connect()
    address = near.local.rpartition(":")[0]
    done = lab.run("why", f"{address}:1", near.remote, *lab.where(None), exit=2)
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith(f"holdfast: no TCP connection {address}:1 {near.remote}")
    assert lines[1:] == ["near it:",
                         f"  {near.local} {near.remote} ESTABLISHED, same remote end"]
    far = near.remote.rpartition(":")[0]
    done = lab.run("why", near.local, f"{far}:1", *lab.where(None), exit=2)
    assert "same local end" in done.stderr.decode()
    done = lab.run("why", f"{address}:1", f"{far}:1", *lab.where(None), exit=2)
    assert "same remote address" in done.stderr.decode()
    done = lab.run("why", "192.0.2.1:1", "192.0.2.2:2", *lab.where(None), exit=2)
    assert "near it" not in done.stderr.decode()


def test_without_ebpf_it_tells_all_but_who_set_what(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=53, interval=5, count=9)
    with_ebpf, row = why(lab, near), why(lab, near, "--backend", "diag")
    assert set(set_by(row).values()) == {None} and row["sysctl"] is None
    assert reasons(row) == ["slow-in-flight"] and "no-rule" in reasons(with_ebpf)
    for key in ("audit", "bounds", "would", "goals", "direction", "next"):
        assert row[key] == with_ebpf[key], key


def test_what_another_user_holds_is_out_of_reach_without_privileges(lab):
    near, _ = lab.pair().connect()
    inside = ("nsenter", f"--net={lab.client.path}", *NOBODY)
    done = lab.run("why", near.local, near.remote, "--json", prefix=inside)
    row = json.loads(done.stdout)
    assert reasons(row) == ["privilege"] and row["settings"] is None and row["holders"] == []
    assert row["so_far"]["rto_ms"] >= 200 and row["silent_s"] >= 0, "that sock_diag tells anybody"


@only_ipv4
@pytest.mark.parametrize("words", [
    "", "10.0.0.1:80", "10.0.0.1:80 x", "10.0.0.1 10.0.0.2:1", "10.0.0.1:80 10.0.0.2:1 10.0.0.3:1",
    "10.0.0.1:80 [::1]:99999", "10.0.0.1:80 10.0.0.2:1 --dead-within 1s",
    "10.0.0.1:80 10.0.0.2:1 --netns no-such-namespace"])
def test_wrong_usage_is_exit_2(lab, words):
    done = lab.run("why", *words.split(), exit=2)
    assert done.stdout == b"" and done.stderr.startswith(b"holdfast")


def test_a_weaker_value_set_later_is_told_beside_ours(lab):
    near, _ = lab.pair().connect()
    lab.watch("--dead-within", "60s")
    near.set(keepalive=1, idle=5000)
    row = why(lab, near)
    assert row["settings"]["idle"]["set_by"] == "holdfast"
    assert row["settings"]["idle"]["value"] < 60 and row["settings"]["idle"]["own"] == 5000


@NAMED
def test_hostile_names_are_harmless(lab, kind):
    near, _, shown, told = named(lab, kind)
    # Words are broken between lines, so that blanks in a name need not stand together.
    output = lab.run("why", near.local, near.remote, *lab.where(None)).stdout
    assert_safe(output, None)
    assert shown is None or shown.split()[0] in output.decode()
    row = why(lab, near)
    assert row["process"] == row["holders"][0]["process"] == told


def test_text_is_80_columns_wide_at_most(lab):
    near, _ = lab.pair().connect()
    lab.watch("--dead-within", "60s", "--keep-open", "350s")
    for output in (text(lab, near), text(lab, near, "--dead-within", "10s", "--remote", ":1")):
        assert re.search(r"^A dead peer is found within$", output, re.M)
        for line in output.splitlines():
            assert len(line) <= 80 or len(line.split()) <= 2, line  # a path is not broken


def test_the_advice_can_be_pasted_as_it_is_shown(lab):
    near, _ = lab.pair().connect()
    output = text(lab, near)
    command = re.search(r"^  next +(holdfast .*(?:(?<=\\)\n.*)*)", output, re.M).group(1)
    lab.popen(["bash", "-c", command.replace("holdfast", HOLDFAST, 1)], stdout=-1).wait(10)
    assert why(lab, near)["rule"] == "apply"
