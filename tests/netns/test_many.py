# SPDX-License-Identifier: GPL-2.0-or-later
"""Many connections at once: no burst of probes, none later in step."""
import signal
import time

import pytest

from lab import sleep_until, wait_until

MANY, CROWD, CHURN = 2000, 8000, 15000


def many_long_silent(lab, idle, many=MANY, **options):
    """Connections that have been silent for longer than the idle time to come."""
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    ids = []
    for _ in range(0, many, 500):
        ids += client.call("connect", host=lab.server.address, port=port, count=500,
                           options=options)
        server.call("accept", id=listener, count=500)
    time.sleep(idle)
    return client, ids


def probes(lab):
    return lab.client.counter("TCPKeepAlive")


@pytest.mark.parametrize("way", ["watch", "apply"])
def test_many_long_silent_connections_cause_no_burst(lab, way):
    plan = lab.plan("--dead-within", "20s")
    client, ids = many_long_silent(lab, plan["idle"] + 1, keepalive=1)
    before = probes(lab)
    if way == "watch":
        lab.watch("--dead-within", "20s")
    else:
        lab.apply("--dead-within", "20s")
    time.sleep(0.9)
    assert probes(lab) - before <= MANY / 100
    options = client.call("many_options", ids=ids)
    assert {(one["keepalive"], one["interval"]) for one in options} == {(1, plan["interval"])}


def test_many_connections_set_at_once_do_not_probe_in_step(lab):
    many_long_silent(lab, 0)
    plan = lab.plan("--dead-within", "2min")
    started = time.monotonic()
    lab.watch("--dead-within", "2min")
    sleep_until(started + 5)
    # Kernel timers this long fire on a grid of 2 s, so that the first probes come in few bursts.
    counts = [probes(lab)]
    while time.monotonic() < started + 1.125 * plan["idle"] + 3:
        time.sleep(0.5)
        counts.append(probes(lab))
    bursts = [after - before for before, after in zip(counts, counts[1:])]
    assert sum(bursts) >= MANY
    assert max(bursts) <= 0.4 * MANY, bursts


def test_a_crowd_within_a_host_does_not_probe_in_bursts(lab):
    """On the kernel's grid of 2 s hundreds would leave in one go, more than veth's queue may hold."""
    many_long_silent(lab, 0, many=CROWD)
    idle = lab.plan("--dead-within", "2min")["idle"]
    started = time.monotonic()
    lab.watch("--dead-within", "2min")
    sleep_until(started + idle / 4 - 1)
    counts = [(probes(lab), time.monotonic())]
    while time.monotonic() < started + idle / 4 + 15:
        time.sleep(0.05)
        counts.append((probes(lab), time.monotonic()))
    assert counts[-1][0] >= CROWD / 4
    # Two strokes of the grid next finer, a quarter of a second, at CROWD in three quarters of idle.
    for (before, since), (after, now) in zip(counts, counts[1:]):
        assert after - before <= CROWD / 50 * max(1, (now - since) / 0.25)


def idles(client, ids):
    return [one["idle"] for one in client.call("many_options", ids=ids)]


@pytest.mark.parametrize("way", ["watch", "apply"])
def test_a_crowd_set_at_once_is_spread_over_the_idle_time(lab, way):
    """Probes in one burst overflow loopback's and veth's queue; the kernel counts the dropped."""
    client, ids = many_long_silent(lab, 0)
    idle = lab.plan("--dead-within", "2min")["idle"]
    if way == "watch":
        lab.watch("--dead-within", "2min")
    else:
        lab.apply("--dead-within", "2min")
    found = idles(client, ids)
    assert all(idle / 4 <= one <= idle for one in found)
    halves = [sum(low <= one / idle < high for one in found) for low, high in ((0, .5), (.5, .88))]
    assert min(halves) >= MANY / 8, halves


def test_a_crowd_takes_its_usual_idle_time_once_it_was_heard(lab):
    client, ids = many_long_silent(lab, 0)
    idle = lab.plan("--dead-within", "2min")["idle"]
    lab.watch("--dead-within", "2min").stop()
    before = probes(lab)
    lab.watch("--dead-within", "2min")
    assert all(idle * 0.9 - 1 <= one <= idle for one in idles(client, ids))
    time.sleep(0.9)
    assert probes(lab) == before


@pytest.mark.alone
def test_events_that_came_too_fast_are_counted_and_said(lab):
    host = "127.0.0.1" if lab.family == 4 else "::1"
    watch, peer = lab.pair().watch("--dead-within", "20s"), lab.peer(lab.client)
    watch.process.send_signal(signal.SIGSTOP)
    peer.call("churn", host=host, port=9, seconds=0, total=CHURN, open_at_once=0)
    watch.process.send_signal(signal.SIGCONT)
    watch.wait("lost", timeout=5)
    wait_until(lambda: not moved(watch), 5, "all that is left has come")
    lost = sum(int(event["action"].split()[0]) for event in watch.seen("lost"))
    told = len(watch.seen()) - len(watch.seen("lost"))
    # Two sockets a connection, each protected and ended.
    assert lost > 0 and told > 0 and lost + told == 4 * CHURN


def moved(watch):
    """Whether events still come."""
    before = len(watch.seen())
    time.sleep(0.5)
    return len(watch.seen()) != before
