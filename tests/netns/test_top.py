# SPDX-License-Identifier: GPL-2.0-or-later
"""top: what its screen tells of connections, and --batch."""
import json
import re
import statistics
import subprocess
import time

import pytest

from lab import HOLDFAST, Lines
from screen import FOOT, HEADING, Screen, column, counted, kinds, only_once
from test_names import NAMED, UNSAFE, named


@pytest.mark.parametrize("columns,lines", [(80, 24), (120, 40)])
def test_what_matters_comes_first_and_is_counted(lab, columns, lines):
    protected = kinds(lab)[0][0]
    before = protected[0].options()
    screen = Screen(lab, columns=columns, lines=lines)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    assert column(screen.rows(shown)) == ["unprotected"] * 3 + ["slow"] * 2 + ["protected"]
    assert "Connections  6 " in shown[1]
    assert [counted(shown, word) for word in ("unprotected", "slow", "protected", "not judged",
                                              "probing", "just died")] == [3, 2, 1, 0, 0, 0]
    assert set(column(screen.rows(shown), 2)) == {protected[0].remote}
    assert FOOT in shown[lines - 1]
    assert max(map(len, shown)) <= columns
    assert (" RULE" in "\n".join(shown)) == (columns == 120)
    assert protected[0].options() == before  # it only looks
    screen.keys("q")
    assert screen.end() == 0


def test_a_death_is_seen_coming_and_told(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=4)
    lab.connect()
    screen = Screen(lab, columns=120)
    lab.server.cut()
    port = near.local.rpartition(":")[2]
    shown = screen.wait(lambda lines: screen.rows(lines)[:1] and
                        screen.rows(lines)[0][0] == "probing")
    assert port in screen.rows(shown)[0][1]
    shown = screen.wait("probes unanswered, silent")
    assert any(re.match(r"\d\d:\d\d:\d\d  probing   2 probes unanswered", line) for line in shown)
    near.death("ETIMEDOUT", timeout=20)
    shown = screen.wait(lambda lines: screen.rows(lines)[0][0] == "dead")
    assert counted(shown, "just died") == 1
    assert counted(shown, "so far") == 1
    assert "Connections  1 " in shown[1]
    assert any(re.match(r"\d\d:\d\d:\d\d  dead      [34] probes unanswered", line)
               for line in shown)
    screen.wait(lambda lines: counted(lines, "just died") == 0, timeout=15)


def test_an_answer_after_lost_probes_is_told(lab):
    near, far = lab.pair().connect(keepalive=1, idle=1, interval=1, count=100)
    lab.exchange(near, far)
    screen = Screen(lab, columns=120)
    lab.server.cut()
    screen.wait("probes unanswered, silent")
    lab.server.heal()
    screen.wait("  answered  ")
    screen.wait(lambda lines: screen.rows(lines)[0][0] != "probing")


def test_comings_and_goings_are_told_and_a_close_is_no_death(lab):
    lab.pair().connect()
    screen = Screen(lab, columns=120)
    near, far = lab.connect()
    shown = screen.wait("  appeared  ")
    assert any("appeared" in line and near.local in line for line in shown)
    near.abort()
    shown = screen.wait("  gone      ")
    assert any("gone" in line and near.local in line for line in shown)
    assert counted(shown, "so far") == 0
    assert "dead" not in column(screen.rows(shown))
    far.close()


def test_probes_a_second_are_the_kernels(lab):
    lab.pair()
    for _ in range(20):
        lab.connect(keepalive=1, idle=1, interval=1, count=5)
    screen = Screen(lab)
    # One a second for each of them, in bursts: the timers start together.
    screen.wait(lambda lines: "- probes" not in lines[3] and counted(lines, "probes") >= 10)


def test_the_filter_works_while_it_is_typed(lab):
    _, slow, _ = kinds(lab)
    port = slow[0][0].local.rpartition(":")[2]
    screen = Screen(lab)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    screen.keys("/")
    screen.type("SLO")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    assert "Filter SLO_" in shown[4] and "Enter keeps" in shown[23]
    screen.type(f"w :{port}")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 1)
    assert counted(shown, "unprotected") == 3  # counts are of all
    screen.keys("Enter")
    screen.wait(FOOT)
    assert len(screen.rows()) == 1
    screen.keys("/", "BSpace")
    for _ in port:
        screen.keys("BSpace")
    screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    screen.type("q")
    screen.wait(lambda lines: not screen.rows(lines))
    screen.keys("Escape")
    screen.wait(lambda lines: len(screen.rows(lines)) == 6 and "Filter" not in lines[4])


