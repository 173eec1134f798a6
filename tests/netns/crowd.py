# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer with very many connections, all of which do the same."""
import collections
import errno

import peer

MESSAGE = b"ping"


def speak(ids):
    for id in ids:
        peer.sockets[id].send(MESSAGE)


def told(ids):
    """What their programs are told: how many of each error, of MESSAGE, of an end, of nothing."""
    result = collections.Counter()
    for id in ids:
        sock = peer.sockets[id]
        sock.setblocking(False)
        try:
            data = sock.recv(100)
            result[{MESSAGE: "message", b"": "end"}.get(data, "other data")] += 1
        except BlockingIOError:
            result["nothing"] += 1
        except OSError as failure:
            result[errno.errorcode[failure.errno]] += 1
    return result


if __name__ == "__main__":
    peer.main({"listen": peer.listen, "connect": peer.connect, "accept": peer.accept,
               "speak": speak, "told": told})
