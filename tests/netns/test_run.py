# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast run: which connections of a program are protected, by eBPF and by a preloaded library."""
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

import stolen
from lab import HERE, HOLDFAST, POLLING, SESSION, check, wait_until
from test_coverage import assert_planned, assert_untouched, settings
from test_programs import started

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


@pytest.mark.parametrize("kind", [dynamic, threads, behind_a_shell, static, setuid, go],
                         ids=lambda kind: kind.__name__)
def test_ebpf_reaches_every_kind_of_program(lab, kind):
    where = listening(lab.pair())
    program = started(lab, lab.client, *under("bpf"), *kind(lab, *where))
    wait_until(lambda: stolen.options(program.pid)["keepalive"], 2, "keepalive is on")
    assert_planned(lab, stolen.options(program.pid), POLICY)
    assert stolen.options(program.pid)["user_timeout_ms"] == 0


@pytest.mark.parametrize("kind", [dynamic, threads, behind_a_shell], ids=lambda kind: kind.__name__)
def test_a_preloaded_library_reaches_dynamic_programs(lab, kind):
    where = listening(lab.pair())
    program = started(lab, lab.client, *under("preload"), *kind(lab, *where))
    wait_until(lambda: stolen.options(program.pid)["user_timeout_ms"], 2, "connect() has returned")
    got = stolen.options(program.pid)
    assert_planned(lab, got, POLICY)
    assert got["user_timeout_ms"] == 1000 * (got["idle"] + got["interval"] * got["count"])


@pytest.mark.parametrize("kind, why", [(static, "statically linked"), (setuid, "setuid"),
                                       (go, "statically linked")],
                         ids=lambda given: getattr(given, "__name__", None))
def test_whom_a_preloaded_library_does_not_reach_is_told(lab, kind, why):
    where = listening(lab.pair())
    command = [word for word in under("preload") if word != "--quiet"]
    program = lab.popen([*command, *kind(lab, *where)], lab.client, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    wait_until(lambda: stolen.connected(program.pid), 10, "it has its connection")
    assert stolen.options(program.pid)["idle"] in (7200, 15)  # the kernel's, Go's own
    program.kill()
    _, said = program.communicate(timeout=5)
    assert b"holdfast: run: preloaded library" in said and why.encode() in said, said


@only_once
def test_a_go_program_that_is_linked_dynamically_is_told_too(lab):
    path = os.path.join(lab.directory, "go")
    check(["go", "build", "-ldflags=-linkmode=external", "-o", path, str(HERE / "hold.go")],
          env={**lab.env, "CGO_ENABLED": "1", "GOCACHE": os.path.join(lab.directory, "cache"),
               "GOFLAGS": "-p=1"})
    done = lab.run("run", "--", path, "127.0.0.1:1", prefix=USER)
    assert b"is a Go program" in done.stderr, done.stderr


@BOTH
def test_accepted_connections(lab, mechanism):
    _, far = ends(lab.pair(), (), server_prefix=under(mechanism))
    assert_planned(lab, far.options(), POLICY)


@BOTH
def test_the_other_end_is_left_alone(lab, mechanism):
    _, far = ends(lab.pair(), under(mechanism))
    assert_untouched(far.options())


def test_other_programs_beside_it_are_left_alone(lab):
    before, _ = lab.pair().connect()
    near, _ = ends(lab, under("bpf"))
    after, _ = lab.connect()
    time.sleep(11)  # a full pass
    assert_planned(lab, near.options(), POLICY)
    assert_untouched(before.options())
    assert_untouched(after.options())


@BOTH
@pytest.mark.parametrize("idle, interval, count", [(3, 1, 4), (5, 2, 5)])
def test_stricter_settings_are_kept_as_they_are(lab, mechanism, idle, interval, count):
    near, _ = ends(lab.pair(), under(mechanism), keepalive=1, idle=idle, interval=interval,
                   count=count)
    assert settings(near.options()) == (1, idle, interval, count)


@BOTH
def test_override_replaces_stricter_settings(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism, *POLICY, "--override"), keepalive=1, idle=3,
                   interval=1, count=4)
    assert_planned(lab, near.options(), POLICY)


@BOTH
def test_weaker_settings_are_replaced_as_a_whole_set(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism), keepalive=1, idle=60, interval=1, count=3)
    assert_planned(lab, near.options(), POLICY)


