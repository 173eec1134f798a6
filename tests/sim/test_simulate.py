# SPDX-License-Identifier: GPL-2.0-or-later
"""`holdfast simulate`: every scenario comes out as it expects; the same seed is the same run.

HOLDFAST names the program (default build/holdfast).
"""

import json
import os
import pty
import re
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HOLDFAST", str(ROOT / "build/holdfast"))
SCENARIOS = sorted((ROOT / "examples/scenarios").glob("*.conf"))
SMALL = [path for path in SCENARIOS if path.stem != "carrier-fleet"]
SVG = "{http://www.w3.org/2000/svg}"

HOSTS = 'hosts a { network = "10.0.0.0/24" } hosts b { network = "192.0.2.0/24" }\n'
HEAD = "scenario test { duration = 10min }\n" + HOSTS
FLOWS = "flows f { from = a to = b }\n"


def simulate(*words, text=None):
    return subprocess.run(
        [PROGRAM, "simulate", *map(str, words)],
        input=text, capture_output=True, text=True, timeout=900,
    )


def result(path, *words):
    done = simulate(path, "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_comes_out_as_it_expects(path):
    done = simulate(path, "--json")
    assert done.stderr == ""
    assert done.returncode == 0
    run = json.loads(done.stdout)
    assert run["expected"]["given"] > 0 and run["expected"]["unmet"] == []
    assert run["deaths"]["false"] == run["deaths"]["missed"] == run["deaths"]["late"] == 0
    assert run["deaths"]["found"] == run["deaths"]["real"]
    if run["detection_s"]["max"] is not None:
        assert 0 < run["detection_s"]["p50"] <= run["detection_s"]["p99"]
        assert run["detection_s"]["p99"] <= run["detection_s"]["max"] <= run["bound_s"]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_shows(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# SPDX-License-Identifier: ")
    assert lines[1].startswith("# ") and "about = " in path.read_text()


@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("name", ["gateway", "bursts", "uplink-outage", "ipv6-firewall"])
def test_no_seed_makes_a_false_death(name, seed):
    run = result(ROOT / f"examples/scenarios/{name}.conf", "--seed", seed)
    assert run["deaths"]["false"] == run["deaths"]["missed"] == run["deaths"]["late"] == 0


def test_what_a_newer_segment_has_overtaken_is_no_answer(tmp_path):
    """A server that acknowledges after 30 s, and probes at once: PAWS drops what comes so late."""
    path = tmp_path / "s.conf"
    path.write_text(
        HEAD.replace('"192.0.2.0/24"', '"192.0.2.0/24" delay = 30s')
        + "link wire { latency = 40ms spread = 5ms shape = normal }\n"
        "keepalive k { dead_within = 5s }\n"
        "flows f { from = a to = b count = 200 via = {wire} activity = 3s bytes = 1000\n"
        "          from_keepalive = k to_keepalive = k }\n"
    )
    deaths = result(path)["deaths"]
    assert deaths["all_probes_lost"] > 100 and deaths["false"] == deaths["late"] == 0


@pytest.mark.parametrize("name", ["gateway", "bursts", "lossy-links", "nat-newest-wins"])
def test_the_same_seed_is_the_same_run_to_the_byte(name, tmp_path):
    path = ROOT / f"examples/scenarios/{name}.conf"
    runs = [simulate(path, "--json", "--plot", tmp_path / f"{i}.svg") for i in range(2)]
    assert runs[0].stdout == runs[1].stdout != ""
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()
    assert simulate(path).stdout == simulate(path, "--seed", "1").stdout
    other = simulate(path, "--json", "--seed", "2")
    assert json.loads(other.stdout) | {"seed": 1} != json.loads(runs[0].stdout)


KEYS = [
    "scenario", "seed", "virtual_s", "flows", "probes", "answers", "bytes", "deaths", "detection_s",
    "bound_s", "nat", "gateway", "opened", "open", "questions", "detection_in_flight_s",
    "after_death_s", "per_flow_day", "expected", "series",
]  # fmt: skip


def test_json_is_one_object_with_the_keys_of_the_manual():
    run = result(ROOT / "examples/scenarios/ipv6-firewall.conf")
    assert list(run) == KEYS
    assert list(run["deaths"])[:4] == ["real", "found", "false", "all_probes_lost"]
    assert list(run["detection_s"]) == ["p50", "p99", "max"]
    assert run["scenario"] == "ipv6-firewall" and run["seed"] == 1 and run["virtual_s"] == 21600
    assert run["nat"] == {"evicted": 0, "expired": 0}
    assert list(run["gateway"]) == ["capacity", "refused", "late_max_ms"]
    assert run["per_flow_day"]["probes"] == pytest.approx(run["probes"] / 1000 / 0.25)
    columns = run["series"]["columns"]
    assert all(len(row) == len(columns) for row in run["series"]["rows"])
    assert [row[0] for row in run["series"]["rows"]] == sorted(
        {row[0] for row in run["series"]["rows"]}
    )
    manual = (ROOT / "man/holdfast.1.scd").read_text()
    for key in KEYS:
        assert f"_{key}_" in manual, key


def test_without_nat_and_gateway_their_figures_are_null():
    run = result(ROOT / "examples/scenarios/power-cut.conf")
    assert run["nat"] is None and run["gateway"] is None
    assert run["detection_in_flight_s"] == {"p50": None, "p99": None, "max": None}


def test_a_probe_and_its_answer_are_counted_in_bytes(tmp_path):
    path = tmp_path / "s.conf"
    for version, networks, headers in (
        (4, ("10.0.0.0/24", "192.0.2.0/24"), 40),
        (6, ("2001:db8::/64", "2001:db8:1::/64"), 60),
    ):
        for stamps, extra in (("yes", 12), ("no", 0)):
            path.write_text(
                f'scenario v{version} {{ duration = 1h }}\n'
                f'hosts a {{ network = "{networks[0]}" timestamps = {stamps} }}\n'
                f'hosts b {{ network = "{networks[1]}" }}\n'
                "keepalive k { dead_within = 1min }\n"
                "flows f { from = a to = b from_keepalive = k as_bytes = 1 }\n"
            )
            run = result(path)
            assert run["probes"] == run["answers"] > 100
            assert run["bytes"] == 2 * run["probes"] * (headers + extra)


# --- Expectations ---


def test_what_is_not_as_expected_is_told_and_ends_with_1(tmp_path):
    path = tmp_path / "s.conf"
    path.write_text(
        HEAD + "keepalive k { dead_within = 1min }\n"
        "flows f { from = a to = b from_keepalive = k }\n"
        "expect {\n\tdeaths_found = 3\n\tprobes = 1..\n}\n"
    )
    done = simulate(path, "--json")
    assert done.returncode == 1
    assert done.stderr == f"holdfast: {path}:6: deaths_found is 0, and not from 3 to 3\n"
    assert json.loads(done.stdout)["expected"] == {"given": 2, "unmet": ["deaths_found"]}


def test_a_death_told_late_is_bad_news_even_where_nothing_is_expected(tmp_path):
    """A gateway that sleeps through a death finds it late; the scenario did not say so."""
    path = tmp_path / "s.conf"
    path.write_text(
        HEAD + "keepalive k { dead_within = 1min } gateway g { keepalive = k }\n"
        "flows f { from = a to = b via = {g} }\n"
        "fault { kind = power_cut hosts = b at = 60s }\n"
        "fault { kind = suspend gateway = g at = 61s for = 3min }\n"
    )
    done = simulate(path)
    assert done.returncode == 1
    assert "deaths_late is 1" in done.stderr


# --- Errors ---

ERRORS = {
    "unknown-key": (HEAD + "link l {\n\tlatenzy = 3ms\n}", 4, "no such key 'latenzy'", "latency"),
    "unknown-section": (HEAD + "\nswitch s { }", 4, "no such key 'switch'", "firewall"),
    "include": (HEAD + 'include("/etc/passwd")', 3, "no such key 'include'", "known here"),
    "not-closed": (HEAD + "link l {\n\tlatency = 1ms\n", 4, "link is not closed", "add a }"),
    "duration": (HEAD + "link l {\n\n latency = soon }", 5, 'latency = "soon" is not', "500ms"),
    "number": (HEAD + "link l { count = 1.5 }", 3, 'count = "1.5" is not a number', "whole"),
    "range": (HEAD + "link l { loss = 101% }", 3, "out of range", "from 0 to 1"),
    "word": (HEAD + "link l { shape = round }", 3, "is not known here", "lognormal"),
    "twice": (HEAD + "link l { loss = 1%\nloss = 2% }", 4, "given twice, also in line 3", "one"),
    "same-name": (HEAD + "link l { }\nnat l { }", 4, 'the name "l" is there already', "otherwise"),
    "same-title": (HEAD + "link l { }\nlink l { }", 4, "duplicate title 'l'", ""),
    "no-scenario": (HOSTS + FLOWS, 3, "no section scenario", "add scenario"),
    "no-flows": (HEAD, 1, "without flows", ""),
    "no-duration": ("scenario s { }\n" + HOSTS + FLOWS, 1, "scenario has no duration", "add"),
    "unknown-name": (HEAD + "flows f { from = a\nto = c }", 4, 'to = "c" is not the name', "a, b"),
    "unknown-way": (HEAD + "flows f { from = a to = b via = {q} }", 3, "is no link", ""),
    "way-twice": (
        HEAD + "link l { }\nflows f { from = a to = b via = {l, l} }",
        4, "same thing twice", "once",
    ),
    "to-itself": (HEAD + "flows f { from = a to = a }", 3, "to the same hosts", "two groups"),
    "families": (
        'scenario s { duration = 1h }\nhosts a { network = "10.0.0.0/8" }\n'
        'hosts b { network = "2001:db8::/64" }\n' + FLOWS,
        4, "from IPv4 to IPv6", "one family",
    ),
    "network": (
        'scenario s { duration = 1h }\nhosts a { network = "10.0.0.0/30" count = 9 }\n',
        2, "do not fit", "shorter prefix",
    ),
    "ports": (HEAD + "flows f { count = 60000 from = a to = b }", 3, "too many for its ports", ""),
    "goals": (
        HEAD + "keepalive k {\n\tdead_within = 1s }\n"
        "flows f { from = a to = b from_keepalive = k }",
        4, "cannot keep its goals", "longer goals",
    ),
    "no-goals": (
        HEAD + "keepalive k {\n\tcount = 3 }\nflows f { from = a to = b from_keepalive = k }",
        4, "or has none", "idle, interval and count",
    ),
    "fault-target": (
        HEAD + FLOWS + "fault {\n kind = partition hosts = a at = 1min }",
        5, "whom it befalls", "link",
    ),
    "fault-late": (
        HEAD + FLOWS + "fault { kind = power_cut hosts = a at = 1h }", 4, "after the end", "",
    ),
    "spread": (HEAD + "link l { latency = 1ms spread = 1ms }\n" + FLOWS, 3, "no shape", "uniform"),
    "burst": (HEAD + "link l { burst = 1s }\n" + FLOWS, 3, "the bursts of l", "burst_every"),
    "expected": (HEAD + FLOWS + "expect { probes = 5..1 }", 4, "is not what can", "1..5"),
    "garbage": ("\0\x01\x02{}{{", 1, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_names_file_line_and_mend(name, tmp_path):
    text, line, what, mend = ERRORS[name]
    path = tmp_path / "scenario.conf"
    path.write_text(text)
    done = simulate(path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"holdfast: {path}:{line}: ")
    assert what in done.stderr and mend in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words, what", [
    ([], "no scenario"), (["a", "b"], "unexpected argument"), (["/nonexistent"], "cannot open"),
    (["--seed", "x", "a"], "--seed"), (["/"], "cannot be read"),
])  # fmt: skip
def test_a_wrong_command_line_is_told(words, what):
    done = simulate(*words)
    assert done.returncode == 2 and what in done.stderr


def test_a_plot_that_cannot_be_written_is_told():
    done = simulate(ROOT / "examples/scenarios/power-cut.conf", "--plot", "/nonexistent/f.svg")
    assert done.returncode == 4 and "cannot write /nonexistent/f.svg" in done.stderr
    done = simulate(ROOT / "examples/scenarios/power-cut.conf", "--plot", "/dev/full")
    assert done.returncode == 4 and "No space left" in done.stderr


# --- Plot ---


@pytest.mark.parametrize("name", ["gateway", "carrier", "power-cut-no-keepalive", "lossy-links"])
def test_a_plot_is_xml_with_labelled_axes_and_nothing_from_outside(name, tmp_path):
    path = ROOT / f"examples/scenarios/{name}.conf"
    if name == "carrier":  # with NATs, and days on the time axis
        path = ROOT / "examples/scenarios/nat-timeout.conf"
    simulate(path, "--plot", tmp_path / "f.svg")
    text = (tmp_path / "f.svg").read_text()
    root = xml.fromstring(text)
    assert root.tag == SVG + "svg"
    words = [element.text for element in root.iter(SVG + "text")]
    for panel in ("Connections and tables", "Probes", "Deaths told"):
        assert panel in words
    labels = [e.text for e in root.iter(SVG + "text") if e.get("class") == "label"]
    assert len(labels) == 8
    assert sum(bool(re.search(r"\((s|min|h|1/s)\)$", label)) for label in labels) == 5
    assert not re.search(r"href|url\(|@import|<script|<image", text)
    points = [p for line in root.iter(SVG + "polyline") for p in line.get("points").split()]
    assert len(points) > 500
    assert all(0 <= float(x) <= 900 and 0 <= float(y) <= 940 for x, y in (p.split(",") for p in points))
    if "no-keepalive" not in name:
        assert any(word.startswith("promised: ") for word in words)


def test_a_hostile_name_does_no_harm(tmp_path):
    path = tmp_path / "s.conf"
    path.write_bytes(
        b'scenario "<a href=\'x\'>&\x1b[31m\xff" { duration = 1min }\n' + (HOSTS + FLOWS).encode()
    )
    done = simulate(path, "--plot", tmp_path / "f.svg")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout and "\\x1b" in done.stdout
    xml.parse(tmp_path / "f.svg")
    json.loads(simulate(path, "--json").stdout)


# --- Progress ---


def test_progress_shows_on_a_terminal_only():
    path = ROOT / "examples/scenarios/gateway.conf"
    assert simulate(path).stderr == ""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "simulate", str(path)], stdout=subprocess.DEVNULL, stderr=theirs
    ) as child:
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:  # the child has closed its side
            pass
        os.close(ours)
    assert child.returncode == 0
    assert b"simulating:  50 %" in shown
