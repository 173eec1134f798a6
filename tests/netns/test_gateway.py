# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows that cross a gateway: A - N - R - B, with Holdfast on R and a second NAT, N, before it."""
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import HOLDFAST, Lines, Watch, wait_until

GOAL = 8  # s: dead within


class Gateway(Watch):
    """`holdfast gateway --json` running on the router."""

    def __init__(self, lab, *arguments, prefix=()):
        self.process = lab.popen([*prefix, HOLDFAST, "gateway", "--json", *arguments], lab.router,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.late = 1
        self.out, self.err, self.events, self.said = (Lines(self.process.stdout),
                                                      Lines(self.process.stderr), [], [])
        wait_until(self.ready, 10, "the gateway says that it is watching")


def filtering(verdict):
    return ("chain in {\ntype filter hook input priority 0\n"
            f"ct state invalid {verdict}\n}}\n"
            "chain on {\ntype filter hook forward priority 0\n"
            f"ct state invalid {verdict}\n}}\n")


def cross(lab, timeout=60, nat_timeout=60, strict=True, masquerade=True):
    """A - N - R - B; N is a NAT, R (the gateway) one, too, if masquerade."""
    lab.client, lab.near_nat = lab.namespace("a"), lab.namespace("n")
    lab.router, lab.server = lab.namespace("r"), lab.namespace("b")
    lab.join(lab.client, lab.near_nat)
    lab.join(lab.near_nat, lab.router)
    lab.join(lab.router, lab.server)
    lab.default_route(lab.client, lab.near_nat.addresses[0])
    lab.default_route(lab.near_nat, lab.router.addresses[0])
    lab.default_route(lab.server, lab.router.addresses[1])
    verdict = "drop" if strict else "accept"
    for box, nats, forgets in ((lab.near_nat, True, nat_timeout),
                               (lab.router, masquerade, timeout)):
        box.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        nat = "chain out {\ntype nat hook postrouting priority 100\nmasquerade\n}\n"
        box.nft("table inet box {\n" + (nat if nats else "") + filtering(verdict) + "}\n")
        box.sysctl(netfilter__nf_conntrack_tcp_timeout_established=forgets,
                   netfilter__nf_conntrack_tcp_loose=0 if strict else 1)
    return lab


def entries(netns):
    """TCP entries of a connection tracking table that are established."""
    return [line for line in netns.run("conntrack", "-L", "-p", "tcp", stderr=None).splitlines()
            if "ESTABLISHED" in line]


def connect(lab):
    near, far = lab.connect()
    lab.exchange(near, far)
    return near, far


def is_about(event, near, end):
    assert event["evidence"]["end"] == end, event
    assert event["evidence"]["errno"] is None
    assert event["remote"] == near.remote
    assert event["evidence"]["silent_s"] <= GOAL + 1.5
    return True


BOTH = pytest.mark.parametrize("strict", [True, False], ids=["strict", "lax"])


@BOTH
def test_living_flows_are_never_forgotten(lab, strict):
    cross(lab, timeout=8, nat_timeout=8, strict=strict)
    near, far = connect(lab)
    gateway = Gateway(lab, "--keep-open", "8s")
    time.sleep(30)
    assert entries(lab.router) and entries(lab.near_nat)
    far.send(text="from the server")
    near.hears("from the server")
    lab.exchange(near, far)
    assert not gateway.seen()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_entry_that_is_forgotten_soon_is_kept_without_a_goal(lab, when):
    """What two minutes would allow is not soon enough: its own timeout decides, from the start."""
    cross(lab, timeout=8, nat_timeout=3600)
    pair = connect(lab) if when == "before" else None
    time.sleep(4 if pair else 0)
    gateway = Gateway(lab)
    time.sleep(1)
    near, far = pair or connect(lab)
    time.sleep(26)
    assert entries(lab.router) and not gateway.seen()
    far.send(text="from the server")
    near.hears("from the server")


@BOTH
def test_a_silent_responder_is_dead_and_its_entry_stays(lab, strict):
    near, far = connect(cross(lab, strict=strict))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s")
    time.sleep(3)
    lab.server.cut()
    event = gateway.wait("dead", GOAL + 2)
    assert is_about(event, near, "responder")
    assert event["evidence"]["unanswered"] >= 3 and event["action"] is None
    assert near.recv(1) is None
    assert entries(lab.router)


def test_a_silent_originator_is_dead(lab):
    near, far = connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    lab.client.cut()
    event = gateway.wait("dead", GOAL + 2)
    assert event["evidence"]["end"] == "originator"
    far.death("ECONNRESET", 2)


def test_a_dead_flow_is_reset_for_the_survivor_and_freed(lab):
    near, far = connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    time.sleep(3)
    cut = lab.server.cut()
    assert near.death("ECONNRESET", GOAL + 2) <= cut + GOAL + 1
    event = gateway.wait("dead")
    assert is_about(event, near, "responder")
    assert event["action"] == "originator reset, entry freed"
    wait_until(lambda: not lab.router.run("conntrack", "-L", "-p", "tcp", stderr=None), 4,
               "the entry is freed")


def test_free_only_deletes_the_entry(lab):
    near, far = connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "free")
    lab.server.cut()
    event = gateway.wait("dead", GOAL + 2)
    assert event["action"] == "entry freed"
    wait_until(lambda: not lab.router.run("conntrack", "-L", "-p", "tcp", stderr=None), 2,
               "the entry is freed")
    assert near.recv(1) is None


