# SPDX-License-Identifier: GPL-2.0-or-later
"""Which connections are watched: all that the filter names, however they came to be."""
import os
import pathlib
import signal
import time

import pytest

from lab import SESSION, Watch, wait_until
from runs import cgroup2, cgroup_of

pytestmark = pytest.mark.both_backends  # save those marked bpf_only
POLICY = ("--dead-within", "20s")
only_ipv4 = pytest.mark.parametrize("family", [4], indirect=True)


def settings(options):
    return options["keepalive"], options["idle"], options["interval"], options["count"]


def assert_planned(lab, options, policy=POLICY):
    """The kernel has the settings that plan prints, idle shortened by a tenth at most."""
    plan = lab.plan(*policy)
    keepalive, idle, interval, count = settings(options)
    assert (keepalive, interval, count) == (1, plan["interval"], plan["count"]), options
    assert plan["idle"] * 0.9 - 1 <= idle <= plan["idle"], options


def assert_untouched(options):
    assert settings(options) == (0, 7200, 75, 9)


def soon_planned(lab, sock):
    """Within the second that a pass may take."""
    wait_until(lambda: sock.options()["keepalive"], 1.5, "keepalive is on")
    assert_planned(lab, sock.options())


def test_connections_open_before_the_watch_starts(lab):
    near, _ = lab.pair().connect()
    lab.watch(*POLICY)
    assert_planned(lab, near.options())
    assert lab.one(near)["rule"] == lab.shown("watch")


def test_connections_opened_while_watching_are_set_at_once(lab):
    lab.pair().watch(*POLICY)
    near, _ = lab.connect()
    lab.one_pass()
    assert_planned(lab, near.options())
    assert lab.one(near)["rule"] == lab.shown("watch")


def test_accepted_connections(lab):
    _, before = lab.pair().connect()
    lab.watch(*POLICY, netns=lab.server)
    _, after = lab.connect()
    lab.one_pass()
    assert_planned(lab, before.options())
    assert_planned(lab, after.options())


def test_the_other_end_in_another_namespace_is_left_alone(lab):
    lab.pair().watch(*POLICY)
    _, far = lab.connect()
    lab.one_pass()
    assert_untouched(far.options())


def test_listeners_are_left_alone(lab):
    lab.pair().connect()
    lab.watch(*POLICY, netns=lab.server)
    _, server, listener, _ = lab.default
    assert_untouched(server.call("options", id=listener))


