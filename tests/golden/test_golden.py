# SPDX-License-Identifier: GPL-2.0-or-later
"""What the program prints, compared with the files beside this one.

HOLDFAST names the program (default build/holdfast). HOLDFAST_UPDATE=1 writes the files anew
instead: read the difference before committing it.
"""

import fcntl
import importlib.machinery
import importlib.util
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = os.environ.get("HOLDFAST", str(ROOT / "build/holdfast"))
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C"}

CASES = {
    "help": "--help",
    "plan": "plan",
    "plan-json": "plan --json",
    "plan-both-goals": "plan --dead-within 30s --keep-open aws-nlb",
    "plan-keep-open": "plan --keep-open 4min",
    "plan-one-loss": "plan --keep-open 3.25s",
    "plan-least": "plan --dead-within 4.5s",
    "plan-settings": "plan --idle 60 --interval 10 --count 6",
    "plan-user-timeout": "plan --user-timeout 30s --idle 10s",
    "plan-user-timeout-json": "plan --user-timeout 30s --idle 10s --json",
    "plan-loss": "plan --dead-within 10s --loss 20",
    "plan-help": "plan --help",
    "run-help": "run --help",
    "run-nothing": "run --quiet",
    "why-help": "why --help",
    "why-one-end": "why 10.0.0.1:41234",
    "why-no-port": "why 10.0.0.1 10.0.0.2:5432",
    "top-help": "top --help",
    "top-no-terminal": "top",
    "profiles": "profiles",
    "profiles-json": "profiles --json",
    "profiles-help": "profiles --help",
    "error-command": "lst",
    "error-hostile-command": "\033[31m\nlist",
    "error-option": "plan --no-such-option",
    "error-argument": "plan everything",
    "error-too-short": "plan --dead-within 2s",
    "error-contradiction": "plan --dead-within 30s --idle 60s",
    "error-user-timeout": "plan --user-timeout 2s",
    "error-duration": "plan --dead-within soon",
    "error-profile": "plan --keep-open aws",
}


def check(name, text):
    golden = HERE / f"{name}.txt"
    if os.environ.get("HOLDFAST_UPDATE") == "1":
        golden.write_text(text)
    assert golden.exists(), f"no {golden.name}: run with HOLDFAST_UPDATE=1"
    assert text == golden.read_text()


def arguments(line):
    return [line] if "\033" in line else line.split()


@pytest.mark.parametrize("name", CASES)
def test_output(name):
    done = subprocess.run(
        [PROGRAM, *arguments(CASES[name])], capture_output=True, env=ENVIRONMENT, timeout=60
    )
    text = done.stdout.decode()
    if done.stderr:
        text += "--- stderr\n" + done.stderr.decode()
    if done.returncode:
        text += f"--- exit {done.returncode}\n"
    check(name, text)


def on_terminal(columns, words, **more):
    """What a terminal of so many columns gets to show."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [PROGRAM, *words], stdin=theirs, stdout=theirs, env={**ENVIRONMENT, "TERM": "xterm", **more}
    ) as child:
        os.close(theirs)
        shown = b""
        try:
            while more_shown := os.read(ours, 65536):
                shown += more_shown
        except OSError:  # the child has closed its side
            pass
        os.close(ours)
    assert child.returncode == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_profiles_fit_the_terminal(columns):
    text = on_terminal(columns, ["profiles"], NO_COLOR="1")
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= columns
    check(f"profiles-{columns}-columns", text)


def test_colour_on_a_terminal_only_where_it_is_wanted():
    assert "\033[" in on_terminal(80, ["profiles"])
    assert "\033[" not in on_terminal(80, ["profiles"], NO_COLOR="1")
    assert "\033[" not in on_terminal(80, ["profiles"], TERM="dumb")


@pytest.mark.parametrize("line", ["plan", "plan --json", "profiles", "--help", "plan --help"])
def test_a_full_disk_is_told(line):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, *line.split()], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 4
    assert done.stderr == b"holdfast: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_reader_that_has_gone_is_no_error(ignored):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [PROGRAM, "profiles"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        restore_signals=not ignored,  # Python itself ignores SIGPIPE
        timeout=60,
    )
    os.close(theirs)
    assert done.stderr == b""
    assert done.returncode == (0 if ignored else -signal.SIGPIPE)


def dumped():
    """(command, option, argument, text) of every option, as the program itself lists them."""
    lines = subprocess.run([PROGRAM, "--dump-options"], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in lines.stdout.splitlines()]


def test_the_manual_names_every_command_and_option():
    manual = (ROOT / "man/holdfast.1.scd").read_text()
    missing = []
    for command, option, _argument, _text in dumped():
        name = option or command
        if f"*{name}*" not in manual and f"*{name}=" not in manual:
            missing.append(f"{command} {option}")
    assert not missing


def test_completions_are_those_of_the_option_tables():
    path = str(ROOT / "completions/generate")
    loader = importlib.machinery.SourceFileLoader("generate", path)
    generate = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(generate)
    for name, text in generate.files(generate.Program(PROGRAM)).items():
        written = ROOT / "completions" / name
        if os.environ.get("HOLDFAST_UPDATE") == "1":
            written.write_text(text)
        assert written.read_text() == text
