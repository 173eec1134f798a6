# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway whose packets do not leave its own machine: nobody was asked, so nobody is dead."""
import time

import pytest

from crossing import GOAL, LATE, gateway, in_time
from test_gateway import connect, cross, entries
from test_gateway_attack import attacker, both_names

DROPPED = "this machine drops what is sent; see holdfast doctor --gateway"
REFUSED = 'nothing can be sent by "holdfast"; start the gateway anew: {}'

RULES = {  # {near} and {far}: the router's devices
    "interfaces": "type filter hook forward priority 0; policy drop;\n"
                  'iifname "{near}" oifname "{far}" ct state new,established accept\n'
                  'iifname "{far}" oifname "{near}" ct state established,related accept\n',
    "one way": "type filter hook forward priority 0;\n"
               'iifname "holdfast" oifname "{near}" drop\n',
    "spoofers": "type filter hook prerouting priority 0;\n"
                'iifname != {{ "lo", "{near}", "{far}" }} meta l4proto tcp drop\n',
    "raw": "type filter hook prerouting priority -400;\n"
           'iifname != {{ "lo", "{near}", "{far}" }} drop\n',
}


def forbid(lab, rules):
    near, far = (line.split()[1].split("@")[0] for line in
                 lab.router.run("ip", "-o", "link", "show", "type", "veth").splitlines())
    lab.router.nft("table inet fw {\nchain on {\n" + rules.format(near=near, far=far) + "}\n}\n")


def nobody_is_dead(lab, pairs, watching, *actions):
    time.sleep(2 * GOAL)
    assert not watching.seen("dead")
    assert [event["action"] for event in watching.seen("error")] == list(actions)
    assert len(entries(lab.router)) == len(pairs)
    for near, far in pairs:
        lab.exchange(near, far)


@pytest.mark.parametrize("rules", RULES)
def test_where_rules_drop_what_is_sent_nobody_is_dead(lab, rules):
    """And who dies is found as soon as they let it pass."""
    pairs = [connect(cross(lab)), connect(lab)]
    forbid(lab, RULES[rules])
    watching = gateway(lab)
    nobody_is_dead(lab, pairs, watching, DROPPED)
    lab.router.nft("insert rule inet fw on iifname holdfast accept\n")
    time.sleep(GOAL)
    died = lab.server.cut()
    for near, _ in pairs:
        in_time(lab, died, near)


def test_what_is_dropped_of_others_does_not_count(lab):
    """What comes from the client's side gets no further than this machine, and is plenty."""
    near, far = connect(cross(lab, masquerade=False))
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    forbid(lab, "type filter hook prerouting priority -400;\n"
                'iifname "{near}" meta l4proto tcp drop\n')
    died = lab.server.cut()
    _, client = both_names(near, far, 0, 0)
    attacker(lab, "near").begin([client.packet("A")], 2 * GOAL, 0.1)
    watching.wait("dead", died + GOAL + LATE - time.monotonic())
    assert not watching.seen("error")


@pytest.mark.parametrize("trouble, action", [
    ("link del holdfast", REFUSED.format("File descriptor in bad state")),
    ("link set holdfast down", REFUSED.format("Input/output error")),
    ("addr flush dev holdfast", DROPPED)], ids=lambda what: what.split()[1])
def test_where_the_device_takes_nothing_nobody_is_dead(lab, trouble, action):
    pairs = [connect(cross(lab)), connect(lab)]
    watching = gateway(lab)
    time.sleep(GOAL / 2)
    lab.router.ip(trouble + "\n")
    unharmed = trouble.startswith("addr") and lab.family == 6  # which wants no address
    nobody_is_dead(lab, pairs, watching, *([] if unharmed else [action]))
    assert watching.stop() == 0
