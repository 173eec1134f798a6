# SPDX-License-Identifier: GPL-2.0-or-later
"""top: its screen in tmux with keys sent to it, and --batch."""
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import time

import pytest

from lab import HOLDFAST, Lines, check, wait_until
from test_names import NAMES, UNSAFE, named

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


@pytest.mark.parametrize("columns,lines", [(80, 24), (120, 40)])
def test_what_matters_comes_first_and_is_counted(lab, columns, lines):
    protected = kinds(lab)[0][0]
    before = protected[0].options()
    screen = Screen(lab, columns=columns, lines=lines)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    assert column(screen.rows(shown)) == ["unprotected"] * 3 + ["slow"] * 2 + ["protected"]
    assert "Connections  6 " in shown[1]
    assert [counted(shown, word) for word in ("unprotected", "slow", "protected", "not judged",
                                              "probing", "just died")] == [3, 2, 1, 0, 0, 0]
    assert set(column(screen.rows(shown), 2)) == {protected[0].remote}
    assert FOOT in shown[lines - 1]
    assert max(map(len, shown)) <= columns
    assert (" RULE" in "\n".join(shown)) == (columns == 120)
    assert protected[0].options() == before  # it only looks
    screen.keys("q")
    assert screen.end() == 0


def test_a_death_is_seen_coming_and_told(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=4)
    lab.connect()
    screen = Screen(lab, columns=120)
    lab.server.cut()
    port = near.local.rpartition(":")[2]
    shown = screen.wait(lambda lines: screen.rows(lines)[:1] and
                        screen.rows(lines)[0][0] == "probing")
    assert port in screen.rows(shown)[0][1]
    shown = screen.wait("probes unanswered, silent")
    assert any(re.match(r"\d\d:\d\d:\d\d  probing   2 probes unanswered", line) for line in shown)
    near.death("ETIMEDOUT", timeout=20)
    shown = screen.wait(lambda lines: screen.rows(lines)[0][0] == "dead")
    assert counted(shown, "just died") == 1
    assert counted(shown, "so far") == 1
    assert "Connections  1 " in shown[1]
    assert any(re.match(r"\d\d:\d\d:\d\d  dead      [34] probes unanswered", line)
               for line in shown)
    screen.wait(lambda lines: counted(lines, "just died") == 0, timeout=15)


def test_an_answer_after_lost_probes_is_told(lab):
    near, far = lab.pair().connect(keepalive=1, idle=1, interval=1, count=100)
    lab.exchange(near, far)
    screen = Screen(lab, columns=120)
    lab.server.cut()
    screen.wait("probes unanswered, silent")
    lab.server.heal()
    screen.wait("  answered  ")
    screen.wait(lambda lines: screen.rows(lines)[0][0] != "probing")


def test_comings_and_goings_are_told_and_a_close_is_no_death(lab):
    lab.pair().connect()
    screen = Screen(lab, columns=120)
    near, far = lab.connect()
    shown = screen.wait("  appeared  ")
    assert any("appeared" in line and near.local in line for line in shown)
    near.abort()
    shown = screen.wait("  gone      ")
    assert any("gone" in line and near.local in line for line in shown)
    assert counted(shown, "so far") == 0
    assert "dead" not in column(screen.rows(shown))
    far.close()


def test_probes_a_second_are_the_kernels(lab):
    lab.pair()
    for _ in range(20):
        lab.connect(keepalive=1, idle=1, interval=1, count=5)
    screen = Screen(lab)
    # One a second for each of them, in bursts: the timers start together.
    screen.wait(lambda lines: "- probes" not in lines[3] and counted(lines, "probes") >= 10)


def test_the_filter_works_while_it_is_typed(lab):
    _, slow, _ = kinds(lab)
    port = slow[0][0].local.rpartition(":")[2]
    screen = Screen(lab)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    screen.keys("/")
    screen.type("SLO")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    assert "Filter SLO_" in shown[4] and "Enter keeps" in shown[23]
    screen.type(f"w :{port}")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 1)
    assert counted(shown, "unprotected") == 3  # counts are of all
    screen.keys("Enter")
    screen.wait(FOOT)
    assert len(screen.rows()) == 1
    screen.keys("/", "BSpace")
    for _ in port:
        screen.keys("BSpace")
    screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    screen.type("q")
    screen.wait(lambda lines: not screen.rows(lines))
    screen.keys("Escape")
    screen.wait(lambda lines: len(screen.rows(lines)) == 6 and "Filter" not in lines[4])


def test_filter_and_policy_of_the_command_line_are_lists(lab):
    _, _, unprotected = kinds(lab)
    screen = Screen(lab, "--audit", "slow", "--dead-within", "1h", "--netns", lab.client.name)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == len(
        lab.list("--audit", "slow", "--dead-within", "1h")))
    assert "goal: dead within 1h" in shown[1]
    other = Screen(lab, "--local", ":" + unprotected[1][0].local.rpartition(":")[2])
    assert len(other.wait(lambda lines: len(other.rows(lines)) == 1)) == 24
    assert "Connections  1 " in other.lines()[1]


