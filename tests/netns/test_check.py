# SPDX-License-Identifier: GPL-2.0-or-later
"""check: probes of our own, the verdicts they give, and that they leave no trace on the sockets."""
import collections
import ctypes
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from lab import HOLDFAST, Lines, sleep_until, wait_until
from test_errors import NO_CAPABILITIES, NOBODY
from test_names import NAMES, assert_safe, named
from test_privileges import THREE, bits, capabilities_of, full_pipe, nobody

PIDFD_OPEN, PIDFD_GETFD = 434, 438
IP_MINTTL, IPV6_MINHOPCOUNT, SO_MARK, TCP_MD5SIG = 21, 73, 36, 14
NET_ADMIN, NET_RAW = 12, 13  # linux/capability.h
FIELDS = "local remote verdict rtt_ms probes evidence".split()
only_once = pytest.mark.parametrize("family", [4], indirect=True)
libc = ctypes.CDLL(None, use_errno=True)


def check(lab, *arguments, exit=0, netns=None, **options):
    """What check says, by the remote end and by the local one."""
    rows = lab.json("check", *lab.where(netns), *arguments, exit=exit, **options)
    assert all(list(row) == FIELDS for row in rows), rows
    return {(row["local"], row["remote"]): row for row in rows}


def run_tool(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def of(rows, sock):
    return rows[sock.local, sock.remote]


def borrowed(sock):
    """A socket of a peer as one of ours: the same, not a copy."""
    pid = libc.syscall(PIDFD_OPEN, sock.peer.pid, 0)
    fd = libc.syscall(PIDFD_GETFD, pid, sock.id, 0)
    os.close(pid)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return socket.socket(fileno=fd)


def ports(lab, *numbers, **options):
    """One connection to each of these ports; {port: (near, far)}."""
    server, client, ends = lab.peer(lab.server), lab.peer(lab.client), {}
    for port in numbers:
        listener, _ = server.listen(lab.server.address, port)
        near = client.connect(lab.server.address, port, **options)
        ends[port] = near, server.accept(listener)
    return ends


def drop(netns, *numbers, table="silent"):
    """Nothing of these ports goes in or comes out any more."""
    several = ", ".join(map(str, numbers))
    netns.nft(f"table inet {table} {{\n"
              f"chain in {{ type filter hook prerouting priority -400; tcp dport {{ {several} }} drop; }}\n"
              f"chain out {{ type filter hook output priority -400; tcp sport {{ {several} }} drop; }}\n"
              "}\n")


def forget(lab, far):
    """The far end closes without a word, as if it had rebooted."""
    port = int(far.local.rpartition(":")[2])
    drop(lab.server, port, table="muted")
    far.abort()
    lab.server.nft("delete table inet muted\n")


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
    assert 5 <= time.monotonic() - started <= 7
    assert len(rows) == 6
    verdicts = [of(rows, near)["verdict"] for near, _ in (alive, dead, reset, busy, closing, shut)]
    assert verdicts == ["alive", "dead", "reset", "busy", "closing", "alive"]
    assert 0 < of(rows, alive[0])["rtt_ms"] < 200 and of(rows, alive[0])["probes"] == 1
    assert of(rows, dead[0])["rtt_ms"] is None and of(rows, dead[0])["probes"] == 5
    assert re.match(r"5 probes unanswered, silent [6-9]", of(rows, dead[0])["evidence"])
    assert "RST" in of(rows, reset[0])["evidence"]
    assert re.match(r"1 segment in flight, \d retransmissions? unanswered, silent [1-3]",
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
    sleep_until(cut + 3.5)
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
    sleep_until(started + 2.5)
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
                   "tcp flags == ack drop\n}\n}\n")
    running = Running(lab, "--count", "2")
    time.sleep(1.1)
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


SNIFF = """
import socket, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("listening", flush=True)
while True:
    print(tap.recv(2048).hex(), flush=True)
"""


class Sniffer:
    def __init__(self, lab, netns):
        process = lab.popen([sys.executable, "-c", SNIFF], netns, stdout=subprocess.PIPE)
        self.lines = Lines(process.stdout)
        assert self.lines.next(5) == b"listening"

    def segments(self, flag=""):
        """Those so far, with this flag."""
        self.lines.poll(0.3)
        while self.lines.lines:
            frame = Ether(bytes.fromhex(self.lines.lines.pop(0).decode()))
            if TCP in frame and flag in frame[TCP].flags:
                yield frame[TCP]


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


# -- on the way

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


# -- nothing is changed

class Poller(threading.Thread):
    """Looks at all keepalive settings of a socket, as often as it can."""
    OPTIONS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (6, socket.TCP_KEEPIDLE),
               (6, socket.TCP_KEEPINTVL), (6, socket.TCP_KEEPCNT), (6, 18)]

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.seen, self.looks, self.done = borrowed(sock), set(), 0, threading.Event()
        self.start()

    def run(self):
        while not self.done.is_set():
            self.seen.add(tuple(self.sock.getsockopt(*option) for option in self.OPTIONS))
            self.looks += 1
            time.sleep(0.0005)

    def stop(self):
        time.sleep(0.02)
        self.done.set()
        self.join()
        self.sock.close()
        return self.seen


