# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test session may leave behind, and must not."""
import glob
import json
import subprocess
import time

from lab import SESSION, check


def lines(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    return set(done.stdout.splitlines())


def namespaces():
    return {line for line in lines("ip", "netns", "list") if line.startswith(SESSION)}


def processes():
    mark, found = f"HF_TEST_SESSION={SESSION}".encode(), set()
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.add(path)
        except OSError:
            pass
    return found


def held(kind):
    """The ids of the eBPF objects that processes hold open."""
    ids = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path, encoding="utf-8") as file:
                ids |= {int(line.split()[1]) for line in file if line.startswith(f"{kind}_id:")}
        except OSError:
            pass
    return ids


def orphans(kind):
    """eBPF objects that no process holds: only a pin or an attachment keeps them."""
    listed = json.loads(check(["bpftool", "--json", kind, "list"]) or "[]")
    of_processes = held(kind)
    return {f"{kind} {one['id']} {one.get('name', one.get('type'))}" for one in listed
            if one["id"] not in of_processes}


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {line for line in file if SESSION in line or "holdfast" in line}


def state():
    return {
        "namespaces": namespaces(),
        "processes": processes(),
        "eBPF programs": orphans("prog"),
        "eBPF links": orphans("link"),
        "mounts": mounts(),
        "cgroups": {path for name in (SESSION, "holdfast-run-")
                    for path in glob.glob(f"/sys/fs/cgroup/**/{name}*", recursive=True)},
        "files": set(glob.glob(f"/tmp/{SESSION}*") + glob.glob("/run/holdfast/*")),
        "nft rules": lines("nft", "list", "ruleset"),
    }


def left_over(before, patience=3):
    """What is there now and was not before; the kernel frees eBPF objects a moment later."""
    until = time.monotonic() + patience
    while True:
        left = {what: found - before[what] for what, found in state().items()}
        left = {what: found for what, found in left.items() if found}
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.2)
