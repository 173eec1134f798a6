#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain program that holds TCP connections and never heard of keepalive.

It does what JSON lines on stdin say, {"do": NAME, ...arguments}, and answers each with one JSON
line on stdout: {"value": ...} or {"error": text}. Times are CLOCK_MONOTONIC, which every process
of the machine shares. It ends with its stdin.
"""
import ctypes
import errno
import hashlib
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET, PR_SET_NAME = 0x40000000, 15
SO_COOKIE, TCP_USER_TIMEOUT = 57, 18
OPTIONS = {
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    "interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    "count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    "user_timeout_ms": (socket.IPPROTO_TCP, TCP_USER_TIMEOUT),
}
# Offsets in struct tcp_info (linux/tcp.h).
INFO_BYTES = {"state": 0, "unanswered": 3}
INFO_WORDS = {"rto_us": 8, "in_flight": 24, "data_heard_ms": 52, "ack_heard_ms": 56, "rtt_us": 68,
              "notsent": 144}

libc = ctypes.CDLL(None, use_errno=True)
sockets = {}


def libc_call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def keep(sock):
    sockets[sock.fileno()] = sock
    return sock.fileno()


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def options_of(sock):
    return {name: sock.getsockopt(*where) for name, where in OPTIONS.items()}


def listen(host, port=0, receive_buffer=0):
    sock = socket.socket(family_of(host), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.bind((host, port))
    sock.listen(4096)
    return {"id": keep(sock), "port": sock.getsockname()[1]}


def connect(host, port, count=1, options=None):
    made = []
    for _ in range(count):
        sock = socket.socket(family_of(host), socket.SOCK_STREAM)
        sock.settimeout(5)
        for name, value in (options or {}).items():
            sock.setsockopt(*OPTIONS[name], value)
        sock.connect(socket.getaddrinfo(host, port)[0][4] if "%" in host else (host, port))
        made.append(keep(sock))
    return made


def accept(id, count=1):
    sockets[id].settimeout(5)
    return [keep(sockets[id].accept()[0]) for _ in range(count)]


def cookie(id):
    return struct.unpack("=Q", sockets[id].getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]


def names(id):
    """Both ends, written as Holdfast writes them, and the cookie."""
    def text(name):
        return "[%s]:%d" % name[:2] if ":" in name[0] else "%s:%d" % name[:2]
    sock = sockets[id]
    return {"local": text(sock.getsockname()), "remote": text(sock.getpeername()),
            "cookie": cookie(id)}


def set_options(id, values):
    for name, value in values.items():
        sockets[id].setsockopt(*OPTIONS[name], value)


def set_long_option(id, name, value):
    """By far more bytes than it takes, which the kernel does not mind."""
    sockets[id].setsockopt(*OPTIONS[name], struct.pack("i", value) + bytes(8192))


def options(id):
    return options_of(sockets[id])


def many_options(ids):
    return [options_of(sockets[id]) for id in ids]


def info(id):
    raw = sockets[id].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    result = {name: raw[at] for name, at in INFO_BYTES.items()}
    result.update({name: struct.unpack_from("=I", raw, at)[0] for name, at in INFO_WORDS.items()})
    return result


def send(id, text):
    try:
        sockets[id].sendall(text.encode())
    except OSError as failure:
        return errno.errorcode[failure.errno]


def fill(id):
    """Send until the kernel takes no more, for half a second; how many bytes it took."""
    sock, sent = sockets[id], 0
    sock.setblocking(False)
    while select.select([], [sock], [], 0.5)[1]:
        try:
            sent += sock.send(b"x" * 65536)
        except BlockingIOError:
            pass
    return sent


def pour(id, seconds):
    """Write all the time, in pieces of any size, and close; how much it was, and its checksum."""
    sock, digest, sent, until = sockets[id], hashlib.sha256(), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        piece = os.urandom(random.randrange(1, 3000))
        sock.sendall(piece)
        digest.update(piece)
        sent += len(piece)
        time.sleep(random.uniform(0, 0.01))
    shutdown(id)
    return {"bytes": sent, "sum": digest.hexdigest()}


def swallow(id):
    """Read to the end."""
    digest, got = hashlib.sha256(), 0
    sockets[id].settimeout(30)
    while True:
        part = sockets[id].recv(65536)
        if not part:
            return {"bytes": got, "sum": digest.hexdigest()}
        digest.update(part)
        got += len(part)


def drain(id, size, timeout):
    sock, got = sockets[id], 0
    sock.settimeout(timeout)
    while got < size:
        part = sock.recv(1 << 20)
        if not part:
            break
        got += len(part)
    return got


def recv(id, timeout):
    """What a program blocked in recv() is told: data, an end ("") or an error; None if nothing."""
    sock = sockets[id]
    sock.setblocking(True)
    if not select.select([sock], [], [], timeout)[0]:
        return None
    try:
        return {"data": sock.recv(65536).decode(), "errno": None, "at": time.monotonic()}
    except OSError as failure:
        return {"data": None, "errno": errno.errorcode[failure.errno], "at": time.monotonic()}


def close(id):
    sockets.pop(id).close()


def abort(id):
    """Close with a RST and leave nothing behind in the kernel."""
    sockets[id].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(id)


def shutdown(id):
    sockets[id].shutdown(socket.SHUT_WR)


def churn(host, port, seconds, total, batch=50, open_at_once=1000):
    """Open and close this many connections to a listener of our own in this time."""
    listener = sockets[listen(host, port)["id"]]
    pairs = []
    for _ in range(0, total, batch):
        for _ in range(batch):
            near = socket.create_connection((host, port), 5)
            pairs.append((near, listener.accept()[0]))
        while len(pairs) > open_at_once:
            near, far = pairs.pop(0)
            # A RST leaves no TIME_WAIT, so that the ports last for any number of rounds.
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            far.close()
        time.sleep(seconds * batch / total)
    return total


def rename(hex):
    """Take a process name of any bytes (15 of them at most)."""
    libc_call(libc.prctl, PR_SET_NAME, bytes.fromhex(hex), 0, 0, 0)


def within(netns, host):
    """A connection made inside another namespace by a process that does not stay there."""
    home, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(netns, os.O_RDONLY)
    libc_call(libc.setns, there, CLONE_NEWNET)
    listener = listen(host)
    near = connect(host, listener["port"])[0]
    far = accept(listener["id"])[0]
    libc_call(libc.setns, home, CLONE_NEWNET)
    close(listener["id"])
    os.close(home)
    os.close(there)
    return [near, far]


def twin(id):
    return keep(sockets[id].dup())


def give(id, path):
    """Hand a socket to the process that listens on a Unix socket, and let go of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.connect(path)
        socket.send_fds(channel, [b"x"], [sockets[id].fileno()])
    close(id)


def spawn(id, prefix):
    """A child that has this socket from us, and does nothing with it."""
    return subprocess.Popen([*prefix, "sleep", "60"], pass_fds=[id]).pid


def take_listen(path):
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.bind(path)
    channel.listen(1)
    return keep(channel)


def take(id):
    channel = sockets[id].accept()[0]
    with channel:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
    return keep(socket.socket(fileno=fds[0]))


def main(functions):
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": functions[request.pop("do")](**request)}
        except (OSError, KeyError, TypeError) as failure:
            answer = {"error": repr(failure)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(globals())
