# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway at its limits: full tables, its own end, challenges without end, what is in its way."""
import contextlib
import json
import os
import pathlib
import subprocess
import time

import pytest

from crossing import GOAL, RESETTING, gateway, statistics
from lab import HOLDFAST, wait_until
from screen import Screen
from test_gateway import Gateway, connect, cross, entries
from test_gateway_attack import Name, attacker


@contextlib.contextmanager
def table_of(entries):
    """So many entries a table takes; the limit is the whole machine's."""
    limit = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max")
    before = limit.read_text(encoding="ascii")
    limit.write_text(str(entries), encoding="ascii")
    try:
        yield
    finally:
        limit.write_text(before, encoding="ascii")


@pytest.mark.alone
def test_a_table_full_of_the_dead_takes_new_connections_again(lab):
    lab.nat(timeout=3600, strict=True)
    client, server = lab.peer(lab.client), lab.peer(lab.server)
    listener, port = server.listen(lab.server.address)
    client.call("connect", host=lab.server.address, port=port, count=50)
    assert len(entries(lab.router)) == 50
    with table_of(50):
        with pytest.raises(AssertionError, match="timed out"):
            client.connect(lab.server.address, port)
        cut = lab.server.cut()
        watching = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "free", "--brake", "off")
        wait_until(lambda: len(watching.seen("dead", action="entry freed")) == 50,
                   cut + GOAL + 1 - time.monotonic(), "all the dead are freed")
        assert not entries(lab.router)
        lab.server.heal()
        lab.exchange(*lab.connect())


@pytest.mark.parametrize("number", [2, 9], ids=["interrupted", "killed"])
def test_nothing_is_left_of_it_in_the_middle_of_dialogues(lab, number):
    cross(lab)
    pairs = [connect(lab) for _ in range(20)]

    def traces():
        shown = (("nft", "list", "ruleset"), ("ip", "-o", "addr"), ("ip", "rule"),
                 ("ip", "route", "show", "table", "all"))
        return [command for command in shown if "holdfast" in lab.router.run(*command)]

    lab.router.nft("table inet count {\nchain in {\ntype filter hook prerouting priority -400\n"
                   "iifname holdfast counter\n}\n}\n")
    watching = gateway(lab)
    wait_until(lambda: lab.router.packets("inet count"), GOAL, "a dialogue")
    assert len(traces()) > 1
    watching.stop(number)
    lab.router.nft("delete table inet count\n")
    wait_until(lambda: not traces(), 2, "nothing is left of it")
    again = gateway(lab)
    time.sleep(GOAL + 1)
    assert not again.seen()
    for near, far in pairs:
        lab.exchange(near, far)


NUMBER = 123456789


def test_a_challenge_is_answered_once_with_its_number(lab):
    """Who answers every RST with a challenge gets no more than two of them."""
    near, far = connect(cross(lab, masquerade=False))
    for name, rule in (("resets", "tcp flags & rst != 0"), ("exact", f"tcp sequence {NUMBER}")):
        lab.router.nft(f"table inet {name} {{\nchain in {{\ntype filter hook prerouting "
                       f"priority -400\niifname holdfast {rule} counter\n}}\n}}\n")
    watching, challenger = gateway(lab), attacker(lab, "near")
    lab.server.cut()
    watching.wait("dead", GOAL + 2)
    challenger.begin([Name(far.remote, far.local, 1, NUMBER).packet("A")], 1.2, gap=0.1)
    assert challenger.answer(5) >= 2
    assert lab.router.packets("inet resets") == 2 and lab.router.packets("inet exact") == 1
    assert statistics(watching)["reset"] == 1


# --- Without a cost for others

UNPRIVILEGED = ("setpriv", "--bounding-set", "-bpf,-sys_admin", "--inh-caps", "-all")


