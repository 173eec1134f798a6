# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway with two uplinks: some flows go by the one, some by the other, and so do answers."""
import time

from crossing import GOAL, LATE, gateway
from test_gateway import cross, of_port, of_port_of

FLOWS = 12
ELSEWHERE = {4: ("198.51.100.", "24"), 6: ("fd01::", "64")}


def two_uplinks(lab):
    """A - N - R = B: addresses of B's that lie behind both links, and a flow to each of them.

    The kernel spreads them by their addresses (and IPv6 flow labels, which a gateway's probes do not
    have: not here), so that probes go the way of what they ask about.
    """
    cross(lab, masquerade=False)
    lab.join(lab.router, lab.server)
    prefix, length = ELSEWHERE[lab.family]
    addresses, ip = [f"{prefix}{i}" for i in range(1, FLOWS + 1)], f"-{lab.family}"
    for address in addresses:
        lab.server.run("ip", ip, "address", "add", address, "dev", "lo")
    lab.server.run("ip", ip, "route", "del", "default")
    for netns, to, ways in ((lab.router, f"{prefix}{'' if lab.family == 6 else '0'}/{length}",
                             lab.server.addresses), (lab.server, "default",
                                                     lab.router.addresses[1:])):
        netns.run("ip", ip, "route", "add", to, *(word for way in ways
                                                  for word in ("nexthop", "via", way)))
    client, server = lab.peer(lab.client), lab.peer(lab.server)
    for netns in (lab.client, lab.server):
        netns.sysctl(ipv6__auto_flowlabels=0)
    pairs = []
    for address in addresses:
        listener, port = server.listen(address)
        near = client.connect(address, port)
        pairs.append((near, server.accept(listener)))
        lab.exchange(*pairs[-1])
    return pairs


def second(netns, other):
    """The device of the second uplink."""
    route = netns.run("ip", "-o", "route", "get", other.addresses[-1])
    return route.split(" dev ")[1].split()[0]


def test_when_an_uplink_is_lost_flows_go_on_by_the_other(lab):
    pairs = two_uplinks(lab)
    watching = gateway(lab)
    time.sleep(GOAL)
    for netns, other in ((lab.router, lab.server), (lab.server, lab.router)):
        netns.run("ip", "link", "set", second(netns, other), "down")
    time.sleep(2 * GOAL)
    assert not watching.seen()
    for near, far in pairs:
        lab.exchange(near, far)


def test_when_an_uplink_falls_silent_who_went_by_it_is_dead_and_nobody_else(lab):
    pairs = two_uplinks(lab)
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    time.sleep(GOAL / 2)
    device = second(lab.router, lab.server)
    lab.router.nft("table inet silent {\n"
                   f"chain in {{\ntype filter hook prerouting priority -400\niif {device} drop\n}}\n"
                   f"chain out {{\ntype filter hook postrouting priority 400\noif {device} drop\n}}\n"
                   "}\n")
    time.sleep(GOAL + LATE)
    dead = {of_port_of(event) for event in watching.seen("dead")}
    assert 0 < len(dead) < FLOWS and len(watching.seen()) == len(dead)
    for near, far in pairs:
        if of_port(near) not in dead:
            lab.exchange(near, far)
    lab.router.nft("delete table inet silent\n")
    for near, far in pairs:
        lab.exchange(near, far)
    time.sleep(GOAL)
    assert len(watching.seen("dead")) == len(dead)
