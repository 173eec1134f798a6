# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments against an outside implementation: scapy reads what we build, we read what it builds."""
import ctypes
import ipaddress
import os
import pathlib
import random
import subprocess

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

SOURCE = pathlib.Path(__file__).parents[2]
PACKET_MAX = 76
TRIALS = 300
FLAGS = "FSRPAU"  # as they stand in the header, from the lowest bit on


class Endpoint(ctypes.Structure):
    _fields_ = [("address", ctypes.c_uint64 * 2), ("port", ctypes.c_uint16),
                ("family", ctypes.c_uint8)]


class Segment(ctypes.Structure):
    _fields_ = [("source", Endpoint), ("destination", Endpoint),
                *((name, ctypes.c_uint32) for name in ("seq", "ack", "payload", "tsval", "tsecr",
                                                     "flow_label")),
                ("window", ctypes.c_uint16), ("flags", ctypes.c_uint8),
                ("has_timestamps", ctypes.c_bool)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The core's own sources as something that Python can call."""
    made = tmp_path_factory.mktemp("segment") / "segment.so"
    subprocess.run(["cc", "-std=c11", "-O1", "-shared", "-fPIC", "-Iinclude", "-Isrc",
                    "src/core/segment.c", "src/core/segment_build.c", "-o", made],
                   cwd=SOURCE, check=True)
    loaded = ctypes.CDLL(str(made))
    loaded.hf_segment_build.restype = ctypes.c_size_t
    return loaded


@pytest.fixture
def chance():
    seed = int(os.environ.get("HOLDFAST_SEED") or random.randrange(2 ** 32))
    print(f"HOLDFAST_SEED={seed}")
    return random.Random(seed)


def any_segment(chance, family):
    """What both are to agree on, in plain values; timestamps or None."""
    bits = 32 if family == 4 else 128
    kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    return {"source": kind(chance.getrandbits(bits)), "destination": kind(chance.getrandbits(bits)),
            "ports": (chance.getrandbits(16), chance.getrandbits(16)),
            "seq": chance.getrandbits(32), "ack": chance.getrandbits(32),
            "window": chance.getrandbits(16), "payload": chance.getrandbits(1),
            "flags": chance.getrandbits(6), "label": 0 if family == 4 else chance.getrandbits(20),
            "stamps": chance.choice([None, (chance.getrandbits(32), chance.getrandbits(32))])}


def endpoint(address, port):
    mapped = b"\0" * 10 + b"\xff\xff" if address.version == 4 else b""
    words = (ctypes.c_uint64 * 2).from_buffer_copy(mapped + address.packed)
    return Endpoint(words, port, address.version)


def address_of(end):
    packed = bytes(end.address)
    return ipaddress.ip_address(packed[12:] if end.family == 4 else packed)


def build(library, wanted):
    tsval, tsecr = wanted["stamps"] or (0, 0)
    segment = Segment(endpoint(wanted["source"], wanted["ports"][0]),
                      endpoint(wanted["destination"], wanted["ports"][1]),
                      wanted["seq"], wanted["ack"], wanted["payload"], tsval, tsecr,
                      wanted["label"], wanted["window"], wanted["flags"], wanted["stamps"] is not None)
    packet = ctypes.create_string_buffer(PACKET_MAX)
    length = library.hf_segment_build(ctypes.byref(segment), packet, PACKET_MAX)
    return packet.raw[:length]


def parse(library, packet):
    segment = Segment()
    assert library.hf_segment_parse(packet, ctypes.c_size_t(len(packet)), 0,
                                    ctypes.byref(segment)) == 0
    stamps = (segment.tsval, segment.tsecr) if segment.has_timestamps else None
    return {"source": address_of(segment.source), "destination": address_of(segment.destination),
            "ports": (segment.source.port, segment.destination.port),
            "seq": segment.seq, "ack": segment.ack, "window": segment.window,
            "payload": segment.payload, "flags": segment.flags, "label": segment.flow_label,
            "stamps": stamps}


def scapy_build(wanted, options):
    network = IP if wanted["source"].version == 4 else IPv6
    tcp = TCP(sport=wanted["ports"][0], dport=wanted["ports"][1], seq=wanted["seq"],
              ack=wanted["ack"], window=wanted["window"],
              flags="".join(f for i, f in enumerate(FLAGS) if wanted["flags"] >> i & 1),
              options=options)
    label = {} if network is IP else {"fl": wanted["label"]}
    return bytes(network(src=str(wanted["source"]), dst=str(wanted["destination"]), **label) / tcp
                 / (b"x" * wanted["payload"]))


def scapy_parse(packet):
    network = (IP if packet[0] >> 4 == 4 else IPv6)(packet)
    tcp = network[TCP]
    return {"source": ipaddress.ip_address(network.src),
            "destination": ipaddress.ip_address(network.dst),
            "ports": (tcp.sport, tcp.dport), "seq": tcp.seq, "ack": tcp.ack,
            "window": tcp.window, "payload": len(tcp.payload), "flags": int(tcp.flags),
            "label": getattr(network, "fl", 0), "stamps": dict(tcp.options).get("Timestamp")}


def scapy_again(packet):
    """The packet with lengths and checksums as scapy reckons them."""
    network = (IP if packet[0] >> 4 == 4 else IPv6)(packet)
    for name in ("len", "chksum") if network.version == 4 else ("plen",):
        delattr(network, name)  # and with it the bytes that scapy remembers
    del network[TCP].chksum
    return bytes(network)


def test_scapy_reads_what_we_build(library, chance, family):
    for _ in range(TRIALS):
        wanted = any_segment(chance, family)
        packet = build(library, wanted)
        assert scapy_parse(packet) == wanted
        assert scapy_again(packet) == packet


def test_we_read_what_scapy_builds(library, chance, family):
    for _ in range(TRIALS):
        wanted = any_segment(chance, family)
        wanted["payload"] = chance.randrange(1400)
        options = [("MSS", 1460), ("SAckOK", b""), ("WScale", 7), ("NOP", None)]
        options = chance.sample(options, chance.randrange(len(options) + 1))
        if wanted["stamps"]:
            options.insert(chance.randrange(len(options) + 1), ("Timestamp", wanted["stamps"]))
        assert parse(library, scapy_build(wanted, options)) == wanted
