# SPDX-License-Identifier: GPL-2.0-or-later
"""What the program prints, compared with the files beside this one.

HOLDFAST names the program (default build/holdfast). HOLDFAST_UPDATE=1 writes the files anew
instead: read the difference before committing it.
"""

import fcntl
import fnmatch
import importlib.machinery
import importlib.util
import json
import os
import pty
import re
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
    "check-help": "check --help",
    "check-close-too-soon": "check --close-dead --count 2",
    "check-interval": "check --interval 500ms",
    "run-help": "run --help",
    "run-backend": "run --backend diag -- true",
    "run-not-found": "run --backend preload -- /no/such/program",
    "run-nothing": "run --quiet",
    "why-help": "why --help",
    "why-one-end": "why 10.0.0.1:41234",
    "why-no-port": "why 10.0.0.1 10.0.0.2:5432",
    "top-help": "top --help",
    "top-no-terminal": "top",
    "top-json-on-screen": "top --json",
    "doctor-help": "doctor --help",
    "watch-help": "watch --help",
    "watch-state": "watch --state listening",
    "watch-audit": "watch --audit slow",
    "profiles": "profiles",
    "profiles-json": "profiles --json",
    "profiles-help": "profiles --help",
    "error-command": "lst",
    "error-swapped-command": "wacth",
    "error-far-command": "help nope",
    "error-hostile-command": "\033[31m\nlist",
    "error-option": "plan --no-such-option",
    "error-argument": "plan everything",
    "error-backend": "list --backend ebpf",
    "error-twice": "plan --idle 60 --idle 30",
    "error-count": "plan --count 2",
    "error-scope": "list --remote [fe80::1%eth0]:80",
    "error-too-short": "plan --dead-within 2s",
    "error-contradiction": "plan --dead-within 30s --idle 60s",
    "error-ports": "gateway --port 5001 --destination :5000",
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


def on_terminal(columns, words, exits=(0,), **more):
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
    assert child.returncode in exits
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_profiles_fit_the_terminal(columns):
    text = on_terminal(columns, ["profiles"], NO_COLOR="1")
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= columns
    check(f"profiles-{columns}-columns", text)


@pytest.mark.parametrize("columns", [60, 80])
def test_plan_is_wrapped_on_a_terminal(columns):
    text = on_terminal(columns, ["plan"])
    assert max(map(len, text.splitlines())) <= columns
    check(f"plan-{columns}-columns", text)


def test_notes_below_a_table_fit_the_usual_terminal():
    assert max(map(len, on_terminal(80, ["profiles"], NO_COLOR="1").splitlines())) <= 80


@pytest.mark.parametrize("words", ["doctor", "doctor --gateway"])
def test_doctor_cuts_nothing_off_on_a_terminal(words):
    rows = [json.loads(line) for line in subprocess.run(
        [PROGRAM, *words.split(), "--json"], stdout=subprocess.PIPE).stdout.splitlines()]
    text = on_terminal(80, words.split(), exits=(0, 1), NO_COLOR="1")
    assert max(map(len, text.splitlines())) <= 80
    told = "STATUS CHECK WHAT WAS FOUND WHAT TO DO"
    told += "".join(value or "-" for row in rows for value in row.values())
    letters = [sorted(re.sub(r"[\s\d]", "", each)) for each in (text, told)]  # counts may change
    assert letters[0] == letters[1]


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


def test_a_pipe_gets_whole_lines_whatever_columns_says():
    for words in "plan", "profiles":
        done = subprocess.run([PROGRAM, words], stdout=subprocess.PIPE,
                              env={**ENVIRONMENT, "COLUMNS": "40"})
        assert done.stdout.decode() == (HERE / f"{words}.txt").read_text()


def names(text):
    """What stands in backquotes, as patterns."""
    return [name.replace("<verb>", "*") for name in re.findall(r"`([\w.*<>]+)`", text)]


def is_among(file, patterns):
    return any(fnmatch.fnmatch(file, pattern) or fnmatch.fnmatch(file.split(".")[0], pattern)
               for pattern in patterns)


def test_the_map_of_the_source_names_every_file_and_none_that_is_gone():
    text = (ROOT / "src/README.md").read_text().partition("## Beside src/")[0]
    parts = re.split(r"^(?:## |`)([\w/]+)/[` ]", text, flags=re.M)[1:]
    for folder, told in zip(parts[::2], parts[1::2]):
        files = [file.name for file in (ROOT / "src" / folder).glob("*.[ch]")]
        assert not [file for file in files if not is_among(file, names(told))], folder
        rows = [line.split(" | ")[0] for line in told.splitlines() if line.startswith("| `")]
        assert not [name for name in names("".join(rows))
                    if not any(is_among(file, [name]) for file in files)], folder


def section(manual, title):
    return re.search(rf"^# {title}$(.*?)^# ", manual, re.M | re.S)[1]


def test_the_manual_names_every_option_with_its_command_or_among_the_shared_ones():
    manual = (ROOT / "man/holdfast.1.scd").read_text()
    commands = re.split(r"^\*(\w+)\*.*$", section(manual, "COMMANDS"), flags=re.M)[1:]
    commands = dict(zip(commands[::2], commands[1::2]))
    shared = section(manual, "OPTIONS")
    missing = [(command, option) for command, option, _argument, _text in dumped()
               if option and f"*{option}*" not in commands[command] + shared]
    assert not missing
    synopsis = section(manual, "SYNOPSIS")
    assert all(f"*{command}*" in synopsis for command in commands)


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
