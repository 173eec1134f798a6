# SPDX-License-Identifier: GPL-2.0-or-later
"""list, audit and apply against what the kernel itself says of the sockets."""
import json
import os
import pathlib
import subprocess
import time

import pytest

from lab import POLLING, wait_until

pytestmark = pytest.mark.both_backends  # save those marked bpf_only
FIELDS = ("family state local remote netns pid process uid cgroup cookie keepalive idle interval "
          "count user_timeout_ms silent_s next_probe_s unanswered in_flight rtt_ms bound_idle_s "
          "bound_in_flight_s audit rule").split()


def process_name(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").rstrip("\n")


def cgroup_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    return [line[3:] for line in lines if line.startswith("0::")][0]


def test_every_field_is_what_the_kernel_says(lab):
    near, far = lab.pair().connect(keepalive=1, idle=40, interval=7, count=4)
    before = time.monotonic()
    heard = lab.exchange(near, far)
    time.sleep(1.2)
    row, now, info = lab.one(near), time.monotonic(), near.info()
    assert list(row) == FIELDS
    assert {key: row[key] for key in FIELDS[:15]} == {
        "family": f"ipv{lab.family}", "state": "ESTABLISHED",
        "local": near.local, "remote": near.remote, "netns": lab.client.inode,
        "pid": near.peer.pid, "process": process_name(near.peer.pid), "uid": 0,
        "cgroup": cgroup_of(near.peer.pid), "cookie": near.cookie,
        "keepalive": True, "idle": 40, "interval": 7, "count": 4, "user_timeout_ms": 0,
    }
    assert row["unanswered"] == info["unanswered"] == 0
    assert row["in_flight"] == info["in_flight"] == 0
    assert abs(row["rtt_ms"] - info["rtt_us"] / 1000) < 0.01
    assert now - heard - 1 <= row["silent_s"] <= now - before + 0.01
    assert row["next_probe_s"] == pytest.approx(40 - row["silent_s"], abs=40 * 0.125 + POLLING)
    assert row["bound_idle_s"] == pytest.approx(1.125 * (40 + 7 * 4))
    assert row["bound_in_flight_s"] > 900
    assert row["audit"] == "slow"  # 76.5 s of silence is in time, 15 minutes in flight are not
    assert row["rule"] is None


def test_a_plain_connection_is_unprotected_and_without_bound(lab):
    near, _ = lab.pair().connect()
    row = lab.one(near)
    assert (row["keepalive"], row["next_probe_s"], row["bound_idle_s"]) == (False, None, None)
    assert (row["idle"], row["interval"], row["count"]) == (7200, 75, 9)
    assert row["audit"] == "unprotected"


def test_settings_of_sysctl_defaults_are_resolved(lab):
    lab.pair().client.sysctl(ipv4__tcp_keepalive_time=55, ipv4__tcp_keepalive_intvl=6,
                             ipv4__tcp_keepalive_probes=7)
    near, _ = lab.connect(keepalive=1)
    row, got = lab.one(near), near.options()
    assert (row["idle"], row["interval"], row["count"]) == (55, 6, 7)
    assert (got["idle"], got["interval"], got["count"]) == (55, 6, 7)


def test_data_in_flight_is_counted(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.server.cut()
    near.send(text="x")
    row = lab.one(near)
    assert row["in_flight"] == near.info()["in_flight"] == 1


def test_states_are_named_as_ss_names_them(lab):
    near, far = lab.pair().connect()
    far.shutdown()
    time.sleep(0.1)
    assert lab.one(near)["state"] == "CLOSE_WAIT"
    assert lab.one(far, netns=lab.server)["state"] == "FIN_WAIT2"
    assert lab.list("--state", "ESTABLISHED") == []
    assert len(lab.list("--state", "CLOSE_WAIT")) == 1


@pytest.mark.bpf_only
def test_without_arguments_it_is_list(lab):
    near, _ = lab.pair().connect()
    inside = ("nsenter", f"--net={lab.client.path}")
    assert near.local in lab.run(prefix=inside).stdout.decode()


def test_columns_are_the_ones_asked_for(lab):
    near, _ = lab.pair().connect()
    assert lab.list("--columns", "remote,idle,audit") == [
        {"remote": near.remote, "idle": 7200, "audit": "unprotected"}]


def test_a_socket_with_two_holders_is_the_lowest_pids(lab):
    lab.pair()
    near, _ = lab.connect()
    other = lab.peer(lab.client)
    path = os.path.join(lab.directory, "channel")
    channel = other.call("take_listen", path=path)
    copy = near.peer.call("twin", id=near.id)
    near.peer.call("give", id=copy, path=path)
    other.call("take", id=channel)
    assert lab.one(near)["pid"] == min(near.peer.pid, other.pid)


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_a_user_is_the_sockets_own_whoever_holds_it(lab):
    """Nobody holds an orphan, and no process what is on its way to one."""
    server, user, taker = (lab.peer(lab.pair().server), lab.peer(lab.client, NOBODY),
                           lab.peer(lab.client))
    _, port = server.listen(lab.server.address)
    orphan, sent = (user.connect(lab.server.address, port) for _ in range(2))
    path = os.path.join(lab.directory, "channel")
    taker.call("take_listen", path=path)
    os.chmod(path, 0o777)
    user.call("give", id=sent.id, path=path)
    lab.server.cut()
    orphan.send(text="x")
    orphan.close()
    rows = lab.list("--user", "65534")
    assert {row["local"]: (row["state"], row["pid"]) for row in rows} == {
        orphan.local: ("FIN_WAIT1", None), sent.local: ("ESTABLISHED", None)}
    assert lab.list("--user", "root") == []


@pytest.mark.bpf_only
def test_a_user_is_who_accepts_a_connection_and_not_whose_listener_it_is(lab):
    roots, user, client = (lab.peer(lab.pair().server), lab.peer(lab.server, NOBODY),
                           lab.peer(lab.client))
    listener, port = roots.listen(lab.server.address)
    path = os.path.join(lab.directory, "channel")
    os.chmod(lab.directory, 0o777)
    channel = user.call("take_listen", path=path)
    roots.call("give", id=listener, path=path)
    watch = lab.watch("--user", "root", netns=lab.server)
    listener = user.call("take", id=channel)
    client.connect(lab.server.address, port)
    far = user.accept(listener)
    row, = lab.list("--user", "65534", netns=lab.server)
    assert row["local"] == far.local
    time.sleep(POLLING)
    assert not watch.seen("protected")


def test_what_never_heard_anything_is_not_silent_and_a_listener_has_no_bounds(lab):
    server, client = lab.peer(lab.pair().server), lab.peer(lab.client)
    _, port = server.listen(lab.server.address)
    lab.server.cut()
    client.start("connect", host=lab.server.address, port=port, options={"keepalive": 1})
    connecting, = wait_until(lab.list, 2, "it connects")
    listening, = lab.list("--state", "listening", netns=lab.server)
    assert (connecting["state"], connecting["silent_s"]) == ("SYN_SENT", None)
    assert (listening["state"], listening["silent_s"]) == ("LISTEN", None)
    assert listening["bound_idle_s"] is listening["bound_in_flight_s"] is None


FILTERS = [
    "-4", "-6", "--pid {pid}", "--user root", "--user 0", "--process python3",
    "--remote {network}", "--remote :{port}", "--remote {server}", "--local {client}",
    "--remote {bracketed}:{port}", "--local :1-65535", "--local :1", "--state ESTABLISHED",
    "--state CLOSE_WAIT", "--cgroup /**", "--cgroup /nowhere", "--audit protected",
    "--audit unprotected", "--audit slow", "--pid {pid} --remote :{port}",
]


def many(lab):
    """Connections of two programs to two ports, protected and not; what the filters name."""
    lab.pair()
    server, first, second = lab.peer(lab.server), lab.peer(lab.client), lab.peer(lab.client)
    sockets = []
    for port in (7001, 7002):
        server.listen(lab.server.address, port)
        sockets += [first.connect(lab.server.address, port),
                    second.connect(lab.server.address, port),
                    second.connect(lab.server.address, port, keepalive=1),
                    first.connect(lab.server.address, port, keepalive=1, idle=10, interval=1,
                                  count=5, user_timeout_ms=15000)]
    v6 = lab.family == 6
    network = lab.server.address.partition("::")[0] + "::/64" if v6 else \
        lab.server.address.rpartition(".")[0] + ".0/24"
    return sockets, {"pid": first.pid, "port": 7002, "network": network,
                     "server": lab.server.address, "client": lab.client.address,
                     "bracketed": f"[{lab.server.address}]" if v6 else lab.server.address}


def test_apply_hits_exactly_what_list_with_the_same_filter_shows(lab):
    sockets, names = many(lab)
    sizes = set()
    for number, text in enumerate(FILTERS):
        # The interval tells which apply has set a socket.
        words = [*text.format(**names).split(), "--idle", "9", "--interval", str(20 + number),
                 "--count", "5", "--override"]
        shown = {row["cookie"] for row in lab.list(*words)}
        lab.apply(*words)
        hit = {sock.cookie for sock in sockets if sock.options()["interval"] == 20 + number}
        assert hit == shown, text
        sizes.add(len(shown))
    assert {0, 2, len(sockets)} <= sizes


def test_filters_name_what_they_say(lab):
    sockets, names = many(lab)
    expected = {
        "-4": 8 if lab.family == 4 else 0, "-6": 8 if lab.family == 6 else 0,
        "--pid {pid}": 4, "--remote :{port}": 4, "--remote {network}": 8, "--local {network}": 8,
        "--pid {pid} --remote :{port}": 2, "--local :7001-7002": 0, "--remote :7001-7002": 8,
        "--audit protected": 2, "--audit slow": 2, "--audit unprotected": 4,
    }
    for text, count in expected.items():
        assert len(lab.list(*text.format(**names).split())) == count, text
    assert len(sockets) == 8


def test_the_policy_judges(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=10, interval=2, count=5,
                                 user_timeout_ms=20000)
    assert lab.one(near)["audit"] == "protected"
    assert lab.one(near, "--dead-within", "10s")["audit"] == "slow"
    assert lab.one(near, "--keep-open", "8s")["audit"] == "unprotected"


@pytest.mark.bpf_only
def test_the_rule_judges_where_no_policy_is_given(lab):
    near, _ = lab.pair().connect()
    lab.watch("--dead-within", "10s")
    row = lab.one(near)
    assert (row["audit"], row["rule"]) == ("protected", "watch")
    assert row["bound_idle_s"] <= 10
    assert row["bound_in_flight_s"] <= 10.5
    assert lab.one(near, "--dead-within", "5s")["audit"] == "slow"


def test_audit_counts_and_its_exit_status_tells(lab):
    lab.pair().connect()
    inside = ("audit", "--netns", lab.client.name)
    text = lab.run(*inside, exit=1).stdout.decode()
    assert "UNPROTECTED" in text and "python3" in text
    for line in lab.run(*inside, "--json", exit=1).stdout.decode().splitlines():
        json.loads(line)
    lab.watch()
    lab.run(*inside, exit=0)


def test_matching_nothing_is_no_error(lab):
    lab.pair()
    assert lab.list() == []
    lab.run("list", "--netns", lab.client.name)
    lab.run("audit", "--netns", lab.client.name)
    lab.apply()


def test_the_table_is_aligned(lab):
    lab.pair()
    for _ in range(3):
        lab.connect()
    lines = lab.run("list", "--netns", lab.client.name).stdout.decode().splitlines()
    assert not any("\033" in line for line in lines)
    rows = [line for line in lines if lab.server.address in line]
    assert len(rows) == 3
    assert len({line.index(lab.server.address) for line in rows}) == 1


def cgroup2():
    """Where it is mounted first, and by which options."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        fields = next(line.split() for line in mounts if line.split()[2] == "cgroup2")
    return fields[1], fields[3]


@pytest.mark.bpf_only
@pytest.mark.alone
def test_paths_of_cgroups_cost_the_host_none_of_its_mount_options(lab):
    """The kernel keeps one set of them, and takes it from the newest mount."""
    where, before = cgroup2()
    remount = ["mount", "--options-mode", "ignore", where, "-o"]
    subprocess.run([*remount, f"remount,{before},nsdelegate"], check=True, timeout=10)
    try:
        near, _ = lab.pair().connect()
        assert lab.one(near)["cgroup"] == cgroup_of(near.peer.pid)
        assert "nsdelegate" in cgroup2()[1].split(",")
    finally:
        subprocess.run([*remount, f"remount,{before}"], check=True, timeout=10)


@pytest.mark.bpf_only
def test_passes_are_loaded_the_quick_way(lab):
    """Else HOLDFAST_DEBUG tells why not; libbpf would do, but take several times as long."""
    near, _ = lab.pair().connect()
    for command in (["list"], ["list", "--remote", near.remote], ["apply"], ["audit"]):
        done = lab.run(*command, *lab.where(None), "--json", env={**lab.env, "HOLDFAST_DEBUG": "1"})
        assert done.stdout and not done.stderr


STAY, CHURN = 3000, 15000


@pytest.mark.bpf_only
@pytest.mark.alone
def test_counts_stay_right_while_15000_connections_open_and_close(lab):
    lab.pair()
    host = "127.0.0.1" if lab.family == 4 else "::1"
    staying, churning = lab.peer(lab.client), lab.peer(lab.client)
    listener, port = staying.listen(host)
    ids = []
    for _ in range(0, STAY, 500):
        ids += staying.call("connect", host=host, port=port, count=500)
        ids += staying.call("accept", id=listener, count=500)
    cookies = {staying.call("cookie", id=id) for id in ids}
    churning.start("churn", host=host, port=9, seconds=8, total=CHURN)
    passes, seen = 0, 0
    until = time.monotonic() + 30
    while not churning.answered() and time.monotonic() < until:
        rows = lab.list("--columns", "cookie,pid")
        ours = [row["cookie"] for row in rows if row["cookie"] in cookies]
        assert len(ours) == len(set(ours)) == len(cookies)
        assert {row["pid"] for row in rows if row["cookie"] in cookies} == {staying.pid}
        passes, seen = passes + 1, seen + len(rows) - len(ours)
    assert churning.answer(30) == CHURN
    assert passes >= 3 and seen > 0
