# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer that sits on a link: it reads what passes, and puts there what it likes."""
import contextlib
import select
import socket
import time

import peer

ETH_P_ALL = 3
ETHERTYPE = {4: 0x0800, 6: 0x86dd}  # by IP version
BREATH = 0.03  # s between two salvos, or what comes back of one would draw the next at once


def tap(device):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    made.bind((device, ETH_P_ALL))
    return made


def overhear(device, port, timeout):
    """What leaves here from that TCP port, from its IP header on; None if nothing does."""
    until = time.monotonic() + timeout
    with tap(device) as wire:
        while select.select([wire], [], [], max(0, until - time.monotonic()))[0]:
            packet, where = wire.recvfrom(65536)
            head = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
            if (where[2] == socket.PACKET_OUTGOING and len(packet) >= head + 20 and
                    packet[head:head + 2] == port.to_bytes(2, "big")):
                return packet.hex()
    return None


def forget(wire):
    """What has come in so far."""
    with contextlib.suppress(BlockingIOError):
        while True:
            wire.recv(1, socket.MSG_DONTWAIT)


def inject(device, mac, packets, seconds, gap):
    """These packets, again and again: every `gap` seconds, and whenever something comes in."""
    packets = [bytes.fromhex(packet) for packet in packets]
    until, salvos = time.monotonic() + seconds, 0
    with tap(device) as wire:
        while time.monotonic() < until:
            forget(wire)
            select.select([wire], [], [], max(0, min(gap, until - time.monotonic())))
            for packet in packets:
                wire.sendto(packet, (device, ETHERTYPE.get(packet[0] >> 4, 0x0800), 0, 0,
                                     bytes.fromhex(mac.replace(":", ""))))
            salvos += 1
            time.sleep(BREATH)
    return salvos


if __name__ == "__main__":
    peer.main({**vars(peer), "overhear": overhear, "inject": inject})
