# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that was set can be given back, however the watch ended."""
import signal
import time

import pytest

from lab import HOLDFAST, check

POLICY = ("--dead-within", "20s")
OWN = [
    {},
    {"keepalive": 1},
    {"keepalive": 1, "idle": 600, "interval": 60, "count": 4},
    {"idle": 900, "interval": 10},
    {"keepalive": 1, "idle": 1, "interval": 1, "count": 3},
    {"user_timeout_ms": 90000},
    {"keepalive": 1, "user_timeout_ms": 90000, "count": 100},
]


class Watched:
    """Connections with settings of all kinds, and what these were."""

    def __init__(self, lab, *options):
        self.lab = lab
        lab.pair()
        self.sockets = [lab.connect(**own)[0] for own in OWN]
        self.before = [sock.options() for sock in self.sockets]
        self.watch = lab.watch(*POLICY, *options)
        self.add_new()

    def add_new(self):
        for own in OWN:
            self.before.append({"keepalive": 0, "idle": 7200, "interval": 75, "count": 9,
                                "user_timeout_ms": 0, **own})
            self.sockets.append(self.lab.connect(**own)[0])

    def now(self):
        return [sock.options() for sock in self.sockets]

    def assert_set(self):
        for sock in self.sockets:
            options = sock.options()
            assert options["keepalive"] == 1
            assert 1.125 * (options["idle"] + options["interval"] * options["count"]) <= 20

    def assert_given_back(self):
        assert self.now() == self.before


def test_an_interrupted_watch_leaves_the_settings_and_restore_gives_them_back(lab):
    watched = Watched(lab)
    assert watched.watch.stop(signal.SIGINT) == 0
    watched.assert_set()
    lab.run("restore")
    watched.assert_given_back()


def test_watch_restore_gives_everything_back_when_it_ends(lab):
    watched = Watched(lab, "--restore")
    watched.assert_set()
    assert watched.watch.stop() == 0
    watched.assert_given_back()


def test_restore_gives_everything_back_after_a_sigkill(lab):
    watched = Watched(lab)
    watched.watch.stop(signal.SIGKILL)
    watched.assert_set()
    lab.run("restore")
    watched.assert_given_back()


def test_restore_takes_back_a_user_timeout_that_was_armed(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    watch = lab.watch("--dead-within", "60s")
    lab.server.cut()
    near.send(text="x")
    time.sleep(1.5)
    assert near.options()["user_timeout_ms"] > 0
    watch.stop(signal.SIGKILL)
    lab.run("restore")
    assert near.options()["user_timeout_ms"] == 0
    assert near.options()["keepalive"] == 0


def test_restore_leaves_what_the_program_changed_since(lab):
    near, _ = lab.pair().connect()
    watch = lab.watch(*POLICY)
    watch.stop()
    near.set(idle=33, interval=7, count=5)
    lab.run("restore")
    assert near.options()["idle"] == 33
    assert near.options()["interval"] == 7
    assert near.options()["count"] == 5


def test_restore_gives_back_what_the_program_asked_for_last(lab):
    near, _ = lab.pair().connect()
    watch = lab.watch(*POLICY)
    near.set(keepalive=1, idle=3000, interval=30, count=7)
    assert near.options()["idle"] < 3000
    watch.stop()
    lab.run("restore")
    assert near.options() == {"keepalive": 1, "idle": 3000, "interval": 30, "count": 7,
                              "user_timeout_ms": 0}


def test_restore_twice_is_restore_once(lab):
    watched = Watched(lab)
    watched.watch.stop(signal.SIGKILL)
    lab.run("restore")
    lab.run("restore")
    watched.assert_given_back()


def test_restore_without_anything_to_restore_is_no_error(lab):
    lab.pair().run("restore")


def test_a_next_watch_adopts_what_the_last_one_left(lab):
    watched = Watched(lab)
    watched.watch.stop(signal.SIGKILL)
    left = watched.now()
    second = lab.watch(*POLICY)
    assert watched.now() == left
    assert {lab.one(sock)["rule"] for sock in watched.sockets[:1]} == {"watch"}
    second.stop()
    lab.run("restore")
    watched.assert_given_back()


def test_list_shows_the_rule_after_the_watch_was_killed(lab):
    near, _ = lab.pair().connect()
    lab.watch(*POLICY).stop(signal.SIGKILL)
    assert lab.one(near)["rule"] == "watch"
    lab.run("restore")
    assert lab.one(near)["rule"] is None


@pytest.mark.parametrize("second", ["bpf", "diag"])
@pytest.mark.parametrize("first", ["bpf", "diag"])
def test_a_second_watch_beside_the_first_is_refused(lab, first, second):
    """Also a wider one, and whatever either goes by: each would undo what the other did."""
    near, _ = lab.pair().connect()
    lab.backend = first
    watch = lab.watch(*POLICY, "--remote", near.remote)
    set_by_it, lab.backend = near.options(), second
    done = lab.run("watch", "--dead-within", "10s", *lab.where(None), exit=4)
    assert b"another watcher is running; end the other one" in done.stderr
    assert near.options() == set_by_it
    assert watch.stop() == 0
    lab.watch("--dead-within", "10s").stop()
    assert near.options()["idle"] < set_by_it["idle"]


def test_what_apply_set_is_given_back_by_restore(lab):
    near, far = lab.pair().connect(**OWN[2])
    lab.exchange(near, far)
    before = near.options()
    lab.apply(*POLICY)
    assert near.options() != before
    lab.run("restore")
    assert near.options() == before


@pytest.mark.alone
@pytest.mark.parametrize("family", [4], indirect=True)
def test_the_memory_is_found_again_in_the_default_place(lab):
    env = {key: value for key, value in lab.env.items() if key != "HOLDFAST_BPFFS"}
    near, _ = lab.pair().connect()
    before = near.options()
    mounted = "/run/holdfast/bpf" in open("/proc/mounts", encoding="utf-8").read()
    watch = lab.watch(*POLICY, env=env)
    assert near.options() != before
    watch.stop(signal.SIGKILL)
    check([HOLDFAST, "restore"], env=env)
    assert near.options() == before
    if not mounted and "/run/holdfast/bpf" in open("/proc/mounts", encoding="utf-8").read():
        check(["umount", "/run/holdfast/bpf"])
        check(["rm", "-d", "/run/holdfast/bpf", "/run/holdfast"])
