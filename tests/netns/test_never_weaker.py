# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs set themselves: stricter values stay, weaker ones go, sets are never mixed."""
import re
import time

import pytest

from lab import wait_until
from test_coverage import assert_planned, settings

pytestmark = pytest.mark.both_backends  # save those marked bpf_only

POLICY = ("--dead-within", "20s")
STRICT = {"keepalive": 1, "idle": 3, "interval": 2, "count": 4}


def bound(options):
    return 1.125 * (options["idle"] + options["interval"] * options["count"])


def assert_options(sock, values):
    assert {name: sock.options()[name] for name in values} == values


def own(lab, when, **values):
    """A connection whose program sets values before the watch, before connect or after it."""
    lab.pair()
    if when == "watch":
        near, _ = lab.connect(**values)
        lab.watch(*POLICY)
    elif when == "connect":
        lab.watch(*POLICY)
        near, _ = lab.connect(**values)
    else:
        lab.watch(*POLICY)
        near, _ = lab.connect()
        lab.one_pass()
        near.set(**values)
    if when != "watch":
        lab.one_pass()
    return near


WHEN = pytest.mark.parametrize("when", ["watch", "connect", "later"])


@WHEN
def test_stricter_settings_stay(lab, when):
    assert_options(own(lab, when, **STRICT), STRICT)


@WHEN
def test_weaker_settings_are_replaced(lab, when):
    near = own(lab, when, keepalive=1, idle=300, interval=100, count=3)
    assert_planned(lab, near.options())
    assert bound(near.options()) <= 20


def test_a_set_with_one_stricter_value_is_replaced_as_a_whole_and_not_later(lab):
    near = own(lab, "watch", keepalive=1, idle=3, interval=75, count=9)
    got = near.options()
    assert got["idle"] <= 3 and bound(got) <= 20
    assert (got["interval"], got["count"]) != (75, 9)


def test_a_set_with_a_stricter_count_is_not_mixed(lab):
    near = own(lab, "watch", keepalive=1, idle=600, interval=1, count=3)
    assert_planned(lab, near.options())


def test_settings_of_a_program_that_leaves_keepalive_off_do_not_count(lab):
    near = own(lab, "watch", idle=1, interval=1, count=3)
    assert near.options()["keepalive"] == 1 and bound(near.options()) <= 20


def test_keepalive_switched_off_later_stays_on(lab):
    near = own(lab, "later", keepalive=0)
    assert near.options()["keepalive"] == 1


@pytest.mark.bpf_only
def test_each_weaker_value_set_later_is_clamped(lab):
    lab.pair().watch(*POLICY)
    near, _ = lab.connect()
    for name, value in (("idle", 7200), ("interval", 75), ("count", 100)):
        near.set(**{name: value})
        assert near.options()[name] < value
        assert bound(near.options()) <= 20


@pytest.mark.bpf_only
def test_a_weaker_value_that_is_longer_than_a_page_is_put_right_by_a_pass(lab):
    lab.pair().watch(*POLICY)
    near, _ = lab.connect()
    near.set_long_option(name="idle", value=7200)
    wait_until(lambda: bound(near.options()) <= 20, 3, "it is put right")


def test_values_set_later_outside_the_rule_pass(lab):
    lab.pair().watch(*POLICY, "--remote", ":1")
    near, _ = lab.connect()
    near.set(keepalive=1, idle=7000, interval=70, count=8)
    assert settings(near.options()) == (1, 7000, 70, 8)


