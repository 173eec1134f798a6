# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway with two uplinks: some flows go by the one, some by the other, and so do answers."""
import re
import time

import pytest

from crossing import GOAL, LATE, gateway
from test_gateway import cross, of_port, of_port_of

only_ipv4 = pytest.mark.parametrize("family", [4], indirect=True)
only_ipv6 = pytest.mark.parametrize("family", [6], indirect=True)

FLOWS = 20  # by chance all go the same way: once in half a million
ELSEWHERE = {4: ("198.51.100.", "24"), 6: ("fd01::", "64")}


def two_uplinks(lab, labels=0):
    """A - N - R = B: addresses of B's that lie behind both links, and a flow to each of them.

    The kernel spreads them by their addresses, and by IPv6 flow labels if the ends have any.
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
        netns.sysctl(ipv6__auto_flowlabels=labels)
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


def silence(lab, hooks):
    """The second uplink swallows what goes out, comes in, or both: at its far end."""
    device = second(lab.server, lab.router)
    chains = {"in": f"chain out {{\ntype filter hook postrouting priority 400\noif {device} drop\n}}\n",
              "out": f"chain in {{\ntype filter hook prerouting priority -400\niif {device} drop\n}}\n"}
    lab.server.nft("table inet silent {\n" + "".join(chains[hook] for hook in hooks) + "}\n")


def by_second(lab, pairs):
    """The ports of those whose data goes out by the second uplink."""
    lab.router.nft("table inet ways {\nset second { type inet_service; flags dynamic; }\n"
                   "chain out {\ntype filter hook postrouting priority 300\n"
                   f"oif {second(lab.router, lab.server)} tcp flags & psh == psh "
                   "add @second { tcp sport }\n}\n}\n")
    for near, far in pairs:
        lab.exchange(near, far)
    found = lab.router.run("nft", "-n", "list", "set", "inet", "ways", "second").split("elements")
    return set(re.findall(r"\d+", found[-1])) & {of_port(near) for near, _ in pairs}


@only_ipv6
def test_probes_go_the_way_of_their_flow_by_its_label(lab):
    """The other one is silent: none is taken for dead that does not go there."""
    pairs = two_uplinks(lab, labels=1)
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    there = by_second(lab, pairs)
    time.sleep(GOAL)
    silence(lab, ["out"])
    time.sleep(2 * GOAL)
    dead = {of_port_of(event) for event in watching.seen("dead")}
    assert 0 < len(there) < FLOWS
    assert dead <= there


@only_ipv4
def test_when_an_uplink_falls_silent_who_went_by_it_is_dead_and_nobody_else(lab):
    pairs = two_uplinks(lab)
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    time.sleep(GOAL / 2)
    silence(lab, ["in", "out"])
    time.sleep(GOAL + LATE)
    dead = {of_port_of(event) for event in watching.seen("dead")}
    assert 0 < len(dead) < FLOWS and len(watching.seen()) == len(dead)
    for near, far in pairs:
        if of_port(near) not in dead:
            lab.exchange(near, far)
    lab.server.nft("delete table inet silent\n")
    for near, far in pairs:
        lab.exchange(near, far)
    time.sleep(GOAL)
    assert len(watching.seen("dead")) == len(dead)