@pytest.mark.parametrize("prefix", [(), UNPRIVILEGED], ids=["ebpf", "classic"])
def test_only_what_is_in_dialogue_comes_up(lab, prefix):
    """Bare ACKs of other flows stay below; without eBPF they come up, and nothing else changes."""
    cross(lab, timeout=86400, nat_timeout=86400)
    watching = Gateway(lab, "--dead-within", "24h", prefix=prefix)  # no dialogue for hours
    near, far = connect(lab)
    for _ in range(100):
        far.send(text="answered by a bare ACK")
        near.hears("answered by a bare ACK")
    heard = statistics(watching)["heard"]
    assert heard >= 100 if prefix else heard < 10
    watching = Gateway(lab, *RESETTING, prefix=prefix)
    time.sleep(GOAL)
    assert not watching.seen()
    lab.server.cut()
    near.death("ECONNRESET", GOAL + 1)


def test_whoever_talks_is_not_probed(lab):
    """The table says so, at each dump of it, every two and a half seconds here."""
    cross(lab)
    watching = gateway(lab, "--dead-within", "20s")
    time.sleep(4)  # what is there at the start is presumed silent
    near, far = connect(lab)
    until = time.monotonic() + 15
    while time.monotonic() < until:
        lab.exchange(near, far)
        time.sleep(0.5)
    assert not watching.seen()
    assert statistics(watching)["sent"] == 0


def test_traffic_does_not_keep_a_dialogue_going(lab):
    """It moves the numbers on that an answer is to prove."""
    near, far = connect(cross(lab))
    watching = gateway(lab)
    until = time.monotonic() + GOAL
    while time.monotonic() < until:
        far.send(text="more")
        near.hears("more")
    assert not watching.seen()
    assert statistics(watching)["alive"] >= 2


@pytest.mark.parametrize("timestamps", [1, 0])
@pytest.mark.parametrize("masquerade", [True, False], ids=["nat", "routed"])
def test_a_quiet_dialogue_takes_two_probes_and_their_answers(lab, masquerade, timestamps):
    """Questions, four packets for each end, are asked in the first one only."""
    cross(lab, masquerade=masquerade)
    lab.client.sysctl(ipv4__tcp_timestamps=timestamps)
    pair = connect(lab)
    watching = gateway(lab)
    time.sleep(3 * GOAL)
    assert not watching.seen()
    told = statistics(watching)
    assert told["alive"] >= 8
    assert told["heard"] - told["alive"] in (2, 3)  # perhaps it was ended in the middle of one
    assert told["sent"] - told["alive"] in (8, 9)
    lab.exchange(*pair)


def dialogue(netns):
    """One has begun, and is over: what is said in one is a second apart at most."""
    begun = netns.packets("inet bare")
    said = wait_until(lambda: max(0, netns.packets("inet bare") - begun), 20, "a dialogue")
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 1.2:
        time.sleep(0.1)
        if netns.packets("inet bare") - begun != said:
            said, quiet_since = netns.packets("inet bare") - begun, time.monotonic()


def test_traffic_between_dialogues_is_asked_about_again(lab):
    """Where the table did not show it in time, once a probe of each end was in vain."""
    near, far = connect(cross(lab))
    lab.router.nft("table inet bare {\nchain forward { type filter hook forward priority 0\n"
                   "meta length < 100 tcp flags == ack counter\n}\n}\n")
    watching = gateway(lab, "--dead-within", "20s")
    for later in (0, 1):
        dialogue(lab.router)
        time.sleep(later)
        lab.exchange(near, far)
        dialogue(lab.router)
    dialogue(lab.router)
    told = statistics(watching)
    assert told["alive"] == 10, told
    assert told["heard"] - told["alive"] in (6, 7), told
    assert told["sent"] - told["alive"] - 24 in (0, 4, 5, 8, 9), told


def test_the_line_that_counts_is_as_wide_as_the_terminal(lab):
    cross(lab)
    connect(lab)
    screen = Screen(lab, columns=60, ready="1 flows", command=(
        "nsenter", f"--net={lab.router.path}", HOLDFAST, "gateway", "--dead-within", "1h"))
    time.sleep(3)
    assert sum("1 flows" in line for line in screen.lines()) == 1, screen.lines()


