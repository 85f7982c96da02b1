"""What a scope covers, against a plain count of its members; zones of a panel, and the machine of drills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.assets import Asset, Location
from facility.errors import TransitionError
from facility.points import Label
from facility.readings import Quality, Sample
from rules.drills.drills import OVER, TABLE, Drill, DrillEvent, DrillState, drill_of, due, refusal, step
from rules.drills.scope import UNSEEN, Ground, Scope, Subject, covers

L = Label("物", "thing")
HOUR = 3_600_000
PLACES = {name: Location(name, L, around) for name, around in (("b", ""), ("f1", "b"), ("r1", "f1"), ("f2", "b"))}
CLASSES = ("elevator", "power", "fire_alarm")
FIRE = ("panel.fire",)

assets = st.dictionaries(
    st.sampled_from([f"a{number}" for number in range(6)]),
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(["", *PLACES])),
    min_size=1,
)
scopes = st.builds(
    Scope,
    st.booleans(),
    st.lists(st.sampled_from([*PLACES]), max_size=2).map(tuple),
    st.lists(st.sampled_from(CLASSES), max_size=2).map(tuple),
    st.lists(st.sampled_from(["a0", "a1", "a2"]), max_size=2).map(tuple),
)


def a_drill(scope: Scope | None = None, **changed: object) -> Drill:
    values: dict[str, object] = {
        "id": "D1", "site": "s1", "name": "evacuation", "state": DrillState.PLANNED, "scope": scope or Scope(site=True),
        "channels": (), "reason": "yearly", "from_at": 1000, "until_at": HOUR, "declared_by": "zhao", "declared_at": 0,
    }  # fmt: skip
    return Drill(**{**values, **changed})  # type: ignore[arg-type]


def members(scope: Scope, given_: dict[str, tuple[str, str]]) -> set[str]:
    """Every asset in the scope, found by walking each place upwards."""
    found = set()
    for name, (kind, place) in given_.items():
        around = {place}
        while (place := PLACES[place].parent if place else "") not in around:
            around.add(place)
        if scope.site or name in scope.assets or kind in scope.classes or around & set(scope.locations):
            found.add(name)
    return found


@given(assets, scopes)
def test_the_parts_of_a_scope_add_up(given_: dict[str, tuple[str, str]], scope: Scope) -> None:
    ground = Ground({name: Asset(name, kind, L, place) for name, (kind, place) in given_.items()}, PLACES)
    found = {
        name
        for name, (kind, _) in given_.items()
        if ground.covers(scope, ground.subject("any.rule", name, kind, ("car.speed",)))
    }
    assert found == members(scope, given_)


@given(st.sets(st.integers(1, 5)), st.sets(st.integers(0, 5)), st.sets(st.integers(1, 5)), st.booleans())
def test_a_zone_scope_takes_only_what_it_can_place(
    zones: set[int], in_alarm: set[int], own: set[int], speaks: bool
) -> None:
    facts = {f"zone[{zone}].fault" for zone in own} | ({"panel.fire"} if speaks else {"power.main_fault"})
    subject = Subject("fire_alarm.x", "FA", "fire_alarm", facts=facts)
    about = own or (in_alarm if speaks else set())
    expected = bool(about) and all(zone in zones for zone in about)
    assert covers(Scope(zones={"FA": tuple(zones)}), subject, in_alarm) == expected
    assert not covers(Scope(zones={"FB": tuple(zones)}), subject, in_alarm)


@pytest.mark.parametrize(
    ("rule", "facts", "inside"),
    [
        ("fire_alarm.fire", FIRE, True),
        ("fire_alarm.lift_recall_failed", ("EL-01 mode.service",), True),
        ("fire_alarm.linkage_weak", ("fan.smoke_run",), True),
        ("fire_alarm.linkage_unexpected", ("fan.smoke_run",), False),
        ("fire_alarm.gas_release", ("link.gas_release",), False),
        ("fire_alarm.main_power", ("power.main_fault",), False),
    ],
)
def test_what_of_a_panel_belongs_to_a_fire_in_its_zones(rule: str, facts: tuple[str, ...], inside: bool) -> None:
    subject = Subject(rule, "FA", "fire_alarm", facts=facts)
    assert covers(Scope(zones={"FA": (6,)}), subject, {6}) is inside
    assert not covers(Scope(zones={"FA": (6,)}), subject, {6, 7})
    assert not covers(Scope(zones={"FA": (6,)}), subject, ())


def test_zones_are_remembered_until_the_panel_is_calm() -> None:
    ground = Ground({"FA": Asset("FA", "fire_alarm", L)})

    def take(at: int, quality: Quality = Quality.GOOD, **values: bool | int) -> frozenset[int]:
        names = {"fire": "panel.fire", "count": "zones_in_alarm"}
        points = {names.get(name, f"zone[{name[1:]}].alarm"): value for name, value in values.items()}
        ground.take(Sample("FA", at, points, dict.fromkeys(points, quality)))
        return ground.in_alarm("FA")

    assert take(1, fire=True, z6=True, count=1) == {6}
    assert take(2, count=2) == {6, UNSEEN}, "the panel counts one that it does not name"
    assert take(3, z9=True) == {6, 9}
    assert take(4, z9=False, count=1) == {6, 9}, "it was in alarm in this fire"
    assert take(5, Quality.COMM, z6=False, fire=False, count=0) == {6, 9}, "nothing is known"
    assert take(6, fire=False, z6=False, count=0) == set()
    assert ground.in_alarm("EL") == set()


def test_the_machine_of_a_drill_is_its_table() -> None:
    for state in DrillState:
        for event in DrillEvent:
            drill = a_drill(state=state)
            if (state, event) not in TABLE:
                with pytest.raises(TransitionError):
                    step(drill, event, 5, actor="li")
                continue
            after = step(drill, event, 5, actor="li")
            assert (after.state, after.version) == (TABLE[state, event], 2)
            assert (after.started_at == 5) == (event is DrillEvent.START)
            assert ((after.ended_at, after.ended_by) == (5, "li")) == (after.state in OVER)


@given(st.lists(st.integers(0, 2 * HOUR), min_size=1, max_size=8).map(sorted), st.integers(0, HOUR - 1))
def test_time_alone_brings_every_drill_to_its_end(instants: list[int], begin: int) -> None:
    drill = a_drill(from_at=begin)
    for at in [*instants, 2 * HOUR]:
        while event := due(drill, at):
            drill = step(drill, event, at, actor="system")
        assert drill.state is not DrillState.RUNNING or begin <= at < HOUR
        assert drill.holds(at) == (drill.state is DrillState.RUNNING)
    seen = any(begin <= at < HOUR for at in instants)
    assert drill.state is (DrillState.ENDED if seen else DrillState.CANCELLED)
    assert not drill.holds(HOUR), "never after its declared end"


def test_a_drill_ended_early_holds_until_then_and_the_first_that_covers_is_taken() -> None:
    ground = Ground({"a0": Asset("a0", "elevator", L)})
    first = step(a_drill(Scope(assets=("a0",))), DrillEvent.START, 1000, actor="")
    second = step(a_drill(id="D2"), DrillEvent.START, 1000, actor="")
    over = step(first, DrillEvent.END, 2000, actor="")
    subject = ground.subject("r", "a0", "elevator", ())
    assert drill_of([over, second], subject, ground, 1999) is over
    assert drill_of([over, second], subject, ground, 2000) is second
    assert drill_of([over], subject, ground, 2000) is None


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"name": " "}, "a name"),
        ({"reason": ""}, "a reason"),
        ({"scope": Scope(zones={"FA": ()})}, "a scope"),
        ({"scope": Scope(assets=("a0", "zz"))}, "'zz'"),
        ({"scope": Scope(zones={"a0": (1,)})}, "'a0'"),
        ({"channels": ("nobody",)}, "'nobody'"),
        ({"until_at": 1000}, "ends after"),
        ({"until_at": 12 * HOUR + 1001}, "12 hours"),
        ({}, ""),
    ],
)
def test_what_can_be_declared(changed: dict[str, object], word: str) -> None:
    ground = Ground({"a0": Asset("a0", "elevator", L), "FA": Asset("FA", "fire_alarm", L)})
    found = refusal(a_drill(**changed), ground, ["duty"], longest=12 * HOUR, at=0)  # type: ignore[arg-type]
    assert word in found if word else found == ""


def test_the_mode_of_a_linkage_run_follows_the_zone() -> None:
    ground = Ground({"FA": Asset("FA", "fire_alarm", L)})
    ground.exercises = ((Scope(zones={"FA": (6,)}), 1000, 2000),)
    assert [ground.mode("FA", zone, 1500) for zone in (6, 7, 0)] == ["drill", "real", "real"]
    assert ground.mode("FA", 6, 2000) == "real"
    ground.exercises = ((Scope(assets=("FA",)), 1000, 2000),)
    assert ground.mode("FA", 7, 1500) == "drill"
