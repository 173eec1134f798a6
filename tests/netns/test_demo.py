# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast demo: what it shows, that it is measured, and that nothing is left of it."""
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from lab import HOLDFAST, SESSION, wait_until
from stolen import tcp_sockets

WIDTH = 80
CR_LF, ESCAPE = "\r\n", "\x1b"
CTRL_C = "Ctrl-C typed into its terminal"
MOMENTS = [  # (what it has just said, what ends it)
    ("", signal.SIGINT), ("connected, idle", signal.SIGTERM), ("connected, idle", CTRL_C),
    ("the NAT forgets", signal.SIGKILL), ("loses power", signal.SIGINT),
    ("loses power", signal.SIGHUP), ("the server is up again", signal.SIGTERM),
    ("the network breaks", CTRL_C), ("the network breaks", signal.SIGKILL),
]


def stat(pid):
    """(parent, start time) of a process: with its pid, nobody else's."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1]), int(fields[19])


def family_of(pid):
    """{pid: start time} of a process and all that descend from it."""
    known = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                known[int(name)] = stat(int(name))
            except OSError:
                pass
    found = {pid: known[pid][1]} if pid in known else {}
    while True:
        more = {one: at for one, (parent, at) in known.items()
                if parent in found and one not in found}
        if not more:
            return found
        found.update(more)


def living(family):
    found = []
    for pid, at in family.items():
        try:
            if stat(pid)[1] == at:
                found.append(pid)
        except OSError:
            pass
    return found


def namespaces(family):
    """Network namespaces other than ours."""
    found = set()
    for pid in living(family):
        with contextlib.suppress(OSError):  # ended meanwhile
            found.add(os.stat(f"/proc/{pid}/ns/net").st_ino)
    return found - {os.stat("/proc/self/ns/net").st_ino}


def pinned():
    """Namespaces that are mounted somewhere: they stay without a process. The labs' have names."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {line for line in file if " - nsfs " in line and "/hf-" not in line}


class Demo:
    """One run. Its output is gathered by a thread as it comes."""

    def __init__(self, terminal=False, prefix=(), **environment):
        inherited = {key: value for key, value in os.environ.items()
                     if key not in ("NO_COLOR", "COLUMNS", "TERM")}
        self.master, end = pty.openpty() if terminal else os.pipe()
        if terminal:
            fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        self.raw, self.began = b"", time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, HOLDFAST, "demo"], stdin=end if terminal else subprocess.DEVNULL, stdout=end,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None,
            env={**inherited, "TERM": "xterm", "HF_TEST_SESSION": SESSION, **environment})
        os.close(end)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # a terminal that nobody holds any more
                data = b""
            if not data:
                return
            self.raw += data

    @property
    def output(self):
        return self.raw.decode().replace(CR_LF, "\n")

    def said(self, text, timeout=45):
        wait_until(lambda: text in self.output or self.process.poll() is not None, timeout, text)
        assert text in self.output, self.output

    def stop(self, how):
        if how == CTRL_C:
            os.write(self.master, b"\x03")
        else:
            self.process.send_signal(how)

    def wait(self):
        self.error = self.process.communicate(timeout=60)[1].decode()
        self.status, self.seconds = self.process.returncode, time.monotonic() - self.began
        self.reader.join(10)
        os.close(self.master)
        return self


def interrupted(moment, how):
    demo = Demo(terminal=how == CTRL_C)
    demo.said(moment)
    time.sleep(0.1)
    family = family_of(demo.process.pid)
    demo.inside, before = namespaces(family), pinned()
    at = time.monotonic()
    demo.stop(how)
    demo.wait()
    demo.took = time.monotonic() - at
    demo.left, demo.pinned = living(family), pinned() - before
    if how == signal.SIGKILL:  # nobody waits for its children but the kernel
        wait_until(lambda: not living(family), 3, "the end of the children")
        demo.left = []
    return demo


def plain_program(demo, server, port):
    """The client program of one connection."""
    def search():
        for pid in family_of(demo.process.pid):
            for sock in connections(pid):
                if sock == (server, port):
                    return pid
        return None
    return wait_until(search, 30, f"a connection to {server}:{port}")


def connections(pid):
    try:
        if pathlib.Path(f"/proc/{pid}/comm").read_text() == "plain-program\n":
            return [sock.getpeername() for sock in tcp_sockets(pid)]
    except OSError:
        pass
    return []


