# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of ends: cut off, rebooted, gone, come back; on either side of a gateway."""
import time

import pytest

from crossing import GOAL, LATE, Edge, gateway, in_time
from lab import Sock, wait_until
from test_gateway import BOTH, connect, cross, entries

OUTAGE = 1.0  # s: two probes of one end at most, however slowly a loaded machine heals


def reboot(netns, sock):
    """The connection is forgotten without a word."""
    netns.cut()
    sock.abort()
    time.sleep(0.5)
    netns.heal()
    return time.monotonic()


@BOTH
def test_a_rebooted_originator_resets_the_other_end(lab, strict):
    near, far = connect(cross(lab, strict=strict))
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    died = reboot(lab.client, near)
    in_time(lab, died, far)
    assert watching.wait("reset")["evidence"]["end"] == "originator"


@BOTH
def test_both_rebooted_is_one_event_and_the_entry_goes(lab, strict):
    near, far = connect(cross(lab, strict=strict))
    reboot(lab.client, near)
    reboot(lab.server, far)
    watching = gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "free")
    wait_until(watching.seen, GOAL + LATE, "it is told")
    assert watching.seen()[0]["event"] in ("dead", "reset")
    wait_until(lambda: not entries(lab.router), LATE, "the entry is closed")
    time.sleep(GOAL / 2)
    assert len(watching.seen()) == 1


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_program_that_is_killed_is_no_death(lab, side):
    """Its kernel says goodbye for it."""
    near, far = connect(cross(lab))
    watching = gateway(lab)
    time.sleep(GOAL / 2)
    (near if side == "client" else far).peer.kill()
    (far if side == "client" else near).hears("")
    time.sleep(GOAL)
    assert not watching.seen()


@BOTH
def test_outages_on_either_side_are_ridden_out(lab, strict):
    near, far = connect(cross(lab, strict=strict))
    watching = gateway(lab)
    for netns in (lab.client, lab.server, lab.client, lab.server):
        time.sleep(2)
        netns.cut()
        time.sleep(OUTAGE)
        netns.heal()
    time.sleep(GOAL / 2)
    assert not watching.seen()
    lab.exchange(near, far)


def test_numbers_at_the_edge(lab):
    """Where half of all numbers lie before, half behind, no question is lost on every box."""
    cross(lab, strict=False)
    client, server = Edge(lab, lab.client), lab.peer(lab.server)
    listener, port = server.listen(lab.server.address)
    id, before = client.call("connect_at_edge", host=lab.server.address, port=port, tries=4000)
    for _ in range(before):
        server.call("close", id=server.call("accept", id=listener)[0])
    near, far = Sock(client, id), server.accept(listener)
    lab.exchange(near, far)
    lab.client.nft("table inet eat {\nchain in {\ntype filter hook prerouting priority -400\n"
                   "tcp flags & (syn|ack) == syn|ack counter drop\n}\n}\n")
    watching = gateway(lab)
    for _ in range(4):
        time.sleep(2)
        lab.client.cut()
        time.sleep(OUTAGE)
        lab.client.heal()
    time.sleep(GOAL / 2)
    assert not watching.seen()
    lab.exchange(near, far)


@pytest.mark.parametrize("strict, loose", [(True, 1), (False, 0)],
                         ids=["strict-loose", "lax-exact"])
def test_boxes_of_a_mixed_kind(lab, strict, loose):
    cross(lab, strict=strict)
    for box in (lab.router, lab.near_nat):
        box.sysctl(netfilter__nf_conntrack_tcp_loose=loose)
    near, far = connect(lab)
    watching = gateway(lab)
    time.sleep(1.5 * GOAL)
    lab.exchange(near, far)
    assert not watching.seen()
    in_time(lab, lab.server.cut(), near)


@pytest.mark.parametrize("end", ["originator", "responder"])
def test_the_survivors_own_keepalive_hides_nothing(lab, end):
    near, far = connect(cross(lab))
    survivor, netns = (far, lab.client) if end == "originator" else (near, lab.server)
    survivor.set(idle=1, interval=1, count=100, keepalive=1)
    watching = gateway(lab)
    time.sleep(GOAL / 2)
    in_time(lab, netns.cut(), survivor)
    assert watching.wait("dead")["evidence"]["end"] == end


def test_the_survivors_heartbeats_hide_nothing(lab):
    near, far = connect(cross(lab))
    gateway(lab)
    time.sleep(GOAL / 2)
    died = lab.server.cut()
    for _ in range(4):
        near.send(text="beat")
        time.sleep(1)
    in_time(lab, died, near)


def test_the_dead_that_come_back_are_told(lab):
    """The entry has gone with the flow: what comes back is answered with a reset."""
    near, far = connect(cross(lab, strict=False))
    watching = gateway(lab)
    in_time(lab, lab.server.cut(), near)
    watching.wait("dead")
    wait_until(lambda: not lab.router.run("conntrack", "-L", "-p", "tcp", stderr=None), 4,
               "the entry is freed")
    lab.server.heal()
    far.send(text="here I am again")
    far.death("ECONNRESET", 2)


def test_the_freed_that_come_back_go_on(lab):
    """Where boxes take up flows in the middle, nothing is lost by an entry that was freed."""
    near, far = connect(cross(lab, strict=False))
    watching = gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "free")
    lab.server.cut()
    assert watching.wait("dead", GOAL + LATE)["action"] == "entry freed"
    time.sleep(1)
    assert not entries(lab.router)
    lab.server.heal()
    lab.exchange(near, far)
    time.sleep(GOAL)
    assert len(watching.seen()) == 1
    lab.exchange(near, far)


@pytest.mark.parametrize("first", ["originator", "responder"])
def test_flows_taken_up_in_the_middle(lab, first):
    """The table was lost; whoever speaks first then is taken for the one who opened it."""
    near, far = connect(cross(lab, strict=False, masquerade=False))
    lab.router.run("conntrack", "-F")
    one, other = (near, far) if first == "originator" else (far, near)
    lab.exchange(one, other)
    watching = gateway(lab)
    time.sleep(1.5 * GOAL)
    assert not watching.seen()
    lab.exchange(near, far)
    in_time(lab, lab.server.cut(), near)
    took_b_for = "responder" if one is near else "originator"
    assert watching.wait("dead")["evidence"]["end"] == took_b_for
