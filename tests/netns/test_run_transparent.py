# SPDX-License-Identifier: GPL-2.0-or-later
"""holdfast run: status, signals, terminal, streams and family are the program's, as if alone."""
import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lab import HOLDFAST, SESSION, Lines, wait_until
from runs import USER, keeper_of, only_once, script, under

BOTH = pytest.mark.parametrize("mechanism", ["bpf", "preload"])
# What a program sees of how it was started. Python would change some of it by itself.
SELF = """
import os, signal, sys
def status(name):
    with open("/proc/self/status") as file:
        return [line.split()[1] for line in file if line.startswith(name + ":")][0]
try:
    os.waitpid(-1, os.WNOHANG)
    children = "some"
except ChildProcessError:
    children = "none"
print({"arguments": sys.argv[1:], "pid": os.getpid(), "parent": os.getppid(), "children": children,
       "group": os.getpgrp(), "session": os.getsid(0), "descriptors": os.listdir("/proc/self/fd"),
       "blocked": status("SigBlk"), "pending": status("SigPnd"), "shared": status("ShdPnd"),
       "ignored": status("SigIgn"), "directory": os.getcwd(), "priority": os.nice(0),
       "mask": os.umask(0), "limits": open("/proc/self/limits").read(),
       "environment": sorted(n for n in os.environ.items()
                             if n[0] not in ("LD_PRELOAD", "HOLDFAST_RUN"))})
"""


def shown(lab, prefix, **options):
    """What a program says of itself: a dictionary; its own number is replaced by "own"."""
    program = lab.popen([*prefix, sys.executable, "-c", SELF, "--json", "--", ""], cwd="/usr",
                        stdout=subprocess.PIPE, **options)
    said = eval(program.communicate(timeout=20)[0])  # pylint: disable=eval-used
    assert program.returncode == 0
    return {key: "own" if value == program.pid else value for key, value in said.items()}


@only_once
@BOTH
def test_a_program_finds_everything_as_if_it_had_been_started_alone(lab, mechanism):
    prefix = USER if mechanism == "preload" else ()
    assert shown(lab, under(mechanism)) == shown(lab, prefix)


@only_once
@BOTH
def test_blocked_signals_descriptors_and_closed_streams_stay_so(lab, mechanism):
    """SIGCHLD blocked: ours must not be left pending. Standard input closed: nothing takes it."""
    odd = (sys.executable, "-c",
           "import os, signal, sys\n"
           "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGUSR1])\n"
           "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
           "os.dup2(1, 9, inheritable=True)\n"
           "os.close(0)\n"
           "os.execvp(sys.argv[1], sys.argv[1:])\n")
    prefix = USER if mechanism == "preload" else ("env",)
    assert shown(lab, (*odd, *under(mechanism))) == shown(lab, (*odd, *prefix))


@only_once
@BOTH
@pytest.mark.parametrize("status", [0, 1, 3, 77, 255])
def test_the_exit_status_is_the_programs(lab, mechanism, status):
    assert lab.popen([*under(mechanism), "sh", "-c", f"exit {status}"]).wait(10) == status


@only_once
@BOTH
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT])
def test_it_ends_by_the_signal_that_ended_the_program(lab, mechanism, number):
    assert lab.popen([*under(mechanism), "sh", "-c", f"kill -{number} $$"]).wait(10) == -number


@only_once
@BOTH
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1,
                                    signal.SIGWINCH])
def test_a_signal_sent_to_it_reaches_the_program(lab, mechanism, number):
    program = lab.popen([*under(mechanism), sys.executable, "-c",
                         "import signal, sys, time\n"
                         f"signal.signal({number}, lambda n, _: print(n, flush=True) or sys.exit(5))\n"
                         "print('ready', flush=True)\ntime.sleep(30)\n"], stdout=subprocess.PIPE)
    out = Lines(program.stdout)
    assert out.next(10) == b"ready"
    program.send_signal(number)
    assert out.next(5) == str(int(number)).encode()
    assert program.wait(5) == 5


