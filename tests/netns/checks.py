# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of check share."""
import ctypes
import json
import os
import socket
import subprocess
import sys
import time

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from lab import HOLDFAST, Lines

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
