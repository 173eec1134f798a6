# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong usage, missing privileges, missing kernel features: the exit status, and what is said."""
import json
import os
import shlex
import signal
import threading
import time

import pytest

from lab import HOLDFAST, wait_until

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
NO_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
only_once = pytest.mark.parametrize("family", [4], indirect=True)

WRONG = [
    "list --remote 10.0.0.0/33", "list --remote 10.0.0.256", "list --remote 10.0.0.0/-1",
    "list --remote [::1", "list --remote ::1/129", "list --remote :65536", "list --remote :9-8",
    "list --local :http", "list --local ''", "list --pid 0", "list --pid -1", "list --pid x",
    "list --pid 4194305", "list --process no-such-program", "list --user no-such-user",
    "list --netns no-such-namespace", "list --netns /no/such/path", "list --netns /dev/null",
    "list --state OPEN", "list --audit fine", "list --columns nothing", "list --columns ''",
    "list --no-such-option", "list surplus", "no-such-command",
    "plan --dead-within 5parsecs", "plan --dead-within -5s", "plan --dead-within ''",
    "plan --dead-within 1s", "plan --dead-within 4s", "plan --dead-within 1e3",
    "plan --dead-within 100000d", "plan --keep-open no-such-profile", "plan --keep-open 1s",
    "plan --idle 0", "plan --idle 40000", "plan --interval 0", "plan --count 0",
    "plan --count 128", "plan --dead-within 10s --idle 60", "plan --keep-open 60s --idle 100",
    "plan --dead-within 20s --interval 5 --count 9", "plan --user-timeout 1ms --idle 60",
    "plan --dead-within 60s --user-timeout 2min",
    "apply --dead-within 1s", "apply --pid 4194305", "watch --dead-within 1s",
    "watch --netns no-such-namespace", "list --backend ebpf", "watch --process ''", "audit --dead-within nonsense",
]


@only_once
@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_exit_2_and_says_what_is_wrong(lab, words):
    done = lab.run(*shlex.split(words), exit=2)
    assert done.stdout == b""
    message = done.stderr.decode()
    assert message.startswith("holdfast"), message
    assert len(message.splitlines()) <= 4, message
    wrong = [word for word in shlex.split(words)[1:] if word and not word.startswith("--")]
    assert not wrong or any(word in message for word in wrong), message


@only_once
def test_a_thread_is_no_process(lab):
    thread = threading.get_native_id()
    assert thread != os.getpid()
    assert b"no process" in lab.run("list", "--pid", str(thread), exit=2).stderr


@only_once
def test_a_fifo_is_no_namespace_and_not_waited_for(lab):
    fifo = os.path.join(lab.directory, "fifo")
    os.mkfifo(fifo)
    assert b"it is something else" in lab.run("list", "--netns", fifo, exit=2).stderr


@only_once
def test_the_nearest_goal_that_can_be_kept_is_named(lab):
    assert b"4.5" in lab.run("plan", "--dead-within", "1s", exit=2).stderr


@only_once
@pytest.mark.parametrize("words", ["list --backend bpf", "audit --backend bpf",
                                   "apply --backend bpf", "watch --backend bpf", "restore"])
@pytest.mark.parametrize("prefix", [NOBODY, NO_CAPABILITIES], ids=["nobody", "no-capabilities"])
def test_without_privileges_it_is_exit_3_and_names_the_mend(lab, words, prefix):
    done = lab.run(*shlex.split(words), prefix=prefix, exit=3)
    message = done.stderr.decode()
    assert message.startswith("holdfast: ") and ";" in message, message
    assert "root" in message or "CAP_" in message, message
    assert "ulimit" not in message


@only_once
@pytest.mark.parametrize("words", ["plan", "profiles", "--help", "list --help"])
def test_what_needs_no_privileges_works_without(lab, words):
    assert lab.run(*shlex.split(words), prefix=NOBODY).stdout


@only_once
@pytest.mark.parametrize("words", ["list", "apply", "watch"])
def test_on_a_kernel_without_ebpf_it_is_exit_3_and_says_so(lab, words):
    done = lab.run(words, "--backend", "bpf", prefix=(lab.helpers(), "no-ebpf"), exit=3)
    assert b"BPF" in done.stderr, done.stderr


