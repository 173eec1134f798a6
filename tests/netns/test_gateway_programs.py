# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that speak through a gateway: its probes do not touch them, its RST ends them."""
import time

from crossing import GOAL, LATE, Secure, certificate, established, gateway, socks, statistics
from lab import wait_until
from test_gateway import BOTH, cross
from test_programs import PORT, postgres, redis, sshd, started

LONG = 10  # s: some dialogues, with either end
LOST = b"server closed the connection unexpectedly"  # so libpq speaks of a reset


def says(program, text, answer):
    program.stdin.write(text)
    program.stdin.flush()
    assert program.stdout.readline() == answer


def ends_in_time(lab, watching, program):
    """After a power cut at the far end, by the gateway's RST."""
    lab.server.cut()
    program.wait(GOAL + LATE)
    assert watching.wait("dead")["action"] == "originator reset, entry freed"


@BOTH
def test_an_idle_ssh_session(lab, strict):
    cross(lab, strict=strict)
    program = started(lab, lab.client, "ssh", *sshd(lab), "-o", "TCPKeepAlive=no",
                      f"root@{lab.server.address}", "cat")
    says(program, b"hello\n", b"hello\n")
    watching = gateway(lab)
    time.sleep(LONG)
    says(program, b"still there?\n", b"still there?\n")
    time.sleep(GOAL / 2)
    assert not watching.seen()
    ends_in_time(lab, watching, program)
    assert program.returncode == 255
    assert statistics(watching)["alive"] >= 6


def test_a_redis_subscriber(lab):
    """The server's own keepalive, after 300 s, is not what ends it."""
    cross(lab)
    redis(lab)
    watching = gateway(lab)
    there = ("-h", lab.server.address, "-p", str(PORT))
    program = started(lab, lab.client, "redis-cli", *there, "SUBSCRIBE", "news")
    time.sleep(LONG)
    lab.server.run("redis-cli", *there, "PUBLISH", "news", "alive and well")
    wait_until(lambda: b"alive and well" in program.stdout.readline(), 2, "the message")
    assert not watching.seen()
    ends_in_time(lab, watching, program)
    assert statistics(watching)["alive"] >= 4


def test_psql_idle_and_in_a_query(lab):
    cross(lab)
    postgres(lab)
    watching = gateway(lab)
    psql = ("psql", "-XAtq", "-h", lab.server.address, "-p", str(PORT), "-U", "tester", "postgres")
    idle = started(lab, lab.client, *psql)
    says(idle, b"select 6*7;\n", b"42\n")
    busy = started(lab, lab.client, *psql, "-c", f"select pg_sleep({LONG}), 'slept'",
                   "-c", "select pg_sleep(60)")
    assert busy.stdout.readline() == b"|slept\n"
    says(idle, b"select 7*8;\n", b"56\n")
    assert not watching.seen()
    cut = lab.server.cut()
    busy.wait(GOAL + LATE)
    assert LOST in busy.stdout.read()
    wait_until(lambda: not established_sockets(lab.client), cut + GOAL + LATE - time.monotonic(),
               "the idle one's socket is reset, too")
    assert LOST in idle.communicate(b"select 1;\n", timeout=2)[0]
    assert statistics(watching)["alive"] >= 8


def established_sockets(netns):
    return netns.run("ss", "-tnH", "state", "established")


def test_tls_through_a_thousand_probes(lab):
    """Every one of them would fail at a single octet that is not its own."""
    cross(lab)
    client, server = Secure(lab, lab.client), Secure(lab, lab.server)
    ids = established(lab, client, server, 150)
    client.start("secure", ids=ids[0], certificate=certificate(lab), server=False)
    server.call("secure", ids=ids[1], certificate=f"{lab.directory}/certificate", server=True)
    client.answer(15)
    pairs = list(zip(socks(client, ids[0]), socks(server, ids[1])))
    watching = gateway(lab, "--dead-within", "6s", "--on-dead", "reset", "--brake", "off")
    time.sleep(1.8 * LONG)
    for near, far in pairs:
        lab.exchange(near, far)
    assert not watching.seen()
    died = lab.server.cut()
    told = client.call("errors", ids=ids[0], timeout=6 + LATE)
    assert [error["errno"] for error in told] == ["ECONNRESET"] * len(pairs)
    assert max(error["at"] for error in told) < died + 6 + LATE
    told = statistics(watching)
    assert told["alive"] >= 1000 and told["reset"] == len(pairs)
