# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of sockets that other processes hold, got without Holdfast."""
import ctypes
import os
import socket
import stat

from peer import options_of

SYS_pidfd_getfd = 438
libc = ctypes.CDLL(None, use_errno=True)


def duplicate(pid, pidfd, name):
    """Our own descriptor of a process's socket; None if it is none, or gone already."""
    try:
        if stat.S_ISSOCK(os.stat(f"/proc/{pid}/fd/{name}").st_mode):
            fd = libc.syscall(SYS_pidfd_getfd, pidfd, int(name), 0)
            return socket.socket(fileno=fd) if fd >= 0 else None
    except FileNotFoundError:
        pass
    return None


def tcp_sockets(pid):
    """A duplicate of every connected TCP socket of a process."""
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            sock = duplicate(pid, pidfd, name)
            if not sock:
                continue
            with sock:
                if sock.family in (socket.AF_INET, socket.AF_INET6) and is_connected(sock):
                    yield sock
    finally:
        os.close(pidfd)


def is_connected(sock):
    try:
        return bool(sock.getpeername())
    except OSError:
        return False


def options(pid):
    """The options of the one connection that a process has."""
    found = [options_of(sock) for sock in tcp_sockets(pid)]
    assert len(found) == 1, f"process {pid} has {len(found)} connections"
    return found[0]


def connected(pid):
    return len(list(tcp_sockets(pid))) == 1
