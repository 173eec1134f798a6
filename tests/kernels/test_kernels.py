# SPDX-License-Identifier: GPL-2.0-or-later
"""The same binary on another kernel: Debian 12's own, in qemu by software emulation.

The guest boots once, does what `steps` says and prints what came of it; each test judges a part.
A new step is a line of `steps` and a test here. The kernel package is fetched by apt once and
kept beside the program under test; $HOLDFAST_TEST_KERNEL names one that is unpacked elsewhere.
"""
import collections
import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
HOLDFAST = os.environ.get("HOLDFAST", str(HERE.parent.parent / "build" / "holdfast"))
GOAL = 6  # s, of `steps`
SLOW = 0.5  # s: what emulation adds
LIMIT = 240  # s, for a machine with much else to do
SET = {"keepalive": 1, "idle": 2, "interval": 1, "count": 3, "user_timeout_ms": 0}
PLAIN = {"keepalive": 0, "idle": 7200, "interval": 75, "count": 9, "user_timeout_ms": 0}
OPENED = ["near4", "near6"]  # before the watch
EARLY = ["local", *OPENED]
HEARD = ["idle4", "idle6", "data4", "data6"]  # while it ran
RUN = ["run4", "run6"]  # by `holdfast run`, where no watch is


class Guest:
    """What the steps printed."""

    def __init__(self, console):
        self.console = console
        self.out, self.err, self.exit = (collections.defaultdict(list) for _ in range(3))
        for name, kind, text in re.findall(r"^@(\w+) (out|err|exit) (.*)$", console, re.MULTILINE):
            getattr(self, kind)[name].append(text)

    def done(self, step, exit=0):
        """The objects that the step printed; it ended so, and complained of nothing."""
        assert (self.exit[step], self.err[step]) == ([str(exit)], [])
        return [json.loads(line) for line in self.out[step]]

    def peer(self, name):
        """Who a plain program is, when it last heard of its peer, what it was told."""
        merged = {}
        for report in self.done(name):
            if "options" not in report:
                merged.update(report)
        return merged

    def options(self, when, *names):
        """What getsockopt said to each of these programs."""
        found = [{key: row[key] for key in PLAIN} for name in names for row in self.done(name)
                 if row.get("options") == when]
        assert len(found) == len(names), self.console
        return found

    def events(self, kind, name):
        peer = self.peer(name)
        return [event for event in self.done("watch") if event["event"] == kind
                and (event["local"], event["remote"]) == (peer["local"], peer["remote"])]


def kernel():
    given = os.environ.get("HOLDFAST_TEST_KERNEL")
    if given:
        return given
    fetched = subprocess.run([HERE / "fetch-kernel", pathlib.Path(HOLDFAST).parent / "kernels"],
                             capture_output=True, text=True, timeout=LIMIT)
    assert fetched.returncode == 0, fetched.stderr
    return fetched.stdout.strip()


@pytest.fixture(scope="session")
def guest(tmp_path_factory):
    where, image = kernel(), tmp_path_factory.mktemp("kernel") / "image"
    subprocess.run([HERE / "make-image", where, HOLDFAST, image], check=True, timeout=LIMIT)
    emulator = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512",
                "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
                "-kernel", next(pathlib.Path(where, "boot").glob("vmlinuz-*")), "-initrd", image,
                "-append", "console=ttyS0 quiet panic=-1"]
    booted = subprocess.run(emulator, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=LIMIT)
    console = booted.stdout.decode(errors="replace")
    assert "\n@end\n" in console, f"the guest did not come to its end:\n{console}"
    made = Guest(console)
    assert not made.err["await"], f"{made.err['await']}\n{console}"
    return made


def test_doctor_finds_what_watch_needs(guest):
    findings = {row["check"]: row for row in guest.done("doctor")}
    assert " 6.1." in findings["kernel"]["detail"]
    assert not [row for row in findings.values() if row["status"] == "missing"]


def test_plan_is_the_same_as_here(guest):
    here = subprocess.run([HOLDFAST, "plan", "--dead-within", f"{GOAL}s", "--json"], check=True,
                          capture_output=True, text=True, timeout=30)
    assert guest.done("plan") == [json.loads(here.stdout)]


@pytest.mark.parametrize("name", EARLY)
def test_list_shows_a_connection_and_its_owner(guest, name):
    peer = guest.peer(name)
    rows = [row for row in guest.done("list") if row["local"] == peer["local"]]
    assert len(rows) == 1
    row = rows[0]
    assert (row["remote"], row["pid"], row["process"]) == (peer["remote"], peer["pid"], "peer")
    assert (row["state"], row["family"]) == ("ESTABLISHED", "ipv6" if name[-1] == "6" else "ipv4")
    assert {key: row[key] for key in PLAIN} == {**PLAIN, "keepalive": False}
    assert (row["uid"], row["cgroup"], row["audit"]) == (0, "/", "unprotected")
    assert 0 <= row["silent_s"] < 30 and row["rtt_ms"] > 0 and row["cookie"] > 0