def test_both_ends_silent_is_one_death(lab):
    connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(lambda netns: netns.cut(), (lab.server, lab.client)))
    event = gateway.wait("dead", GOAL + 2)
    assert event["evidence"]["end"] == "both" and event["action"] == "entry freed"
    time.sleep(2)
    assert len(gateway.seen("dead")) == 1
    assert not entries(lab.router)


@BOTH
def test_a_rebooted_responder_answers_with_its_own_reset(lab, strict):
    near, far = connect(cross(lab, strict=strict))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s")
    lab.server.cut()
    far.abort()
    time.sleep(0.5)
    lab.server.heal()
    near.death("ECONNRESET", GOAL + 2)
    event = gateway.wait("reset", 3)
    assert is_about(event, near, "responder")


def test_broken_and_healed_is_no_death(lab):
    near, far = connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", "20s", "--on-dead", "reset")
    time.sleep(8)
    lab.server.cut()
    time.sleep(4)
    lab.server.heal()
    time.sleep(20)
    assert not gateway.seen()
    lab.exchange(near, far)


def test_without_timestamps(lab):
    cross(lab)
    lab.client.sysctl(ipv4__tcp_timestamps=0)
    near, far = connect(lab)
    other = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    time.sleep(2 * GOAL)
    assert not other.seen()
    lab.exchange(near, far)
    lab.server.cut()
    near.death("ECONNRESET", GOAL + 2)


def test_plain_routing(lab):
    near, far = connect(cross(lab, masquerade=False))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    time.sleep(GOAL + 2)
    lab.exchange(near, far)
    assert not gateway.seen()
    lab.server.cut()
    near.death("ECONNRESET", GOAL + 2)


def test_a_dry_run_sends_nothing(lab):
    near, far = connect(cross(lab))
    lab.server.nft("table inet count {\nchain in {\ntype filter hook prerouting priority -400\n"
                   "tcp flags & (syn|ack|rst) != 0 counter\n}\n}\n")
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset", "--dry-run")
    lab.server.cut()
    event = gateway.wait("protected", GOAL)
    assert event["action"] == "would be asked"
    time.sleep(2 * GOAL)
    assert not gateway.seen("dead")
    assert lab.server.packets("inet count") == 0
    assert "holdfast" not in lab.router.run("ip", "-o", "link")


def test_data_is_whole_through_hundreds_of_probes(lab):
    cross(lab, strict=False)
    pairs = [connect(lab) for _ in range(10)]
    gateway = Gateway(lab, "--dead-within", "6s", "--on-dead", "reset")
    for turn in range(12):
        for near, far in pairs:
            near.send(text="x" * (turn + 1) + "\n")
            far.hears("x" * (turn + 1) + "\n")
            far.send(text="y" * 3000)
            got = ""
            while len(got) < 3000:
                got += near.recv(2)["data"]
            assert got == "y" * 3000
        time.sleep(3.3)
    assert not gateway.seen()


def of_port(sock):
    return sock.local.rsplit(":", 1)[1]


def of_port_of(event):
    return event["local"].rpartition(":")[2]


def test_only_what_is_asked_for_is_probed(lab):
    near, far = connect(cross(lab, masquerade=False))
    other = lab.connect()
    lab.exchange(*other)
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--exclude", f":{of_port(near)}")
    lab.server.cut()
    gateway.wait("dead", GOAL + 2)
    time.sleep(GOAL / 2)
    assert [e["local"].rsplit(":", 1)[1] for e in gateway.seen("dead")] == [of_port(other[0])]


@pytest.mark.parametrize("options", [
    "--port 1", "--source 192.0.2.0/24", "--destination [2001:db8::/32]:1", "--mark 7",
    "--port 65535 --destination {server}", "--destination {server} --port 1"])
def test_filters(lab, options):
    connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s",
                      *options.format(server=lab.server.address).split())
    lab.server.cut()
    time.sleep(GOAL + 2)
    assert not gateway.seen()


