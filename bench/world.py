# SPDX-License-Identifier: GPL-2.0-or-later
"""The namespace a benchmark runs in, what runs in it, and the table of results."""
import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import time

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE, MNT_DETACH = 0x4000, 0x40000, 2
libc = ctypes.CDLL(None, use_errno=True)


def must(rc, what):
    if rc < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def private_memory():
    """A bpffs that only this process and its children see: no watcher of the host is disturbed."""
    must(libc.unshare(CLONE_NEWNS), "unshare")
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    place = tempfile.mkdtemp(prefix="holdfast-bench.")
    must(libc.mount(b"bpf", place.encode(), b"bpf", 0, None), "mount bpffs")
    os.environ["HOLDFAST_BPFFS"] = place
    try:
        yield
    finally:
        must(libc.umount2(place.encode(), MNT_DETACH), "umount")
        os.rmdir(place)


def new_namespace():
    """Move this process into a network namespace with loopback, all ports, and no TIME_WAIT."""
    must(libc.unshare(CLONE_NEWNET), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in (("ip_local_port_range", "1024 65535"), ("tcp_max_tw_buckets", "0")):
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as sysctl:
            sysctl.write(value)


class Tools:
    """The program that is measured, and what bench/meson.build made, which lies beside it."""

    def __init__(self, holdfast):
        self.holdfast = os.path.abspath(holdfast)
        self.folder = os.path.join(os.path.dirname(self.holdfast), "bench")

    def path(self, tool):
        return os.path.join(self.folder, tool)

    def numbers(self, tool, *args):
        run = subprocess.run([self.path(tool), *map(str, args)], check=True, capture_output=True)
        return [float(word) for word in run.stdout.split()]

    @contextlib.contextmanager
    def connections(self, n):
        """n connections held by processes whose ids this gives."""
        with subprocess.Popen([self.path("connections"), str(n)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as process:
            ready = process.stdout.readline().split()
            if not ready:
                raise RuntimeError("bench/connections failed")
            yield ready[1:]
            process.stdin.close()

    @contextlib.contextmanager
    def watch(self, *args, output=subprocess.DEVNULL):
        """`holdfast watch`, ready; ended by SIGINT."""
        process = subprocess.Popen([self.holdfast, "watch", *args], stdout=output,
                                   stderr=subprocess.PIPE, text=True)
        try:
            said = []
            while not said or "watching" not in said[-1]:  # warnings come first
                said.append(process.stderr.readline())
                if not said[-1]:
                    raise RuntimeError(f"holdfast watch: {''.join(said)}")
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            process.wait()
        if process.returncode:
            raise RuntimeError(f"holdfast watch ended with {process.returncode}")


def seconds(command):
    """Wall time of one run, its output thrown away."""
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def cpu_seconds(pid):
    """User and system time that a process has used so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Results:
    """Rows of a table: what, ours, against what, the ratio, the target, whether it is met."""

    HEAD = ("what", "holdfast", "against", "ratio", "target", "met")

    def __init__(self):
        self.rows = []

    def add(self, what, ours, against="", ratio="", target="", met=None):
        row = (what, ours, against, ratio, target, {True: "yes", False: "NO", None: ""}[met])
        self.rows.append(row + (met,))
        print("  ".join(cell for cell in row if cell), flush=True)

    def against(self, what, ours, theirs, peer, limit=None):
        """Seconds of ours and of the peer's: is ours at most that share of theirs?"""
        self.add(what, f"{ours * 1000:.1f} ms", f"{peer} {theirs * 1000:.1f} ms",
                 f"{ours / theirs:.2f}", f"<= {limit}" if limit else "",
                 ours / theirs <= limit if limit else None)

    def at_most(self, what, value, limit, unit):
        """One of ours against a limit that is no peer's."""
        self.add(what, f"{value:.3g} {unit}", "", "", f"<= {limit} {unit}", value <= limit)

    @property
    def all_met(self):
        return all(row[-1] is not False for row in self.rows)

    def markdown(self):
        lines = [self.HEAD, tuple("---" for _ in self.HEAD), *(row[:-1] for row in self.rows)]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine():
    """What the figures were measured on."""
    def first(command):
        return subprocess.run(command, check=True, capture_output=True, text=True
                              ).stdout.splitlines()[0]
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = next((line.split(":", 1)[1].strip() for line in cpuinfo
                      if line.startswith("model name")), "unknown")
    return (f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, {first(['cc', '--version'])}, "
            f"{first(['ss', '-V'])}, {time.strftime('%Y-%m-%d')}")
