# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the gateway share: many flows across it, and what it says of them."""
import re
import time

from lab import Peer, Sock, check
from test_gateway import Gateway

GOAL = 8  # s: dead within; less leaves nothing to spare for a verdict that waits
LATE = 1.0  # s: what a loaded machine and the tests' own looking add to a bound
RESETTING = ("--dead-within", f"{GOAL}s", "--on-dead", "reset")


class Converse(Peer):
    program = "converse.py"


class Secure(Peer):
    program = "secure.py"


class Edge(Peer):
    program = "edge.py"


class Wire(Peer):
    program = "wire.py"


def gateway(lab, *arguments):
    return Gateway(lab, *(arguments or RESETTING))


def in_time(lab, died, near, goal=GOAL):
    """The survivor is told by a RST within the bound."""
    near.death("ECONNRESET", died + goal + LATE - time.monotonic())


def established(lab, client, server, count):
    """So many connections between two peers: the ids of their ends, in the same order."""
    listener, port = server.listen(lab.server.address)
    near = client.call("connect", host=lab.server.address, port=port, count=count)
    return near, server.call("accept", id=listener, count=count)


def socks(peer, ids):
    return [Sock(peer, id) for id in ids]


def statistics(watching):
    """What a gateway says when it ends: {"flows": 3, "in dialogue": 0, "alive": 7, ...}."""
    assert watching.stop() == 0
    while not watching.err.ended:
        watching.err.poll(1)
    last = watching.err.lines[-1].decode()
    return {what: int(number) for number, what in re.findall(r"(\d+) ([a-z ]+)", last)}


def certificate(lab):
    """A file with a key, and a certificate of it for "server"."""
    path = f"{lab.directory}/certificate"
    check(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-subj", "/CN=server", "-addext", "subjectAltName=DNS:server", "-days", "2",
           "-keyout", f"{path}.key", "-out", f"{path}.crt"])
    with open(path, "w", encoding="utf-8") as file:
        for part in ("key", "crt"):
            with open(f"{path}.{part}", encoding="utf-8") as source:
                file.write(source.read())
    return path
