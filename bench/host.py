# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host side costs: list and apply against their peers, watch against its absence."""
import re
import statistics
import subprocess
import time

from world import cpu_seconds, new_namespace, seconds

# what `ss -tnoe` shows of a socket, and the settings, which ss cannot show; no owner
NO_OWNERS = "state,local,remote,netns,uid,cgroup,cookie,keepalive,idle,interval,count,silent_s"
REPEATS = 7
PORT = 999  # that bench/connections listens on


def interleaved(repeats, *actions):
    """The best of each action, run in turn: what disturbs the machine meets them alike."""
    times = [[] for _ in actions]
    for _ in range(repeats):
        for action, of_action in zip(actions, times):
            of_action.append(action())
    return [min(of_action) for of_action in times]


def measure_list(tools, results, sockets):
    ours, visit, theirs = interleaved(
        REPEATS,
        lambda: seconds([tools.holdfast, "list", "--columns", NO_OWNERS]),
        lambda: seconds([tools.holdfast, "list", "--columns", "local", "--state", "syn-sent"]),
        lambda: seconds(["ss", "-tnoe", "state", "established"]))
    results.add(f"a pass that only visits {sockets} sockets (this machine's limit)",
                f"{visit * 1000:.1f} ms", f"ss -tnoe {theirs * 1000:.1f} ms",
                f"{visit / theirs:.2f}")
    results.against(f"list, {sockets} sockets, no owners", ours, theirs, "ss -tnoe", 0.5)
    # ss -p is superlinear: at 100 000 sockets it takes seconds
    repeats = REPEATS if sockets <= 20000 else 3
    ours, theirs = interleaved(
        repeats,
        lambda: seconds([tools.holdfast, "list"]),
        lambda: seconds(["ss", "-tnoep", "state", "established"]))
    results.against(f"list, {sockets} sockets, with owners", ours, theirs, "ss -tnoep",
                    0.1 if sockets >= 100000 else None)


def measure_apply(tools, results, sockets, pids):
    """Before each run every socket is put back to keepalive off and the kernel's defaults."""
    def reset():
        applied, = tools.numbers("apply_pidfd", "off", *pids)
        if applied != sockets:
            raise RuntimeError(f"{applied} of {sockets} sockets reset")

    def ours():
        reset()
        taken = seconds([tools.holdfast, "apply", "--override"])
        rows = subprocess.run([tools.holdfast, "list", "--columns", "keepalive"], check=True,
                              capture_output=True, text=True).stdout
        if rows.count("yes") != sockets:
            raise RuntimeError(f"apply reached {rows.count('yes')} of {sockets} sockets")
        return taken

    def theirs():
        reset()
        return seconds([tools.path("apply_pidfd"), "on", *pids])

    best, peer = interleaved(3, ours, theirs)
    results.against(f"apply, {sockets} sockets", best, peer, "pidfd_getfd", 0.2)
    return best


