# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine against the real kernel's TCP: examples/tun.c over a TUN device to a plain program."""
import os
import signal
import subprocess
import time

import pytest

from lab import HOLDFAST, Lines, wait_until

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.dirname(HOLDFAST))
TUN = os.path.join(BUILD, "examples", "example_tun")
WITHIN = 5  # s: the goal of most tests
NO_RTT = -1
LATE = 1.5  # s: one more try after a stall, of a loaded machine


class Engine:
    """The example, connected to `far`, a socket of a plain program in the same namespace."""

    def __init__(self, lab, *options, within=WITHIN, **sysctl):
        self.lab, self.netns, self.events = lab, lab.namespace("kernel"), []
        host, own = ("10.77.0.1", "10.77.0.2:4000") if lab.family == 4 else \
            ("fd77::1", "[fd77::2]:4000")
        self.netns.ip("tuntap add mode tun name hf0\n"
                      "address add 10.77.0.1/24 dev hf0\n"
                      "address add fd77::1/64 dev hf0 nodad\n"
                      "link set hf0 up\n")
        if sysctl:
            self.netns.sysctl(**sysctl)
        server = lab.peer(self.netns)
        listener, port = server.listen(host)
        remote = f"{host}:{port}" if lab.family == 4 else f"[{host}]:{port}"
        self.process = lab.popen([TUN, "-w", str(within), *options, own, remote], self.netns,
                                 stdout=subprocess.PIPE)
        self.out = Lines(self.process.stdout)
        self.connected = self.expect("connected", 5)
        self.bound = self.connected["bound_ms"] / 1000
        self.far = server.accept(listener)

    def next(self, timeout):
        """The next event: what and when, with its evidence."""
        line = self.out.next(timeout)
        assert line is not None, f"no event within {timeout} s; so far {self.events}"
        event, *fields = line.decode().split()
        self.events.append({"event": event, "at": time.monotonic(),
                            **{key: int(value) for key, value in
                               (field.split("=") for field in fields)}})
        return self.events[-1]

    def expect(self, event, timeout=None):
        got = self.next(timeout or self.bound + LATE)
        assert got["event"] == event, self.events
        return got

    def silent_for(self, seconds):
        line = self.out.next(seconds)
        assert line is None, line

    def signal(self, number):
        os.kill(self.process.pid, number)


def assert_answered(alive):
    assert alive["rtt_ms"] != NO_RTT and alive["rtt_ms"] < 900, alive
    assert not alive["in_flight"], alive


def test_a_living_peer_answers_ten_of_ten_probes(lab):
    engine = Engine(lab, "-n", "10")
    for _ in range(10):
        alive = engine.expect("alive")
        assert_answered(alive)
        assert alive["unanswered"] == 1  # the very first probe was answered
    assert engine.process.wait(5) == 0


def test_a_peer_that_was_cut_off_is_dead_within_the_bound(lab):
    engine = Engine(lab)
    assert engine.bound <= WITHIN
    heard = engine.expect("alive")["at"]
    cut = engine.netns.cut()
    dead = engine.expect("dead")
    assert cut < dead["at"] <= heard + engine.bound + LATE
    assert dead["silent_ms"] / 1000 <= engine.bound + LATE
    assert abs(dead["silent_ms"] / 1000 - (dead["at"] - heard)) < 1
    assert dead["unanswered"] >= 3 and not dead["in_flight"] and dead["rtt_ms"] == NO_RTT
    engine.silent_for(engine.bound + 1)  # one death, one event


def test_a_peer_given_up_is_revived_when_it_is_heard(lab):
    engine = Engine(lab)
    engine.netns.cut()
    engine.expect("dead")
    engine.netns.heal()
    engine.far.send(text="here I am")
    engine.expect("revived")
    assert_answered(engine.expect("alive"))


def test_a_peer_that_resets_its_connection_is_told_at_once(lab):
    engine = Engine(lab)
    aborted = time.monotonic()
    engine.far.abort()
    assert engine.expect("reset")["at"] - aborted < 1  # before any probe
    assert engine.process.wait(5) == 0


def test_a_peer_that_was_rebooted_answers_a_probe_by_a_reset(lab):
    engine = Engine(lab)
    engine.netns.cut()
    engine.far.abort()  # nobody hears of it
    engine.netns.heal()
    assert engine.expect("reset")["unanswered"] >= 1


