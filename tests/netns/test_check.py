# SPDX-License-Identifier: GPL-2.0-or-later
"""check: probes of our own, and the verdicts they give."""
import collections
import json
import re
import socket
import struct
import subprocess
import sys
import time

import pytest

from checks import TCP_MD5SIG, Running, Sniffer, borrowed, check, drop, forget, of, ports
from lab import Lines, sleep_until, wait_until


# -- verdicts

def test_each_kind_of_peer_gets_its_verdict_in_one_run(lab):
    lab.pair()
    alive, dead, reset, busy, closing, shut = (
        ends for ends in ports(lab, 7001, 7002, 7003, 7004, 7005, 7006).values())
    forget(lab, reset[1])
    drop(lab.server, 7002, 7004, 7005)
    busy[0].send(text="x")
    closing[0].shutdown()
    shut[1].shutdown()
    time.sleep(1)
    started = time.monotonic()
    rows = check(lab, exit=1)
    assert 5 <= time.monotonic() - started <= 9
    assert len(rows) == 6
    verdicts = [of(rows, near)["verdict"] for near, _ in (alive, dead, reset, busy, closing, shut)]
    assert verdicts == ["alive", "dead", "reset", "busy", "closing", "alive"]
    assert 0 < of(rows, alive[0])["rtt_ms"] < 200 and of(rows, alive[0])["probes"] == 1
    assert of(rows, dead[0])["rtt_ms"] is None and of(rows, dead[0])["probes"] == 5
    assert re.match(r"5 probes unanswered, silent \d", of(rows, dead[0])["evidence"])
    assert "RST" in of(rows, reset[0])["evidence"]
    assert re.match(r"1 segment in flight, \d retransmissions? unanswered, silent \d",
                    of(rows, busy[0])["evidence"])
    assert of(rows, busy[0])["probes"] == of(rows, closing[0])["probes"] == 0
    assert of(rows, closing[0])["evidence"].startswith("FIN_WAIT1")
    assert reset[0].death("ECONNRESET", timeout=1)
    lab.exchange(*alive)
    assert lab.one(dead[0])["state"] == "ESTABLISHED"  # nobody asked to close it


def test_the_accepting_end_is_checked_likewise(lab):
    near, far = lab.pair().connect()
    assert of(check(lab, netns=lab.server), far)["verdict"] == "alive"
    lab.client.cut()
    rows = check(lab, "--count", "2", netns=lab.server, exit=1)
    assert of(rows, far)["verdict"] == "dead" and of(rows, far)["probes"] == 2
    near.close()


def test_half_closed_connections_are_probed_from_both_ends(lab):
    lab.pair().server.sysctl(ipv4__tcp_fin_timeout=120)
    near, far = lab.connect()
    far.shutdown()
    time.sleep(0.1)
    assert of(check(lab), near)["verdict"] == "alive"
    assert of(check(lab, netns=lab.server), far)["verdict"] == "alive"
    far.close()  # FIN_WAIT2 that nobody holds
    assert of(check(lab, netns=lab.server), far)["verdict"] == "closing"


def test_a_closed_window_is_busy(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address, receive_buffer=4096)
    near = client.connect(lab.server.address, port)
    server.accept(listener)
    near.fill()
    row = of(check(lab), near)
    assert row["verdict"] == "busy" and row["evidence"].startswith("window closed"), row


def test_what_is_not_open_is_unknown(lab):
    lab.pair()
    near, far = lab.connect()
    near.close()
    far.close()
    lab.server.cut()
    client = lab.default[0]
    client.start("connect", host=lab.server.address, port=7009)
    time.sleep(0.3)
    rows = [row for row in lab.json("check", *lab.where(None), "--state", "time-wait,syn-sent")]
    assert {row["verdict"] for row in rows} == {"unknown"}
    assert {row["evidence"].split(":")[0] for row in rows} == {"TIME_WAIT", "SYN_SENT"}


