# SPDX-License-Identifier: GPL-2.0-or-later
"""What `holdfast gateway` costs and how fast it is, with very many idle flows across one namespace.

The flows are opened by real handshakes between bench/ends, which answers for all of their ends, on
two TUN devices: the kernel forwards and tracks them as any others. A stream of bulk data between
two further namespaces is the traffic that has nothing to do with them.
"""
import contextlib
import json
import multiprocessing
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from host import memory_kib
from world import CLONE_NEWNET, cpu_seconds, libc, must, new_namespace

DEAD = 30  # of a hundred flows
QUEUE = 20000  # packets of a TUN device: its reader is a process among others
TICK = 0.5  # s: what the verdict's timer and a look at the clock may add to a bound
WINDOW = 3  # s of bulk data that make one figure
PORT = 5001


def sh(text):
    subprocess.run(text, shell=True, check=True, stdout=subprocess.DEVNULL)


def lost():
    """Packets that the ends' devices had no room for: the benchmark's fault, not the gateway's."""
    told = subprocess.run(["ip", "-json", "-statistics", "link"], check=True, capture_output=True)
    return sum(device["stats64"]["tx"]["dropped"] for device in json.loads(told.stdout)
               if device["ifname"] in ("near", "far"))


class Ends:
    """One side of all flows."""

    def __init__(self, tools, side, flows):
        self.process = subprocess.Popen([tools.path("ends"), side, side, str(flows)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.hear("ready")

    def hear(self, word):
        line = self.process.stdout.readline()
        if word not in line:
            raise RuntimeError(f"bench/ends said {line!r} instead of {word}")
        return line.split()

    def ask(self, what, word):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.hear(word)

    def close(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def crossing(tools, flows):
    """This namespace forwards and tracks so many flows; both sides of them."""
    new_namespace()
    sides = [Ends(tools, side, flows) for side in ("near", "far")]
    sh(f"ip link set near up txqueuelen {QUEUE} && ip link set far up txqueuelen {QUEUE} && "
       "sysctl -q net.ipv4.ip_forward=1 "
       "net.netfilter.nf_conntrack_tcp_timeout_established=86400 && "
       "ip route add 10.1.0.0/16 dev near && ip route add 10.2.0.0/16 dev far && "
       "nft 'table ip track { chain on { type filter hook forward priority 0; "
       "ct state invalid drop; }; }'")
    try:
        sides[0].ask("open", "opened")
        yield sides
    finally:
        for side in sides:
            side.close()


@contextlib.contextmanager
def gateway(tools, goal):
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [tools.holdfast, "gateway", "--json", "--dead-within", f"{goal}s", "--on-dead", "reset",
             "--brake", "off", "--rate", "0"],
            stdout=subprocess.DEVNULL, stderr=said)
        try:
            time.sleep(2)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            said.seek(0)
            print(said.read(), end="", file=sys.stderr)
        if process.returncode:
            raise RuntimeError("holdfast gateway failed")


# --- Unrelated traffic ---

def run_host(pipe, address, total, act):
    """A host in a namespace of its own, once its device has come there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    must(libc.unshare(CLONE_NEWNET), "unshare")
    pipe.send("ready")
    pipe.recv()
    sh(f"ip link set lo up && ip addr add 10.9.{address}.2/24 dev host{address} && "
       f"ip link set host{address} up && ip route add default via 10.9.{address}.1")
    act(pipe, total)


def sink(pipe, total):
    listener = socket.create_server(("0.0.0.0", PORT))
    pipe.send("listening")
    stream, buffer = listener.accept()[0], bytearray(1 << 20)
    while size := stream.recv_into(buffer):
        total.value += size


def source(pipe, _):
    """Sends while told to."""
    pipe.send("ready")
    stream, data = socket.create_connection(("10.9.1.2", PORT)), bytes(1 << 20)
    while seconds := pipe.recv():
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            stream.sendall(data)
        pipe.send("done")


class Stream:
    """Bulk data from one host to another, forwarded here."""

    def __init__(self):
        self.total = multiprocessing.Value("Q", 0, lock=False)
        self.pipes, self.children = [], []
        for address, act in ((1, sink), (2, source)):
            pipe, theirs = multiprocessing.Pipe()
            child = multiprocessing.Process(target=run_host, daemon=True,
                                            args=(theirs, address, self.total, act))
            child.start()
            self.children.append(child)
            pipe.recv()
            sh(f"ip link add host{address} netns {child.pid} type veth peer name way{address} && "
               f"ip addr add 10.9.{address}.1/24 dev way{address} && ip link set way{address} up")
            pipe.send("go")
            pipe.recv()
            self.pipes.append(pipe)

    def close(self):
        for child in self.children:
            child.terminate()
            child.join()

    def rates(self, windows):
        """Bytes a second, of each window."""
        result = []
        for _ in range(windows):
            before, start = self.total.value, time.monotonic()
            self.pipes[1].send(WINDOW)
            self.pipes[1].recv()
            result.append((self.total.value - before) / (time.monotonic() - start))
        return result


# --- Figures ---

def conntrack_cpu():
    """Processor time of one look at the whole table by the usual tool."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["conntrack", "-L", "-p", "tcp"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_idle(results, name, pid, flows, goal):
    """One goal long, once every flow has been probed; and the table looked at as often."""
    time.sleep(goal)
    used = cpu_seconds(pid)
    time.sleep(goal)
    share = (cpu_seconds(pid) - used) / goal * 1e5 / flows
    looks = conntrack_cpu() / (goal / 8) * 1e5 / flows
    results.add(f"{name}: CPU, of one core, per 100000 flows", f"{share * 100:.2f} %",
                f"conntrack -L every {goal / 8:g} s {looks * 100:.2f} %", f"{share / looks:.2f}")
    results.add(f"{name}: resident memory per flow", f"{memory_kib(pid)[0] * 1024 / flows:.0f} B",
                "a connection tracking entry, 256 B and extensions")


def measure_deaths(results, name, sides, flows, goal):
    near, far = sides
    doomed = sum(i % 100 < DEAD for i in range(flows))
    far.ask(f"cut {DEAD}", "cut")
    near.ask(f"cut {DEAD}", "cut")
    until = time.monotonic() + goal + 10
    while time.monotonic() < until:
        count = [int(word) for word in near.ask("count", "told")[1::2]]
        if count[0] == doomed:
            break
        time.sleep(0.5)
    told, wrong, first, median, last = count
    if lost():
        raise RuntimeError(f"{lost()} packets lost by bench/ends: the machine is too busy")
    results.at_most(f"{name}: of {doomed} dead ones, not told", doomed - told, 0, "")
    results.at_most(f"{name}: of {flows - doomed} living ones, reset", wrong, 0, "")
    results.at_most(f"{name}: death to RST, the latest (median {median / 1000:.1f} s)", last / 1000,
                    goal + TICK, "s")
    results.add(f"{name}: verdicts as they fell due", f"{told / max(last - first, 1) * 1000:.0f} per s")


def measure_gateway(tools, results, flows, goal, windows):
    name = f"gateway, {flows} flows, dead within {goal} s"
    with crossing(tools, flows) as sides, contextlib.closing(Stream()) as stream:
        without = stream.rates(windows)
        with gateway(tools, goal) as process:
            measure_idle(results, name, process.pid, flows, goal)
            under = statistics.median(stream.rates(windows))
            measure_deaths(results, name, sides, flows, goal)
        without = statistics.median(without + stream.rates(windows))
    results.add(f"{name}: unrelated traffic forwarded", f"{under * 8e-9:.2f} Gbit/s",
                f"without {without * 8e-9:.2f} Gbit/s", f"{under / without:.2f}", ">= 0.9",
                under / without >= 0.9)