def test_a_peer_that_closes_is_no_death(lab):
    engine = Engine(lab)
    engine.far.close()
    engine.expect("closed")
    assert engine.process.wait(5) == 0


@pytest.mark.parametrize("wanted, allowed", [(True, 1), (True, 0), (False, 1)])
def test_probes_are_answered_with_and_without_timestamps(lab, wanted, allowed):
    engine = Engine(lab, *["-t"] * wanted, ipv4__tcp_timestamps=allowed)
    assert engine.connected["timestamps"] == int(wanted and allowed)
    if wanted and allowed:
        engine.netns.nft("table inet stamped {\nchain in {\n"
                         "type filter hook prerouting priority -400;\n"
                         "tcp option timestamp missing drop\n}\n}\n")
    for _ in range(3):
        assert_answered(engine.expect("alive"))


def test_one_lost_probe_is_no_death(lab):
    engine = Engine(lab, "-t")
    engine.expect("alive")
    engine.netns.lose_one_probe()
    alive = engine.expect("alive")
    assert engine.netns.lost() == 1
    assert alive["unanswered"] == 2
    assert_answered(engine.expect("alive"))


def test_a_pause_longer_than_the_bound_is_no_death(lab):
    engine = Engine(lab)
    engine.expect("alive")
    for _ in range(2):
        engine.signal(signal.SIGSTOP)
        time.sleep(engine.bound + 1.5)
        engine.signal(signal.SIGCONT)
        engine.expect("alive")


@pytest.mark.parametrize("lost", ["one", "all"])
def test_a_pause_in_the_middle_of_a_dialogue_is_no_death(lab, lost):
    engine = Engine(lab)
    probes = 1 if lost == "one" else engine.connected["count"]
    engine.expect("alive")
    engine.netns.nft("table inet seen {\nchain in {\ntype filter hook prerouting priority -450\n"
                     "tcp flags == ack counter\n}\n}\n")
    engine.netns.cut()
    before = engine.netns.packets("inet seen")
    wait_until(lambda: engine.netns.packets("inet seen") - before >= probes, engine.bound + LATE,
               "probes are lost")
    engine.signal(signal.SIGSTOP)
    engine.netns.heal()
    time.sleep(engine.bound + 1.5)
    engine.signal(signal.SIGCONT)
    alive = engine.expect("alive")
    assert alive["unanswered"] >= probes + 1


def test_a_peer_that_dies_during_a_pause_is_dead_within_the_bound_after_it(lab):
    engine = Engine(lab)
    engine.expect("alive")
    engine.signal(signal.SIGSTOP)
    engine.netns.cut()
    time.sleep(engine.bound + 1.5)
    resumed = time.monotonic()
    engine.signal(signal.SIGCONT)
    dead = engine.expect("dead")
    assert dead["at"] - resumed <= engine.bound + LATE
    assert dead["unanswered"] >= 1  # silence alone is no death


def test_data_in_the_middle_of_a_dialogue_is_acknowledged(lab):
    engine = Engine(lab, "-t")
    engine.netns.lose_one_probe()
    wait_until(lambda: engine.netns.lost() == 1, engine.bound, "a probe is lost")
    engine.far.send(text="data " * 1000)
    wait_until(lambda: not engine.far.info()["in_flight"] + engine.far.info()["notsent"], 1,
               "all data is acknowledged")
    for _ in range(2):
        engine.expect("alive")


def keepalive_of_the_kernel(lab):
    """The kernel probes after 1 s; the engine on its own account would only much later."""
    engine = Engine(lab, within=600)
    engine.far.set(idle=1, interval=1, count=3, keepalive=1)
    return engine


def test_probes_of_the_kernel_are_answered(lab):
    engine = keepalive_of_the_kernel(lab)
    before = engine.netns.counter("TCPKeepAlive")
    assert engine.far.recv(timeout=8) is None  # twice idle + count * interval
    wait_until(lambda: not engine.far.info()["unanswered"], 0.5, "the last probe is answered")
    assert engine.netns.counter("TCPKeepAlive") - before >= 6
    engine.silent_for(0)


def test_a_connection_of_the_kernel_dies_when_the_answers_stop(lab):
    engine = keepalive_of_the_kernel(lab)
    assert engine.far.recv(timeout=3) is None
    stopped = time.monotonic()
    engine.signal(signal.SIGSTOP)
    assert engine.far.death("ETIMEDOUT", timeout=8) - stopped <= 1.125 * (1 + 3 * 1) + LATE