@only_ipv4
def test_v4_mapped_connections_connected_and_accepted_before_and_after(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen("::")
    mapped = "::ffff:" + lab.server.address
    ends = [client.connect(mapped, port), server.accept(listener)]
    lab.watch(*POLICY, "--local", prefix_of(lab), netns="all")
    ends += [client.connect(mapped, port), server.accept(listener)]
    lab.one_pass()
    for sock in ends:
        assert_planned(lab, sock.options())
    row = lab.one(ends[0])
    assert row["family"] == "ipv6"
    assert row["remote"] == f"[::ffff:{lab.server.address}]:{port}"


def test_a_filter_by_prefix_hits_only_what_it_names(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    first, second = (server.listen(lab.server.address)[1] for _ in range(2))
    brackets = f"[{lab.server.address}]" if lab.family == 6 else lab.server.address
    lab.watch(*POLICY, "--remote", f"{brackets}:{first}")
    named, other = (client.connect(lab.server.address, port) for port in (first, second))
    lab.one_pass()
    assert_planned(lab, named.options())
    assert_untouched(other.options())


def test_a_filter_by_process_settles_within_a_second(lab):
    lab.pair()
    server, named, other = lab.peer(lab.server), lab.peer(lab.client), lab.peer(lab.client)
    _, port = server.listen(lab.server.address)
    named.call("rename", hex=b"pgbouncer".hex())
    before = named.connect(lab.server.address, port)
    lab.watch(*POLICY, "--process", "pgbouncer")
    assert_planned(lab, before.options())
    others = other.connect(lab.server.address, port)
    soon_planned(lab, named.connect(lab.server.address, port))
    assert_untouched(others.options())


def test_a_filter_by_process_knows_a_name_taken_after_the_socket_was_made(lab):
    lab.pair()
    server, client, first = lab.peer(lab.server), lab.peer(lab.client), lab.peer(lab.client)
    _, port = server.listen(lab.server.address)
    first.call("rename", hex=b"late-name".hex())
    lab.watch(*POLICY, "--process", "late-name")
    sock = client.connect(lab.server.address, port)
    assert_untouched(sock.options())
    client.call("rename", hex=b"late-name".hex())
    soon_planned(lab, sock)


def test_a_connection_handed_to_another_process_is_its_holders(lab):
    lab.pair()
    server, maker, holder = lab.peer(lab.server), lab.peer(lab.client), lab.peer(lab.client)
    _, port = server.listen(lab.server.address)
    holder.call("rename", hex=b"the-holder".hex())
    path = os.path.join(lab.directory, "channel")
    channel = holder.call("take_listen", path=path)
    lab.watch(*POLICY, "--process", "the-holder")
    sock = maker.connect(lab.server.address, port)
    local = sock.local
    assert_untouched(sock.options())
    sock.give(path=path)
    taken = holder.call("take", id=channel)
    wait_until(lambda: holder.call("options", id=taken)["keepalive"], 1.5, "the holder's is set")
    row = [row for row in lab.list() if row["local"] == local][0]
    assert (row["pid"], row["process"]) == (holder.pid, "the-holder")


def test_connections_in_a_child_cgroup(lab):
    name = f"{SESSION}-{lab.number}"
    child = pathlib.Path(cgroup2(), name)
    child.mkdir()
    lab.stack.callback(lambda: wait_until(lambda: gone(child), 5, "the cgroup is empty"))
    lab.stack.callback(lab.end_processes)
    lab.pair()
    server, inside, outside = lab.peer(lab.server), lab.peer(lab.client), lab.peer(lab.client)
    pathlib.Path(child, "cgroup.procs").write_text(str(inside.pid))
    _, port = server.listen(lab.server.address)
    before = inside.connect(lab.server.address, port)
    lab.watch(*POLICY, "--cgroup", f"/{name[:-1]}*")
    after = inside.connect(lab.server.address, port)
    lab.one_pass()
    for sock in (before, after):
        assert_planned(lab, sock.options())
        assert lab.one(sock)["cgroup"] == f"/{name}"
    assert_untouched(outside.connect(lab.server.address, port).options())
    assert {row["local"] for row in lab.list("--cgroup", f"/{name}")} == {before.local, after.local}


@pytest.mark.alone
@pytest.mark.bpf_only
def test_cgroups_that_come_and_go_leave_room_for_others(lab):
    """More than are remembered at a time, but not at one time."""
    name = f"{SESSION}-{lab.number}"
    lab.pair().watch(*POLICY, "--cgroup", f"/{name}*")
    server, inside = lab.peer(lab.server), lab.peer(lab.client)
    _, port = server.listen(lab.server.address)
    home = pathlib.Path(cgroup2() + cgroup_of(inside.pid))
    several = [pathlib.Path(cgroup2(), f"{name}-{number}") for number in range(8000)]
    lab.stack.callback(lambda: [gone(cgroup) for cgroup in several])
    lab.stack.callback(lab.end_processes)
    for _ in range(3):
        for cgroup in several:
            cgroup.mkdir()
        (several[-1] / "cgroup.procs").write_text(str(inside.pid))
        near = inside.connect(lab.server.address, port)
        wait_until(lambda: near.options()["keepalive"], 5, "a pass knows the new cgroup")
        (home / "cgroup.procs").write_text(str(inside.pid))
        for cgroup in several:
            cgroup.rmdir()


def gone(cgroup):
    try:
        cgroup.rmdir()
    except OSError:
        return not cgroup.exists()
    return True


def prefix_of(lab):
    """The network that the link of a pair is."""
    if lab.family == 4:
        return lab.client.address.rpartition(".")[0] + ".0/24"
    return lab.client.address.partition("::")[0] + "::/64"


def within(lab, host, peer=None):
    """A connection in a namespace that nothing holds but its two sockets."""
    nowhere = lab.namespace("gone")
    peer = peer or lab.peer(lab.client)
    near, _ = peer.call("within", netns=nowhere.path, host=host)
    inode = nowhere.inode
    nowhere.delete()
    return peer, near, inode


def loopback(lab):
    return "127.0.0.1" if lab.family == 4 else "::1"


@pytest.mark.parametrize("filters", ["--pid {pid}", ""], ids=["pid", "all"])
def test_list_shows_a_namespace_held_by_nothing_but_a_socket(lab, filters):
    peer, near, inode = within(lab.pair(), loopback(lab))
    local = peer.call("names", id=near)["local"]
    rows = lab.json("list", "--netns", "all", *filters.format(pid=peer.pid).split())
    assert [row["pid"] for row in rows if (row["netns"], row["local"]) == (inode, local)] == [
        peer.pid]


def test_watch_of_all_namespaces_sets_one_held_by_nothing_but_a_socket(lab):
    peer, near, _ = within(lab.pair(), loopback(lab))
    port = peer.call("names", id=near)["local"].rpartition(":")[2]
    lab.watch(*POLICY, "--local", f":{port}", "--pid", str(peer.pid), netns="all")
    assert_planned(lab, peer.call("options", id=near))


def test_a_namespace_held_by_nothing_but_a_later_socket_is_visited_too(lab):
    """By sock_diag it is looked for twice a minute. eBPF steers the socket anyhow; that its values
    are given back takes a pass that found it."""
    peer = lab.pair().peer(lab.client)
    watch = lab.watch(*POLICY, "--restore", "--pid", str(peer.pid), netns="all")
    _, near, _ = within(lab, loopback(lab), peer)
    wait_until(lambda: peer.call("options", id=near)["keepalive"], 20 * lab.late, "it is found")
    assert_planned(lab, peer.call("options", id=near))
    time.sleep(2.5)  # a tick, and a pass
    assert watch.stop() == 0
    assert not peer.call("options", id=near)["keepalive"]


def test_watch_of_all_namespaces_sets_other_namespaces(lab):
    lab.pair()
    before = lab.connect()
    lab.watch(*POLICY, "--remote", prefix_of(lab), netns="all")
    after = lab.connect()
    for sock in (*before, *after):
        wait_until(lambda sock=sock: sock.options()["keepalive"], 5 * lab.late, "it is under the rule")
        assert_planned(lab, sock.options())


def test_started_by_ip_netns_exec_it_watches_that_namespace(lab):
    lab.pair()
    prefix = ("ip", "netns", "exec", lab.client.name)
    before, _ = lab.connect()
    watch = Watch(lab, *POLICY, prefix=prefix)
    after, far = lab.connect()
    lab.one_pass()
    assert_planned(lab, before.options())
    assert_planned(lab, after.options())
    assert_untouched(far.options())
    rows = lab.json("list", prefix=prefix)
    assert {row["local"] for row in rows} == {before.local, after.local}
    assert {row["rule"] for row in rows} == {lab.shown("watch")}
    assert watch.stop() == 0


def test_the_default_is_the_callers_own_namespace(lab):
    near, far = lab.pair().connect()
    rows = lab.json("list", prefix=("nsenter", f"--net={lab.server.path}"))
    assert [row["local"] for row in rows] == [far.local]
    assert near.local not in {row["local"] for row in lab.json("list")}


def test_after_the_watch_new_connections_are_left_alone(lab):
    watch = lab.pair().watch(*POLICY)
    assert watch.stop(signal.SIGTERM) == 0
    near, _ = lab.connect()
    assert_untouched(near.options())


def test_a_connection_that_is_closing_is_watched_while_its_program_holds_it(lab):
    near, far = lab.pair().connect()
    far.close()
    lab.watch(*POLICY)
    assert lab.one(near)["state"] == "CLOSE_WAIT"
    assert_planned(lab, near.options())
