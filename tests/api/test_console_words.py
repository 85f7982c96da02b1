"""The console's pure parts: what a reading looks like, what a tile shows first, charts, and words in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alarms import StateName
from api.console import texts
from api.console.alarm_acts import ACTS, legal
from api.console.chart import states_chart, steps_chart
from api.console.headline import headline
from api.console.marks import shown
from facility import words
from facility.catalog import Catalog, load_catalog
from facility.points import Kind, Label, Point, State
from facility.readings import Quality, Reading
from facility.words import ALARM_MARKS
from ingest.store import Bucket
from rules.life.alarm import Event, Suppression
from rules.life.alarm import State as AlarmState
from rules.life.tickets import TicketEvent, TicketState
from rules.trial.compare import Change
from tests.api.house import House, a_rule

NOW = 1_790_000_000_000
MINUTE = 60_000
PRESSURE = Point("sys.outlet_pressure", Kind.ANALOG, Label("出水压力", "Outlet pressure"), unit="MPa")
DOOR = Point(
    "door", Kind.ENUM, Label("门", "Door"),
    states={0: State(0, "closed", Label("关闭", "Closed")), 2: State(2, "open", Label("开启", "Open"))},
)  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_only_a_good_value_looks_live() -> None:
    for quality in Quality:
        value = 0.5 if quality in (Quality.GOOD, Quality.STALE) else None
        what = shown(PRESSURE, Reading("A", PRESSURE.key, NOW - 20 * MINUTE, value, quality), NOW, "en")
        assert (what.look == "live") is (quality is Quality.GOOD)
        assert (what.mark == "") is (quality is Quality.GOOD)
    assert shown(PRESSURE, None, NOW, "zh").mark == "尚无数据"


def test_a_stale_value_tells_its_age_and_a_state_its_name() -> None:
    stale = shown(PRESSURE, Reading("A", PRESSURE.key, NOW - 20 * MINUTE, 0.5, Quality.STALE), NOW, "en")
    assert (stale.text, stale.look, stale.mark) == ("0.500 MPa", "stale", "stale 20 min")
    assert shown(DOOR, Reading("A", "door", NOW, 2, Quality.GOOD), NOW, "zh").text == "开启"
    assert shown(DOOR, Reading("A", "door", NOW, 7, Quality.GOOD), NOW, "zh").text == "#7"


def test_every_class_has_something_telling_to_show(catalog: Catalog) -> None:
    for name, asset_class in catalog.classes.items():
        chosen = headline(name, asset_class.points)
        assert 1 <= len(chosen) <= 6
        assert len({point.key for point in chosen}) == len(chosen)


def test_a_gap_stays_a_gap() -> None:
    steps = [Bucket(0, 2, 1.0, 0.5, 1.5), Bucket(1000, 0, None, None, None), Bucket(2000, 1, 3.0, 3.0, 3.0)]
    chart = steps_chart(PRESSURE, steps, mean="mean", band="band", span=(0, 3000))
    low, band, mean = (series["data"] for series in chart["series"])
    assert [value for _, value in mean] == [1.0, None, 3.0]
    assert [value for _, value in low] == [0.5, None, 3.0]
    assert [value for _, value in band] == [1.0, None, 0.0]


@given(st.lists(st.none() | st.integers(0, 9), max_size=30))
def test_states_are_drawn_at_their_names(values: list[int | None]) -> None:
    readings = [
        Reading("A", "door", at * 1000, value, Quality.COMM if value is None else Quality.GOOD)
        for at, value in enumerate(values)
    ]
    chart = states_chart(DOOR, readings, language="en", span=(0, 60_000))
    names, (line,) = chart["yAxis"]["data"], chart["series"]
    told = {0: "Closed", 2: "Open"}
    for (_, place), value in zip(line["data"], values, strict=False):
        assert (place is None) is (value is None)
        if value is not None:
            assert names[place] == told.get(value, f"#{value}")


def test_every_word_is_there_in_both_languages() -> None:
    tables = {
        "states": (words.ALARM_STATES, [*AlarmState, *(item for item in Suppression if item is not Suppression.NONE)]),
        "events": (texts.EVENTS, Event),
        "ticket states": (words.TICKET_STATES, TicketState),
        "ticket events": (texts.TICKET_EVENTS, TicketEvent),
        "changes": (texts.CHANGES, Change),
    }
    for name, (table, wanted) in tables.items():
        assert {item.value for item in wanted} <= set(table), name
    for table in (texts.TEXTS, texts.ATTRIBUTES, texts.ACTORS, *(table for table, _ in tables.values())):
        for key, label in table.items():
            assert label.zh, key
            assert label.en, key
            assert set(re.findall(r"{\w+}", label.zh)) == set(re.findall(r"{\w+}", label.en)), key


def test_every_text_that_a_page_asks_for_exists_and_none_is_left_over() -> None:
    sources = [file.read_text("utf-8") for file in Path(texts.__file__).parent.glob("*.py") if file.stem != "texts"]
    asked = {key for source in sources for key in re.findall(r"""\bsay\(\s*f?["'](\w+)["']""", source)}
    assert asked <= set(texts.TEXTS)
    quoted = {key for source in sources for key in re.findall(r"""["'](\w+)["']""", source)}
    built = {key for key in texts.TEXTS if key.startswith(("span_", "sound_"))}
    assert set(texts.TEXTS) - quoted - built == set()


async def test_buttons_are_exactly_what_the_tables_allow(house: House) -> None:
    rule = a_rule("buttons", 3, latch=True)
    alarm = await house.alarm("EL-01", rule)
    records, commands, at = house.deps.records, house.deps.commands, house.clock.ms()

    async def keys() -> list[str]:
        row = await records.alarm(alarm)
        return [act.key for act in ACTS if legal(row, act.event)]

    assert await keys() == ["acknowledge", "shelve", "remove"]
    await commands.shelve(alarm, actor="x", at=at, until=at + MINUTE, reason="r")
    assert await keys() == ["acknowledge", "unshelve", "remove"]
    await commands.unshelve(alarm, actor="x", at=at)
    await house.alarm("EL-01", rule, "clear")
    await commands.acknowledge(alarm, actor="x", at=at)
    assert await keys() == ["reset", "shelve", "remove"]
    emergency = await house.alarm("EL-01", a_rule("siren", 1))
    assert not legal(await records.alarm(emergency), Event.SHELVE)


def test_the_api_takes_every_state_that_an_alarm_can_show() -> None:
    assert set(get_args(StateName)) == {*AlarmState, *Suppression, *ALARM_MARKS} - {Suppression.NONE}