def not_plain():
    """The program left alone gets keepalive after all: what is claimed of it is no longer true."""
    demo = Demo()
    demo.said("2. The server's power is cut")
    for sock in tcp_sockets(plain_program(demo, "203.0.113.6", 7001)):
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            sock.setsockopt(socket.IPPROTO_TCP, option, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return demo.wait()


def watch_killed():
    demo = Demo()
    demo.said("Holdfast: protected")
    family = family_of(demo.process.pid)
    watch, = [pid for pid in family
              if b"watch\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(watch, signal.SIGKILL)
    demo.wait()
    demo.left = living(family)
    return demo


@pytest.fixture(scope="module")
def runs():
    """All runs, some at a time: most of the time they sleep."""
    work = {"pipe": lambda: Demo().wait(), "terminal": lambda: Demo(terminal=True).wait(),
            "not plain": not_plain, "watch killed": watch_killed}
    for moment in MOMENTS:
        work[moment] = lambda moment=moment: interrupted(*moment)
    with concurrent.futures.ThreadPoolExecutor(5) as executor:
        yield {name: executor.submit(run) for name, run in work.items()}


@pytest.fixture
def finished(runs):
    return lambda name: runs[name].result(timeout=120)


def test_everything_is_as_claimed_within_45_s(finished):
    demo = finished("pipe")
    assert (demo.status, demo.error) == (0, "")
    assert demo.seconds < 45


def test_it_shows_what_happens_without_and_with_holdfast(finished):
    text = " ".join(finished("pipe").output.split("What happened")[1].split())
    assert text.count("still ESTABLISHED") == 3
    noticed = re.search(r"ETIMEDOUT after ([\d.]+) s .*?\(promised: ([\d.]+) s\)", text)
    assert noticed and 2 < float(noticed[1]) <= float(noticed[2]) == 5
    reset = re.search(r"ECONNRESET after ([\d.]+) s", text)
    assert reset and 0 < float(reset[1]) <= 5
    assert re.search(r"alive: [12] probes? lost", text)
    assert len(re.findall(r"byte in [\d.]+ ms", text)) == 3


def test_the_timeline_tells_it_in_order_with_its_evidence(finished):
    lines = finished("pipe").output.splitlines()
    stamps = [float(found[1]) for found in (re.match(r" *([\d.]+)s  ", line) for line in lines)
              if found]
    assert len(stamps) > 25 and stamps[-1] < 45
    assert all(later - before > -0.15 for before, later in zip(stamps, stamps[1:]))
    story = "\n".join(lines)
    position = 0
    for event in ("connected, idle", "the NAT forgets", "the server sends a byte",
                  "the byte arrives", "no byte, and nobody is told", "the server loses power",
                  "probe 3: no answer", "the program's read(): ETIMEDOUT", "the server loses power",
                  "the server is up again", "the program's read(): ECONNRESET",
                  "the network breaks", "the network heals", "the next probe is answered",
                  "the byte arrives", "What happened", "Try next"):
        position = story.find(event, position)
        assert position >= 0, event
    assert "Holdfast: dead: ETIMEDOUT, 3" in story and "Holdfast: reset: ECONNRESET" in story


def test_the_strips_show_probes_that_are_answered_and_lost(finished):
    strips = re.findall(r"^(without|with) +(\S.*)$", finished("pipe").output, re.M)
    assert [name for name, _ in strips] == ["without", "with"] * 4
    without, with_ = ([strip for name, strip in strips if name == one]
                      for one in ("without", "with"))
    assert not any(set(strip) & set("+x!") for strip in without)
    assert with_[0].count("+") >= 6 and "x" not in with_[0] and "B" in with_[0]
    assert "~" in without[0] and "B" not in without[0]
    assert with_[1].count("x") == 3 and with_[1].rstrip().endswith("!")
    assert "!" in with_[2]
    assert "x" in with_[3] and "B" in with_[3] and "!" not in with_[3]


def test_without_a_terminal_it_is_plain_text_of_80_columns(finished):
    output = finished("pipe").raw.decode("ascii")
    assert ESCAPE not in output and "\r" not in output
    assert max(map(len, output.splitlines())) <= WIDTH


def test_the_last_lines_name_what_to_try_next(finished):
    last = finished("pipe").output.splitlines()[-2:]
    assert last[0].startswith("  holdfast list ")
    assert last[1].startswith("  sudo holdfast watch --dead-within 2min ")


def screen(text):
    """What a terminal shows of it in the end; the widest line that it ever had."""
    lines, y, widest = [""], 0, 0
    for token in re.findall(r"\x1b\[[\d;]*[A-Za-z]|\n|[^\x1b\n]+", text):
        if token == "\n":
            y += 1
            lines += [""] * (y + 1 - len(lines))
        elif token.startswith(ESCAPE):
            assert token[-1] in "AJm", f"not understood: {token!r}"
            y -= int(token[2:-1]) if token[-1] == "A" else 0
            lines = lines[:y] + [""] if token[-1] == "J" else lines
        else:
            lines[y] += token
            widest = max(widest, len(lines[y]))
    return lines, widest


def test_on_a_terminal_it_is_live_in_colour_and_leaves_the_same_story(finished):
    demo = finished("terminal")
    assert (demo.status, demo.error) == (0, "")
    assert demo.output.count("\x1b[J") > 100, "not redrawn as time goes on"
    assert "\x1b[32m" in demo.output
    lines, widest = screen(demo.output)
    assert widest <= WIDTH
    headlines = [line for line in finished("pipe").output.splitlines()
                 if re.match(r"\d\. |What|Try|client", line)]
    assert [line for line in lines if line in headlines] == headlines
    assert len([line for line in lines if line.startswith("with ")]) == 4


@pytest.mark.parametrize("environment, colour, live", [
    ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False), ({}, True, True)],
    ids=["NO_COLOR", "dumb", "xterm"])
def test_a_terminal_gets_only_what_it_can_show(environment, colour, live):
    demo = Demo(terminal=True, **environment)
    demo.said("Holdfast: protected")
    time.sleep(0.5)
    demo.stop(CTRL_C)
    demo.wait()
    assert ("\x1b[1m" in demo.output) == colour
    assert ("\x1b[J" in demo.output) == live
    assert live or ESCAPE not in demo.output


@pytest.mark.parametrize("moment, how", MOMENTS)
def test_interrupted_it_ends_at_once_and_leaves_nothing(finished, moment, how):
    demo = finished((moment, how))
    assert demo.status == -(signal.SIGINT if how == CTRL_C else how)
    assert demo.took < 3
    assert not demo.left
    assert not moment or len(demo.inside) == 6
    assert not demo.pinned
    assert "Try next" not in demo.output
    assert how == signal.SIGKILL or "interrupted" in demo.error


def test_what_goes_otherwise_is_said_and_is_exit_4(finished):
    demo = finished("not plain")
    assert demo.status == 4
    assert "1 of 8 results" in demo.error
    text = demo.output.split("What happened")[1]
    assert text.count("ETIMEDOUT") == 2
    assert "Try next" not in text


def test_a_failure_half_way_is_exit_4_and_leaves_nothing(finished):
    demo = finished("watch killed")
    assert demo.status == 4
    assert "holdfast watch ended" in demo.error
    assert not demo.left and demo.seconds < 10


@pytest.mark.parametrize("tool, package", [("ip", "iproute2"), ("nft", "nftables")])
def test_a_missing_program_is_exit_3_and_names_its_package(tool, package):
    path = os.path.realpath(shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"))
    script = f"mount --bind /dev/null {path} && exec \"$@\""
    demo = Demo(prefix=("unshare", "--mount", "sh", "-c", script, "sh")).wait()
    assert demo.status == 3
    assert f"program {tool};" in demo.error and package in demo.error


@pytest.mark.parametrize("prefix", [
    ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"),
    ("setpriv", "--bounding-set=-all", "--inh-caps=-all")], ids=["nobody", "no-capabilities"])
def test_without_privileges_it_is_exit_3_and_names_the_mend(prefix):
    demo = Demo(prefix=prefix).wait()
    assert (demo.status, demo.output) == (3, "")
    assert "root" in demo.error


def test_an_argument_is_a_usage_error():
    done = subprocess.run([HOLDFAST, "demo", "faster"], capture_output=True, timeout=10)
    assert done.returncode == 2 and b"faster" in done.stderr and done.stdout == b""
