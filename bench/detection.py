# SPDX-License-Identifier: GPL-2.0-or-later
"""How long until a program under `holdfast watch` is told of a dead peer, against the promise.

Connections over loopback, last heard at random times; then a power cut (a rule of nftables drops
every TCP segment), and some programs write at random times into the silence. Both ends are judged:
each must be told within dead_within of the last segment that it heard or, where it first wrote into
the silence and that is later, within dead_within / 3 + RTO of that write.
"""
import heapq
import json
import random
import select
import socket
import struct
import subprocess
import tempfile
import time

from world import new_namespace

TCP_INFO_RTO, TCP_INFO_LAST_DATA, TCP_INFO_LAST_ACK = 8, 52, 56  # offsets in struct tcp_info


def tcp_info(sock, *offsets):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return [struct.unpack_from("I", info, offset)[0] / 1000 for offset in offsets]


class End:
    """One end of a connection: when it last heard, when it wrote, when it was told."""

    def __init__(self, sock):
        self.sock = sock
        self.heard = self.wrote = self.rto = self.told = self.error = None

    def note_heard(self):
        self.heard = time.monotonic() - min(
            tcp_info(self.sock, TCP_INFO_LAST_DATA, TCP_INFO_LAST_ACK))

    def write(self):
        self.wrote = time.monotonic()
        self.rto, = tcp_info(self.sock, TCP_INFO_RTO)
        self.rto /= 1000  # in microseconds, unlike the ages
        self.sock.send(b"late")

    def promised(self, goal):
        late = self.wrote + goal / 3 + self.rto if self.wrote else 0
        return max(self.heard + goal, late)


def connect(n):
    listener = socket.create_server(("127.0.0.1", 0), backlog=n)
    pairs = []
    for _ in range(n):
        client = socket.create_connection(listener.getsockname())
        pairs.append((End(client), End(listener.accept()[0])))
    return pairs


def talk(pairs, duration):
    """Each connection says a word at a random moment, and none after."""
    start = time.monotonic()
    for moment, number in sorted((random.random() * duration, i) for i in range(len(pairs))):
        time.sleep(max(0, start + moment - time.monotonic()))
        pairs[number][0].sock.send(b"word")
        pairs[number][1].sock.recv(16)
    time.sleep(max(0, start + duration - time.monotonic()))


def cut():
    subprocess.run(["nft", "table ip cut { chain c { type filter hook input priority 0;"
                    " meta l4proto tcp drop; }; }"], check=True)


def when_to_write(end, goal, late):
    """At once after the cut, or at any time before keepalive may find the peer dead."""
    now = time.monotonic()
    return now + late * random.random() * max(0, end.heard + 0.75 * goal - now)


def wait_for_deaths(ends, writers, goal):
    """Every write at its time, every death as it comes."""
    deadline = time.monotonic() + 3 * goal
    poll = select.poll()
    alive = {end.sock.fileno(): end for end in ends}
    for fd in alive:
        poll.register(fd, 0)  # POLLERR and POLLHUP come unasked
    heapq.heapify(writers)
    while alive and time.monotonic() < deadline:
        until = writers[0][0] if writers else deadline
        for fd, _ in poll.poll(max(0, until - time.monotonic()) * 1000):
            end = alive.pop(fd)
            end.told = time.monotonic()
            end.error = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            poll.unregister(fd)
        while writers and writers[0][0] <= time.monotonic():
            _, fd = heapq.heappop(writers)
            if fd in alive:
                alive[fd].write()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(results, what, ends, goal):
    told = [end for end in ends if end.told]
    # the RTO and the ages come in ms: a millisecond is no breach
    late = [end for end in told if end.told > end.promised(goal) + 0.002]
    times = [end.told - end.heard for end in told] or [float("nan")]
    shares = [(end.told - end.heard) / (end.promised(goal) - end.heard) for end in told]
    results.add(f"{what}, goal {goal} s: told after (p50, p99, max)",
                f"{percentile(times, 0.5):.2f} s, {percentile(times, 0.99):.2f} s, "
                f"{max(times):.2f} s", f"{len(told)} of {len(ends)} deaths, {len(late)} late",
                f"worst {max(shares, default=0):.2f} of its promise", "<= 1 each",
                len(told) == len(ends) and not late)


def measure_detection(tools, results, goal, n):
    """n idle connections and n with data in flight; 2 n ends each."""
    new_namespace()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as events:
        with tools.watch("--dead-within", f"{goal}s", "--json", output=events):
            pairs = connect(2 * n)
            talk(pairs, goal)
            cut()
            ends = [end for pair in pairs for end in pair]
            for end in ends:
                end.note_heard()
            writers = [(when_to_write(pair[0], goal, i % 2), pair[0].sock.fileno())
                       for i, pair in enumerate(pairs[n:])]
            wait_for_deaths(ends, writers, goal)
            time.sleep(0.5)
        events.seek(0)
        dead = sum(json.loads(line)["event"] == "dead" for line in events)
    wrote = [end for end in ends if end.wrote]
    report(results, "death while idle", [end for end in ends if not end.wrote], goal)
    report(results, "death with data in flight", wrote, goal)
    results.add(f"deaths reported by watch, goal {goal} s", f"{dead} of {len(ends)}",
                target="all, once", met=dead == len(ends))
    for end in ends:
        end.sock.close()
