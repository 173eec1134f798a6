# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of top share: its screen, in tmux with keys sent to it."""
import itertools
import os
import re

import pytest

from lab import HOLDFAST, check, wait_until

only_once = pytest.mark.parametrize("family", [4], indirect=True)
HEADING, FOOT = "STATUS", "q quit  h help"
_screens = itertools.count(1)

# What the screen's shell says before and after: the terminal's settings, and how top ended.
SHELL = 'trap : INT QUIT; stty -g >{0}/before; "$@"; status=$?; stty -g >{0}/after; echo "exit=$status"; sleep 600'


class Screen:
    """`holdfast top` on a terminal of tmux, in the client's namespace."""

    def __init__(self, lab, *arguments, columns=80, lines=24, command=None, prefix=(), ready=HEADING,
                 delay="200ms"):
        self.lab = lab
        self.directory = os.path.join(lab.directory, f"screen{next(_screens)}")
        self.socket = os.path.join(self.directory, "tmux")
        os.mkdir(self.directory)
        lab.popen(["tmux", "-u", "-D", "-S", self.socket, "-f", "/dev/null"])
        wait_until(lambda: os.path.exists(self.socket), 10, "tmux has begun")
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), "nsenter",
                  f"--net={lab.client.path}", "sh", "-c", SHELL.format(self.directory), "sh",
                  *prefix, *(command or (HOLDFAST, "top", "--delay", delay, *arguments)))
        if ready:
            self.wait(ready)

    def tmux(self, *words):
        return check(["tmux", "-u", "-S", self.socket, *words],
                     env={**self.lab.env, "LANG": "C.UTF-8"})

    def lines(self):
        return self.tmux("capture-pane", "-p").splitlines()

    def raw(self):
        return self.tmux("capture-pane", "-p", "-e")

    def wait(self, what, timeout=10):
        """Wait for a text, or a condition of the lines; the lines."""
        holds = what if callable(what) else lambda lines: any(what in line for line in lines)
        try:
            return wait_until(lambda: (lines := self.lines()) and holds(lines) and lines, timeout,
                              what)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n" + "\n".join(self.lines())) from None

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def rows(self, lines=None):
        """The connections: each a list of words, in the order of the screen."""
        lines = lines or self.lines()
        first = next((i for i, line in enumerate(lines) if line.startswith(HEADING)), len(lines)) + 1
        rows = itertools.takewhile(lambda line: line and not line.startswith("Last events"),
                                   lines[first:])
        return [row.split() for row in rows]

    def pid(self):
        """That of holdfast itself."""
        shell = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        return int(check(["ps", "-o", "pid=", "--ppid", str(shell)]).split()[0])

    def end(self):
        """Wait until top has ended and the terminal is as it was; top's exit status."""
        ended = self.wait("exit=")
        status = next(line for line in ended if line.startswith("exit="))
        with open(f"{self.directory}/before", encoding="ascii") as before, \
                open(f"{self.directory}/after", encoding="ascii") as after:
            assert before.read() == after.read()
        flags = self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}")
        assert flags.split() == ["0", "1", "0"]
        return int(status[len("exit="):])


def column(rows, number=0):
    return [row[number] for row in rows]


def counted(lines, word):
    """The number before a word of the lines on top."""
    found = re.search(rf"(\d+(?:\.\d)?) {word}\b", " ".join(lines[:5]))
    assert found, (word, lines[:5])
    return float(found[1])


def kinds(lab):
    """One connection that is protected, two that are slow, three that are unprotected."""
    lab.pair()
    protected = [lab.connect(keepalive=1, idle=20, interval=5, count=5, user_timeout_ms=45000)]
    slow = [lab.connect(keepalive=1, idle=900) for _ in range(2)]
    unprotected = [lab.connect() for _ in range(3)]
    return protected, slow, unprotected