def test_a_verdict_that_changes_is_no_death(lab):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=30)
    screen = Screen(lab, "--audit", "slow", columns=120)
    lab.server.cut()
    screen.wait("probes unanswered")
    near.set(user_timeout_ms=100000)
    shown = screen.wait(lambda lines: not screen.rows(lines))
    assert not any(" gone " in line or " dead " in line for line in shown[10:])


def test_the_order_can_be_chosen_and_reversed(lab):
    kinds(lab)
    screen = Screen(lab, columns=120)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    for name in ("unanswered", "silence", "next probe", "bound"):
        screen.keys("s")
        screen.wait(f"Sort         {name}")
    screen.wait(lambda lines: column(screen.rows(lines)) ==
                ["unprotected"] * 3 + ["slow"] * 2 + ["protected"])
    screen.keys("r")
    screen.wait("bound, reversed")
    screen.wait(lambda lines: column(screen.rows(lines)) ==
                ["protected"] + ["slow"] * 2 + ["unprotected"] * 3)
    screen.keys("S", "S", "S", "S")
    screen.wait("Sort         urgency")


def seconds(lines, label):
    line = next(line for line in lines if line.startswith(label))
    found = re.search(r"(?:(\d+)min ?)?(?:([\d.]+)(m?)s)?$", line.strip())
    return 60 * int(found[1] or 0) + float(found[2] or 0) / (1000 if found[3] else 1)


def test_one_connection_in_full_with_timers_that_count_down(lab):
    near, far = lab.pair().connect(keepalive=1, idle=30, interval=7, count=4, user_timeout_ms=0)
    lab.exchange(near, far)
    lab.watch("--dead-within", "60s")
    screen = Screen(lab, columns=120, delay="5s")  # the timers do not wait for it
    screen.keys("Enter")
    shown = screen.wait("Next probe")
    text = "\n".join(shown)
    row = lab.one(near)
    assert f"Local        {near.local}" in shown and f"Remote       {near.remote}" in shown
    assert "State        ESTABLISHED, protected" in text
    assert f"python3, pid {near.peer.pid}, uid 0" in text
    assert f"cookie {near.cookie}" in text
    assert f"idle {row['idle']}s, interval {row['interval']}s, count {row['count']}" in text
    assert "0 of 4 probes" in text or f"0 of {row['count']} probes" in text
    assert "Rule         watch, dead within 1min" in text
    screen.wait(f"Cgroup       {row['cgroup']}")
    before, at = screen.lines(), time.monotonic()
    time.sleep(1.5)
    after, passed = screen.lines(), time.monotonic() - at
    for label, change in (("Next probe", -passed), ("Silent", passed)):
        assert seconds(after, label) - seconds(before, label) == pytest.approx(change, abs=0.5)
    screen.keys("p")
    screen.wait("PAUSED")
    still = screen.lines()
    time.sleep(0.6)
    assert screen.lines() == still
    screen.keys("p")
    far.abort()
    screen.wait("GONE: this is what was last seen")
    screen.keys("Escape")
    screen.wait(HEADING)
    screen.keys("q")
    assert screen.end() == 0


def test_a_dead_peer_in_full_tells_when_it_is_told(lab):
    near, far = lab.pair().connect(keepalive=1, idle=1, interval=3, count=3)
    lab.exchange(near, far)
    screen = Screen(lab, columns=120)
    screen.keys("Enter")
    lab.server.cut()
    shown = screen.wait("Told dead    in ")
    left, at = float(re.search(r"in ([\d.]+)s", next(line for line in shown if "Told" in line))[1]), \
        time.monotonic()
    died = near.death("ETIMEDOUT", timeout=20)
    assert died - at == pytest.approx(left, abs=0.125 * 10 + 0.6)


def test_paused_is_paused_and_keys_still_work(lab):
    kinds(lab)
    screen = Screen(lab, columns=120)
    screen.wait(lambda lines: len(screen.rows(lines)) == 6)
    screen.keys("Space")
    screen.wait("PAUSED")
    near, _ = lab.connect()
    time.sleep(0.8)
    assert len(screen.rows()) == 6
    screen.keys("/")
    screen.type("slow")
    screen.wait(lambda lines: len(screen.rows(lines)) == 2)
    screen.keys("Escape", "Space")
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 7)
    assert any(near.local in line for line in shown) and "PAUSED" not in "\n".join(shown)


def test_help_lists_the_keys(lab):
    lab.pair()
    screen = Screen(lab)
    screen.keys("h")
    shown = screen.wait("filter as you type")
    assert "any key: back" in shown[23] and max(map(len, shown)) <= 80
    assert "whole namespaces." in "\n".join(shown)  # all of it fits
    screen.keys("x")
    screen.wait(FOOT)


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