def test_signed_segments_are_not_probed(lab):
    near, far = lab.pair().connect()
    address = socket.inet_pton(socket.AF_INET if lab.family == 4 else socket.AF_INET6,
                               lab.server.address)
    family = socket.AF_INET if lab.family == 4 else socket.AF_INET6
    peer = struct.pack("=HH", family, 0) + (b"" if lab.family == 4 else bytes(4)) + address
    key = struct.pack("=128sBBHI80s", peer, 0, 0, 6, 0, b"secret")
    with borrowed(near) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, key)
    row = of(check(lab), near)
    assert (row["verdict"], row["probes"]) == ("unknown", 0) and "signed" in row["evidence"]
    assert of(check(lab, "--count", "1", netns=lab.server, exit=1), far)  # and it would be dead


def test_a_connection_closed_meanwhile_is_unknown(lab):
    near, _ = lab.pair().connect()
    lab.server.cut()
    running = Running(lab)
    time.sleep(1.5)
    near.abort()
    assert running.end() == 0
    row = running.rows()[0]
    assert row["verdict"] == "unknown" and "closed" in row["evidence"], row


def test_no_route_is_no_death(lab):
    near, _ = lab.pair().connect()
    lab.client.ip(f"route add unreachable {lab.server.address} metric 1\n")
    row = of(check(lab, "--count", "2"), near)
    assert (row["verdict"], row["probes"]) == ("unknown", 0), row
    assert "no probe could be sent" in row["evidence"]


# -- alive is never taken for dead

def test_one_lost_probe_is_no_death(lab):
    near, _ = lab.pair().connect()
    lab.client.lose_one_probe()
    row = of(check(lab), near)
    assert lab.client.lost() == 1
    assert (row["verdict"], row["probes"], row["rtt_ms"]) == ("alive", 2, None)


def test_a_network_broken_for_a_while_is_no_death(lab):
    near, _ = lab.pair().connect()
    cut = lab.server.cut()
    running = Running(lab)
    sleep_until(cut + 3.2)
    lab.server.heal()
    assert running.end() == 0
    row = running.rows()[0]
    assert row["verdict"] == "alive" and row["probes"] in (4, 5), row


def test_a_peer_that_answers_late_is_alive(lab):
    """Its answers wait until its neighbour is found, after two and a half seconds."""
    near, _ = lab.pair().connect()
    entry = lab.server.run("ip", "neigh", "show", lab.client.address).split()
    device, mac = entry[entry.index("dev") + 1], entry[entry.index("lladdr") + 1]
    lab.server.sysctl(**{f"ipv{lab.family}__neigh__{device}__mcast_solicit": 9})
    lab.client.nft("table arp deaf {\nchain in {\ntype filter hook input priority 0; policy drop;\n}\n}\n"
                   "table ip6 deaf {\nchain in {\ntype filter hook input priority 0;\n"
                   "icmpv6 type nd-neighbor-solicit drop\n}\n}\n")
    lab.server.ip(f"neigh del {lab.client.address} dev {device}\n")
    running, started = Running(lab), time.monotonic()
    sleep_until(started + 2.1)
    lab.server.ip(f"neigh replace {lab.client.address} lladdr {mac} nud permanent dev {device}\n")
    assert running.end() == 0
    row = running.rows()[0]
    assert row["verdict"] == "alive" and row["probes"] >= 2, row
    waited = float(re.search(r"answered ([\d.]+)s after the first", row["evidence"])[1])
    assert 2 <= waited <= 2.9


def test_whoever_is_heard_otherwise_is_alive(lab):
    """No answer comes through, but data does, when the last probe is out already."""
    near, far = lab.pair().connect()
    lab.server.nft("table inet mute {\nchain out {\ntype filter hook output priority 0;\n"
                   "tcp flags == ack counter drop\n}\n}\n")
    running = Running(lab, "--count", "2")
    wait_until(lambda: lab.server.packets("inet mute") == 2, 5, "two answers are lost")
    far.send(text="x")
    assert running.end() == 0
    row = running.rows()[0]
    assert (row["verdict"], row["probes"], row["rtt_ms"]) == ("alive", 2, None), row
    assert row["evidence"].startswith("heard")