def test_filter_and_policy_of_the_command_line_are_lists(lab):
    _, _, unprotected = kinds(lab)
    screen = Screen(lab, "--audit", "slow", "--dead-within", "1h", "--netns", lab.client.name)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == len(
        lab.list("--audit", "slow", "--dead-within", "1h")))
    assert "goal: dead within 1h" in shown[1]
    other = Screen(lab, "--local", ":" + unprotected[1][0].local.rpartition(":")[2])
    assert len(other.wait(lambda lines: len(other.rows(lines)) == 1)) == 24
    assert "Connections  1 " in other.lines()[1]


def test_a_verdict_that_changes_is_no_death(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=30)
    screen = Screen(lab, "--audit", "slow", columns=120)
    lab.server.cut()
    screen.wait("probes unanswered")
    near.set(user_timeout_ms=100000)
    shown = screen.wait(lambda lines: not screen.rows(lines))
    assert not any(" gone " in line or " dead " in line for line in shown[10:])


def test_the_order_can_be_chosen_and_reversed(lab):
    kinds(lab)
    screen = Screen(lab, columns=120)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    for name in ("unanswered", "silence", "next probe", "bound"):
        screen.keys("s")
        screen.wait(f"Sort         {name}")
    screen.wait(lambda lines: column(screen.rows(lines)) ==
                ["unprotected"] * 3 + ["slow"] * 2 + ["protected"])
    screen.keys("r")
    screen.wait("bound, reversed")
    screen.wait(lambda lines: column(screen.rows(lines)) ==
                ["protected"] + ["slow"] * 2 + ["unprotected"] * 3)
    screen.keys("S", "S", "S", "S")
    screen.wait("Sort         urgency")


def seconds(lines, label):
    line = next(line for line in lines if line.startswith(label))
    found = re.search(r"(?:(\d+)min ?)?(?:([\d.]+)(m?)s)?$", line.strip())
    return 60 * int(found[1] or 0) + float(found[2] or 0) / (1000 if found[3] else 1)


def test_one_connection_in_full_with_timers_that_count_down(lab):
    near, far = lab.pair().connect(keepalive=1, idle=30, interval=7, count=4, user_timeout_ms=0)
    lab.exchange(near, far)
    lab.watch("--dead-within", "60s")
    screen = Screen(lab, columns=120, delay="5s")  # the timers do not wait for it
    screen.keys("Enter")
    shown = screen.wait("Next probe")
    text = "\n".join(shown)
    row = lab.one(near)
    assert f"Local        {near.local}" in shown and f"Remote       {near.remote}" in shown
    assert "State        ESTABLISHED, protected" in text
    assert f"python3, pid {near.peer.pid}, uid 0" in text
    assert f"cookie {near.cookie}" in text
    assert f"idle {row['idle']}s, interval {row['interval']}s, count {row['count']}" in text
    assert "0 of 4 probes" in text or f"0 of {row['count']} probes" in text
    assert "Rule         watch, dead within 1min" in text
    screen.wait(f"Cgroup       {row['cgroup']}")
    before, at = screen.lines(), time.monotonic()
    time.sleep(1.5)
    after, passed = screen.lines(), time.monotonic() - at
    for label, change in (("Next probe", -passed), ("Silent", passed)):
        assert seconds(after, label) - seconds(before, label) == pytest.approx(change, abs=0.5)
    screen.keys("p")
    screen.wait("PAUSED")
    still = screen.lines()
    time.sleep(0.6)
    assert screen.lines() == still
    screen.keys("p")
    far.abort()
    screen.wait("GONE: this is what was last seen")
    screen.keys("Escape")
    screen.wait(HEADING)
    screen.keys("q")
    assert screen.end() == 0


@pytest.mark.parametrize("own", [{"count": 3}, {"count": 9, "user_timeout_ms": 4500}],
                         ids=["count", "user timeout"])
def test_a_dead_peer_in_full_tells_when_it_is_told(lab, own):
    near, far = lab.pair().connect(keepalive=1, idle=1, interval=3, **own)
    lab.exchange(near, far)
    screen = Screen(lab, columns=120)
    screen.keys("Enter")
    lab.server.cut()
    shown = screen.wait("Told dead    in ")
    left, at = float(re.search(r"in ([\d.]+)s", next(line for line in shown if "Told" in line))[1]), \
        time.monotonic()
    died = near.death("ETIMEDOUT", timeout=20)
    assert died - at == pytest.approx(left, abs=0.125 * 10 + 0.6)


def test_paused_is_paused_and_keys_still_work(lab):
    kinds(lab)
    screen = Screen(lab, columns=120)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    screen.keys("Space")
    screen.wait("PAUSED")
    near, _ = lab.connect()
    time.sleep(0.8)
    assert len(screen.rows()) == 6
    screen.keys("/")
    screen.type("slow")
    screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    screen.keys("Escape", "Space")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 7)
    assert any(near.local in line for line in shown) and "PAUSED" not in "\n".join(shown)


