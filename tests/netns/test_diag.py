# SPDX-License-Identifier: GPL-2.0-or-later
"""Life without eBPF: chosen by itself, without privileges on one's own, what is not known null.

What both ways can do, the other files test on both.
"""
import os
import pathlib
import time

import pytest

from lab import HERE, POLLING, Watch, check, wait_until
from test_coverage import assert_planned, assert_untouched
from test_restore import OWN

UID = 65534
PLAIN = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs",
         "--bounding-set=-all", "--inh-caps=-all")
POLICY = ("--dead-within", "20s")
UNKNOWN = ("pid", "process", "cgroup", "keepalive", "idle", "interval", "count", "user_timeout_ms",
           "bound_idle_s", "bound_in_flight_s", "audit", "rule")


def plain_user(lab):
    """A plain user's Holdfast, a connection of the user, and one of root."""
    lab.pair()
    server, mine, roots = (lab.peer(lab.server), lab.peer(lab.client, PLAIN), lab.peer(lab.client))
    _, port = server.listen(lab.server.address)
    inside = ("nsenter", f"--net={lab.client.path}", *PLAIN)
    return (inside, mine.connect(lab.server.address, port), roots.connect(lab.server.address, port))


def test_a_plain_user_is_shown_all_there_is_to_know(lab):
    inside, mine, roots = plain_user(lab)
    mine.set(keepalive=1, idle=33)
    done = lab.run("list", prefix=inside)
    assert b"without eBPF" in done.stderr and b"doctor" in done.stderr
    rows = {row["cookie"]: row for row in lab.json("list", prefix=inside)}
    own, other = rows[mine.cookie], rows[roots.cookie]
    assert (own["pid"], own["uid"], own["keepalive"], own["idle"]) == (mine.peer.pid, UID, True, 33)
    assert own["audit"] == "slow"
    assert [other[name] for name in UNKNOWN] == [None] * len(UNKNOWN)
    assert (other["uid"], other["state"], other["unanswered"]) == (0, "ESTABLISHED", 0)
    assert other["silent_s"] >= 0
    text = lab.run("list", "--user", "root", prefix=inside).stdout.decode().splitlines()
    assert len(text) == 2 and " - " in text[1]


def test_a_plain_user_audits_and_is_told_what_could_not_be_judged(lab):
    inside, mine, _ = plain_user(lab)
    rows = lab.json("audit", prefix=inside, exit=1)
    assert rows[-1] == {"by": "total", "name": None, "connections": 1, "protected": 0, "slow": 0,
                        "unprotected": 1}
    mine.set(keepalive=1, idle=20, interval=2, count=9, user_timeout_ms=40000)
    done = lab.run("audit", prefix=inside, exit=3)
    assert b"1 connection could not be judged" in done.stderr
    lab.run("audit", "--user", str(UID), prefix=inside)


def said(done):
    return done.stderr.decode().splitlines()[1:]  # after that there is no eBPF


@pytest.mark.parametrize("asked", ["--pid", "--process", "--audit"])
def test_a_plain_user_is_told_of_those_that_a_filter_may_mean(lab, asked):
    """Root's connection may be the one; the user's own certainly is not."""
    inside, mine, roots = plain_user(lab)
    roots.peer.call("rename", hex=b"roots-own".hex())
    words = {"--pid": ("--pid", str(roots.peer.pid)), "--process": ("--process", "roots-own"),
             "--audit": ("--audit", "slow")}[asked]
    audited = lab.run("audit", *words, prefix=inside, exit=3)
    assert "1 connection could not be judged" in said(audited)[-1]
    applied = lab.run("apply", *words, *POLICY, prefix=inside, exit=3)
    assert "1 connection could not be set" in said(applied)[-1]
    assert b"1  left: out of reach" in applied.stdout
    assert_untouched(mine.options())
    listed = lab.run("list", *words, "--json", prefix=inside)
    assert listed.stdout == b"" and "1 connection could not be shown" in said(listed)[-1]


def test_a_plain_user_is_told_of_none_where_a_filter_means_own_ones(lab):
    inside, mine, _ = plain_user(lab)
    for words in ("--pid", str(mine.peer.pid)), ("--user", str(UID)):
        done = lab.run("audit", *words, prefix=inside, exit=1)
        assert said(done) == [] and b"total" in done.stdout
        assert said(lab.run("list", *words, prefix=inside)) == []


