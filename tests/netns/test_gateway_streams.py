# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams through a gateway that asks and probes all the while: never a byte lost, or one twice."""
import time

import pytest

from crossing import GOAL, LATE, Converse, established, gateway, in_time, statistics
from lab import wait_until
from test_gateway import connect, cross

FLOWS = 60
TCP_CLOSE = 7
SHORT = ("--dead-within", "6s", "--on-dead", "reset")


@pytest.mark.parametrize("strict, timestamps", [(True, 1), (False, 0)],
                         ids=["strict-timestamps", "lax-none"])
def test_data_that_begins_amidst_dialogues_is_whole(lab, strict, timestamps):
    cross(lab, strict=strict)
    lab.server.sysctl(ipv4__tcp_timestamps=timestamps)
    client, server = Converse(lab, lab.client), Converse(lab, lab.server)
    near, far = established(lab, client, server, FLOWS)
    watching = gateway(lab, *SHORT)
    client.start("converse", ids=near, seconds=20)
    there = server.call("converse", ids=far, seconds=20, patience=40)
    here = client.answer(10)
    assert [one["got"] for one in here] == [one["sent"] for one in there]
    assert [one["got"] for one in there] == [one["sent"] for one in here]
    assert not watching.seen()
    assert sum(one["amidst"] for one in here) >= FLOWS
    assert sum(one["amidst"] for one in there) >= FLOWS
    assert statistics(watching)["alive"] >= 300


@pytest.mark.parametrize("closed", ["responder", "originator", "both"])
def test_a_reader_that_stops_is_not_dead(lab, closed):
    """Window probes are answered, and so are ours: it lives, and nothing is lost on it."""
    cross(lab)
    near, far = connect(lab)
    watching = gateway(lab)
    filled = {}
    for name, writer, reader in (("responder", near, far), ("originator", far, near)):
        if closed in (name, "both"):
            filled[reader] = writer.fill()
    time.sleep(1.75 * GOAL)
    assert not watching.seen()
    for reader, size in filled.items():
        assert reader.drain(size=size, timeout=5) == size
    lab.exchange(near, far)
    time.sleep(GOAL / 2)
    lab.exchange(near, far)
    assert not watching.seen()


def test_a_reader_that_stops_and_dies_is_found(lab):
    """Nothing but window probes goes there any more: they are no sign of its life."""
    cross(lab)
    near, far = connect(lab)
    watching = gateway(lab)
    near.fill()
    time.sleep(GOAL)
    died = lab.server.cut()
    in_time(lab, died, near)
    assert watching.wait("dead")["evidence"]["end"] == "responder"


def test_closed_by_the_responder_only(lab):
    """It is kept, and what still comes the other way is whole; its death is found."""
    cross(lab)
    for box in (lab.router, lab.near_nat):
        box.sysctl(netfilter__nf_conntrack_tcp_timeout_fin_wait=10,
                   netfilter__nf_conntrack_tcp_timeout_close_wait=10)
    near, far = connect(lab)
    other = lab.connect()
    watching = gateway(lab)
    far.shutdown()
    other[1].shutdown()
    time.sleep(2 * GOAL)
    far.peer.start("swallow", id=far.id)
    poured = near.pour(seconds=2)
    assert far.peer.answer(5) == poured
    other[0].send(text="still here")
    other[1].hears("still here")
    assert not watching.seen()
    died = lab.server.cut()
    wait_until(lambda: other[0].info()["state"] == TCP_CLOSE, died + GOAL + LATE - time.monotonic(),
               "it is reset")
    assert watching.wait("dead")["evidence"]["end"] == "responder"
