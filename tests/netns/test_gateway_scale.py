# SPDX-License-Identifier: GPL-2.0-or-later
"""Very many flows across a gateway, a part of them dead at once.

$HOLDFAST_FLOWS says how many: 20 000 where it is not set, so that it takes half a minute.
"""
import contextlib
import datetime
import os
import time

import pytest

from crossing import statistics
from lab import Lab, Peer, wait_until
from test_gateway import Gateway, cross

FLOWS = int(os.environ.get("HOLDFAST_FLOWS", 20000))
GOAL = 30 if FLOWS <= 20000 else 120  # s: what two cores forward of the questions
AT_ONCE = 500  # connections that wait to be accepted
EACH = 19000  # of a process: as many descriptors as nearly every machine allows
LATE = 0.5  # s: a tick, and what a loaded machine adds
MANY = ("prlimit", f"--nofile={EACH + 100}")


class Many(Peer):
    program = "crowd.py"


class Crowd:
    """Connections between a client process and a server process."""

    def __init__(self, lab, count):
        self.near = Many(lab, lab.client, MANY)
        self.far = Many(lab, lab.server, MANY)
        listener, self.port = self.far.listen(lab.server.address)
        self.near_ids, self.far_ids = [], []
        for made in range(0, count, AT_ONCE):
            some = min(AT_ONCE, count - made)
            self.near_ids += self.near.call("connect", host=lab.server.address, port=self.port,
                                            count=some)
            self.far_ids += self.far.call("accept", id=listener, count=some)

    def are_reset(self):
        return self.near.call("told", ids=self.near_ids) == {"ECONNRESET": len(self.near_ids)}

    def pass_data(self):
        """Each way, each of them, and nothing but that has happened to them."""
        self.near.call("speak", ids=self.near_ids)
        self.far.call("speak", ids=self.far_ids)
        time.sleep(1)  # for what was lost and comes again
        whole = {"message": len(self.near_ids)}
        return (self.near.call("told", ids=self.near_ids) == whole and
                self.far.call("told", ids=self.far_ids) == whole)


def crowds(lab, count):
    return [Crowd(lab, min(EACH, count - made)) for made in range(0, count, EACH)]


def size(some):
    return sum(len(crowd.near_ids) for crowd in some)


def entries(lab):
    """How many there are in the gateway's table."""
    return int(lab.router.run("conntrack", "-C"))


def cut(lab, some):
    """The servers' hosts lose power; when."""
    ports = ", ".join(str(crowd.port) for crowd in some)
    lab.server.nft("table inet cut {\n"
                   "chain in {\ntype filter hook prerouting priority -400\n"
                   f"tcp dport {{ {ports} }} drop\n}}\n"
                   "chain out {\ntype filter hook output priority -400\n"
                   f"tcp sport {{ {ports} }} drop\n}}\n}}\n")
    return datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture
def lab():
    """By IPv4 only, and for as long as it takes."""
    with contextlib.closing(Lab(4)) as made:
        yield made


@pytest.mark.alone
def test_every_verdict_on_many_flows_is_right_and_in_time(lab):
    cross(lab, timeout=3600, nat_timeout=3600)
    doomed, living = crowds(lab, FLOWS * 3 // 10), crowds(lab, FLOWS - FLOWS * 3 // 10)
    gateway = Gateway(lab, "--dead-within", f"{GOAL}s", "--on-dead", "reset", "--brake", "off",
                      "--rate", "0")
    died = cut(lab, doomed)
    wait_until(lambda: len(gateway.seen()) >= size(doomed), GOAL + 5, "all deaths are told")
    told = datetime.datetime.fromisoformat(gateway.events[-1]["time"].replace("Z", "+00:00"))
    assert (told - died).total_seconds() <= GOAL + LATE
    assert all(crowd.are_reset() for crowd in doomed)
    assert all(crowd.pass_data() for crowd in living)
    events = gateway.seen("dead", action="originator reset, entry freed")
    assert len(events) == len(gateway.seen()) == size(doomed)
    assert len({event["local"] + event["remote"] for event in events}) == size(doomed)
    ports = {event["remote"].rpartition(":")[2] for event in events}
    assert ports == {str(crowd.port) for crowd in doomed}
    assert max(event["evidence"]["silent_s"] for event in events) <= GOAL + LATE
    wait_until(lambda: entries(lab) == size(living), 5, "the entries of the dead are freed")
    counts = statistics(gateway)
    assert counts["reset"] == counts["dead"] == counts["freed"] == size(doomed)
    assert "lost" not in counts