def test_stricter_settings_inherited_from_a_listener_stay(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    server.call("set_options", id=listener, values=STRICT)
    lab.watch(*POLICY, netns=lab.server)
    client.connect(lab.server.address, port)
    accepted = server.accept(listener)
    lab.one_pass()
    assert_options(accepted, STRICT)


def test_weaker_settings_inherited_from_a_listener_are_replaced(lab):
    lab.pair()
    server, client = lab.peer(lab.server), lab.peer(lab.client)
    listener, port = server.listen(lab.server.address)
    server.call("set_options", id=listener, values={"keepalive": 1, "idle": 300})
    lab.watch(*POLICY, netns=lab.server)
    client.connect(lab.server.address, port)
    accepted = server.accept(listener)
    lab.one_pass()
    assert_planned(lab, accepted.options())


def test_apply_keeps_stricter_settings(lab):
    near, _ = lab.pair().connect(**STRICT)
    lab.apply(*POLICY)
    assert_options(near, STRICT)


def test_override_replaces_stricter_settings(lab):
    near, _ = lab.pair().connect(**STRICT)
    lab.apply(*POLICY, "--override")
    assert_planned(lab, near.options())


def test_a_longer_user_timeout_of_the_program_is_never_raised(lab):
    near = own(lab, "watch", user_timeout_ms=15000)
    assert near.options()["user_timeout_ms"] == 15000
    lab.apply("--dead-within", "60s")
    assert near.options()["user_timeout_ms"] == 15000


@pytest.mark.parametrize("when", ["watch", "connect"])
def test_a_user_timeout_shorter_than_three_probes_leaves_the_socket_alone(lab, when):
    own_values = {"keepalive": 1, "idle": 7200, "interval": 75, "count": 9, "user_timeout_ms": 500}
    near = own(lab, when, **own_values)
    assert near.options() == own_values


@pytest.mark.bpf_only
def test_a_short_user_timeout_set_between_two_watches_takes_our_set_away(lab):
    near, _ = lab.pair().connect()
    before = near.options()
    lab.watch(*POLICY).stop()
    assert near.options()["keepalive"] == 1
    near.set(user_timeout_ms=500)
    lab.watch(*POLICY)
    assert near.options() == {**before, "user_timeout_ms": 500}


def test_a_new_connection_left_alone_is_told_and_taken_once_it_may_be(lab):
    lab.pair()
    watch = lab.watch(*POLICY)
    near, _ = lab.connect(user_timeout_ms=500)
    told = watch.wait("error", local=near.local)
    assert told["action"].startswith("left alone")
    near.set(user_timeout_ms=0)
    wait_until(lambda: near.options()["keepalive"], 3 + lab.late, "it is under the rule")
    assert_planned(lab, near.options())


def test_an_open_connection_left_alone_is_told_once(lab):
    near, _ = lab.pair().connect(user_timeout_ms=500)
    watch = lab.watch(*POLICY)
    time.sleep(5.5)  # every pass, a quarter of the goal apart, finds it again
    assert [told["action"] for told in watch.seen("error", local=near.local)] == [
        "left alone: its own user timeout is too short"]


@pytest.mark.bpf_only
def test_a_default_above_what_an_option_takes_neither_stops_clamping_nor_restoring(lab):
    lab.pair().client.sysctl(ipv4__tcp_keepalive_time=40000)
    near, _ = lab.connect()
    watch = lab.watch(*POLICY)
    near.set(interval=100)
    near.set(keepalive=0)
    assert_planned(lab, near.options())
    watch.stop()
    lab.run("restore")
    assert settings(near.options()) == (0, 32767, 100, 9)


def test_apply_sets_the_fixed_user_timeout_that_goes_with_the_settings(lab):
    near, far = lab.pair().connect()
    lab.exchange(near, far)
    lab.apply(*POLICY)
    got = near.options()
    assert got["user_timeout_ms"] == 1000 * (got["idle"] + got["interval"] * got["count"])


@pytest.mark.bpf_only
def test_watch_leaves_no_user_timeout_standing(lab):
    before, _ = lab.pair().connect()
    lab.watch(*POLICY)
    after, _ = lab.connect()
    assert before.options()["user_timeout_ms"] == after.options()["user_timeout_ms"] == 0


def test_explicit_settings_are_set_as_given(lab):
    near, _ = lab.pair().connect()
    lab.apply("--idle", "9", "--interval", "4", "--count", "5")
    assert settings(near.options()) == (1, 9, 4, 5)


def test_apply_gives_kept_ones_a_user_timeout_of_their_own_set(lab):
    near, _ = lab.pair().connect(**STRICT)
    assert [row["outcome"] for row in lab.apply(*POLICY)] == ["kept"]
    assert_options(near, {**STRICT, "user_timeout_ms": 11000})


def test_apply_tells_of_each_outcome_how_many_get_no_user_timeout_yet(lab):
    lab.pair().connect()
    lab.connect(keepalive=1, idle=8, interval=1, count=3)
    time.sleep(2)
    told = lab.run("apply", *lab.where(None), *POLICY, "--interval", "1", "--count", "3").stdout
    later = r" +1 without a user timeout: .*\n"
    assert re.fullmatch(rf" +1  set\n{later} +1  kept: .*\n{later}", told.decode())
