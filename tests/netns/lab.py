# SPDX-License-Identifier: GPL-2.0-or-later
"""A laboratory: network namespaces, plain programs in them, and Holdfast beside them.

Every lab is independent of every other one, and of a Holdfast that watches the host: its own
namespaces and addresses, its own bpffs ($HOLDFAST_BPFFS), its own temporary directory. close()
takes all of it down again, and ends every process in the namespaces, by pid.
"""
import contextlib
import functools
import itertools
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
HOLDFAST = os.environ.get("HOLDFAST", str(HERE.parent.parent / "build" / "holdfast"))
SESSION = "hf-%d" % os.getpid()  # the start of every name that we give to anything
POLLING = 0.3  # s: what the tests' own looking adds to a time that they measure

_labs = itertools.count(1)
# Of each session others: a watch of all namespaces that one session runs by its addresses must not
# set the sockets of another one.
_links = itertools.count(1 + os.getpid() % 40 * 1000)


def check(argv, **options):
    """Run a command that has to succeed; its stdout."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}: {done.stderr}"
    return done.stdout


def wait_until(condition, timeout, what):
    """Poll until condition() is true; its value."""
    until = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {timeout} s: {what}"
        time.sleep(0.02)


def sleep_until(when):
    time.sleep(max(0, when - time.monotonic()))


class Lines:
    """The lines that a process writes, each to be had once, with a deadline."""

    def __init__(self, stream):
        self.fd, self.rest, self.lines, self.ended = stream.fileno(), b"", [], False

    def poll(self, timeout=0):
        if self.ended or not select.select([self.fd], [], [], timeout)[0]:
            return
        data = os.read(self.fd, 65536)
        self.ended = not data
        *whole, self.rest = (self.rest + data).split(b"\n")
        self.lines += whole

    def next(self, timeout):
        until = time.monotonic() + timeout
        while not self.lines and not self.ended and time.monotonic() < until:
            self.poll(until - time.monotonic() if until > time.monotonic() else 0)
        return self.lines.pop(0) if self.lines else None


class Sock:
    """One socket of a Peer. Everything peer.py does with an id is a method of it."""

    def __init__(self, peer, id):
        self.peer, self.id = peer, id
        names = self.names()
        self.local, self.remote, self.cookie = names["local"], names["remote"], names["cookie"]

    def __getattr__(self, name):
        return functools.partial(self.peer.call, name, id=self.id)

    def recv(self, timeout):
        return self.peer.call("recv", id=self.id, timeout=timeout, patience=timeout + 5)

    def hears(self, text, timeout=2):
        """Exactly this arrives."""
        got = self.recv(timeout)
        assert got and got["data"] == text, f"expected {text!r}, got {got}"
        return got["at"]

    def death(self, errno, timeout):
        """The program is told of the death by this error; when."""
        got = self.recv(timeout)
        assert got, f"not told of the death within {timeout} s"
        assert got["errno"] == errno, got
        return got["at"]

    def set(self, **values):
        self.set_options(values=values)


class Peer:
    """A plain program in a namespace (peer.py), told what to do; prefix: a command to run it."""

    program = "peer.py"

    def __init__(self, lab, netns=None, prefix=(), **options):
        self.lab = lab
        self.process = lab.popen([*prefix, sys.executable, str(HERE / self.program)], netns,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.pid, self.lines = self.process.pid, Lines(self.process.stdout)

    def start(self, do, **arguments):
        self.request = json.dumps({"do": do, **arguments})
        self.process.stdin.write(self.request.encode() + b"\n")
        self.process.stdin.flush()

    def answered(self):
        self.lines.poll()
        return bool(self.lines.lines)

    def answer(self, patience):
        line = self.lines.next(patience)
        assert line is not None, f"no answer from the peer: {self.request}"
        answer = json.loads(line)
        assert "error" not in answer, f"{self.request}: {answer['error']}"
        return answer["value"]

    def call(self, do, patience=15, **arguments):
        self.start(do, **arguments)
        return self.answer(patience)

    def listen(self, host, port=0, **options):
        made = self.call("listen", host=host, port=port, **options)
        return made["id"], made["port"]

    def connect(self, host, port, **options):
        return Sock(self, self.call("connect", host=host, port=port, options=options)[0])

    def accept(self, listener):
        return Sock(self, self.call("accept", id=listener)[0])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(5)


class Namespace:
    def __init__(self, lab, role):
        self.lab, self.name = lab, f"{SESSION}-{lab.number}-{role}"
        self.path, self.addresses = f"/run/netns/{self.name}", []
        check(["ip", "netns", "add", self.name])
        lab.stack.callback(self.delete)
        check(["ip", "-n", self.name, "link", "set", "lo", "up"])
        self.inode = os.stat(self.path).st_ino

    @property
    def address(self):
        return self.addresses[0]

    def run(self, *argv, **options):
        return check(["nsenter", f"--net={self.path}", *argv], **options)

    def ip(self, text):
        check(["ip", "-n", self.name, "-batch", "-"], input=text)

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)

    def sysctl(self, **values):
        self.run("sysctl", "-qw", *(f"net.{key.replace('__', '.')}={value}"
                                    for key, value in values.items()))

    def counter(self, name):
        """A counter of /proc/net/netstat."""
        head, values = [line.split() for line in self.run("cat", "/proc/net/netstat").splitlines()
                        if line.startswith("TcpExt:")]
        return int(values[head.index(name)])

    def cut(self):
        """A power cut, as the network sees it: nothing goes in or comes out any more."""
        self.nft("table inet cut {\n"
                 "chain in { type filter hook prerouting priority -400; policy drop; }\n"
                 "chain out { type filter hook output priority -400; policy drop; }\n"
                 "}\n"
                 "table arp cut {\n"
                 "chain in { type filter hook input priority 0; policy drop; }\n"
                 "}\n")
        return time.monotonic()

    def heal(self):
        self.nft("delete table inet cut\ndelete table arp cut\n")

    def slow_down(self, address, rto):
        """As on a path with long round trips: the first retransmission after rto seconds."""
        link = self.run("ip", "-o", "route", "get", address).split(" dev ")[1].split()[0]
        self.ip(f"route add {address} dev {link} rto_min {rto}s\n")

    def forget_neighbours(self):
        """Let the neighbours be asked for again (a power cut leaves nobody to answer)."""
        for line in self.run("ip", "neigh").splitlines():
            self.ip(f"neigh del {line.split()[0]} dev {line.split()[2]}\n")

    def lose_one_probe(self):
        """Drop the next bare ACK that comes in, and no other: a quota of less than two."""
        self.nft("table inet lossy {\nchain in {\n"
                 "type filter hook prerouting priority -400;\n"
                 "tcp flags == ack quota until 80 bytes counter drop\n}\n}\n")

    def lost(self):
        """How many packets lose_one_probe() has dropped."""
        return self.packets("inet lossy")

    def packets(self, table):
        """What the counters of a table have counted, altogether."""
        words = self.run("nft", "list", "table", *table.split()).split()
        return sum(int(words[at + 1]) for at, word in enumerate(words) if word == "packets")

    def delete(self):
        if not os.path.exists(self.path):
            return
        for pid in check(["ip", "netns", "pids", self.name]).split():
            with contextlib.suppress(OSError):
                # Another lab's Holdfast may look at all namespaces, in this one just now.
                if not os.path.samefile(f"/proc/{pid}/exe", HOLDFAST):
                    os.kill(int(pid), signal.SIGKILL)
        check(["ip", "netns", "del", self.name])


class Watch:
    """`holdfast watch --json` running: what it prints, and how it ends."""

    def __init__(self, lab, *arguments, prefix=(), env=None):
        command = lab.command("watch", "--json", *arguments)
        self.process = lab.popen([*prefix, *command], None, env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.late = lab.late
        self.out, self.err, self.events, self.said = (Lines(self.process.stdout),
                                                      Lines(self.process.stderr), [], [])
        wait_until(self.ready, 10, "the watch says that it is watching")

    def ready(self):
        """Its events are read meanwhile, or a full pipe would stop it."""
        self.out.poll()
        self.err.poll()
        self.said += [line.decode() for line in self.err.lines]
        self.err.lines.clear()
        assert not self.err.ended, f"watch has ended: {self.said}"
        return any("watching" in line for line in self.said)

    def seen(self, event=None, **fields):
        """The events so far with these fields."""
        self.out.poll()
        while self.out.lines:
            self.events.append(json.loads(self.out.lines.pop(0)))
        return [e for e in self.events if (event is None or e["event"] == event)
                and all(e[key] == value for key, value in fields.items())]

    def wait(self, event, timeout=1.5, **fields):
        """The first such event, which comes within the time."""
        what = f"event {event} {fields}"
        try:
            return wait_until(lambda: self.seen(event, **fields), timeout + self.late, what)[0]
        except AssertionError as failure:
            raise AssertionError(f"{failure}; seen: {self.events}") from None

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(10)


class Lab:
    """Client and server with one link between them, or a router in the middle."""

    def __init__(self, family, backend=None):
        self.family, self.number, self.stack = family, next(_labs), contextlib.ExitStack()
        self.backend = backend
        self.late = 2 if backend == "diag" else 0  # s: until a pass sees what is new
        self.processes, self.default = [], None
        self.directory = self.stack.enter_context(
            tempfile.TemporaryDirectory(prefix=f"{SESSION}-", ignore_cleanup_errors=True))
        os.chmod(self.directory, 0o755)
        self.env = {**os.environ, "HOLDFAST_BPFFS": self.make_bpffs(), "HF_TEST_SESSION": SESSION}
        self.stack.callback(self.end_processes)

    def make_bpffs(self):
        path = os.path.join(self.directory, "bpf")
        os.mkdir(path)
        check(["mount", "-t", "bpf", SESSION, path])
        self.stack.callback(check, ["umount", "-l", path])
        return path

    # -- namespaces

    def namespace(self, role):
        return Namespace(self, role)

    def join(self, near, far):
        """A link between two namespaces; the addresses of its two ends.

        The neighbours are entered by hand: to find them over IPv6 takes a second after a link comes
        up, and would give the first connection a retransmission timeout of three.
        """
        number = next(_links)
        macs = [f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{side:02x}" for side in (1, 2)]
        near.ip(f"link add v{number}-1 address {macs[0]} type veth "
                f"peer name v{number}-2 address {macs[1]} netns {far.name}\n")
        for side, netns in enumerate((near, far), 1):
            v4, v6 = f"10.{20 + number // 200}.{number % 200}.", f"fd00:{number:x}::"
            link, mac = f"v{number}-{side}", macs[2 - side]
            netns.addresses.append(f"{v4 if self.family == 4 else v6}{side}")
            netns.ip(f"address add {v4}{side}/24 dev {link}\n"
                     f"address add {v6}{side}/64 dev {link} nodad\n"
                     f"link set {link} up\n"
                     f"neigh add {v4}{3 - side} lladdr {mac} nud permanent dev {link}\n"
                     f"neigh add {v6}{3 - side} lladdr {mac} nud permanent dev {link}\n")

    def default_route(self, netns, via):
        check(["ip", "-n", netns.name, f"-{self.family}", "route", "add", "default", "via", via])

    def pair(self):
        """client --- server"""
        self.client, self.server = self.namespace("client"), self.namespace("server")
        self.join(self.client, self.server)
        return self

    def nat(self, timeout, strict):
        """client --- nat --- server; the NAT forgets what was silent for timeout seconds."""
        self.client, self.server = self.namespace("client"), self.namespace("server")
        self.router = self.namespace("nat")
        self.join(self.client, self.router)
        self.join(self.router, self.server)
        self.default_route(self.client, self.router.addresses[0])
        self.router.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        verdict = "drop" if strict else "accept"
        self.router.nft(
            "table inet nat {\n"
            "chain out {\ntype nat hook postrouting priority 100\nmasquerade\n}\n"
            f"chain in {{\ntype filter hook input priority 0\nct state invalid {verdict}\n}}\n"
            f"chain on {{\ntype filter hook forward priority 0\nct state invalid {verdict}\n}}\n"
            "}\n")
        self.router.sysctl(netfilter__nf_conntrack_tcp_timeout_established=timeout,
                           netfilter__nf_conntrack_tcp_loose=0 if strict else 1)
        return self

    # -- processes

    def popen(self, argv, netns=None, **options):
        """Start a program in a namespace; it is gone when the lab is closed."""
        prefix = ["nsenter", f"--net={netns.path}", "--"] if netns else []
        options = {"env": self.env, **{k: v for k, v in options.items() if v is not None}}
        process = subprocess.Popen([*prefix, *argv], start_new_session=True, **options)
        self.processes.append(process)
        return process

    def end_processes(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.wait(5)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()

    def peer(self, netns, prefix=(), **options):
        return Peer(self, netns, prefix, **options)

    def helpers(self):
        """The static programs of helpers.c, compiled."""
        path = os.path.join(self.directory, "helpers")
        if not os.path.exists(path):
            check(["cc", "-std=gnu17", "-O2", "-static", "-o", path, str(HERE / "helpers.c")])
        return path

    def connect(self, **options):
        """One connection of a plain client to a plain server: its two ends."""
        if self.default is None:
            server, client = self.peer(self.server), self.peer(self.client)
            self.default = client, server, *server.listen(self.server.address)
        client, server, listener, port = self.default
        near = client.connect(self.server.address, port, **options)
        return near, server.accept(listener)

    def exchange(self, near, far):
        """A byte each way; when the near end heard its last segment."""
        near.send(text="ping")
        far.hears("ping")
        far.send(text="pong")
        return near.hears("pong")

    # -- Holdfast

    def command(self, *arguments):
        """holdfast with these arguments, by the lab's backend where the command has several."""
        if self.backend and arguments and arguments[0] in ("list", "audit", "apply", "watch"):
            return [HOLDFAST, arguments[0], "--backend", self.backend, *arguments[1:]]
        return [HOLDFAST, *arguments]

    def one_pass(self):
        """Without eBPF a watch finds what is new by its next pass."""
        time.sleep(self.late)

    def shown(self, rule):
        """The rule that list shows of a connection that is under it: without eBPF none."""
        return None if self.backend == "diag" else rule

    def run(self, *arguments, exit=0, prefix=(), env=None):
        """Run holdfast and expect an exit status; what it printed."""
        done = subprocess.run([*prefix, *self.command(*arguments)], capture_output=True, timeout=60,
                              env=env or self.env)
        assert done.returncode == exit, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments, **options):
        """Run holdfast with --json: its objects, one a line."""
        done = self.run(*arguments, "--json", **options)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def where(self, netns):
        """--netns for a Namespace, a text as it is, or None: the client's."""
        return ("--netns", netns if isinstance(netns, str) else (netns or self.client).name)

    def list(self, *arguments, netns=None):
        return self.json("list", *self.where(netns), *arguments)

    def one(self, sock, *arguments, netns=None):
        """What list says of this socket."""
        rows = [row for row in self.list(*arguments, netns=netns) if row["cookie"] == sock.cookie]
        assert len(rows) == 1, rows
        return rows[0]

    def plan(self, *policy):
        return self.json("plan", *policy)[0]

    def apply(self, *arguments, netns=None):
        return self.json("apply", *self.where(netns), *arguments)

    def watch(self, *arguments, netns=None, **options):
        return Watch(self, *self.where(netns), *arguments, **options)

    # -- the end

    def abort(self):
        """End every process, from another thread: whoever waits for one of them fails."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def close(self):
        self.stack.close()

    def time_limit(self, seconds):
        timer = threading.Timer(seconds, self.abort)
        timer.daemon = True
        timer.start()
        self.stack.callback(timer.cancel)