def measure_sweeps(tools, results, sizes):
    applied = {}
    for sockets in sizes:
        new_namespace()
        with tools.connections(sockets // 2) as pids:
            measure_list(tools, results, sockets)
            applied[sockets] = measure_apply(tools, results, sockets, pids)
    largest, smallest = max(sizes), min(sizes)
    results.at_most(f"apply, {largest} sockets, all of its time, per socket",
                    applied[largest] / largest * 1e6, 1.5, "us")
    if largest > smallest:
        each = (applied[largest] - applied[smallest]) / (largest - smallest)
        results.add("apply, each further socket", f"{each * 1e6:.2f} us")


def measure_check(tools, results, connections):
    """Every connection from its connecting end, idle for more than a second before each run."""
    def ours(*arguments):
        time.sleep(1.5)
        start = time.monotonic()
        rows = subprocess.run([tools.holdfast, "check", "--remote", f":{PORT}", "--json", *arguments],
                              check=True, capture_output=True, text=True).stdout
        taken = time.monotonic() - start
        if rows.count('"alive"') != connections:
            raise RuntimeError(f"{rows.count('alive')} of {connections} connections are alive")
        return taken

    def theirs():
        time.sleep(1.5)
        start = time.monotonic()
        alive, = tools.numbers("check_pidfd", PORT, *pids)
        if alive != connections:
            raise RuntimeError(f"{alive} of {connections} connections are alive to setsockopt")
        return time.monotonic() - start

    new_namespace()
    with tools.connections(connections) as pids:
        paced, peer = interleaved(3, ours, theirs)
        fast, peer = interleaved(3, lambda: ours("--rate", "1000000"), theirs)
    name = f"check, {connections} living connections"
    results.at_most(name, paced, 5, "s")
    results.against(f"{name}, at any rate", fast, peer, "setsockopt by pidfd")


def with_and_without(tools, repeats, tool, n):
    """Medians of a tool's numbers without and with a watcher, in turn; then the watcher's CPU ns."""
    without, under = [], []
    for _ in range(repeats):
        without.append(tools.numbers(tool, n))
        with tools.watch() as watch:
            used = cpu_seconds(watch.pid)
            numbers = tools.numbers(tool, n)
            under.append([*numbers, (cpu_seconds(watch.pid) - used) / n * 1e9])
    return [[statistics.median(column) for column in zip(*runs)] for runs in (without, under)]


def measure_calls(tools, results, repeats):
    new_namespace()
    (without,), (under, own) = with_and_without(tools, repeats, "churn", 20000)
    results.add("connection opened, accepted, closed (both ends held)", f"{under:.0f} ns",
                f"unwatched {without:.0f} ns", f"{under - without:+.0f} ns")
    results.add("CPU of watch for it, four events", f"{own:.0f} ns")
    without, under = with_and_without(tools, repeats, "setsockopt", 300000)
    for name, before, after in zip(("TCP_KEEPIDLE, made weaker", "TCP_NODELAY"), without, under):
        results.add(f"setsockopt of {name}", f"{after:.0f} ns", f"unwatched {before:.0f} ns",
                    f"{after - before:+.0f} ns")


def memory_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        text = rollup.read()
    return [int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) for name in ("Rss", "Pss")]


def measure_rest(tools, results, connections, duration):
    """A watcher of many idle connections, its first pass long over, none of them due."""
    new_namespace()
    with tools.connections(connections), tools.watch("--dead-within", "30min") as watch:
        time.sleep(10)
        used = cpu_seconds(watch.pid)
        time.sleep(duration)
        used = cpu_seconds(watch.pid) - used
        rss, pss = memory_kib(watch.pid)
    name = f"watch, {connections} connections ({2 * connections} sockets)"
    results.at_most(f"{name}: resident memory", rss / 1024, 16, "MB")
    results.add(f"{name}: proportional memory", f"{pss / 1024:.3g} MB")
    results.at_most(f"{name}: CPU at rest, {duration} s", used / duration * 100,
                    0.5 * max(1, connections / 50000), "% of a core")


def counter(name):
    """Of TCP in this namespace: /proc/net/netstat."""
    with open("/proc/net/netstat", encoding="ascii") as netstat:
        rows = [line.split() for line in netstat if line.startswith("TcpExt:")]
    return int(rows[1][rows[0].index(name)])


def measure_crowd(tools, results, connections, duration):
    """Living connections within one host, more than its queue takes probes of at once."""
    new_namespace()
    with tools.connections(connections), tools.watch("--dead-within", "2min") as watch:
        used = cpu_seconds(watch.pid)
        time.sleep(duration)
        used = cpu_seconds(watch.pid) - used
    name = f"watch, {2 * connections} living sockets of one loopback, goal 2 min, {duration} s"
    results.add(f"{name}: probes", f"{counter('TCPKeepAlive')}")
    results.at_most(f"{name}: given up", counter("TCPAbortOnTimeout"), 0, "")
    results.add(f"{name}: CPU", f"{used / duration * 100:.3g} % of a core")