def test_a_program_that_writes_all_the_time_is_never_called_dead(lab):
    near, far = lab.pair().connect()
    near.peer.start("pour", id=near.id, seconds=8)
    far.peer.start("swallow", id=far.id)
    verdicts = collections.Counter()
    until = time.monotonic() + 7
    while time.monotonic() < until:
        for netns, sock in ((lab.client, near), (lab.server, far)):
            verdicts[of(check(lab, netns=netns), sock)["verdict"]] += 1
    assert set(verdicts) <= {"alive", "busy"} and sum(verdicts.values()) >= 4, verdicts
    poured, swallowed = near.peer.answer(15), far.peer.answer(15)
    assert poured == swallowed and poured["bytes"] > 10000


@pytest.mark.parametrize("timestamps", [0, 1])
def test_with_and_without_timestamps(lab, timestamps):
    lab.pair().client.sysctl(ipv4__tcp_timestamps=timestamps)
    near, far = lab.connect()
    lab.exchange(near, far)
    assert of(check(lab, "--count", "1"), near)["verdict"] == "alive"
    assert of(check(lab, "--count", "1", netns=lab.server), far)["verdict"] == "alive"


@pytest.mark.parametrize("shifted", [(), ("unshare", "-T", "--monotonic", "7777777")],
                         ids=["", "time namespace"])
def test_a_probe_is_what_the_kernel_itself_would_send(lab, shifted):
    near, far = lab.pair().connect(keepalive=1, idle=2)
    sniffer = Sniffer(lab, lab.client)
    lab.exchange(near, far)
    time.sleep(0.1)
    *_, heard = sniffer.segments("P")
    sniffer = Sniffer(lab, lab.client)
    prefix = (*shifted, "nsenter", f"--net={lab.client.path}")
    lab.json("check", prefix=prefix)
    sleep_until(time.monotonic() + 2.6)
    port = int(near.local.rpartition(":")[2])
    probes = [segment for segment in sniffer.segments("A") if segment.sport == port]
    assert len(probes) == 2, probes
    ours, kernels = probes
    stamps = [dict(segment.options)["Timestamp"] for segment in probes]
    for field in ("seq", "ack", "window", "dataofs"):
        assert getattr(ours, field) == getattr(kernels, field), field
    assert 1000 <= stamps[1][0] - stamps[0][0] <= 2600  # ms between them
    assert stamps[0][1] == dict(heard.options)["Timestamp"][0] < stamps[1][1]


FORGE = """
import json, sys, time
from scapy.all import IP, IPv6, TCP, send
far, near, ports, seq, ack = json.loads(sys.argv[1])
packet = IPv6(src=far, dst=near, hlim=99) if ":" in far else IP(src=far, dst=near, ttl=99)
packet /= TCP(sport=ports[0], dport=ports[1], seq=seq, ack=ack, flags="A")
print("ready", flush=True)
while True:
    send(packet, verbose=False)
    time.sleep(0.2)
"""


@pytest.mark.parametrize("off, verdict", [(0, "alive"), (-1, "dead"), (1 << 30, "dead")])
def test_only_an_answer_with_the_right_numbers_counts(lab, off, verdict):
    """Nothing of the peer's own comes through. Without timestamps, which are not forged."""
    lab.pair().client.sysctl(ipv4__tcp_timestamps=0)
    near, far = lab.connect()
    sniffer = Sniffer(lab, lab.client)
    lab.exchange(near, far)
    time.sleep(0.1)
    *_, last = sniffer.segments("P")
    hops = "ip ttl" if lab.family == 4 else "ip6 hoplimit"
    lab.server.nft("table inet mute {\nchain out {\ntype filter hook output priority 0;\n"
                   f"tcp flags == ack {hops} 64 drop\n}}\n}}\n")
    numbers = [lab.server.address, lab.client.address, [last.sport, last.dport],
               (last.seq + len(last.payload) + off) % (1 << 32), last.ack]
    forger = lab.popen([sys.executable, "-c", FORGE, json.dumps(numbers)], lab.server,
                       stdout=subprocess.PIPE)
    assert Lines(forger.stdout).next(20) == b"ready"
    row = of(check(lab, "--count", "3", exit=int(verdict == "dead")), near)
    assert row["verdict"] == verdict, row
    assert row["evidence"].startswith("answered" if verdict == "alive" else "3 probes"), row
