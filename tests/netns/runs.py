# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of run share: kinds of programs, and how they are run."""
import glob
import os
import pathlib
import shutil
import sys

import pytest

from lab import HERE, HOLDFAST, check, wait_until

GOAL = 20
POLICY = ("--dead-within", f"{GOAL}s")
PORT = 7400
USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
CAPABLE = ("--inh-caps=+bpf,+net_admin,+perfmon", "--ambient-caps=+bpf,+net_admin,+perfmon")
BOTH = pytest.mark.parametrize("mechanism", ["bpf", "preload"])
only_once = pytest.mark.parametrize("family", [4], indirect=True)


def under(mechanism, *policy):
    """What runs a program with this mechanism: without privileges it is the library."""
    return (*(USER if mechanism == "preload" else ()), HOLDFAST, "run", "--quiet",
            *(policy or POLICY), "--")


def ends(lab, prefix, *, server_prefix=(), **options):
    """A connection of a client that runs under the prefix: its two ends."""
    server, client = lab.peer(lab.server, server_prefix), lab.peer(lab.client, prefix)
    listener, port = server.listen(lab.server.address)
    near = client.connect(lab.server.address, port, **options)
    return near, server.accept(listener)


def listening(lab):
    """Something to connect to."""
    server = lab.peer(lab.server)
    server.listen(lab.server.address, PORT)
    return lab.server.address, str(PORT)


def at(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def script(lab, name, text):
    path = pathlib.Path(lab.directory, name)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


# -- Kinds of programs: each returns what to execute

def dynamic(lab, *where):
    return sys.executable, "-c", (
        "import socket, sys; s = socket.create_connection((sys.argv[1], sys.argv[2])); s.recv(1)"
    ), *where


def threads(lab, *where):
    return sys.executable, "-c", (
        "import socket, sys, threading\n"
        "threading.Thread(target=lambda: socket.create_connection(tuple(sys.argv[1:])).recv(1)"
        ").start()"), *where


def behind_a_shell(lab, *where):
    return script(lab, "shell", "#!/bin/sh -e\nexec \"$@\"\n"), *dynamic(lab, *where)


def static(lab, *where):
    return lab.helpers(), "hold", *where


def setuid(lab, *where):
    path = os.path.join(lab.directory, "setuid")
    shutil.copy(lab.helpers(), path)
    os.chown(path, 12345, 12345)
    os.chmod(path, 0o4755)
    return path, "hold", *where


def go(lab, *where):
    path = os.path.join(lab.directory, "go")
    check(["go", "build", "-o", path, str(HERE / "hold.go")],
          env={**lab.env, "CGO_ENABLED": "0", "GOCACHE": os.path.join(lab.directory, "cache"),
               "GOFLAGS": "-p=1"})
    return path, at(*where)


# -- The cgroup

def cgroup2():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return next(line.split()[1] for line in file if line.split()[2] == "cgroup2")


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return next(line.strip()[3:] for line in file if line.startswith("0::"))


def keeper_of(marker):
    """The process that steers the run of which the command line holds the marker."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read()
            pid = int(path.split("/")[2])
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if marker.encode() in words and file.read().strip() == "holdfast-keeper":
                    return pid
        except OSError:
            pass
    return None


def ended(lab, marker, path):
    wait_until(lambda: not os.path.exists(cgroup2() + path), 5, "the cgroup is gone")
    wait_until(lambda: keeper_of(marker) is None, 5, "the keeper is gone")