def test_data_in_flight_to_a_dead_end(lab):
    near, far = connect(cross(lab))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    time.sleep(2)
    lab.server.cut()
    near.send(text="nobody will read this")
    near.death("ECONNRESET", 2 * GOAL)
    assert gateway.wait("dead")["evidence"]["end"] == "responder"


def test_a_half_closed_flow(lab):
    """It is kept while both live; its death is found."""
    cross(lab)
    lab.router.sysctl(netfilter__nf_conntrack_tcp_timeout_close_wait=7)
    near, far = connect(lab)
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    near.shutdown()
    far.hears("")
    time.sleep(2 * GOAL)
    far.send(text="still here")
    near.hears("still here")
    assert not gateway.seen()
    lab.client.cut()
    assert gateway.wait("dead", GOAL + 2)["evidence"]["end"] == "originator"


def test_an_outage_brakes_and_the_living_continue(lab):
    cross(lab)
    pairs = [connect(lab) for _ in range(20)]
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset", "--brake", "5/10s")
    time.sleep(2)
    lab.server.cut()
    gateway.wait("braked", GOAL + 2)
    wait_until(lambda: len(gateway.seen("dead")) == 20, GOAL, "all deaths are told")
    lab.server.heal()
    reset = gateway.seen("dead", action="originator reset, entry freed")
    assert 5 <= len(reset) <= 8 and len(gateway.seen("braked")) == 1  # some leak meanwhile
    lost = {event["local"].rsplit(":", 1)[1] for event in reset}
    time.sleep(3 * GOAL)
    for near, far in pairs:
        if of_port(near) not in lost:
            lab.exchange(near, far)
    assert not gateway.seen("destroyed")
    assert len(gateway.seen("revived")) == 20 - len(reset)


def test_the_brake_holds_as_long_as_the_outage(lab):
    cross(lab)
    pairs = [connect(lab) for _ in range(20)]
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset", "--brake", "5/2s")
    lab.server.cut()
    gateway.wait("braked", GOAL + 2)
    time.sleep(5 * GOAL)
    lab.server.heal()
    lost = {of_port_of(event) for event in gateway.seen("dead")
            if event["action"] == "originator reset, entry freed"}
    wait_until(lambda: len(gateway.seen("revived")) == 20 - len(lost), 2 * GOAL, "all live again")
    assert len(lost) <= 8 and not gateway.seen("destroyed")
    for near, far in pairs:
        if of_port(near) not in lost:
            lab.exchange(near, far)
    time.sleep(GOAL + 3)
    lab.server.cut()  # it has ended: who dies now is dealt with
    wait_until(lambda: len(gateway.seen("braked")) == 2, GOAL + 2, "it brakes again")
    assert len(gateway.seen("dead", action="originator reset, entry freed")) > len(lost)


def test_after_the_pause_the_dead_are_dealt_with(lab):
    cross(lab)
    pairs = [connect(lab) for _ in range(10)]
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset", "--brake", "5/5s/13s")
    lab.server.cut()
    gateway.wait("braked", GOAL + 2)
    for near, _ in pairs:
        near.death("ECONNRESET", 5 * GOAL)
    told = len(gateway.seen("dead"))
    gateway.wait("destroyed", 2)
    assert told == 10


def test_the_rate_is_kept(lab):
    cross(lab)
    pairs = [connect(lab) for _ in range(20)]
    lab.router.nft("table inet count {\nchain in {\ntype filter hook prerouting priority -400\n"
                   "iifname holdfast counter\n}\n}\n")
    began = time.monotonic()
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--rate", "20")
    time.sleep(10)
    words = lab.router.run("nft", "list", "table", "inet", "count").split()
    sent = int(words[words.index("packets") + 1])
    assert 100 <= sent <= 20 * (time.monotonic() - began) + 10
    for near, far in pairs:
        lab.exchange(near, far)
    slow, = gateway.seen()  # told once
    assert slow["event"] == "error" and slow["action"].startswith("20 flows take about ")
    assert "--rate allows 20:" in slow["action"]
    gateway.stop()
    gateway.err.poll(1)
    assert b"ms held up by the rate" in gateway.err.lines[-1]


def test_forged_resets_change_nothing(lab):
    near, far = connect(cross(lab, masquerade=False))
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset")
    for _ in range(6):
        lab.server.run("/usr/bin/python3", "-c", FORGE, far.local, far.remote)
        time.sleep(1.5)
    assert not gateway.seen()
    lab.exchange(near, far)


FORGE = """
import random, sys
from scapy.all import IP, IPv6, TCP, send
def end(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)
(source, sport), (destination, dport) = map(end, sys.argv[1:])
ip = (IPv6 if ":" in source else IP)(src=source, dst=destination)
send([ip / TCP(sport=sport, dport=dport, flags=flags, seq=random.getrandbits(32),
               ack=random.getrandbits(32)) for flags in ("R", "RA") for _ in range(20)],
     verbose=False)
"""
