# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast run: beside others; the preloaded library keeps out of the way."""
import os
import pathlib
import subprocess
import sys

import pytest

from lab import HOLDFAST, wait_until
from runs import POLICY, USER, cgroup2, cgroup_of, ends, only_once, under
from test_coverage import assert_planned, assert_untouched


# -- Beside others

def test_beside_a_watch_and_another_run_the_strictest_holds(lab):
    lab.pair().watch("--dead-within", "60s")
    near, _ = ends(lab, under("bpf"))
    other, _ = ends(lab, under("bpf", "--dead-within", "10s"))
    assert_planned(lab, near.options(), POLICY)
    assert_planned(lab, other.options(), ("--dead-within", "10s"))
    assert lab.one(near)["rule"] == "watch"


def test_a_run_within_a_run(lab):
    near, _ = ends(lab.pair(), (*under("bpf", "--dead-within", "60s"), *under("bpf")))
    assert_planned(lab, near.options(), POLICY)
    path = cgroup_of(near.peer.pid)
    assert path.count("/holdfast-run-") == 2
    near.peer.kill()
    wait_until(lambda: not os.path.exists(os.path.dirname(cgroup2() + path)), 5, "both are gone")


def test_other_preloaded_libraries_stay(lab):
    lab.pair()
    text = lab.run("run", "--quiet", "--", "printenv", "LD_PRELOAD", prefix=USER,
                   env={**lab.env, "LD_PRELOAD": "libpthread.so.0"}).stdout.decode()
    ours, other = text.strip().split(":")
    assert ours.endswith("/libholdfast-preload.so") and other == "libpthread.so.0"


@only_once
@pytest.mark.parametrize("text", ["", "1", "2,0,0,9,1,9,0,0", "1,0,0,9,1,9,0,0,7", "1,x", "garbage",
                                  "1,20000,0,0,1,9,0,0", "1,20000,0,9,1,9,0,99999999999"])
def test_a_policy_that_the_library_does_not_understand_changes_nothing(lab, text):
    lab.pair()
    library = str(pathlib.Path(HOLDFAST).with_name("libholdfast-preload.so"))
    near, _ = ends(lab, ("env", f"LD_PRELOAD={library}", f"HOLDFAST_RUN={text}"))
    assert_untouched(near.options())


# -- The preloaded library keeps out of the way

ERRORS = """
import errno, os, socket, sys
def fails(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as failure:
        assert failure.errno == number, (call, failure)
    else:
        raise AssertionError(f"{call} did not fail")
keepalive = lambda sock: sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
host = sys.argv[1]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
tcp = socket.socket(family)
assert keepalive(tcp) == 1
fails(errno.ECONNREFUSED, tcp.connect, (host, 1))
fails(errno.EINVAL, tcp.setsockopt, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0)
assert 1 < tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 20
fails(errno.EAFNOSUPPORT, socket.socket, 45)
listener = socket.create_server((host, 0), family=family)
listener.setblocking(False)
fails(errno.EAGAIN, listener._accept)
near = socket.socket(family)
near.setblocking(False)
fails(errno.EINPROGRESS, near.connect, (host[:-1] + "77", 80))  # nobody is there
assert near.getsockopt(socket.IPPROTO_TCP, 18) == 0, "none yet: it would cut the attempt short"
os.close(tcp.fileno())
fails(errno.EBADF, tcp.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
for kind in ((family, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM),
             (family, socket.SOCK_STREAM, 262)):  # MPTCP
    other = socket.socket(*kind)
    assert keepalive(other) == 0, kind
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert keepalive(other) == 1, kind
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    assert keepalive(other) == 0, kind
print("well")
"""

CROWD = """
import os, signal, socket, sys, threading
host = sys.argv[1]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
listener = socket.create_server((host, 0), family=family, backlog=4096)
wrong = []
def look(sock):
    got = [sock.getsockopt(socket.IPPROTO_TCP, n) for n in (socket.TCP_KEEPINTVL, 18)]
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) or got[0] != 1 or not got[1]:
        wrong.append(got)
def connect():
    for i in range(100):
        with socket.create_connection(listener.getsockname()[:2]) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 300)
            look(sock)
def accept():
    for i in range(400):
        with listener.accept()[0] as sock:
            look(sock)
def work():
    threads = [threading.Thread(target=f) for f in [connect] * 4 + [accept]]
    [t.start() for t in threads], [t.join() for t in threads]
work()
if os.fork() == 0:
    work()
    os._exit(len(wrong) > 0)
assert os.wait()[1] == 0 and not wrong, wrong
print("well")
"""


@pytest.mark.parametrize("text", [ERRORS, CROWD], ids=["errors", "threads and a fork"])
def test_a_program_with_the_library_goes_on_as_it_would(lab, text):
    program = lab.pair().popen([*under("preload"), sys.executable, "-c", text, lab.client.address],
                               lab.client, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.communicate(timeout=30) == (b"well\n", b"")
