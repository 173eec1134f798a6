# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests on real connections, in network namespaces of their own. Needs root.

A test takes a `lab` (lab.py) and so runs once over IPv4 and once over IPv6. Most tests sleep most
of the time, so all that take a lab run side by side in threads, from the moment that the first of
them is asked for its result. What must have the machine for itself is marked `alone` and comes
after them. What is marked `both_backends` also runs without eBPF, unless it is `bpf_only`.
"""
import concurrent.futures
import signal

import pytest

import leaks
from lab import Lab

AT_ONCE = 14  # labs; a cgroup takes 64 programs of one kind, so not many more
TEST_LIMIT = 120  # s
SESSION_LIMIT = 1800  # s

POOL = pytest.StashKey()


def pytest_configure(config):
    # What nohup or a shell's & had us ignore, programs would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    config.addinivalue_line("markers", "alone: has the machine for itself")
    config.addinivalue_line("markers", "both_backends: once by eBPF, once by sock_diag")
    config.addinivalue_line("markers", "bpf_only: asks for what sock_diag cannot do")


def pytest_generate_tests(metafunc):
    marked = metafunc.definition.get_closest_marker
    if "lab" in metafunc.fixturenames and marked("both_backends") and not marked("bpf_only"):
        metafunc.parametrize("backend", ["bpf", "diag"], indirect=True)


def in_pool(item):
    return "lab" in item.fixturenames and not item.get_closest_marker("alone")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (not in_pool(item), "lab" in item.fixturenames))


def run_in_lab(item):
    arguments = dict(item.callspec.params)
    lab = Lab(arguments.pop("family"), arguments.pop("backend", None))
    try:
        lab.time_limit(TEST_LIMIT)
        item.function(lab=lab, **arguments)
    finally:
        lab.close()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    before = leaks.state()
    yield
    left = leaks.left_over(before)
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def pool(request, nothing_left_behind):
    """Every test of the pool, started; {item: its result to come}."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        yield {item: executor.submit(run_in_lab, item)
               for item in request.session.items if in_pool(item)}
        executor.shutdown(cancel_futures=True)


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param


@pytest.fixture
def backend(request):
    """What Holdfast is told to work by; None: what is possible."""
    return getattr(request, "param", None)


@pytest.fixture
def lab(request, family, backend):
    if in_pool(request.node):
        request.node.stash[POOL] = request.getfixturevalue("pool")[request.node]
        yield None  # the test has a lab of its own, in its thread
        return
    made = Lab(family, backend)
    try:
        made.time_limit(TEST_LIMIT)
        yield made
    finally:
        made.close()


def pytest_pyfunc_call(pyfuncitem):
    if POOL not in pyfuncitem.stash:
        return None
    pyfuncitem.stash[POOL].result(timeout=SESSION_LIMIT)
    return True


@pytest.fixture(scope="session", autouse=True)
def session_limit(nothing_left_behind):
    """The last resort against a test that hangs in spite of its own limits."""
    def out_of_time(*_):
        raise TimeoutError(f"the session took longer than {SESSION_LIMIT} s")
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SESSION_LIMIT)
    yield
    signal.alarm(0)