def test_help_lists_the_keys(lab):
    lab.pair()
    screen = Screen(lab)
    screen.keys("h")
    shown = screen.wait("filter as you type")
    assert "any key: back" in shown[23] and max(map(len, shown)) <= 80
    assert "whole namespaces." in "\n".join(shown)  # all of it fits
    screen.keys("x")
    screen.wait(FOOT)


@NAMED
def test_batch_shows_hostile_names_harmless(lab, kind):
    _, _, shown, _ = named(lab, kind)
    text = lab.run("top", "--batch", "-n", "1", "--netns", lab.client.name).stdout.decode()
    assert not UNSAFE.search(text), text
    assert shown is None or shown in text, text


def test_batch_prints_one_frame_after_the_other(lab):
    kinds(lab)
    started = time.monotonic()
    out = lab.run("top", "--batch", "-n", "3", "--delay", "500ms", "--netns",
                  lab.client.name).stdout.decode()
    assert 1 <= time.monotonic() - started < 10
    frames = out.split("\n\n")
    assert len(frames) == 4 and frames[3] == ""
    for number, frame in enumerate(frames[:3]):
        lines = frame.splitlines()
        assert lines[0].startswith("holdfast top - ") and lines[5].startswith(HEADING)
        assert [line.split()[0] for line in lines[6:]] == \
            ["unprotected"] * 3 + ["slow"] * 2 + ["protected"]
        assert number == 1 or ("- probes" in lines[3]) == (number == 0)
        assert "DEAD-IDLE" in lines[5] and "\033" not in frame
    one = lab.run("top", "--batch", "-n", "1", "--rows", "2", "--netns",
                  lab.client.name).stdout.decode()
    assert "rows 2 of 6" in one and len(one.split("\n\n")[0].splitlines()) == 8


def test_batch_json_is_one_object_a_frame(lab):
    kinds(lab)
    process = lab.popen([HOLDFAST, "top", "--batch", "-n", "3", "--json", "--delay", "3s",
                         "--netns", lab.client.name], stdout=subprocess.PIPE)
    out = Lines(process.stdout)
    frames = [json.loads(out.next(10))]
    near, _ = lab.connect()
    frames += [json.loads(out.next(10)), json.loads(out.next(10))]
    assert [frame["connections"] for frame in frames] == [6, 7, 7]
    first = {key: frames[0][key] for key in ("unprotected", "slow", "protected", "not_judged",
                                             "probing", "just_died", "probes_per_s", "events")}
    assert first == {"unprotected": 3, "slow": 2, "protected": 1, "not_judged": 0, "probing": 0,
                     "just_died": 0, "probes_per_s": None, "events": []}
    (event,), none = frames[1]["events"], frames[2]["events"]
    assert none == []
    assert (event["event"], event["local"], event["remote"], event["pid"]) == \
        ("appeared", near.local, near.remote, near.peer.pid)
    assert frames[1]["appeared_per_s"] > 0 == frames[2]["appeared_per_s"]
    assert process.wait(10) == 0


@pytest.mark.parametrize("means", ["bpf", "diag"])
def test_with_and_without_ebpf(lab, means):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=4)
    screen = Screen(lab, "--backend", means, columns=120)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 1)
    assert near.local in "\n".join(shown) and "python3" in "\n".join(shown)
    lab.server.cut()
    screen.wait(lambda lines: screen.rows(lines)[0][0] == "dead", timeout=20)


def test_batch_ends_with_its_reader(lab):
    lab.pair().connect()
    command = f"{HOLDFAST} top --batch --delay 100ms --netns {lab.client.name} | head -2"
    process = lab.popen(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=20)
    assert len(out.splitlines()) == 2 and err == b""


@only_once
def test_all_namespaces_at_once(lab):
    near, far = lab.pair().connect()
    screen = Screen(lab, "--netns", "all", "--remote", lab.server.address, "--rows", "500",
                    columns=120)
    screen.wait(near.local)
    other = Screen(lab, "--netns", "all", "--local", lab.server.address, columns=120)
    other.wait(far.local)


MANY = 16000


@pytest.mark.alone
@only_once
def test_keys_are_answered_at_once_whatever_there_is_to_look_at(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    for _ in range(0, MANY, 500):
        client.call("connect", host=lab.server.address, port=port, count=500)
        server.call("accept", id=listener, count=500)
    screen = Screen(lab, columns=120, lines=40, delay="100ms")
    screen.wait(f"Connections  {MANY} ")
    took = []
    for _ in range(20):
        for key, shown in (("h", "any key: back"), ("x", FOOT)):
            before = time.monotonic()
            screen.keys(key)
            screen.wait(shown)
            took.append(time.monotonic() - before)
    assert statistics.median(took) < 0.1, took
    assert "rows 1000 of" in "\n".join(screen.lines())
