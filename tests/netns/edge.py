# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer that picks a connection by its sequence numbers: what comes is soon at 0 or 2^31."""
import socket

import peer

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
RECEIVED, OFF_SILENTLY = 1, -1
NEAREST, FARTHEST = 100_000, 6_000_000  # bytes from the edge


def expected(sock):
    """The number that is expected next."""
    for option, value in ((TCP_REPAIR, 1), (TCP_REPAIR_QUEUE, RECEIVED)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    number = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, OFF_SILENTLY)
    return number


def connect_at_edge(host, port, tries):
    """Its id, and how many connections were given up before; one of 360 is such a one."""
    for given_up in range(tries):
        id = peer.connect(host, port)[0]
        if NEAREST <= -expected(peer.sockets[id]) % (1 << 31) <= FARTHEST:
            return id, given_up
        peer.abort(id)
    raise OSError("none is at the edge")


if __name__ == "__main__":
    peer.main({**vars(peer), "connect_at_edge": connect_at_edge})