def test_a_plain_user_applies_to_own_connections_only(lab):
    inside, mine, roots = plain_user(lab)
    rows = lab.json("apply", *POLICY, prefix=inside, exit=3)
    assert {row["local"]: row["outcome"] for row in rows} == {mine.local: "set",
                                                               roots.local: "hidden"}
    assert_planned(lab, mine.options())
    assert_untouched(roots.options())
    done = lab.run("apply", *POLICY, "--user", str(UID), prefix=inside)
    assert b"kept" in done.stdout and b"restore" in done.stderr


def test_a_plain_user_watches_own_connections(lab):
    inside, mine, roots = plain_user(lab)
    lab.late = 2
    watch = Watch(lab, "--dead-within", "6s", prefix=inside)
    assert any("1 connection could not be set" in line for line in watch.said)
    host, _, port = mine.remote.rpartition(":")
    young = mine.peer.connect(host.strip("[]"), int(port))
    watch.wait("protected", local=young.local, pid=young.peer.pid)
    heard = time.monotonic()
    lab.server.cut()
    assert young.death("ETIMEDOUT", timeout=9) - heard <= 6 + POLLING
    dead = watch.wait("dead", local=young.local)
    assert dead["evidence"]["errno"] == "ETIMEDOUT" and dead["evidence"]["unanswered"] >= 2
    assert_untouched(roots.options())
    assert not watch.seen(local=roots.local)
    assert watch.stop() == 0


def test_a_plain_users_second_watch_is_refused_too(lab):
    inside, _, _ = plain_user(lab)
    runtime = pathlib.Path(lab.directory, "runtime")
    runtime.mkdir()
    os.chown(runtime, UID, UID)
    env = {name: value for name, value in lab.env.items() if name != "HOLDFAST_BPFFS"}
    env["XDG_RUNTIME_DIR"] = str(runtime)
    watch = Watch(lab, *POLICY, prefix=inside, env=env)
    done = lab.run("watch", *POLICY, prefix=inside, env=env, exit=4)
    assert b"another watcher is running" in done.stderr
    assert watch.stop() == 0
    assert Watch(lab, *POLICY, prefix=inside, env=env).stop() == 0


@pytest.mark.parametrize("family", [4], indirect=True)
def test_a_plain_user_is_told_why_by_doctor(lab):
    findings = {row["check"]: row for row in lab.json("doctor", prefix=PLAIN, exit=1)}
    found = findings["without eBPF"]
    assert found["status"] == "limited" and "CAP_SYS_PTRACE" in found["mend"]
    assert "unknown" in found["detail"] and "errno" in found["detail"]
    assert {row["check"]: row for row in lab.json("doctor")}["without eBPF"]["status"] == "ok"


def test_on_a_kernel_without_ebpf_root_does_without(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=44)
    lab.late, kernel = 2, (lab.helpers(), "no-ebpf")
    row, = lab.json("list", *lab.where(None), prefix=kernel)
    assert (row["pid"], row["idle"], row["audit"]) == (near.peer.pid, 44, "slow")
    watch = lab.watch(*POLICY, prefix=kernel)
    assert any("without eBPF" in line for line in watch.said), watch.said
    assert_planned(lab, near.options())
    assert watch.stop() == 0


@pytest.mark.parametrize("family", [4], indirect=True)
@pytest.mark.parametrize("command", ["restore", "check"])
def test_what_needs_ebpf_is_exit_3_without(lab, command):
    done = lab.run(command, prefix=(lab.helpers(), "no-ebpf"), exit=3)
    assert b"eBPF" in done.stderr


def by_diag(lab):
    lab.backend, lab.late = "diag", 2
    return lab.pair()


def test_a_weaker_value_set_later_is_put_right(lab):
    by_diag(lab).watch("--dead-within", "6s")
    near, _ = lab.connect()
    lab.one_pass()
    for _ in range(2):  # while it is young, and later on
        near.set(idle=300)
        wait_until(lambda: near.options()["idle"] < 6, 3.5, "the idle time is put right")
        time.sleep(4)


