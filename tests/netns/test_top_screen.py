# SPDX-License-Identifier: GPL-2.0-or-later
"""top: the screen itself: scrolling, sizes, terminals, hostile names."""
import os
import re
import signal
import time

import pytest

from lab import HOLDFAST, wait_until
from screen import FOOT, Screen, kinds, only_once
from test_names import NAMED, UNSAFE, named


@only_once
def test_scrolling_shows_them_all(lab):
    lab.pair()
    for _ in range(40):
        lab.connect()
    screen = Screen(lab)
    screen.wait("rows 40 of 40")
    screen.keys("p")
    screen.wait("PAUSED")
    seen = set()
    for _ in range(4):
        seen |= {row[1] for row in screen.rows()}
        screen.keys("NPage")
        time.sleep(0.3)
    assert len(seen) == 40
    last = screen.rows()
    screen.keys("g")
    screen.wait(lambda lines: len(screen.rows(lines)) == 12 and screen.rows(lines)[0] != last[0])


def test_resizing_shows_more_or_less(lab):
    kinds(lab)
    screen = Screen(lab)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    screen.resize(120, 40)
    shown = screen.wait(lambda lines: len(lines) >= 40 and FOOT in lines[39])
    assert "DEAD-IDLE" in "\n".join(shown)
    assert len(screen.rows(shown)) == 6
    for columns, lines in ((79, 24), (80, 23), (30, 5), (1, 1), (3, 2)):
        screen.resize(columns, lines)
        shown = screen.wait("t" if columns < 30 else "top needs 80x24")
        assert FOOT not in "\n".join(shown)
    screen.resize(200, 60)
    shown = screen.wait(lambda lines: len(lines) >= 60 and FOOT in lines[59])
    assert len(screen.rows(shown)) == 6
    screen.resize(80, 24)
    screen.wait(lambda lines: FOOT in lines[23])
    screen.keys("q")
    assert screen.end() == 0


@pytest.mark.parametrize("mode", ["list", "typing", "detail", "help"])
def test_a_storm_of_resizes_does_no_harm(lab, mode):
    kinds(lab)
    screen = Screen(lab)
    pid = screen.pid()
    for key in {"list": (), "typing": ("/", "s"), "detail": ("Enter",), "help": ("h",)}[mode]:
        screen.keys(key)
    for i in range(60):
        screen.resize(20 + 37 * i % 150, 1 + 13 * i % 60)
        for _ in range(20):
            os.kill(pid, signal.SIGWINCH)
    screen.resize(80, 24)
    screen.keys("Escape")
    screen.wait(lambda lines: FOOT in lines[23] or "back" in lines[23])
    screen.keys("Escape", "q")
    assert screen.end() == 0


@pytest.mark.parametrize("way", ["q", "C-c", "C-\\", "TERM", "INT", "HUP"])
@pytest.mark.parametrize("mode", ["list", "detail"])
def test_the_terminal_is_left_as_it_was(lab, way, mode):
    lab.pair().connect()
    screen = Screen(lab)
    if mode == "detail":
        screen.keys("Enter")
        screen.wait("Cgroup")
    if way in ("TERM", "INT", "HUP"):
        os.kill(screen.pid(), getattr(signal, "SIG" + way))
    else:
        screen.keys(way)
    assert screen.end() == 0


@only_once
def test_stopped_and_continued_it_draws_anew(lab):
    lab.pair().connect()
    screen = Screen(lab, command=("bash", "--norc", "--noprofile", "-i"), ready="#")
    screen.type(f"{HOLDFAST} top --delay 200ms")
    screen.keys("Enter")
    screen.wait(FOOT)
    screen.keys("C-z")
    screen.wait("Stopped")
    assert screen.tmux("display-message", "-p", "#{alternate_on}").strip() == "0"
    screen.type("fg")
    screen.keys("Enter")
    screen.wait(FOOT)
    screen.keys("q")
    screen.wait(lambda lines: any(line.rstrip().endswith("#") for line in lines[2:]))
    screen.type("exit")
    screen.keys("Enter")
    assert screen.end() == 0


@only_once
def test_it_ends_with_its_terminal(lab):
    lab.pair()
    screen = Screen(lab)
    pid = screen.pid()
    screen.tmux("kill-session")
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "top has ended")


@NAMED
def test_hostile_names_are_shown_harmless(lab, kind):
    near, _, shown, _ = named(lab, kind)
    screen = Screen(lab, columns=160)
    title = screen.tmux("display-message", "-p", "#{pane_title}")
    text = "\n".join(screen.wait(near.local))
    assert shown is None or shown in text, text
    assert not UNSAFE.search(text), text
    screen.keys("Enter")
    text = "\n".join(screen.wait("Owner"))
    assert shown is None or f"Owner        {shown}, pid" in text, text
    assert not UNSAFE.search(text), text
    near.abort()
    screen.keys("Enter")
    text = "\n".join(screen.wait("  gone      "))
    assert shown is None or shown in text, text
    assert not UNSAFE.search(text), text
    assert screen.tmux("display-message", "-p", "#{pane_title}") == title


@only_once
def test_without_a_terminal_it_is_exit_2_and_says_so(lab):
    done = lab.run("top", exit=2)
    assert b"--batch" in done.stderr and done.stdout == b""


@only_once
@pytest.mark.parametrize("term", ["dumb", "no-such-terminal", ""])
def test_a_terminal_that_cannot_be_drawn_on_is_exit_2(lab, term):
    lab.pair()
    screen = Screen(lab, columns=160, prefix=("env", f"TERM={term}"), ready=None)
    assert screen.end() == 2
    assert f'type "{term}"' in "\n".join(screen.lines())


@only_once
@pytest.mark.parametrize("words", ["--delay 1ms", "--delay soon", "-n 2", "--rows 0", "surplus",
                                   "--batch -n 0", "--batch --audit fine", "--json"])
def test_wrong_usage_is_exit_2(lab, words):
    done = lab.run("top", *words.split(), exit=2)
    assert done.stderr.startswith(b"holdfast")


@only_once
def test_colour_where_it_is_wanted(lab):
    lab.pair().connect()
    assert "\033[31m" in Screen(lab).raw()
    raw = Screen(lab, prefix=("env", "NO_COLOR=1")).raw()
    assert not re.search(r"\033\[[0-9;]*3[1-7]m", raw), raw
    raw = Screen(lab, prefix=("env", "TERM=vt100")).raw()
    assert not re.search(r"\033\[[0-9;]*3[1-7]m", raw), raw


@only_once
def test_in_any_locale(lab):
    lab.pair().connect()[0].close()
    client, _, _, port = lab.default
    client.call("rename", hex="Grüße日本".encode().hex())
    client.connect(lab.server.address, port)
    for locale in ("C", "C.UTF-8", "no_SUCH"):
        assert Screen(lab, columns=120, prefix=("env", f"LC_ALL={locale}")).wait("Grüße日本")
