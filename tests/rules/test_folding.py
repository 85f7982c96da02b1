"""What is a consequence of what: relations of assets, gateways and lines, and the roots of chains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from facility.assets import Asset, Device, Line
from facility.points import Label
from rules.life.alarm import State
from rules.life.rows import AlarmRow
from rules.notification.folding import Folding, Relations
from rules.rule import Rule
from tests.rules.builders import a_rule
from tests.rules.rows import an_alarm_row

LABEL = Label("物", "thing")
ASSETS = {
    name: Asset(name, "power", LABEL, parents=parents)
    for name, parents in {
        "feed": (), "breaker": ("feed",), "pump": ("breaker",), "lift": ("feed",), "gw": (), "alone": (),
    }.items()
}  # fmt: skip
BUS = Line("10.0.0.1", 502)
DEVICES = [
    Device("pump-drive", "gw", "p", "pump", line=BUS, unit=1),
    Device("lift-box", "gw", "p", "lift", line=BUS, unit=2),
    Device("alone-box", "gw", "p", "alone", line=Line("10.0.0.2", 502)),
]


def rule(name: str, *, cause: str = "", effect_of: tuple[str, ...] = (), severity: int = 2) -> Rule:
    return replace(a_rule(name, severity=severity), cause=cause, effect_of=frozenset(effect_of))


RULES = {
    item.id: item
    for item in (
        rule("mains", cause="supply"),
        rule("dead", cause="supply", effect_of=("supply",)),
        rule("trouble", effect_of=("supply", "comms"), severity=3),
        rule("offline", cause="comms"),
        rule("down", cause="comms", effect_of=("comms",)),
        rule("other"),
    )
}
FOLDING = Folding(Relations.of(ASSETS, DEVICES), RULES)


def row(name: str, asset: str, at: int = 100_000, *, told: bool = True, **changed: Any) -> AlarmRow:
    """An alarm that stands, by default told."""
    return an_alarm_row(id=f"{name}-{asset}", rule=name, asset=asset, raised_at=at, told=told, **changed)


def cause_of(effect: AlarmRow, *standing: AlarmRow, at: int = 100_000) -> str | None:
    """The id of what explains an alarm."""
    found = FOLDING.verdict(effect, {item.id: item for item in standing}, lambda _: True, at)
    return found.cause.id if found.cause else None


@pytest.mark.parametrize(
    ("cause", "effect", "folded"),
    [
        (("mains", "feed"), ("trouble", "pump"), True),  # over the breaker: all the way down
        (("mains", "feed"), ("trouble", "feed"), True),
        (("mains", "breaker"), ("trouble", "lift"), False),  # the lift hangs on the feed, not on this breaker
        (("mains", "pump"), ("trouble", "feed"), False),  # never upwards
        (("mains", "feed"), ("other", "pump"), False),  # a rule that says nothing of causes
        (("other", "feed"), ("trouble", "pump"), False),
        (("offline", "gw"), ("trouble", "alone"), True),
        (("mains", "gw"), ("trouble", "alone"), False),  # a gateway feeds nobody with power
        (("dead", "feed"), ("dead", "breaker"), True),
        (("dead", "feed"), ("dead", "feed"), False),
    ],
)
def test_causes_work_downstream_along_their_own_relation(
    cause: tuple[str, str], effect: tuple[str, str], folded: bool
) -> None:
    standing = row(*cause)
    assert cause_of(row(*effect, told=False), standing) == (standing.id if folded else None)


@pytest.mark.parametrize(
    ("apart", "folded"), [(0, True), (600_000, True), (600_001, False), (-3_000, True), (-3_001, False)]
)
def test_only_what_comes_at_about_the_same_time(apart: int, folded: bool) -> None:
    found = cause_of(row("trouble", "pump", 1_000_000 + apart, told=False), row("mains", "feed", 1_000_000))
    assert (found is not None) is folded


def test_a_cause_that_is_over_or_that_nobody_heard_of_explains_nothing() -> None:
    effect = row("trouble", "pump", told=False)
    assert cause_of(effect, row("mains", "feed", told=False)) is None
    assert FOLDING.verdict(effect, {"m": row("mains", "feed")}, lambda _: False, 0).cause is None
    assert not FOLDING.is_cause(row("mains", "feed", state=State.RETURNED))
    assert not FOLDING.is_cause(row("mains", "feed", state=State.LATCHED_UNACKNOWLEDGED))


def test_devices_named_as_down_explain_themselves_and_their_line_only() -> None:
    down = row("down", "gw", facts={"gw.devices_down": 1, "gw.down": "pump-drive"})
    assert cause_of(row("trouble", "pump", told=False), down) == down.id
    assert cause_of(row("trouble", "lift", told=False), down) == down.id  # on the same line
    assert cause_of(row("trouble", "alone", told=False), down) is None


def test_an_alarm_about_several_devices_needs_a_cause_upstream_of_all_of_them() -> None:
    mains = row("mains", "breaker")
    drive = row("trouble", "gw", told=False, facts={"gw.down": "pump-drive"})
    both = row("trouble", "gw", told=False, facts={"gw.down": "pump-drive, lift-box"})
    assert cause_of(drive, mains) == mains.id
    assert cause_of(both, mains) is None
    assert cause_of(both, row("mains", "feed")) == "mains-feed"


def test_the_root_of_a_chain_is_the_cause() -> None:
    mains = row("mains", "feed")
    dead = row("dead", "breaker", told=False, cause_id=mains.id, quiet="folded")
    assert cause_of(row("trouble", "pump", told=False), mains, dead) == mains.id
    assert cause_of(row("trouble", "pump", told=False), dead) is None  # what it hangs on is over


def test_two_that_point_at_each_other_are_both_told() -> None:
    first = row("dead", "breaker", told=False, cause_id="dead-feed", quiet="folded")
    assert cause_of(row("dead", "feed", told=False), first) is None


def test_it_waits_for_a_possible_cause_that_is_held_itself_but_not_for_ever() -> None:
    held = row("dead", "breaker", told=False, quiet="settling", tell_at=103_000)
    effect = row("trouble", "pump", told=False)
    verdict = FOLDING.verdict(effect, {held.id: held}, lambda _: True, 102_000)
    assert verdict.look_again == 103_001
    assert FOLDING.verdict(effect, {held.id: held}, lambda _: True, 112_001).look_again is None


def test_parents_in_a_circle_end() -> None:
    assets = {name: Asset(name, "power", LABEL, parents=(other,)) for name, other in (("a", "b"), ("b", "a"))}
    assert Relations.of(assets, ()).ancestors == {"a": frozenset({"b"}), "b": frozenset({"a"})}