def test_no_setting_is_changed_not_for_an_instant(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002, keepalive=1, idle=600).values()
    drop(lab.server, 7002)
    pollers = [Poller(alive[0]), Poller(dead[0])]
    check(lab, exit=1)
    check(lab, "--close-dead", exit=1)
    for poller in pollers:
        assert poller.stop() == {(1, 600, 75, 9, 0)} and poller.looks > 500
    poller = Poller(alive[0])
    lab.apply("--dead-within", "20s")
    assert len(poller.stop()) > 1  # it would have been seen


@only_once
def test_no_program_is_loaded_that_could_change_one(lab):
    near, _ = lab.pair().connect()
    lab.server.cut()
    running = Running(lab)
    time.sleep(1)
    held = {number for fdinfo in pathlib.Path(f"/proc/{running.process.pid}/fdinfo").iterdir()
            for number in re.findall(r"^prog_id:\s+(\d+)$", fdinfo.read_text(), re.M)}
    assert len(held) == 1
    code = run_tool("bpftool", "prog", "dump", "xlated", "id", held.pop())
    assert "bpf_seq_write" in code and "setsockopt" not in code
    running.process.send_signal(signal.SIGINT)
    running.end()
    assert near.options()["keepalive"] == 0


# -- closing

def test_close_dead_ends_the_dead_and_only_them(lab):
    lab.pair()
    alive, dead, late, busy = ports(lab, 7001, 7002, 7003, 7004).values()
    drop(lab.server, 7002, 7003, 7004)
    busy[0].send(text="x")
    running = Running(lab, "--close-dead", "--count", "4")
    time.sleep(2.2)
    lab.server.nft("delete table inet silent\n")
    drop(lab.server, 7002, 7004)
    assert running.end() == 1
    assert b"closed 1 dead" in running.said
    verdicts = {row["remote"]: row["verdict"] for row in running.rows()}
    assert [verdicts[near.remote] for near, _ in (alive, dead, late, busy)] == [
        "alive", "dead", "alive", "busy"]
    assert dead[0].death("ECONNABORTED", timeout=1)
    for near, far in (alive, late):
        lab.exchange(near, far)
    assert lab.one(busy[0])["state"] == "ESTABLISHED"