def test_list_enters_another_namespace(guest):
    ends = {(guest.peer(name)["local"], guest.peer(name)["remote"]) for name in OPENED}
    assert {(row["remote"], row["local"]) for row in guest.done("list_server")} == ends
    assert not ({row["netns"] for row in guest.done("list_server")}
                & {row["netns"] for row in guest.done("list")})


def test_why_tells_who_set_what(guest):
    peer, (row,) = guest.peer("near6"), guest.done("why")
    assert (row["local"], row["rule"], row["audit"]) == (peer["local"], "apply", "protected")
    assert row["holders"] == [{"pid": peer["pid"], "process": "peer"}]
    assert {name: setting["own"] for name, setting in row["settings"].items()
            if setting["set_by"] == "holdfast"} == {
        "keepalive": False, "idle": 7200, "interval": 75, "user_timeout_ms": 0}


def test_audit_counts_the_unprotected(guest):
    total = [row for row in guest.done("audit", exit=1) if row["by"] == "total"]
    assert [(row["connections"], row["unprotected"]) for row in total] == [(4, 4)]


@pytest.mark.parametrize("name", EARLY)
def test_check_finds_the_peers_alive(guest, name):
    peer, rows = guest.peer(name), guest.done("check")
    assert len(rows) == 4
    row = [row for row in rows if row["local"] == peer["local"]][0]
    assert (row["verdict"], row["probes"]) == ("alive", 1) and row["rtt_ms"] > 0


def test_apply_sets_what_it_says(guest):
    assert guest.options("before", *EARLY) == [PLAIN] * 3
    assert [row["outcome"] for row in guest.done("apply")] == ["set"] * 4
    for options in guest.options("applied", *EARLY):
        assert options["keepalive"] == 1 and options["count"] == 9
        assert 0 < options["idle"] + 9 * options["interval"] <= 60 / 1.125
        assert 0 < options["user_timeout_ms"] <= 60000


def test_audit_finds_all_protected_then(guest):
    assert guest.done("audit_applied")[-1]["protected"] == 4


def test_restore_gives_back_the_programs_own(guest):
    assert [row["outcome"] for row in guest.done("restore")] == ["restored"] * 4
    assert guest.options("restored", *EARLY) == [PLAIN] * 3


def test_watch_sets_open_and_new_connections(guest):
    assert guest.options("watched", "local", "near4", "idle4", "idle6") == [SET] * 4
    for name in OPENED + HEARD:
        assert len(guest.events("protected", name)) == 1


def test_a_weaker_value_set_later_is_put_right(guest):
    assert guest.options("clamped", "local")[0]["idle"] == 2


@pytest.mark.parametrize("name", OPENED + HEARD + RUN)
def test_a_dead_peer_is_found_within_the_promise(guest, name):
    peer = guest.peer(name)
    assert peer["errno"] == "ETIMEDOUT"
    assert peer["told"] - peer["heard"] <= GOAL + SLOW


@pytest.mark.parametrize("name", OPENED + HEARD)
def test_one_death_is_one_event_with_its_evidence(guest, name):
    peer, events = guest.peer(name), guest.events("dead", name)
    assert len(events) == 1
    assert (events[0]["pid"], events[0]["process"]) == (peer["pid"], "peer")
    assert events[0]["evidence"]["errno"] == "ETIMEDOUT"
    assert abs(events[0]["evidence"]["silent_s"] - (peer["told"] - peer["heard"])) <= SLOW
    assert events[0]["evidence"]["unanswered"] >= 3


def test_run_gives_a_program_a_cgroup_and_its_connections_the_settings(guest):
    assert guest.options("ran", *RUN) == [SET] * 2
    (cgroup,), (said,) = guest.out["run"], guest.err["run"]
    assert cgroup.startswith("0::/holdfast-run-") and guest.exit["run"] == ["7"]
    assert said == f"holdfast: run: eBPF on cgroup {cgroup[3:]}"
    assert guest.done("groups") == [], "none is left"


def test_what_a_watch_leaves_is_given_back(guest):
    assert guest.options("left", "local")[0]["keepalive"] == 1
    assert [row["outcome"] for row in guest.done("restore_left")] == ["restored"] * 2
    assert guest.options("given_back", "local") == [{**PLAIN, "idle": 300}]  # what it set meanwhile
