# SPDX-License-Identifier: GPL-2.0-or-later
"""The laboratory itself: what happens to connections that Holdfast does not watch.

Every test elsewhere that says "found" or "kept" has its control here, without Holdfast.
"""
import time

from lab import check


def options_of_a_plain_program():
    return {"keepalive": 0, "idle": 7200, "interval": 75, "count": 9, "user_timeout_ms": 0}


def test_a_plain_program_has_no_keepalive(lab):
    near, far = lab.pair().connect()
    assert near.options() == far.options() == options_of_a_plain_program()


def test_a_power_cut_is_never_noticed(lab):
    lab.exchange(*(ends := lab.pair().connect()))
    lab.server.cut()
    assert ends[0].recv(10) is None


def test_a_power_cut_under_data_in_flight_is_not_noticed_in_time(lab):
    lab.exchange(*(ends := lab.pair().connect()))
    lab.server.cut()
    ends[0].send(text="x")
    assert ends[0].recv(20) is None
    assert ends[0].info()["in_flight"] > 0


def test_after_healing_a_connection_goes_on(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.server.cut()
    near.send(text="late")
    assert far.recv(1) is None
    lab.server.heal()
    far.hears("late", timeout=5)


def test_a_rebooted_peer_answers_with_a_reset(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.server.cut()
    far.abort()
    lab.server.heal()
    assert near.recv(3) is None
    near.send(text="x")
    near.death("ECONNRESET", timeout=2)


def test_a_strict_nat_forgets_and_drops_both_ways(lab):
    near, far = lab.nat(timeout=6, strict=True).connect()
    lab.exchange(near, far)
    time.sleep(8)
    far.send(text="x")
    assert near.recv(3) is None
    near.send(text="x")
    assert far.recv(3) is None


def test_a_lax_nat_forgets_and_drops_what_the_server_sends(lab):
    near, far = lab.nat(timeout=6, strict=False).connect()
    lab.exchange(near, far)
    time.sleep(8)
    far.send(text="x")
    assert near.recv(3) is None


def test_a_nat_keeps_what_talks(lab):
    near, far = lab.nat(timeout=6, strict=True).connect()
    for _ in range(4):
        lab.exchange(near, far)
        time.sleep(3)
    lab.exchange(near, far)


def test_keepalive_probes_are_lost_one_at_a_time(lab):
    near, _ = lab.pair().connect()
    near.set(idle=1, interval=1, keepalive=1)
    lab.server.lose_one_probe()
    seen = set()
    for _ in range(25):
        time.sleep(0.2)
        seen.add(near.info()["unanswered"])
    assert seen == {0, 1}
    assert lab.server.lost() == 1


def test_a_reader_that_stops_closes_the_window(lab):
    near, far = lab.pair().connect()
    sent = near.fill()
    assert near.info()["notsent"] > 0
    assert far.drain(size=sent, timeout=5) == sent


def test_a_closed_lab_leaves_nothing(lab):
    lab.nat(timeout=6, strict=True).connect()
    name, pids = lab.client.name, [process.pid for process in lab.processes]
    lab.close()
    assert name not in check(["ip", "netns", "list"])
    for pid in pids:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                assert lab.directory.encode() not in file.read()
        except FileNotFoundError:
            pass
