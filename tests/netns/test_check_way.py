# SPDX-License-Identifier: GPL-2.0-or-later
"""check: probes find their way, through NATs, namespaces and odd addresses, as the connection does."""
import collections
import re
import socket
import time

import pytest

from checks import IPV6_MINHOPCOUNT, IP_MINTTL, SO_MARK, borrowed, check, of, only_once
from lab import wait_until


def test_through_a_strict_nat_that_still_knows_the_connection(lab):
    near, far = lab.nat(timeout=600, strict=True).connect()
    lab.exchange(near, far)
    assert of(check(lab), near)["verdict"] == "alive"
    assert list(check(lab, netns=lab.server).values())[0]["verdict"] == "alive"
    lab.exchange(near, far)


def test_a_probe_keeps_the_nat_from_forgetting(lab):
    near, far = lab.nat(timeout=6, strict=True).connect()
    lab.exchange(near, far)
    for _ in range(3):
        time.sleep(3.5)
        assert of(check(lab), near)["verdict"] == "alive"
    far.send(text="x")
    near.hears("x")


def test_a_nat_that_has_forgotten_makes_a_dead_path(lab):
    near, far = lab.nat(timeout=2, strict=True).connect()
    lab.exchange(near, far)
    time.sleep(3.5)
    assert of(check(lab, "--count", "3", exit=1), near)["verdict"] == "dead"


def test_nat_on_this_host_itself(lab):
    """What the program connects to is not where its segments go, nor whence they come."""
    lab.pair()
    proto, seen = ("ip", "192.0.2.7") if lab.family == 4 else ("ip6", "2001:db8::7")
    lab.default_route(lab.client, lab.server.address)
    lab.client.nft(f"table {proto} own {{\n"
                   f"chain out {{\ntype nat hook output priority -100\n"
                   f"{proto} daddr {seen} dnat to {lab.server.address}\n}}\n"
                   "chain post {\ntype nat hook postrouting priority 100\n"
                   "meta l4proto tcp masquerade to :30000-30999\n}\n"
                   "chain strict {\ntype filter hook input priority 0\nct state invalid drop\n}\n"
                   "chain strictly {\ntype filter hook output priority 0\nct state invalid drop\n}\n"
                   "}\n")
    lab.client.sysctl(netfilter__nf_conntrack_tcp_loose=0)
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    near = client.connect(seen, port)
    far = server.accept(listener)
    assert 30000 <= int(far.remote.rpartition(":")[2]) <= 30999
    lab.exchange(near, far)
    row = of(check(lab), near)
    assert (row["verdict"], row["probes"]) == ("alive", 1)
    lab.exchange(near, far)


def test_both_ends_on_this_host(lab):
    lab.pair()
    peer = lab.peer(lab.client)
    host = "127.0.0.1" if lab.family == 4 else "::1"
    listener, port = peer.listen(host)
    ids = peer.call("connect", host=host, port=port, count=50)
    peer.call("accept", id=listener, count=50)
    rows = check(lab)
    assert len(rows) == 100
    assert {(row["verdict"], row["probes"]) for row in rows.values()} == {("alive", 1)}
    lab.client.nft("table inet broken {\nchain in {\ntype filter hook prerouting priority -400;\n"
                   f"tcp dport {port} drop\ntcp sport {port} drop\n}}\n}}\n")
    rows = check(lab, "--count", "2", exit=1)
    assert collections.Counter(row["verdict"] for row in rows.values()) == {"dead": 100}
    assert len(ids) == 50


@only_once
def test_v4_mapped_sockets_are_probed_over_ipv4(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    near = client.connect("::ffff:" + lab.server.address, port)
    server.accept(listener)
    row = list(check(lab, "-6").values())[0]
    assert row["remote"] == f"[::ffff:{lab.server.address}]:{port}" and row["verdict"] == "alive"
    lab.server.cut()
    rows = lab.json("check", *lab.where(None), "--close-dead", "--count", "3", exit=1)
    assert [row["verdict"] for row in rows] == ["dead"]
    assert near.death("ECONNABORTED", timeout=1)


@pytest.mark.parametrize("family", [6], indirect=True)
@pytest.mark.parametrize("source", ["link-local", "global"])
def test_link_local_peers(lab, source):
    lab.pair()
    link = lab.client.run("ip", "-o", "route", "get", lab.server.address).split(" dev ")[1].split()[0]
    addresses = [wait_until(lambda: re.search(r"fe80::\S+(?=/64 scope link \s*\\)", netns.run(
        "ip", "-o", "-6", "address", "show", "scope", "link", "-tentative")), 5, "an address")[0]
                 for netns in (lab.client, lab.server)]
    if source == "global":
        lab.client.run("ip", "-6", "address", "del", f"{addresses[0]}/64", "dev", link)
        lab.client.run("ip", "-6", "route", "add", "fe80::/64", "dev", link)
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen("::")
    near = client.connect(f"{addresses[1]}%{link}", port)
    assert near.local.startswith("[fd00") == (source == "global")
    server.accept(listener)
    for netns in (lab.client, lab.server):
        rows = check(lab, netns=netns)
        assert [row["verdict"] for row in rows.values()] == ["alive"], rows


def test_a_probe_goes_the_way_of_its_connection(lab):
    """By its mark, where policy routing leaves no other way."""
    near, far = lab.pair().connect()
    proto = f"-{lab.family}"
    link = lab.client.run("ip", "-o", "route", "get", lab.server.address).split(" dev ")[1].split()[0]
    for command in (f"ip {proto} route add {lab.server.address} dev {link} table 77",
                    f"ip {proto} rule add fwmark 7 table 77 priority 10",
                    f"ip {proto} route add unreachable {lab.server.address} table 78",
                    f"ip {proto} rule add table 78 priority 11"):
        lab.client.run(*command.split())
    assert of(check(lab, "--count", "1"), near)["verdict"] == "unknown"
    with borrowed(near) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, 7)
    assert of(check(lab), near)["verdict"] == "alive"
    lab.exchange(near, far)


def test_a_peer_that_takes_segments_of_neighbours_only(lab):
    """The generalized TTL security mechanism, as BGP uses it."""
    near, far = lab.pair().connect()
    option = (socket.IPPROTO_IP, IP_MINTTL) if lab.family == 4 else \
        (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT)
    with borrowed(far) as sock:
        sock.setsockopt(*option, 255)
    assert of(check(lab, "--count", "1"), near)["verdict"] == "alive"


def test_all_namespaces_at_once(lab):
    near, far = lab.pair().connect()
    rows = check(lab, "--local", lab.server.address, netns="all")
    assert of(rows, far)["verdict"] == "alive"
    rows = check(lab, "--remote", lab.server.address, netns="all")
    assert of(rows, near)["verdict"] == "alive"