@BOTH
def test_wishes_after_the_connection_stands_are_taken_one_by_one(lab, mechanism):
    near, _ = ends(lab.pair(), under(mechanism))
    for wish in ({"keepalive": 1}, {"idle": 300}, {"interval": 100}, {"count": 3}):
        near.set(**wish)
        assert_planned(lab, near.options(), POLICY)
    for wish in ({"idle": 3}, {"interval": 1}, {"count": 4}):
        near.set(**wish)
    assert settings(near.options()) == (1, 3, 1, 4), "the program's own set"
    near.set(keepalive=0)
    got = near.options()
    assert got["keepalive"], got
    assert 1.125 * (got["idle"] + got["interval"] * got["count"]) <= GOAL


@BOTH
def test_a_listeners_wishes_are_those_of_what_it_accepts(lab, mechanism):
    lab.pair()
    server, client = lab.peer(lab.server, under(mechanism)), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    server.call("set_options", id=listener, values={"keepalive": 1, "idle": 3, "interval": 4})
    client.connect(lab.server.address, port)
    far = server.accept(listener)
    assert settings(far.options()) == (1, 3, 1, 9), "its first probe is not put off"
    far.set(count=3)
    assert settings(far.options()) == (1, 3, 4, 3), "now its own set meets the goal"


@BOTH
def test_a_descriptor_opened_before_is_taken_over(lab, mechanism):
    outside, far = ends(lab.pair(), ())
    assert_untouched(outside.options())
    program = outside.peer.call("spawn", id=outside.id, prefix=list(under(mechanism)))
    assert program
    wait_until(lambda: outside.options()["keepalive"], 3, "the inherited connection is protected")
    assert_planned(lab, outside.options(), POLICY)
    assert_untouched(far.options())


def test_a_socket_handed_over_is_taken_in_within_10_s(lab):
    outside, _ = ends(lab.pair(), ())
    inside = lab.peer(lab.client, under("bpf"))
    path = os.path.join(lab.directory, "channel")
    channel = inside.call("take_listen", path=path)
    inside.start("take", id=channel)
    outside.peer.call("twin", id=outside.id)
    outside.give(path=path)
    taken = inside.answer(5)
    got = wait_until(lambda: (options := inside.call("options", id=taken))["keepalive"] and options,
                     11, "the socket is protected")
    assert_planned(lab, got, POLICY)


def test_a_program_that_goes_to_another_network_namespace(lab):
    where = listening(lab.pair())
    elsewhere = lab.namespace("elsewhere")
    program = started(lab, elsewhere, *under("bpf"), "nsenter", f"--net={lab.client.path}",
                      *static(lab, *where))
    assert_planned(lab, stolen.options(program.pid), POLICY)


@BOTH
def test_programs_that_fork_exec_and_exit(lab, mechanism):
    """Five children, each by way of a shell that goes away; all of them are protected."""
    where = listening(lab.pair())
    kind = static if mechanism == "bpf" else dynamic
    text = " ".join(f"'{word}'" for word in kind(lab, *where))
    program = lab.popen([*under(mechanism), "sh", "-c",
                         f"for i in 1 2 3 4 5; do (exec sh -c 'exec \"$@\"' sh {text}) & done;"
                         f" true; (true) & wait"], lab.client)
    held = wait_until(lambda: (found := connections(lab.client)) and len(found) == 5 and found, 10,
                      "five connections")
    for options in held:
        assert_planned(lab, options, POLICY)
    assert program.poll() is None


def connections(netns):
    """The options of every connection that a process in the namespace holds."""
    found = []
    for pid in check(["ip", "netns", "pids", netns.name]).split():
        try:
            found += [stolen.options_of(sock) for sock in stolen.tcp_sockets(int(pid))]
        except OSError:
            pass
    return found


# -- Dead peers

@BOTH
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in flight"])
def test_a_dead_peer_is_found_within_the_goal(lab, mechanism, busy):
    near, far = ends(lab.pair(), under(mechanism, "--dead-within", "8s"))
    heard = lab.exchange(near, far)
    lab.server.cut()
    if busy:
        near.send(text="x")
    fixed = 0.5 if busy and mechanism == "preload" else 0  # from the first retransmission on
    assert near.death("ETIMEDOUT", timeout=12) - heard <= 8 + fixed + POLLING


