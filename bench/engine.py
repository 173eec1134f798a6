# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine costs: timers, table, whole flows, probes, the simulated internet."""
import subprocess

PEERS = ("libev", "libuv", "libevent")
TIMERS = {"rearm": ("re-arm", 10), "expire": ("expire and re-arm", 30), "cancel": ("cancel", 10)}


def lines(tools, tool, *args):
    """The `name=value` pairs of each line that the tool prints."""
    run = subprocess.run([tools.path(tool), *map(str, args)], check=True, capture_output=True,
                         text=True)
    return [dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
            for line in run.stdout.splitlines()]


def measure_timers(tools, results, number):
    rows = lines(tools, "timers", number)
    cost = {(row["impl"], row["op"]): float(row["ns"]) for row in rows if "ns" in row}
    what = f"{number} records in random order (this machine's limit)"
    results.add(f"one store each, fetched ahead, {what}", f"{cost['limit', 'store']:.1f} ns")
    results.add(f"one load each, waited for, {what}", f"{cost['limit', 'miss']:.1f} ns")
    for op, (name, target) in TIMERS.items():
        ours = cost["holdfast", op]
        what = f"{number} timers, {name}"
        if number >= 1000000:
            results.at_most(what, ours, target, "ns")
        for peer in PEERS:
            theirs = cost[peer, op]
            limit = 0.1 if peer != "libevent" else None
            results.add(what, f"{ours:.1f} ns", f"{peer} {theirs:.1f} ns", f"{ours / theirs:.3f}",
                        f"<= {limit}" if limit else "", ours / theirs <= limit if limit else None)


def measure_flows(tools, results, number):
    rows = [row for row in lines(tools, "flows", number) if row.get("impl")]
    cost = {(row["impl"], row["op"]): float(row["ns"]) for row in rows if "ns" in row}
    what = f"{number} flows, hash, look-up and update, by 32"
    results.at_most(what, cost["holdfast", "batch"], 75, "ns")
    results.add(what, f"{cost['holdfast', 'batch']:.1f} ns",
                f"uthash, singly {cost['uthash', 'single']:.1f} ns",
                f"{cost['holdfast', 'batch'] / cost['uthash', 'single']:.3f}")


def measure_whole(tools, results, number):
    for row in lines(tools, "engine", number):
        if "bytes_per_flow" in row:
            results.at_most(f"engine, {number} flows: memory of each, all counted",
                            float(row["bytes_per_flow"]), 96, "bytes")
        else:
            results.add(f"engine, {number} flows: {row['op']}", f"{float(row['ns']):.1f} ns")


def measure_probes(tools, results):
    template, full, naive = tools.numbers("probe", 100000)
    results.at_most("a 60-byte probe, by template", template, 10, "ns")
    results.add("a 60-byte probe, by template", f"{template:.1f} ns", f"byte by byte {naive:.1f} ns",
                f"{template / naive:.2f}")
    results.add("a 60-byte probe, built in full", f"{full:.1f} ns")


def measure_engine(tools, results, sizes):
    measure_probes(tools, results)
    for number in sizes:
        measure_timers(tools, results, number)
        if number >= 1000000:
            measure_flows(tools, results, number)
            measure_whole(tools, results, number)
    told = subprocess.run([tools.path("simulate")], check=True, capture_output=True, text=True)
    results.add("simulated internet", told.stdout.strip().removeprefix("simulate: "))