NAMED = pytest.mark.parametrize("kind", NAMES)


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


@NAMED
def test_batch_shows_hostile_names_harmless(lab, kind):
    _, _, shown, _ = named(lab, kind)
    text = lab.run("top", "--batch", "-n", "1", "--netns", lab.client.name).stdout.decode()
    assert not UNSAFE.search(text), text
    assert shown is None or shown in text, text


def test_batch_prints_one_frame_after_the_other(lab):
    kinds(lab)
    started = time.monotonic()
    out = lab.run("top", "--batch", "-n", "3", "--delay", "500ms", "--netns",
                  lab.client.name).stdout.decode()
    assert 1 <= time.monotonic() - started < 10
    frames = out.split("\n\n")
    assert len(frames) == 4 and frames[3] == ""
    for number, frame in enumerate(frames[:3]):
        lines = frame.splitlines()
        assert lines[0].startswith("holdfast top - ") and lines[5].startswith(HEADING)
        assert [line.split()[0] for line in lines[6:]] == \
            ["unprotected"] * 3 + ["slow"] * 2 + ["protected"]
        assert number == 1 or ("- probes" in lines[3]) == (number == 0)
        assert "DEAD-IDLE" in lines[5] and "\033" not in frame
    one = lab.run("top", "--batch", "-n", "1", "--rows", "2", "--netns",
                  lab.client.name).stdout.decode()
    assert "rows 2 of 6" in one and len(one.split("\n\n")[0].splitlines()) == 8


def test_batch_json_is_one_object_a_frame(lab):
    kinds(lab)
    process = lab.popen([HOLDFAST, "top", "--batch", "-n", "3", "--json", "--netns",
                         lab.client.name], stdout=subprocess.PIPE)
    out = Lines(process.stdout)
    frames = [json.loads(out.next(10))]
    near, _ = lab.connect()
    frames += [json.loads(out.next(10)), json.loads(out.next(10))]
    assert [frame["connections"] for frame in frames] == [6, 7, 7]
    first = {key: frames[0][key] for key in ("unprotected", "slow", "protected", "not_judged",
                                             "probing", "just_died", "probes_per_s", "events")}
    assert first == {"unprotected": 3, "slow": 2, "protected": 1, "not_judged": 0, "probing": 0,
                     "just_died": 0, "probes_per_s": None, "events": []}
    (event,), none = frames[1]["events"], frames[2]["events"]
    assert none == []
    assert (event["event"], event["local"], event["remote"], event["pid"]) == \
        ("appeared", near.local, near.remote, near.peer.pid)
    assert frames[1]["appeared_per_s"] > 0 == frames[2]["appeared_per_s"]
    assert process.wait(10) == 0


@pytest.mark.parametrize("means", ["bpf", "diag"])
def test_with_and_without_ebpf(lab, means):
    near, _ = lab.pair().connect(keepalive=1, idle=1, interval=1, count=4)
    screen = Screen(lab, "--backend", means, columns=120)
    shown = screen.wait(lambda lines: len(screen.rows(lines)) == 1)
    assert near.local in "\n".join(shown) and "python3" in "\n".join(shown)
    lab.server.cut()
    screen.wait(lambda lines: screen.rows(lines)[0][0] == "dead", timeout=20)


def test_batch_ends_with_its_reader(lab):
    lab.pair().connect()
    command = f"{HOLDFAST} top --batch --delay 100ms --netns {lab.client.name} | head -2"
    process = lab.popen(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=20)
    assert len(out.splitlines()) == 2 and err == b""


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


@only_once
def test_all_namespaces_at_once(lab):
    near, far = lab.pair().connect()
    screen = Screen(lab, "--netns", "all", "--remote", lab.server.address, "--rows", "500",
                    columns=120)
    screen.wait(near.local)
    other = Screen(lab, "--netns", "all", "--local", lab.server.address, columns=120)
    other.wait(far.local)


MANY = 16000


@pytest.mark.alone
@only_once
def test_keys_are_answered_at_once_whatever_there_is_to_look_at(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    for _ in range(0, MANY, 500):
        client.call("connect", host=lab.server.address, port=port, count=500)
        server.call("accept", id=listener, count=500)
    screen = Screen(lab, columns=120, lines=40, delay="100ms")
    screen.wait(f"Connections  {MANY} ")
    took = []
    for _ in range(20):
        for key, shown in (("h", "any key: back"), ("x", FOOT)):
            before = time.monotonic()
            screen.keys(key)
            screen.wait(shown)
            took.append(time.monotonic() - before)
    assert statistics.median(took) < 0.1, took
    assert "rows 1000 of" in "\n".join(screen.lines())