# --- What is in the way

def findings(lab, prefix=()):
    done = subprocess.run(["nsenter", f"--net={lab.router.path}", *prefix, HOLDFAST, "doctor",
                           "--gateway", "--json"], capture_output=True, text=True, check=False,
                          timeout=20)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == any(one["status"] == "missing" for one in found), done.stderr
    return {one["check"].removeprefix("gateway: "): one for one in found}


IN_THE_WAY = {
    "source validation": "chain x {\ntype filter hook prerouting priority -10\n"
                         "fib saddr . iif oif missing drop\n}\n",
    "dropping rules": "chain x {\ntype filter hook forward priority 10; policy drop\n"
                      "iifname \"v*\" accept\n}\n",
    "dropping rules ": "chain x {\ntype filter hook forward priority 10\n"
                       "ct state invalid drop\n}\n",
    "hidden flows": "chain x {\ntype filter hook prerouting priority -300\n"
                     "tcp dport 99 notrack\n}\n",
}


OFFLOADING = """table inet fw { # handle 3
	flowtable ft { # handle 7
		hook ingress priority filter
		devices = { eth0, eth1 }
	}

	chain on { # handle 1
		type filter hook forward priority filter; policy accept;
		ct state established flow add @ft # handle 4
	}
}
"""


def test_the_doctor_finds_flows_that_are_offloaded(lab):
    """By what nft would print: not every kernel has flowtables."""
    cross(lab)
    nft = pathlib.Path(lab.directory, "nft")
    nft.write_text(f"#!/bin/sh\ncat <<'EOF'\n{OFFLOADING}EOF\n", encoding="ascii")
    nft.chmod(0o755)
    found = findings(lab, ("env", f"PATH={lab.directory}:{os.environ['PATH']}"))["hidden flows"]
    assert found["status"] == "limited"
    assert found["mend"] == "nft delete rule inet fw on handle 4"


@pytest.mark.parametrize("check", IN_THE_WAY)
def test_the_doctor_finds_rules_in_the_way_and_its_command_mends_it(lab, check):
    cross(lab, strict=False)
    assert findings(lab)[check.strip()]["status"] == "ok"
    lab.router.nft("table inet way {\n" + IN_THE_WAY[check] + "}\n")
    found = findings(lab)[check.strip()]
    assert found["status"] in ("limited", "missing") and "inet way x" in found["detail"], found
    lab.router.run("sh", "-c", found["mend"])
    assert findings(lab)[check.strip()]["status"] == "ok"


def hook(rules, name="x", on="forward", policy="drop"):
    return f"chain {name} {{\ntype filter hook {on} priority 10; policy {policy}\n{rules}\n}}\n"


