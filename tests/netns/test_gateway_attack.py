# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway among those who lie: whoever does not know the exact numbers changes nothing."""
import random
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

from crossing import GOAL, LATE, Wire, gateway, in_time, statistics
from lab import wait_until
from test_gateway import BOTH, connect, cross, entries, of_port

HALF = 1 << 31
SEED = random.randrange(1 << 32)
WINDOW = 1 << 16
SELDOM = 3600  # s: only when something comes in


class Attacker(Wire):
    """Somebody on a link of the router's, who has seen the flow, but speaks out of turn."""

    def __init__(self, lab, netns, router):
        super().__init__(lab, netns)
        self.device = netns.run("ip", "-o", "route", "get", router).split(" dev ")[1].split()[0]
        self.mac = netns.run("ip", "neigh", "show", router).split(" lladdr ")[1].split()[0]

    def numbers(self, sock):
        """The numbers in an end's answer to a question: what it sends next, and expects."""
        packet = bytes.fromhex(self.call("overhear", device=self.device, port=int(of_port(sock)),
                                         timeout=GOAL))
        segment = (IPv6 if packet[0] >> 4 == 6 else IP)(packet)[TCP]
        assert str(segment.flags) == "A" and not bytes(segment.payload).strip(b"\0")
        return segment.seq, segment.ack

    def begin(self, packets, seconds, gap=SELDOM):
        self.start("inject", device=self.device, mac=self.mac, seconds=seconds, gap=gap,
                   packets=[bytes(packet).hex() for packet in packets])


def attacker(lab, where):
    """On the link to B, or on the one to N. What it says there in B's name draws no redirects."""
    lab.router.nft("table inet mute {\nchain out {\ntype filter hook output priority 0\n"
                   "icmp type redirect drop\nicmpv6 type nd-redirect drop\n}\n}\n")
    side = where == "far"
    return Attacker(lab, lab.server if side else lab.near_nat, lab.router.addresses[side])


class Name:
    """In whose name something is sent, and what would be its numbers."""

    def __init__(self, source, destination, seq, ack):
        (self.source, self.sport), (self.destination, self.dport) = (
            (text.rsplit(":", 1)[0].strip("[]"), int(text.rsplit(":", 1)[1]))
            for text in (source, destination))
        self.seq, self.ack = seq, ack

    def ip(self, **fields):
        make = IPv6 if ":" in self.source else IP
        return make(src=self.source, dst=self.destination, **fields)

    def tcp(self, flags, seq=0, ack=0, **fields):
        """seq and ack: how far from the exact ones."""
        return TCP(sport=self.sport, dport=self.dport, flags=flags,
                   seq=(self.seq + seq) % (1 << 32), ack=(self.ack + ack) % (1 << 32), **fields)

    def packet(self, *arguments, **fields):
        return self.ip() / self.tcp(*arguments, **fields)


def both_names(near, far, seq, ack):
    """B's name and A's, given B's numbers; where no address is translated at the router."""
    return Name(far.local, far.remote, seq, ack), Name(far.remote, far.local, ack, seq)


