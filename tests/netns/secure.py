# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer that speaks TLS."""
import errno
import select
import socket
import ssl
import time

import peer


def secure(ids, certificate, server):
    """TLS from here on; the file holds the certificate and the server's key."""
    if server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.num_tickets = 0  # a client that only waits would not read them
    else:
        context = ssl.create_default_context(cafile=certificate)
    for id in ids:
        peer.sockets[id].settimeout(10)
        peer.sockets[id] = context.wrap_socket(peer.sockets[id], server_side=server,
                                               server_hostname=None if server else "server")


def errors(ids, timeout):
    """The errors that these sockets get, and when: OpenSSL takes some for an ordinary end."""
    told, until, poll = {}, time.monotonic() + timeout, select.poll()
    for id in ids:
        poll.register(id, 0)
    while len(told) < len(ids) and time.monotonic() < until:
        for id, _ in poll.poll(1000 * max(0, until - time.monotonic())):
            number = peer.sockets[id].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            told[id] = {"errno": errno.errorcode.get(number), "at": time.monotonic()}
            poll.unregister(id)
    return list(told.values())


if __name__ == "__main__":
    peer.main({**vars(peer), "secure": secure, "errors": errors})