ESTABLISHED = "ct state { established, related } accept"
ELSEWHERE = f"chain y {{\n{ESTABLISHED}\n}}\n"
ANTISPOOFING = 'iifname != "lan" ip saddr 10.7.1.0/24 drop'
DROPPING = {
    "by devices": ("missing", hook('iifname "lan" oifname "wan" ct state new,established accept\n'
                                   'iifname "wan" ct state established,related accept')),
    "before tracking": ("missing", hook('iifname { "lan", "wan", "lo" } accept', on="prerouting")),
    "on its way out": ("missing", hook('iifname "lan" accept', on="postrouting")),
    "invalid on its way out": ("limited", hook("ct state invalid drop", on="postrouting",
                                               policy="accept")),
    "once of twice": ("missing", hook(ESTABLISHED, "y") + hook('iifname "lan" accept')),
    "by a map": ("missing", hook("ct state vmap { established : drop, new : accept }")),
    "jumps by device": ("missing", ELSEWHERE + hook('iifname "lan" jump y')),
    "jumps to nothing": ("missing", "chain y {\n}\n" + hook("jump y")),
    "at last": ("limited", hook('iifname "lan" accept\ncounter log prefix "x" drop',
                                policy="accept")),
    "refused": ("limited", hook('iifname "lan" accept\nreject', policy="accept")),
    "reset": ("limited", hook("reject with tcp reset", policy="accept")),
    "all but some": ("limited", hook(f'iifname != {{ "lan", "wan" }} drop\n{ESTABLISHED}')),
    "all but pairs": ("limited", hook('iifname . oifname != { "lan" . "wan" } reject',
                                      policy="accept")),
    "spoofed": ("limited", hook(ANTISPOOFING, policy="accept")),
    "spoofed before": ("limited", hook(ANTISPOOFING, on="prerouting", policy="accept")),
    "spoofed elsewhere": ("limited", f"chain x {{\n{ANTISPOOFING}\n}}\n" +
                          hook("jump x", "y", policy="accept")),
    "invalid": ("limited", hook("ct state { invalid, untracked } drop", policy="accept")),
    "invalid by a map": ("limited", hook("ct state vmap { established : accept, related : accept, "
                                         "invalid : drop }")),
    "invalid before": ("limited", hook("ct state invalid counter drop", on="prerouting",
                                       policy="accept")),
}


@pytest.mark.parametrize("why", DROPPING)
def test_the_doctor_finds_what_drops_and_its_command_mends_it(lab, why):
    cross(lab, strict=False)
    status, chains = DROPPING[why]
    lab.router.nft(f"table inet way {{\n{chains}}}\n")
    found = findings(lab)["dropping rules"]
    assert found["status"] == status and "inet way x" in found["detail"], found
    assert found["mend"] == "nft insert rule inet way x iifname holdfast accept"
    lab.router.run("sh", "-c", found["mend"])
    found = findings(lab)["dropping rules"]
    assert found["status"] == "ok", found


LETTING = {
    "set": hook(ESTABLISHED),
    "on its way out": hook(f"{ESTABLISHED}\ndrop", on="postrouting"),
    "map": hook("ct state vmap { established : accept, related : accept }\ndrop"),
    "list": hook("ct state related,established counter accept\nreject", policy="accept"),
    "all": hook('accept comment "drop"'),
    "elsewhere": ELSEWHERE + hook("jump y\ndrop"),
    "before it is refused": hook(f"{ESTABLISHED}\n{ANTISPOOFING}"),
    "only told": hook('ct state invalid log prefix "drop "\nct state invalid log prefix "drop" '
                      'counter comment "then drop # handle 7"', policy="accept"),
    "other devices": hook('iifname "wan" tcp dport 22 ip saddr != 10.0.0.1 drop', policy="accept"),
    "own": hook("iifname holdfast accept\nct state invalid drop"),
    "own in a set": hook('iifname { "lan", "holdfast" } counter accept'),
    "its first packets": "chain x {\ntype nat hook prerouting priority -100; policy drop\n}\n",
}


@pytest.mark.parametrize("how", LETTING)
def test_the_doctor_lets_rules_pass_that_let_pass(lab, how):
    cross(lab, strict=False)
    lab.router.nft("delete table inet box\n"
                   f"table inet way {{\nset s {{ type ipv4_addr; }}\n{LETTING[how]}}}\n"
                   "table bridge way {\n" + hook("drop") + "}\n")
    found = findings(lab)["dropping rules"]
    assert found["status"] == "ok", found


