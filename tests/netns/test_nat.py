# SPDX-License-Identifier: GPL-2.0-or-later
"""Idle connections stay open through middleboxes that forget what is silent.

test_harness.py shows that the same NATs forget the same connections without Holdfast.
"""
import threading
import time

import pytest


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lax"])
def test_a_nat_that_forgets_after_6_s_keeps_an_idle_connection_for_30_s(lab, strict):
    lab.nat(timeout=6, strict=strict)
    lab.watch("--keep-open", "6s")
    near, far = lab.connect()
    lab.exchange(near, far)
    time.sleep(30)
    far.send(text="from the server")
    near.hears("from the server")
    lab.exchange(near, far)


def test_a_nat_keeps_a_connection_that_was_open_before_the_watch(lab):
    near, far = lab.nat(timeout=6, strict=True).connect()
    lab.exchange(near, far)
    time.sleep(2)
    lab.watch("--keep-open", "6s")
    time.sleep(12)
    far.send(text="from the server")
    near.hears("from the server")


def test_a_nat_keeps_a_connection_that_apply_has_set(lab):
    near, far = lab.nat(timeout=6, strict=True).connect()
    lab.exchange(near, far)
    lab.apply("--keep-open", "6s")
    time.sleep(12)
    far.send(text="from the server")
    near.hears("from the server")


def test_a_nat_keeps_a_connection_watched_at_the_servers_end(lab):
    lab.nat(timeout=6, strict=True)
    lab.watch("--keep-open", "6s", netns=lab.server)
    near, far = lab.connect()
    lab.exchange(near, far)
    time.sleep(12)
    far.send(text="from the server")
    near.hears("from the server")


class FullTable(threading.Thread):
    """A NAT's table that is full: for room it drops the entry that was silent longest."""

    def __init__(self, router, capacity):
        super().__init__(daemon=True)
        self.router, self.capacity, self.done = router, capacity, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.25):
            listed = self.router.run("conntrack", "-L", "-p", "tcp", "-o", "id,extended",
                                     "-f", "ipv6" if ":" in self.router.address else "ipv4")
            entries = sorted(self.silence_and_tuple(line) for line in listed.splitlines()
                             if "ESTABLISHED" in line)
            for _, match in entries[:max(0, len(entries) - self.capacity)]:
                self.router.run("conntrack", "-D", "-p", "tcp", *match)

    @staticmethod
    def silence_and_tuple(line):
        words = line.split()
        first = {}
        for word in words:
            key, equals, value = word.partition("=")
            if equals:
                first.setdefault(key, value)
        remaining = int(words[words.index("ESTABLISHED") - 1])
        return remaining, ("-s", first["src"], "-d", first["dst"], "--sport", first["sport"],
                           "--dport", first["dport"])


def test_a_full_table_that_drops_the_oldest_idle_entry_keeps_the_kept_one(lab):
    lab.nat(timeout=1000, strict=True)
    lab.watch("--keep-open", "4s", "--remote", ":7001")
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    ends = {}
    for port in (7001, 7002):
        listener, _ = server.listen(lab.server.address, port)
        near = client.connect(lab.server.address, port)
        ends[port] = near, server.accept(listener)
        lab.exchange(*ends[port])
    table = FullTable(lab.router, capacity=16)
    for _ in range(40):  # newer connections, three a second, want room
        lab.connect()
        time.sleep(0.33)
    table.done.set()
    table.join()
    for port, arrives in ((7001, True), (7002, False)):
        near, far = ends[port]
        far.send(text="x")
        got = near.recv(2)
        assert (got is not None and got["data"] == "x") == arrives, (port, got)