def test_close_dead_spares_whoever_is_heard_before_the_end(lab):
    """The verdict is told first, and here the reader takes its time."""
    near, far = lab.pair().connect()
    lab.server.cut()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, bytes(4096))
    process = lab.popen([HOLDFAST, "check", *lab.where(None), "--json", "--close-dead",
                         "--count", "3"], None, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    time.sleep(4)
    assert process.poll() is None
    lab.server.heal()
    lab.exchange(near, far)
    assert b"3 probes unanswered" in os.read(reader, 4096) + os.read(reader, 4096)
    os.close(reader)
    said = process.communicate(timeout=5)[1]
    assert b"closed 0 dead" in said and b"left 1" in said, said
    assert process.returncode == 1
    lab.exchange(near, far)


def test_close_dead_takes_no_fewer_than_three_probes(lab):
    lab.pair().connect()
    for count in ("1", "2"):
        done = lab.run("check", *lab.where(None), "--close-dead", "--count", count, exit=2)
        assert b"--count 3" in done.stderr and not done.stdout


def test_a_dry_run_sends_nothing_and_closes_nothing(lab):
    lab.pair()
    idle, busy = ports(lab, 7001, 7002).values()
    drop(lab.server, 7001, 7002)
    busy[0].send(text="x")
    sniffer = Sniffer(lab, lab.client)
    rows = check(lab, "--dry-run", "--close-dead")
    assert (of(rows, idle[0])["verdict"], of(rows, idle[0])["evidence"]) == (
        "unknown", "would be probed")
    assert of(rows, busy[0])["verdict"] == "busy"
    port = int(idle[0].local.rpartition(":")[2])
    assert not [segment for segment in sniffer.segments() if port in (segment.sport, segment.dport)]
    assert lab.one(idle[0])["state"] == "ESTABLISHED"


# -- how it is told

class Running:
    """`holdfast check --json` at work."""

    def __init__(self, lab, *arguments):
        self.process = lab.popen([HOLDFAST, "check", *lab.where(None), "--json", *arguments], None,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.said = Lines(self.process.stdout), b""
        time.sleep(0.4)  # the first probes are out

    def end(self):
        """Its exit status."""
        while not self.out.ended:
            self.out.poll(1)
        self.said = self.process.stderr.read()
        return self.process.wait(10)

    def rows(self):
        return [json.loads(line) for line in self.out.lines]


def test_rows_come_as_the_verdicts_do(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    running, started = Running(lab), time.monotonic()
    first = json.loads(running.out.next(1))
    assert (first["remote"], first["verdict"]) == (alive[0].remote, "alive")
    assert time.monotonic() - started < 1.5
    assert running.end() == 1
    assert [(row["remote"], row["verdict"]) for row in running.rows()] == [
        (dead[0].remote, "dead")]


@only_once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_tells_what_is_missing(lab, number):
    lab.pair()
    _, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    running = Running(lab, "--count", "100")
    time.sleep(1)
    started = time.monotonic()
    running.process.send_signal(number)
    assert running.end() == 4 and time.monotonic() - started < 1
    assert [row["verdict"] for row in running.rows()] == ["alive"]
    assert b"1 of 2" in running.said
    assert lab.one(dead[0])["state"] == "ESTABLISHED"


def test_the_text_is_a_table(lab):
    lab.pair()
    alive, dead = ports(lab, 7001, 7002).values()
    drop(lab.server, 7002)
    lines = lab.run("check", *lab.where(None), "--count", "2", exit=1).stdout.decode().splitlines()
    assert lines[0].split() == [name.replace("_ms", "").upper() for name in FIELDS]
    assert len(lines) == 3
    assert lines[1].startswith(alive[0].local) and "alive" in lines[1] and "ms" in lines[1]
    assert lines[2].startswith(dead[0].local) and "2 probes unanswered" in lines[2]
    assert lines[1].index("alive") == lines[2].index("dead") == lines[0].index("VERDICT")


def test_filters_choose_who_is_probed(lab):
    lab.pair()
    first, second = ports(lab, 7001, 7002).values()
    assert list(check(lab, "--remote", ":7002")) == [(second[0].local, second[0].remote)]
    assert len(check(lab, "--pid", str(first[0].peer.pid))) == 2
    assert check(lab, "--remote", ":7003") == {}


@only_once
@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_finds_its_connections(lab, kind):
    near, _, _, _ = named(lab, kind)
    done = lab.run("check", *lab.where(None), "--process", NAMES[kind][0])
    assert near.local in assert_safe(done.stdout, None)


WRONG = ["--count 0", "--count 128", "--count x", "--interval 0", "--interval 999ms",
         "--interval soon", "--rate 0", "--rate 1e3", "--rate -1", "--count 3 --count 3",
         "--dead-within 10s", "surplus"]


@only_once
@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_exit_2(lab, words):
    done = lab.run("check", *words.split(), exit=2)
    assert done.stderr.startswith(b"holdfast") and not done.stdout


@only_once
def test_the_rate_is_kept(lab):
    lab.pair()
    peer = lab.peer(lab.client)
    listener, port = peer.listen("127.0.0.1")
    peer.call("connect", host="127.0.0.1", port=port, count=100)
    peer.call("accept", id=listener, count=100)
    started = time.monotonic()
    assert len(check(lab, "--rate", "100")) == 200
    assert 1.9 <= time.monotonic() - started <= 4


# -- privileges

@only_once
@pytest.mark.parametrize("prefix", [NOBODY, NO_CAPABILITIES], ids=["nobody", "no-capabilities"])
def test_without_privileges_it_is_exit_3(lab, prefix):
    message = lab.run("check", prefix=prefix, exit=3).stderr.decode()
    assert message.startswith("holdfast: ") and ("root" in message or "CAP_" in message), message


@only_once
def test_probes_want_net_raw_and_nothing_else_beside_the_three(lab):
    near, _ = lab.pair().connect()
    done = lab.run("check", prefix=nobody(lab.client, *THREE), exit=3)
    assert b"CAP_NET_RAW" in done.stderr
    rows = lab.json("check", prefix=nobody(lab.client, *THREE, "net_raw"))
    assert [(row["remote"], row["verdict"]) for row in rows] == [(near.remote, "alive")]


@only_once
def test_it_keeps_what_probing_and_closing_need(lab):
    lab.pair().connect()
    lab.server.cut()
    with full_pipe() as full:
        process = lab.popen([HOLDFAST, "check", "--count", "100"], lab.client, stdout=full,
                            stderr=full)
        kept = bits(NET_RAW, NET_ADMIN)
        wait_until(lambda: capabilities_of(process.pid) == kept, 5, f"it holds {kept:#x}")
        process.kill()
        process.wait(5)