@only_once
@BOTH
def test_streams_pass_through_byte_for_byte(lab, mechanism):
    data = os.urandom(1 << 20)
    program = lab.popen([*under(mechanism), "sh", "-c", "cat; echo bad >&2"], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.communicate(data, timeout=20) == (data, b"bad\n")


@only_once
@BOTH
def test_a_pipe_ends_when_the_program_closes_it(lab, mechanism):
    """Nobody else holds it open, while the program goes on, or a child of it does."""
    program = lab.popen([*under(mechanism), "sh", "-c", "exec >/dev/null 2>&1 9>&-; sleep 30"],
                        stdout=subprocess.PIPE)
    assert program.stdout.read() == b""
    assert program.poll() is None


@only_once
@BOTH
@pytest.mark.parametrize("command, status, why", [
    ("/no/such/program", 127, "No such file"), ("no-such-program", 127, "No such file"),
    ("/etc", 126, "Permission denied"), ("/etc/passwd", 126, "Permission denied"),
    ("\033[31m\nred", 127, r"\x1b[31m\x0ared"), ("a\u202eb", 127, r"\u{202e}")])
def test_what_cannot_be_executed_is_126_or_127(lab, mechanism, command, status, why):
    program = lab.popen([*under(mechanism), command], stderr=subprocess.PIPE,
                        env={**lab.env, "PATH": "/usr/bin:/bin"})
    said = program.communicate(timeout=10)[1].decode()
    assert program.returncode == status
    assert said.startswith("holdfast: run: cannot execute") and why in said, said
    assert "\033" not in said and len(said.splitlines()) == 1


@only_once
@pytest.mark.parametrize("words", ["run", "run --", "run --dead-within 1s -- true",
                                   "run --backend magic -- true", "run --quiet --quiet -- true",
                                   "run --no-such-option -- true", "run --json -- true"])
def test_wrong_usage_is_exit_2_and_runs_nothing(lab, words):
    done = lab.run(*words.replace("true", "echo ran").split(), exit=2)
    assert done.stdout == b"" and done.stderr.startswith(b"holdfast run: ")


@only_once
def test_options_after_the_command_are_the_commands(lab):
    assert lab.run("run", "--quiet", "echo", "--dead-within", "-x").stdout == b"--dead-within -x\n"
    assert lab.run("run", "--quiet", "--", "echo", "--", "-x").stdout == b"-- -x\n"


@only_once
def test_without_privileges_and_library_it_is_exit_3(lab):
    alone = shutil.copy(HOLDFAST, os.path.join(lab.directory, "alone"))
    done = subprocess.run([*USER, alone, "run", "--", "echo", "ran"], capture_output=True,
                          check=False, timeout=10)
    assert done.returncode == 3 and done.stdout == b""
    assert b"libholdfast-preload.so: No such file" in done.stderr


@only_once
def test_only_by_ebpf_it_is_exit_3_without_privileges(lab):
    done = lab.run("run", "--backend=bpf", "--", "echo", "ran", prefix=USER, exit=3)
    assert done.stdout == b"" and b"CAP_BPF" in done.stderr


@only_once
def test_it_says_by_which_mechanism_unless_told_to_be_quiet(lab):
    assert lab.run("run", "--", "true").stderr.startswith(b"holdfast: run: eBPF on cgroup /")
    assert lab.run("run", "--", "true", prefix=USER).stderr.startswith(
        b"holdfast: run: preloaded library, as eBPF is not possible: ")
    assert lab.run("run", "--backend=preload", "--", "true").stderr == (
        b"holdfast: run: preloaded library\n")
    for prefix in ((), USER):
        assert lab.run("run", "--quiet", "--", "true", prefix=prefix).stderr == b""


# -- Job control

class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, lab):
        self.ours, theirs = pty.openpty()
        lab.stack.callback(os.close, self.ours)
        take = "import fcntl, os, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); " \
               "os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])"
        self.shell = lab.popen([sys.executable, "-c", take], stdin=theirs, stdout=theirs,
                               stderr=theirs, env={**lab.env, "PS1": "$ ", "TERM": "dumb"})
        os.close(theirs)
        self.text = ""
        self.expect("$ ")

    def type(self, text):
        os.write(self.ours, text.encode())

    def expect(self, text, timeout=10):
        """Everything up to this text, which comes within the time."""
        until = time.monotonic() + timeout
        os.set_blocking(self.ours, False)
        while text not in self.text:
            assert time.monotonic() < until, f"no {text!r} within {timeout} s: {self.text!r}"
            try:
                self.text += os.read(self.ours, 4096).decode()
            except BlockingIOError:
                time.sleep(0.02)
        before, self.text = self.text.split(text, 1)
        return before

    def status(self):
        self.type("echo status=$?.\n")
        self.expect("status=$?.")
        self.expect("status=")
        return self.expect(".")


