"""Lines, read back by a small parser of our own that follows InfluxDB's written rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.points import Kind, Label, Point
from facility.readings import Quality, Value
from facility.wire import Batch, Sample
from ingest.lineprotocol import MAX_SHAPES, Lines, escape_name
from ingest.store import Delivery, Refused
from tests.ingest.building import CLASSES, LIFT, T0, a_delivery, a_notice, a_sample, catalog


def lines(*samples: Sample) -> list[str]:
    refused: list[Refused] = []
    texts, counts = Lines("tower", catalog()).build(a_delivery(1, *samples), refused)
    assert refused == []
    assert counts == [len(sample.values) for sample in samples]
    return texts


def test_a_sample_is_one_line_with_types_by_kind() -> None:
    sample = a_sample(car__floor=3.0, car__speed=1, car__moving=True, car__direction=2)
    assert lines(sample) == [
        f"elevator,asset=EL-01,site=tower car.floor=3.0,car.speed=1,car.moving=1i,car.direction=2i {T0}"
    ]


def test_a_point_that_is_not_good_has_its_quality_and_no_number() -> None:
    bad = {"car.speed": Quality.SENTINEL, "car.floor": Quality.RANGE}
    assert lines(a_sample(bad=bad, car__speed=None, car__floor=999.0, car__moving=False)) == [
        f'elevator,asset=EL-01,site=tower q.car.speed="sentinel",q.car.floor="range",car.moving=0i {T0}'
    ]


def test_a_missing_value_without_a_reason_never_becomes_a_number() -> None:
    assert lines(a_sample(car__floor=None)) == [f'elevator,asset=EL-01,site=tower q.car.floor="sensor" {T0}']
    assert lines(a_sample(car__direction=None)) == [f'elevator,asset=EL-01,site=tower q.car.direction="sensor" {T0}']


def test_a_point_outside_the_class_is_refused_not_written() -> None:
    refused: list[Refused] = []
    texts, counts = Lines("tower", catalog()).build(a_delivery(1, a_sample(car__wings=1.0)), refused)
    assert (texts, counts) == ([], [])
    assert [held.what for held in refused] == [f"EL-01 car.wings @{T0} = 1.0"]


def test_shapes_are_bounded() -> None:
    build = Lines("tower", catalog())
    for number in range(50):
        sample = Sample(f"A{number}", T0, {"car.floor": 1.0})
        build.build(Delivery("gw-1", Batch("b", 1, [sample]), {f"A{number}": "elevator"}), [])
    assert len(build._shapes) == 50 <= MAX_SHAPES


def test_an_alarm_transition_is_a_line_of_its_own() -> None:
    line = Lines("tower", catalog()).alarm(a_notice())
    measurement, tags, fields, at = parse(line)
    assert (measurement, at) == ("alarm", T0)
    assert tags == {"asset": LIFT, "class": "elevator", "event": "raise", "rule": "lift-trapped", "site": "tower"}
    assert fields["zh"] == a_notice().zh
    assert fields["en"] == a_notice().en
    assert fields["severity"] == 1


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=30)


@given(
    asset=NAMES.filter(lambda name: not name.endswith("\\")),
    keys=st.lists(NAMES.filter(lambda name: not name.endswith("\\")), min_size=4, max_size=4, unique=True),
    number=st.floats(allow_nan=False, allow_infinity=False),
    whole=st.integers(-(2**53), 2**53),
    text=TEXTS,
    flag=st.booleans(),
)
def test_whatever_the_names_and_texts_a_line_means_what_was_given(
    asset: str, keys: list[str], number: float, whole: int, text: str, flag: bool
) -> None:
    kinds = (Kind.ANALOG, Kind.ENUM, Kind.TEXT, Kind.DISCRETE)
    points = {key: Point(key, kind, Label("", "")) for key, kind in zip(keys, kinds, strict=True)}
    build = Lines("s i,t=e", Catalog({"c": AssetClass("c", Label("", ""), points)}, {}))
    values: dict[str, Value] = dict(zip(keys, (number, whole, text, flag), strict=True))
    for chosen in (values, {key: values[key] for key in (keys[0], keys[1], keys[3])}):
        sample = Sample(asset, 5, chosen)
        (line,), _ = build.build(Delivery("gw", Batch("b", 1, [sample]), {asset: "c"}), [])
        measurement, tags, fields, at = parse(line)
        assert (measurement, at) == ("c", 5)
        assert tags == {"asset": asset, "site": "s i,t=e"}
        assert fields == {
            key: int(value) if value is True or value is False else value for key, value in chosen.items()
        }


def test_a_line_break_in_a_name_can_not_start_a_new_line() -> None:
    assert "\n" not in escape_name("a\nelevator x=1")


def test_classes_of_the_building_are_all_known() -> None:
    assert set(CLASSES.values()) <= set(catalog().classes)


def unescape(name: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", name)


def parse(line: str) -> tuple[str, dict[str, str], dict[str, object], int]:
    """(measurement, tags, fields, timestamp) of one line."""
    head, body, at = split_outside(line)
    measurement, *tags = split_names(head, ",")
    fields: dict[str, object] = {}
    for item in split_fields(body):
        key, raw = item
        if raw.startswith('"'):
            fields[key] = re.sub(r'\\(["\\])', r"\1", raw[1:-1])
        else:
            fields[key] = int(raw[:-1]) if raw.endswith("i") else float(raw)
    pairs = [split_names(tag, "=") for tag in tags]
    return unescape(measurement), {unescape(key): unescape(value) for key, value in pairs}, fields, int(at)


def split_names(text: str, separator: str) -> list[str]:
    """Split names where a separator is not escaped; quotes mean nothing here."""
    return re.split(rf"(?<!\\){re.escape(separator)}", text)


def split_outside(line: str) -> tuple[str, str, str]:
    """Head, fields and timestamp."""
    head = re.match(r"(?:\\.|[^ \\]|\\)*?(?<!\\)(?= )", line)
    assert head is not None
    rest = line[head.end() + 1 :]
    body, _, at = rest.rpartition(" ")
    return head.group(), body, at


def split_fields(body: str) -> list[tuple[str, str]]:
    """(key, raw value) of each field."""
    found = []
    while body:
        match = re.match(r'((?:\\[,= ]|[^=])*?(?<!\\))=("(?:\\["\\]|[^"\\])*"|[^,"]+)(?:,|$)', body)
        assert match is not None, body
        found.append((unescape(match.group(1)), match.group(2)))
        body = body[match.end() :]
    return found


@pytest.mark.parametrize("name", ["a,b", "a b", "a=b", 'a"b', "升降机"])
def test_names_survive_escaping(name: str) -> None:
    assert unescape(escape_name(name)) == name