def test_a_watch_gives_back_at_its_end_what_it_set(lab):
    sockets = [by_diag(lab).connect(**OWN[0])[0], *(lab.connect(**own)[0] for own in OWN[1:])]
    before = [sock.options() for sock in sockets]
    watch = lab.watch(*POLICY, "--restore")
    assert all(sock.options()["keepalive"] for sock in sockets)
    assert watch.stop() == 0
    assert [sock.options() for sock in sockets] == before


def cut_off(lab):
    """A connection known to the watch, the server without power."""
    near, far = by_diag(lab).connect()
    watch = lab.watch("--dead-within", "6s")
    lab.exchange(near, far)
    lab.one_pass()
    lab.server.cut()
    return near, far, watch


@pytest.mark.parametrize("asked", [0, 1])  # probes that went unanswered before there were data
def test_a_death_with_data_in_flight_is_told_with_no_wrong_errno(lab, asked):
    near, _, watch = cut_off(lab)
    wait_until(lambda: near.info()["unanswered"] >= asked, 4, "a probe is unanswered")
    near.send(text="x")
    near.death("ETIMEDOUT", timeout=9)
    seen = watch.wait("dead", local=near.local)
    assert seen["evidence"]["errno"] in (None, "ETIMEDOUT")  # told where the kernel tells it
    assert seen["evidence"]["unanswered"] >= asked + 2


def test_a_death_of_which_the_program_lets_go_at_once_is_told_with_its_errno(lab):
    near, far = by_diag(lab).connect()
    watch = lab.watch("--dead-within", "6s")
    lab.exchange(near, far)
    lab.server.cut()
    near.death("ETIMEDOUT", timeout=9)
    near.close()
    evidence = watch.wait("dead", local=near.local)["evidence"]
    assert evidence["errno"] == "ETIMEDOUT" and evidence["unanswered"] == 3
    assert 5 <= evidence["silent_s"] <= 6 + POLLING


def test_a_reset_of_which_the_program_lets_go_at_once_is_told_as_one(lab):
    near, far, watch = cut_off(lab)
    far.abort()
    lab.server.heal()
    near.death("ECONNRESET", timeout=9)
    near.close()
    assert watch.wait("reset", local=near.local)["evidence"]["errno"] is None
    assert not watch.seen("dead") and not watch.seen("closed")


def test_connections_of_a_program_that_is_killed_are_told_as_closed(lab):
    near, _ = by_diag(lab).connect()
    watch = lab.watch(*POLICY)
    near.peer.kill()
    lab.default[1].kill()
    watch.wait("closed", local=near.local)
    assert not watch.seen("dead") and not watch.seen("reset")


def test_one_that_a_dump_leaves_out_is_looked_for_before_it_is_told_to_have_ended(lab):
    near, far = by_diag(lab).connect()
    library, left_out = (pathlib.Path(lab.directory, name) for name in ("leave-out.so", "left-out"))
    check(["cc", "-std=gnu17", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o",
           str(library), str(HERE / "leave_out.c"), "-ldl"])
    watch = lab.watch(*POLICY, env={**lab.env, "LD_PRELOAD": str(library),
                                    "HF_TEST_LEAVE_OUT": near.local.rpartition(":")[2],
                                    "HF_TEST_LEAVE_OUT_FROM": str(left_out)})
    left_out.touch()
    time.sleep(2.5)  # two passes
    assert [event["event"] for event in watch.seen(local=near.local)] == ["protected"]
    near.close()
    far.close()
    watch.wait("closed", local=near.local)


def test_a_watch_stays_quiet_about_the_living_while_others_come_and_go(lab):
    """sock_diag may leave out a connection while others come and go: that is no end of it."""
    by_diag(lab)
    host = "127.0.0.1" if lab.family == 4 else "::1"
    staying, churning = lab.peer(lab.client), lab.peer(lab.client)
    listener, port = staying.listen(host)
    ids = staying.call("connect", host=host, port=port, count=400)
    staying.call("accept", id=listener, count=400)
    names = [staying.call("names", id=id) for id in ids]
    ours = {(name["local"], name["remote"]) for name in names}
    watch = lab.watch(*POLICY, "--remote", f":{port}")
    wait_until(lambda: len(watch.seen("protected")) == len(ours), 5, "all are under the rule")
    assert churning.call("churn", host=host, port=9, seconds=5, total=4000, patience=40) == 4000
    lab.one_pass()
    assert {(e["local"], e["remote"]) for e in watch.seen("protected")} == ours
    assert len(watch.seen()) == len(ours)
