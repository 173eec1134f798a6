# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs as they come: static ones, ssh, Redis, PostgreSQL. None of them is changed."""
import errno
import os
import pathlib
import pwd
import re
import shutil
import subprocess

import pytest

import stolen
from lab import POLLING, check, wait_until
from test_coverage import assert_planned

GOAL = 8
POLICY = ("--dead-within", f"{GOAL}s")
PORT = 7300


def started(lab, netns, *argv, **options):
    """A program with one connection, once it has it."""
    process = lab.popen(argv, netns, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, **options)
    wait_until(lambda: stolen.connected(process.pid), 10, f"{argv[0]} has its connection")
    return process


def answers(lab, netns, port):
    """Something in the namespace accepts connections at the port."""
    wait_until(lambda: f":{port} " in netns.run("ss", "-tlnH"), 20, f"a listener at port {port}")


def assert_watched(lab, process):
    wait_until(lambda: stolen.options(process.pid)["keepalive"], 1.5, "keepalive is on")
    assert_planned(lab, stolen.options(process.pid), POLICY)
    row = [row for row in lab.list() if row["pid"] == process.pid]
    assert [(one["rule"], one["audit"]) for one in row] == [("watch", "protected")]


def assert_ends_in_time(lab, process):
    """After a power cut the program ends by itself; what it said."""
    lab.server.cut()
    out, _ = process.communicate(timeout=GOAL + POLLING)
    return out.decode()


def test_a_static_binary(lab):
    lab.pair().watch(*POLICY)
    lab.peer(lab.server).listen(lab.server.address, PORT)
    program = started(lab, lab.client, lab.helpers(), "hold", lab.server.address, str(PORT))
    assert_watched(lab, program)
    assert int(assert_ends_in_time(lab, program)) == errno.ETIMEDOUT


def sshd(lab):
    """A private sshd in the server's namespace; the options with which ssh gets in."""
    home = pathlib.Path(lab.directory)
    for key in ("host", "user"):
        check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)])
    shutil.copy(home / "user.pub", home / "authorized")
    home.joinpath("sshd").write_text(
        f"Port {PORT}\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized\nUsePAM no\n"
        f"StrictModes no\nPidFile none\nPermitRootLogin yes\nTCPKeepAlive no\n"
        f"SetEnv HOME={home}\n", encoding="utf-8")  # where no shell start-up file prints
    lab.popen(["unshare", "--mount", "sh", "-c",
               "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && "
               f"exec /usr/sbin/sshd -D -f {home}/sshd"], lab.server)
    answers(lab, lab.server, PORT)
    return ("-F", "none", "-i", str(home / "user"), "-p", str(PORT), "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={home}/known",
            "-o", "LogLevel=ERROR")


@pytest.mark.parametrize("own", ["yes", "no"], ids=["its own keepalive", "none of its own"])
def test_ssh(lab, own):
    lab.pair().watch(*POLICY)
    options = sshd(lab)
    program = started(lab, lab.client, "ssh", *options, "-o", f"TCPKeepAlive={own}",
                      f"root@{lab.server.address}", "cat")
    program.stdin.write(b"hello\n")
    program.stdin.flush()
    assert program.stdout.readline() == b"hello\n"
    assert_watched(lab, program)
    assert_ends_in_time(lab, program)
    assert program.returncode == 255


def redis(lab):
    server = lab.popen(["redis-server", "--port", str(PORT), "--bind", lab.server.address,
                        "--save", "", "--dir", lab.directory, "--protected-mode", "no"], lab.server,
                       stdout=subprocess.DEVNULL)
    answers(lab, lab.server, PORT)
    return server


def test_redis_cli(lab):
    lab.pair().watch(*POLICY)
    redis(lab)
    program = started(lab, lab.client, "redis-cli", "-h", lab.server.address, "-p", str(PORT),
                      "SUBSCRIBE", "news")
    assert_watched(lab, program)
    assert_ends_in_time(lab, program)


def test_redis_server_that_sets_300_s_after_accept_is_clamped(lab):
    lab.pair().watch(*POLICY, netns=lab.server)
    server = redis(lab)
    started(lab, lab.client, "redis-cli", "-h", lab.server.address, "-p", str(PORT),
            "SUBSCRIBE", "news")
    wait_until(lambda: stolen.connected(server.pid), 2, "it has accepted")
    got = stolen.options(server.pid)
    assert got["keepalive"] == 1
    assert 1.125 * (got["idle"] + got["interval"] * got["count"]) <= GOAL


def test_redis_server_sets_300_s_by_itself(lab):
    """The control of the one above."""
    lab.pair()
    server = redis(lab)
    started(lab, lab.client, "redis-cli", "-h", lab.server.address, "-p", str(PORT),
            "SUBSCRIBE", "news")
    wait_until(lambda: stolen.connected(server.pid), 2, "it has accepted")
    assert stolen.options(server.pid)["idle"] == 300


def postgres(lab):
    """A private cluster, owned by nobody."""
    nobody = pwd.getpwnam("nobody")
    data = os.path.join(lab.directory, "data")
    os.mkdir(data)
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    check([*user, str(binaries / "initdb"), "-D", data, "-U", "tester", "-A", "trust",
           "--no-sync", "--locale=C"], cwd="/")
    with open(os.path.join(data, "pg_hba.conf"), "a", encoding="utf-8") as file:
        file.write("host all all all trust\n")
    lab.popen([*user, str(binaries / "postgres"), "-D", data, "-p", str(PORT), "-c",
               f"listen_addresses={lab.server.address}", "-c", "unix_socket_directories=",
               "-c", "fsync=off", "-c", "shared_buffers=1MB"], lab.server, cwd="/",
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    answers(lab, lab.server, PORT)


def test_psql(lab):
    lab.pair().watch(*POLICY)
    postgres(lab)
    program = started(lab, lab.client, "psql", "-X", "-h", lab.server.address, "-p", str(PORT),
                      "-U", "tester", "-c", "select pg_sleep(60)", "postgres")
    assert_watched(lab, program)
    assert re.search("timed out", assert_ends_in_time(lab, program))
    assert program.returncode != 0


def test_python(lab):
    lab.pair().watch(*POLICY)
    near, far = lab.connect()
    lab.exchange(near, far)
    assert_planned(lab, near.options(), POLICY)
    cut = lab.server.cut()
    assert near.death("ETIMEDOUT", timeout=GOAL + 1) - cut <= GOAL + POLLING