def wrong_numbers(name, chance):
    """Resets, acknowledgements and handshakes that lie beside the exact numbers, or far away.

    None of them is taken by the boxes and the ends; ACKs for what resets pretended to have sent
    would be, and those are left out, as is what would draw a reset from a box that is lax.
    """
    offs = (1, -1, 1000, -1000, HALF, chance.getrandbits(32))
    return ([name.packet("R", seq=off) for off in offs] +
            [name.packet("RA", seq=off) for off in offs] +
            [name.packet("R", seq=to - name.seq) for to in (0, HALF, name.ack)] +
            [name.packet("A", ack=off) for off in (-1000, -HALF // 2, HALF // 2, HALF)] +
            [name.packet("A", seq=off, ack=HALF) for off in (HALF, chance.getrandbits(32))] +
            [name.packet("A", seq=chance.getrandbits(32), ack=chance.getrandbits(32))] +
            [name.packet("SA", seq=off, ack=HALF) for off in (HALF, chance.getrandbits(32))] +
            [name.packet("S", seq=HALF), name.packet("FA", seq=HALF, ack=HALF)])


def lives_and_then_dies(lab, watching, near, far):
    """The attack has changed nothing: neither the flow, nor that its death is found."""
    assert not watching.seen()
    assert len(entries(lab.router)) == 1
    lab.exchange(near, far)
    died = lab.server.cut()
    in_time(lab, died, near)
    watching.wait("dead")
    assert len(watching.seen()) == 1
    told = statistics(watching)
    assert told["alive"] >= 4 and told["dead"] == told["reset"] == 1


@pytest.mark.parametrize("where, strict", [("near", True), ("far", False)],
                         ids=["near-strict", "far-lax"])
def test_wrong_numbers_change_nothing(lab, where, strict):
    """Said whenever the gateway asks or probes, in either end's name, on either side."""
    near, far = connect(cross(lab, masquerade=False, strict=strict))
    watching, chance = gateway(lab), random.Random(SEED)
    numbers = attacker(lab, "far").numbers(far)
    liar = attacker(lab, where)
    liar.begin([packet for name in both_names(near, far, *numbers)
                for packet in wrong_numbers(name, chance)], 1.5 * GOAL)
    assert liar.answer(3 * GOAL) >= 4, SEED
    lives_and_then_dies(lab, watching, near, far)


def dies_amidst_lies(lab, near, packets, liar, put_off=False):
    """B is cut off, the lies go on for a while; its death is found, and nothing else."""
    watching = gateway(lab)
    died = lab.server.cut()
    liar.begin(packets, GOAL if put_off else 2 * GOAL, gap=0.2)
    if put_off:
        assert liar.answer(2 * GOAL) >= 10, SEED
        died = time.monotonic()
    in_time(lab, died, near)
    assert watching.wait("dead")["evidence"]["end"] == "responder", SEED
    assert len(watching.seen()) == 1, SEED


def numbers_of_both(lab, liar, near, far):
    """Got by a gateway that asks, and ends."""
    watching = gateway(lab)
    names = both_names(near, far, *liar.numbers(far))
    watching.stop()
    return names


@BOTH
def test_wrong_numbers_do_not_hide_a_death(lab, strict):
    near, far = connect(cross(lab, masquerade=False, strict=strict))
    liar, chance = attacker(lab, "far"), random.Random(SEED)
    dead, _ = numbers_of_both(lab, liar, near, far)
    far_off = [packet for packet in wrong_numbers(dead, chance) if packet[TCP].flags != "A" and
               WINDOW < (packet[TCP].seq - dead.seq) % (1 << 32) < (1 << 32) - WINDOW]
    assert len(far_off) >= 8
    dies_amidst_lies(lab, near, far_off, liar)


def far_off_answers(name, chance, agreeing, timestamps):
    """Acknowledgements as the end gives them, but of other numbers: always the same, or never."""
    def answer(seq, ack):
        options = [("Timestamp", (chance.getrandbits(32), chance.getrandbits(32)))]
        return name.packet("A", seq=seq, ack=ack, options=options if timestamps else [])
    def far_off():
        return chance.randrange(1 << 22, (1 << 32) - (1 << 22))
    return ([answer(HALF, HALF + 12345)] * 3 if agreeing else
            [answer(*off) for _ in range(3)
             for off in ((far_off(), far_off()), (far_off(), 0), (0, far_off()))])


ANSWERS = [(agreeing, timestamps) for agreeing in (True, False) for timestamps in (True, False)]
FAR_OFF = pytest.mark.parametrize("agreeing, timestamps", ANSWERS, ids=[
    f"{'the-same' if agreeing else 'others'}-{'stamped' if timestamps else 'plain'}"
    for agreeing, timestamps in ANSWERS])


@FAR_OFF
def test_far_off_answers_do_not_hide_a_death(lab, agreeing, timestamps):
    """The table has seen where the flow's numbers are: nobody else answers for the dead."""
    cross(lab, masquerade=False)
    lab.server.sysctl(ipv4__tcp_timestamps=int(timestamps))
    near, far = connect(lab)
    liar, chance = attacker(lab, "far"), random.Random(SEED)
    dead, _ = numbers_of_both(lab, liar, near, far)
    dies_amidst_lies(lab, near, far_off_answers(dead, chance, agreeing, timestamps), liar)


@FAR_OFF
@pytest.mark.parametrize("where", ["near", "far"])
def test_far_off_answers_kill_nobody(lab, where, agreeing, timestamps):
    """However many of them come before an end's own ones."""
    cross(lab, masquerade=False)
    lab.server.sysctl(ipv4__tcp_timestamps=int(timestamps))
    near, far = connect(lab)
    watching, chance = gateway(lab), random.Random(SEED)
    names = both_names(near, far, *attacker(lab, "far").numbers(far))
    liar = attacker(lab, where)
    liar.begin([lie for name in names
                for lie in far_off_answers(name, chance, agreeing, timestamps)], 2 * GOAL, gap=0.1)
    assert liar.answer(3 * GOAL) >= 20, SEED
    lives_and_then_dies(lab, watching, near, far)


def test_answers_within_the_window_put_off_a_death_while_they_last(lab):
    """They cannot be told from its traffic: the death is found when they have ceased."""
    near, far = connect(cross(lab, masquerade=False))
    liar = attacker(lab, "far")
    dead, _ = numbers_of_both(lab, liar, near, far)
    dies_amidst_lies(lab, near, [dead.packet("A", ack=-1000), dead.packet("A", seq=-1000)], liar,
                     put_off=True)


def test_lies_that_only_agree_with_each_other_are_no_evidence(lab):
    """In the name of a dead end an acknowledgement, in the other's a reset that fits it."""
    near, far = connect(cross(lab, masquerade=False))
    liar, lie = attacker(lab, "far"), HALF + 12345
    dead, living = numbers_of_both(lab, liar, near, far)
    dies_amidst_lies(lab, near, [dead.packet("A", seq=HALF, ack=lie), living.packet("R", seq=lie),
                                 living.packet("RA", seq=lie)], liar)


def lengths(name):
    """Packets that are shorter or longer than they say."""
    whole = bytes(name.packet("R"))
    if ":" in name.source:
        return [whole[:4] + size.to_bytes(2, "big") + whole[6:] for size in (0, 19, 21, 9000)]
    return [bytes(name.ip(**field) / name.tcp("R"))
            for field in ({"len": 0}, {"len": 20}, {"len": 39}, {"len": 41}, {"len": 9000},
                          {"ihl": 0}, {"ihl": 4}, {"ihl": 15}, {"version": 0}, {"version": 15})]


def noise(name, chance):
    """The right ports, and anything behind."""
    tcp = {"nh" if ":" in name.source else "proto": 6}
    return [name.ip(**tcp) / Raw(bytes(name.tcp("R"))[:4] + chance.randbytes(size))
            for size in (0, 1, 8, 15, 16, 60, 1300)]


def fragments(name, seq=0):
    """The exact reset: the whole header is in the first one."""
    long = name.tcp("R", seq=seq) / Raw(bytes(2000))
    if ":" in name.source:
        return fragment6(name.ip() / IPv6ExtHdrFragment() / long, 1280)
    return fragment(name.ip() / long, 1200)


def unreachable(name, other):
    """The ICMP error that would be the answer to what the other end sends."""
    error = ICMPv6DestUnreach(code=4) if ":" in name.source else ICMP(type=3, code=3)
    return name.ip() / error / other.packet("A")


def spoiled(name, other, chance):
    """The exact reset, but of a kind that no endpoint is given; and what is no segment at all."""
    return ([name.packet(flags, chksum=sum) for flags in ("R", "RA") for sum in (0, 1, 0xffff)] +
            [name.packet("R", dataofs=offset) for offset in (0, 4, 6, 15)] +
            [name.packet(flags) for flags in ("SRFA", "SR", "FR", "")] +
            [fragments(name)[0], unreachable(name, other),
             name.ip() / UDP(sport=name.sport, dport=name.dport)] +
            lengths(name) + noise(name, chance))


@pytest.mark.parametrize("where", ["near", "far"])
def test_what_is_spoiled_changes_nothing(lab, where):
    """Bad checksums, fragments, impossible flags and lengths, ICMP errors, noise."""
    near, far = connect(cross(lab, masquerade=False))
    watching, chance = gateway(lab), random.Random(SEED)
    names = both_names(near, far, *attacker(lab, "far").numbers(far))
    liar = attacker(lab, where)
    liar.begin([packet for name, other in (names, names[::-1])
                for packet in spoiled(name, other, chance)], 1.5 * GOAL)
    assert liar.answer(3 * GOAL) >= 4, SEED
    lives_and_then_dies(lab, watching, near, far)


@pytest.mark.parametrize("fin", [True, False], ids=["after-fin", "at-once"])
def test_a_reset_amidst_a_dialogue_is_told_unless_it_ends_what_is_closing(lab, fin):
    """In fragments it is not seen as it passes; but the table closes the entry."""
    cross(lab, masquerade=False)
    watching = gateway(lab)  # before: entries made when nobody listens tell nothing
    near, far = connect(lab)
    liar = attacker(lab, "far")
    closing, _ = both_names(near, far, *liar.numbers(far))
    time.sleep(2)
    lab.router.nft("table inet count {\nchain in {\ntype filter hook prerouting priority -400\n"
                   "iifname holdfast counter\n}\n}\n")
    lab.server.cut()
    before = lab.router.packets("inet count")
    wait_until(lambda: lab.router.packets("inet count") > before, GOAL, "a dialogue")
    for packets in ([closing.packet("FA")] if fin else [], fragments(closing, seq=int(fin))):
        liar.begin(packets, 0.3)
        liar.answer(5)
    wait_until(lambda: not entries(lab.router), 2, "the entry is closed")
    time.sleep(GOAL)
    told = [event["action"] for event in watching.seen()]
    assert told == ([] if fin else ["a RST has closed the entry"])


def test_a_box_that_has_forgotten_does_not_speak_for_the_end(lab):
    """It answers questions with resets of its own: they are no evidence. Silence is."""
    connect(cross(lab, strict=False))
    watching = gateway(lab, "--dead-within", f"{GOAL}s")
    lab.near_nat.nft("table inet told {\nchain out {\ntype filter hook output priority 0\n"
                     "tcp flags & rst != 0 counter\n}\n}\n")
    lab.server.cut()
    lab.near_nat.run("conntrack", "-F")
    event = watching.wait("dead", GOAL + LATE)
    assert event["evidence"]["end"] == "both" and event["evidence"]["unanswered"] >= 3
    assert lab.near_nat.packets("inet told") > 0
    assert len(watching.seen()) == 1