COUNTS = """
import signal, time
counts = {signal.SIGINT: 0, signal.SIGQUIT: 0, signal.SIGCONT: 0}
def count(number, frame):
    counts[number] += 1
for number in counts:
    signal.signal(number, count)
print("rea" + "dy", flush=True)
while not counts[signal.SIGQUIT]:
    time.sleep(0.05)
time.sleep(0.3)
print("counted", *counts.values(), "end", flush=True)
"""


@only_once
@BOTH
def test_stopping_continuing_and_interrupting_at_a_terminal(lab, mechanism):
    terminal = Terminal(lab)
    terminal.type(" ".join(under(mechanism)) + " cat\n")
    terminal.expect("cat\r\n")
    time.sleep(0.5)
    terminal.type("one\n")
    terminal.expect("one\r\none\r\n")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    assert terminal.status() == str(128 + signal.SIGTSTP)
    terminal.type("fg\n")
    terminal.expect("cat\r\n")
    terminal.type("two\n")
    terminal.expect("two\r\ntwo\r\n")
    terminal.type("\x03")
    terminal.expect("$ ")
    assert terminal.status() == str(128 + signal.SIGINT)


@only_once
@BOTH
def test_what_is_typed_reaches_the_program_once(lab, mechanism):
    terminal = Terminal(lab)
    path = script(lab, "counts.py", COUNTS)
    terminal.type(" ".join(under(mechanism)) + f" {sys.executable} {path}\n")
    terminal.expect("ready")
    terminal.type("\x03")
    time.sleep(0.3)
    terminal.type("\x1c")
    terminal.expect("counted")
    assert terminal.expect("end").split() == ["1", "1", "0"]


def stopped_at_a_prompt(terminal):
    """The shell tells of it before a prompt that comes after it."""
    for _ in range(20):
        terminal.type("\n")
        with contextlib.suppress(AssertionError):
            return terminal.expect("Stopped", timeout=0.5)
    raise AssertionError("not stopped")


@only_once
@BOTH
def test_it_runs_in_the_background_and_comes_to_the_front(lab, mechanism):
    terminal = Terminal(lab)
    terminal.type(" ".join(under(mechanism)) + " sh -c 'read x; echo got=$x.' &\n")
    stopped_at_a_prompt(terminal)  # it reads from the terminal in the background: SIGTTIN
    terminal.type("fg\n")
    terminal.expect("sh -c")
    terminal.type("word\n")
    terminal.expect("got=word.")


@only_once
def test_the_keeper_is_no_part_of_the_programs_session_and_ends_with_it(lab):
    marker = f"{SESSION}-{lab.number}-keeper"
    program = lab.popen([*under("bpf"), "sh", "-c", "read x", marker], stdin=subprocess.PIPE)
    keeper = wait_until(lambda: keeper_of(marker), 5, "the keeper")
    assert os.getsid(keeper) == keeper != program.pid
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(keeper, number)  # as at the end of a session or a service: it has work until then
    time.sleep(0.3)
    assert keeper_of(marker) == keeper
    wait_until(lambda: {os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in (0, 1, 2)} ==
               {"/dev/null"}, 5, "it has let go of the program's streams")
    program.stdin.close()
    program.wait(5)
    wait_until(lambda: keeper_of(marker) is None, 5, "it ends")