def test_ebpf_leaves_no_user_timeout_standing(lab):
    near, far = ends(lab.pair(), under("bpf", "--dead-within", "10s"))
    lab.exchange(near, far)
    lab.server.cut()
    near.send(text="x")
    wait_until(lambda: near.options()["user_timeout_ms"], 3, "it is armed")
    lab.server.heal()
    far.hears("x", timeout=10)
    wait_until(lambda: not near.options()["user_timeout_ms"], 3, "it is taken back")


def test_an_inherited_connection_with_data_in_flight_is_found_dead_within_the_goal(lab):
    outside, far = ends(lab.pair(), ())
    outside.peer.call("spawn", id=outside.id, prefix=list(under("bpf", "--dead-within", "12s")))
    wait_until(lambda: outside.options()["keepalive"], 3, "it is protected")
    heard = lab.exchange(outside, far)
    lab.server.cut()
    outside.send(text="x")
    assert outside.death("ETIMEDOUT", timeout=16) - heard <= 12 + POLLING


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


@only_once
def test_the_cgroup_is_gone_at_the_end(lab):
    marker = f"{SESSION}-{lab.number}-gone"
    program = lab.popen([*under("bpf"), "sh", "-c", "sleep 1", marker])
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup_of(program.pid)
    assert path.endswith(f"holdfast-run-{program.pid}")
    assert program.wait(5) == 0
    ended(lab, marker, path)


def test_descendants_that_outlive_the_command_stay_protected(lab):
    where = listening(lab.pair())
    marker = f"{SESSION}-{lab.number}-outlive"
    program = lab.popen([*under("bpf"), "sh", "-c", "(sleep 2; exec \"$@\") & echo $!", marker,
                         *static(lab, *where)], lab.client, stdout=subprocess.PIPE)
    child = int(program.stdout.readline())
    path = cgroup_of(child)
    assert program.wait(1) == 0, "the command itself has ended"
    wait_until(lambda: stolen.connected(child), 5, "the child has its connection")
    assert_planned(lab, stolen.options(child), POLICY)
    os.kill(child, signal.SIGKILL)
    ended(lab, marker, path)


@only_once
def test_what_a_killed_keeper_left_behind_goes_with_the_next_run(lab):
    marker = f"{SESSION}-{lab.number}-killed"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    keeper = wait_until(lambda: keeper_of(marker), 5, "the keeper")
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup2() + cgroup_of(program.pid)
    os.kill(keeper, signal.SIGKILL)
    lab.run("run", "--quiet", "--", "true")
    assert os.path.exists(path), "somebody lives in it"
    program.stdin.close()
    program.wait(5)
    assert os.path.exists(path)
    lab.run("run", "--quiet", "--", "true")
    assert not os.path.exists(path)


@only_once
def test_cgroups_that_a_program_makes_are_its_own_until_it_has_ended(lab):
    marker = f"{SESSION}-{lab.number}-own"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    wait_until(lambda: "holdfast-run-" in cgroup_of(program.pid), 5, "it is in its cgroup")
    path = cgroup_of(program.pid)
    os.makedirs(cgroup2() + path + "/one/two")
    lab.run("run", "--quiet", "--", "true")
    assert os.path.exists(cgroup2() + path + "/one/two"), "empty, but the program's"
    program.stdin.close()
    program.wait(5)
    ended(lab, marker, path)


def test_in_a_delegated_cgroup_without_root(lab):
    where = listening(lab.pair())
    group = os.path.join(cgroup2(), f"{SESSION}-{lab.number}")
    os.mkdir(group)
    for name in ("", "cgroup.procs"):
        os.chown(os.path.join(group, name), 65534, 65534)
    program = started(lab, lab.client, "sh", "-c", f"echo $$ >{group}/cgroup.procs && exec \"$@\"",
                      "sh", *USER, *CAPABLE, *under("bpf", *POLICY, "--backend=bpf"),
                      *static(lab, *where))
    assert cgroup_of(program.pid).startswith(f"/{SESSION}-{lab.number}/holdfast-run-")
    assert_planned(lab, stolen.options(program.pid), POLICY)
    program.kill()
    wait_until(lambda: removed(group), 5, "nothing is left in it")


def removed(path):
    try:
        os.rmdir(path)
    except OSError:
        pass
    return not os.path.exists(path)


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
