# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer whose streams begin in the middle of a gateway's dialogues, and are to come out whole."""
import hashlib
import os
import random
import select
import socket
import struct
import time

import peer

ETH_P_ALL = 3
QUIET = 1.0  # s without data; what comes then and carries none is part of a dialogue
MOST_BYTES = 30000  # written at once
MOST_HEARD = 6  # segments of dialogues between one time and the next


class Sum:
    """How many bytes, and which."""

    def __init__(self):
        self.bytes, self.digest = 0, hashlib.sha256()

    def add(self, data):
        self.bytes += len(data)
        self.digest.update(data)

    def told(self):
        return {"bytes": self.bytes, "sum": self.digest.hexdigest()}


class Stream:
    """One connection: what is written to it, when, and what comes out of it."""

    def __init__(self, sock):
        self.sock, self.todo, self.sent, self.got = sock, b"", Sum(), Sum()
        self.amidst, self.closed, self.ended = 0, False, False
        sock.setblocking(False)
        self.write()

    def write(self):
        data = os.urandom(random.randrange(1, MOST_BYTES))
        self.sent.add(data)
        self.todo += data
        self.active_at, self.wait = time.monotonic(), random.randrange(1, MOST_HEARD)

    def heard(self, size):
        """A segment came in; if it is one of a dialogue, that is interrupted now and then."""
        if size or self.closed or time.monotonic() < self.active_at + QUIET:
            return
        self.wait -= 1
        if self.wait <= 0:
            self.amidst += 1
            self.write()

    def push(self):
        self.todo = self.todo[self.sock.send(self.todo):]
        self.active_at = time.monotonic()

    def pull(self):
        data = self.sock.recv(65536)
        self.got.add(data)
        self.active_at, self.ended = time.monotonic(), not data

    def close(self):
        """Once more, after all of the dialogues; what is written yet is pushed out before."""
        self.write()
        self.sock.setblocking(True)
        self.sock.sendall(self.todo)
        self.sock.shutdown(socket.SHUT_WR)
        self.sock.setblocking(False)
        self.todo, self.closed = b"", True


def parse(packet):
    """The ports of a TCP segment, and how much data it carries."""
    if packet[0] >> 4 == 6:
        head, size = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
    else:
        head, size = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
    ports = struct.unpack_from("!HH", packet, head)
    return ports, size - head - (packet[head + 12] >> 4) * 4


def listen_in(tap, streams):
    packet, where = tap.recvfrom(256)
    if where[2] == socket.PACKET_OUTGOING or len(packet) < 40:
        return
    ports, size = parse(packet)
    if ports in streams:
        streams[ports].heard(size)


def talk(tap, streams, until):
    """All of them at once, until all have ended at both ends."""
    while not all(stream.ended and stream.closed for stream in streams.values()):
        by_sock = {stream.sock: stream for stream in streams.values()}
        readable, writable, _ = select.select(
            [tap, *(sock for sock, stream in by_sock.items() if not stream.ended)],
            [sock for sock, stream in by_sock.items() if stream.todo], [], 0.1)
        for sock in readable:
            listen_in(tap, streams) if sock is tap else by_sock[sock].pull()
        for sock in writable:
            by_sock[sock].push()
        for stream in streams.values():
            if time.monotonic() >= until and not stream.closed:
                stream.close()


def converse(ids, seconds):
    """Write before, amidst and after the dialogues of so many seconds; what became of each."""
    socks = [peer.sockets[id] for id in ids]
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as tap:
        streams = {(sock.getpeername()[1], sock.getsockname()[1]): Stream(sock) for sock in socks}
        talk(tap, streams, time.monotonic() + seconds)
    return [{"sent": stream.sent.told(), "got": stream.got.told(), "amidst": stream.amidst}
            for stream in streams.values()]


if __name__ == "__main__":
    peer.main({**vars(peer), "converse": converse})