def test_the_doctor_sees_rules_with_sets_in_them(lab):
    cross(lab)
    lab.router.nft("delete table inet box\n"
                   "table inet way {\n" + hook("ip saddr 10.99.0.1 reject", policy="accept") + "}\n")
    lab.router.run("conntrack", "-F", stderr=None)
    assert findings(lab)["tracked flows"]["status"] == "missing"
    ports = ", ".join(str(port) for port in range(1, 2001, 2))
    lab.router.nft("table inet way {\n" + hook(ESTABLISHED) + "}\ntable inet raw {\n" +
                   hook(f"tcp dport {{ {ports} }} notrack", on="prerouting", policy="accept") +
                   "}\n")
    found = findings(lab)
    assert found["tracked flows"]["status"] == "ok"
    assert found["hidden flows"]["status"] == "limited", found["hidden flows"]
    lab.router.run("sh", "-c", found["hidden flows"]["mend"])
    assert findings(lab)["hidden flows"]["status"] == "ok"


SETTINGS = {"settings": "netfilter/nf_conntrack_tcp_be_liberal=1",
            "forwarding": "ipv4/ip_forward=0",
            "connection tracking": "netfilter/nf_conntrack_events=0"}


@pytest.mark.parametrize("check", SETTINGS)
def test_the_doctor_finds_settings_in_the_way_and_its_command_mends_it(lab, check):
    cross(lab)
    assert findings(lab)[check]["status"] == "ok"
    lab.router.run("sysctl", "-qw", f"net/{SETTINGS[check]}")
    found = findings(lab)[check]
    assert found["status"] in ("limited", "missing"), found
    lab.router.run("sh", "-c", found["mend"])
    assert findings(lab)[check]["status"] == "ok"


READ_ONLY = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"


def test_the_doctor_finds_strict_source_validation_that_may_not_be_loosened(lab):
    cross(lab)
    lab.router.run("sysctl", "-qw", "net/ipv4/conf/all/rp_filter=1")
    assert findings(lab)["settings"]["status"] == "ok"  # the device's own is loose
    found = findings(lab, after(READ_ONLY))["settings"]
    assert found["status"] == "missing" and "rp_filter" in found["detail"], found
    assert findings(lab, after(f"{READ_ONLY} && {found['mend']}"))["settings"]["status"] == "ok"


def test_the_doctor_finds_that_the_device_cannot_be_made(lab):
    cross(lab)
    assert findings(lab)["TUN device"]["status"] == "ok"
    found = findings(lab, after("mount -t tmpfs none /dev/net"))["TUN device"]
    assert found["status"] == "missing" and "tun" in found["mend"], found


def test_the_doctor_finds_that_the_device_may_not_be_opened(lab):
    cross(lab)
    found = findings(lab, after("mount -t tmpfs none /dev/net && touch /dev/net/tun && chmod 0 "
                                "/dev/net/tun") + ("setpriv", "--reuid", "65534"))["TUN device"]
    assert found["status"] == "missing" and found["mend"] == "run as root", found


def test_a_device_of_its_name_is_told_and_the_command_mends_it(lab):
    cross(lab)
    lab.router.run("ip", "tuntap", "add", "holdfast", "mode", "tap")
    done = subprocess.run(["nsenter", f"--net={lab.router.path}", HOLDFAST, "gateway"],
                          capture_output=True, text=True, check=False, timeout=20)
    assert "is there already" in done.stderr and "ip link del holdfast" in done.stderr, done.stderr
    lab.router.run("ip", "link", "del", "holdfast")
    gateway(lab)


def after(commands):
    """What is run in a mount namespace of its own, in which these have been."""
    return "unshare", "--mount", "sh", "-c", f'{commands} && exec "$0" "$@"'


def test_the_doctor_finds_that_nothing_is_tracked(lab):
    cross(lab)
    lab.router.nft("delete table inet box\n")
    lab.router.run("conntrack", "-F", stderr=None)
    found = findings(lab)["tracked flows"]
    assert found["status"] == "missing"
    lab.router.run("sh", "-c", found["mend"])
    assert findings(lab)["tracked flows"]["status"] == "ok"


def test_the_doctor_tells_what_privileges_lack(lab):
    cross(lab)
    for check in ("filter", "answers"):
        assert findings(lab)[check]["status"] == "ok"
        assert findings(lab, UNPRIVILEGED)[check]["status"] == "limited"
