# SPDX-License-Identifier: GPL-2.0-or-later
"""Process names that try to take over the terminal, the table or the JSON."""
import re
import signal
import subprocess
import time

import pytest

from lab import HOLDFAST, Lines, wait_until

# name (15 bytes at most), as text shows it, as JSON tells it
NAMES = {
    "escape codes": (b"\x1b[31mred\x1b]0;x", r"\x1b[31mred\x1b]0;x", "\x1b[31mred\x1b]0;x"),
    "quotes": (b"a\"b'c\\d,}", "a\"b'c\\\\d,}", "a\"b'c\\d,}"),
    "newlines": (b"two\nlines\r\tx", r"two\x0alines\x0d\x09x", "two\nlines\r\tx"),
    "bidi": ("\u202egnp.exe\u2066".encode(), r"\u{202e}gnp.exe\u{2066}", "\u202egnp.exe\u2066"),
    "C1 controls": ("a\u009b2Jb".encode(), None, "a\u009b2Jb"),
    "invalid UTF-8": (b"\xff\xfea\xc0\xafb\xed\xa0\x80", r"\xff\xfea\xc0\xafb\xed\xa0\x80",
                      r"\xff\xfea\xc0\xafb\xed\xa0\x80"),
    "cut UTF-8": (b"abcdefghijklm\xe2\x82", r"abcdefghijklm\xe2\x82", r"abcdefghijklm\xe2\x82"),
}
NAMED = pytest.mark.parametrize("kind", NAMES)
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def named(lab, kind):
    """One connection of a program with such a name; how text and JSON shall show it."""
    raw, text, told = NAMES[kind]
    lab.pair()
    lab.connect()[0].close()
    client, server, listener, port = lab.default
    client.call("rename", hex=raw.hex())
    near = client.connect(lab.server.address, port)
    return near, server.accept(listener), text, told


def assert_safe(output, shown):
    text = output.decode("utf-8")
    assert not UNSAFE.search(text), text
    assert shown is None or shown in text, text
    return text


@NAMED
def test_list_and_audit_show_the_name_harmless(lab, kind):
    _, _, shown, told = named(lab, kind)
    where = ("--netns", lab.client.name)
    text = assert_safe(lab.run("list", *where).stdout, shown)
    assert len([line for line in text.splitlines() if lab.server.address in line]) == 1
    assert_safe(lab.run("audit", *where, exit=1).stdout, shown)
    assert [row["process"] for row in lab.list()] == [told]
    rows = lab.json("audit", *where, exit=1)
    assert told in [value for row in rows for value in row.values()], rows


@NAMED
def test_a_watch_tells_the_name_harmless(lab, kind):
    near, far, shown, told = named(lab, kind)
    watch = lab.watch("--dead-within", "5s")
    lab.server.cut()
    far.abort()
    lab.server.heal()
    near.death("ECONNRESET", timeout=5)
    assert watch.wait("reset", local=near.local)["process"] == told
    assert told in [event["process"] for event in watch.seen("protected")]


@NAMED
def test_the_text_of_a_watch_shows_the_name_harmless(lab, kind):
    near, far, shown, _ = named(lab, kind)
    process = lab.popen([HOLDFAST, "watch", "--netns", lab.client.name], stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL)
    out = Lines(process.stdout)
    wait_until(lambda: near.options()["keepalive"], 5, "the watch has begun")
    near.close()
    far.close()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    while not out.ended:
        out.poll(1)
    assert out.lines
    assert_safe(b"\n".join(out.lines), shown)


@NAMED
def test_the_name_as_a_filter_finds_it(lab, kind):
    near, _, _, _ = named(lab, kind)
    raw = NAMES[kind][0]
    rows = lab.list("--process", raw)
    assert [row["cookie"] for row in rows] == [near.cookie]