@only_once
def test_doctor_tells_what_is_missing(lab):
    well = lab.json("doctor")
    assert well
    ill = lab.run("doctor", prefix=NOBODY, exit=1)
    assert b"CAP_" in ill.stdout or b"root" in ill.stdout
    assert ill.stdout != lab.run("doctor").stdout
    assert b"holdfast doctor" not in ill.stdout
    states = {row["check"]: row["status"] for row in lab.json("doctor", prefix=NOBODY, exit=1)}
    assert states["open sockets"] == states["events"] == "missing"


@only_once
def test_doctor_tells_a_hidden_cgroup_hierarchy_from_a_missing_one(lab):
    inside = ("ip", "netns", "exec", lab.pair().client.name, *NOBODY)
    row, = [row for row in lab.json("doctor", prefix=inside, exit=1) if row["check"] == "cgroups"]
    assert "`ip netns exec` hides" in row["detail"] and "nsenter" in row["mend"]


JSON = ["list --netns {client}", "apply --netns {client}", "restore", "plan", "profiles", "doctor",
        "plan --dead-within 10s --keep-open aws-nlb", "list --netns {client} --columns local",
        "audit --netns {client} --dead-within 10min"]


@pytest.mark.parametrize("words", JSON)
def test_json_is_one_object_a_line(lab, words):
    lab.pair().connect(keepalive=1, idle=20, interval=5, count=4)
    status = 1 if words.startswith("audit") else 0  # in flight nothing bounds it: slow
    done = lab.run(*words.format(client=lab.client.name).split(), "--json", exit=status)
    lines = done.stdout.decode().splitlines()
    assert lines or words == "restore"
    for line in lines:
        assert isinstance(json.loads(line), dict)
    assert done.stderr == b""


def test_watch_writes_whole_json_lines_at_once(lab):
    watch = lab.pair().watch("--dead-within", "10s")
    near, _ = lab.connect()
    event = watch.wait("protected", local=near.local, remote=near.remote)
    assert set(event) == {"time", "event", "local", "remote", "netns", "pid", "process", "rule",
                          "evidence", "action"}
    assert set(event["evidence"]) == {"unanswered", "silent_s", "errno", "probes", "rtt_ms"}
    assert event["netns"] == lab.client.inode
    assert event["time"].endswith("Z") and len(event["time"]) == len("2025-01-01T00:00:00.000Z")


@only_once
def test_every_command_has_help(lab):
    for command in "list audit apply watch restore run plan profiles doctor demo".split():
        text = lab.run(command, "--help").stdout.decode()
        assert f"holdfast {command}" in text
        assert command in lab.run("--help").stdout.decode()


@only_once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_watch_with_exit_0(lab, number):
    assert lab.pair().watch().stop(number) == 0


@only_once
def test_a_closed_pipe_ends_list_without_a_message(lab):
    lab.pair()
    for _ in range(200):
        lab.connect()
    command = f"{HOLDFAST} list --netns {lab.client.name} | head -1"
    process = lab.popen(["bash", "-c", command], stdout=-1, stderr=-1)
    out, err = process.communicate(timeout=10)
    assert len(out.splitlines()) == 1 and err == b""


@only_once
def test_a_watch_whose_output_is_closed_ends(lab):
    watch = lab.pair().watch("--dead-within", "10s")
    watch.process.stdout.close()
    lab.connect()
    wait_until(lambda: watch.process.poll() is not None, 5, "it ends")


@only_once
def test_output_to_a_full_disk_is_exit_4(lab):
    lab.pair().connect()
    process = lab.popen(["bash", "-c", f"{HOLDFAST} list --netns {lab.client.name} >/dev/full"],
                        stderr=-1)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 4 and b"No space left" in err


@only_once
def test_a_watch_of_a_namespace_that_goes_away_does_not_fail(lab):
    other = lab.namespace("short")
    watch = lab.watch(netns=other)
    other.delete()
    time.sleep(2.5)
    assert watch.process.poll() in (None, 0)
