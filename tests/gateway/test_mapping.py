"""Native payloads to values: matching, pointers, deltas, nulls, words, placeholders, garbage."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import DecodeError
from facility.points import Kind, Topic, TopicValue
from facility.readings import Quality
from gateway.mapping import MAX_PAYLOAD, TopicMap, at, convert, fill, parse, presence
from tests.gateway.plant import MODES, NATIVE, POINTS, a_device, a_point

GOOD = Quality.GOOD
DEVICE = a_device(profile="native", params={"base": "dev/1", "id": "7"})
TOPIC = "dev/1/state"


def values(payload: object, *, device: object = DEVICE) -> dict[str, tuple[object, Quality]] | None:
    found = TopicMap(NATIVE, device, POINTS).values(TOPIC, json.dumps(payload).encode())  # type: ignore[arg-type]
    return None if found is None else {item.key: (item.value, item.quality) for item in found}


def test_a_delta_gives_only_what_it_speaks_of_and_null_is_bad() -> None:
    assert values({"id": 7, "u": 230.5}) == {"volts": (230.5, GOOD)}
    assert values({"id": 7, "u": None, "mode": "on"}) == {"volts": (None, Quality.SENSOR), "mode": (1, GOOD)}
    assert values({"id": 7}) == {}


def test_a_payload_of_another_device_is_not_ours() -> None:
    assert values({"id": 8, "u": 1}) is None
    assert values({"u": 1}) is None
    assert values([1, 2]) is None


def test_topics_and_requests_are_filled_from_the_params_and_other_braces_stay() -> None:
    assert TopicMap(NATIVE, DEVICE, POINTS).filters == (TOPIC,)
    assert fill('{base}/x {"id": {id}, "a": {}}', DEVICE.params) == 'dev/1/x {"id": 7, "a": {}}'


def test_points_are_narrowed_and_renamed() -> None:
    device = replace(DEVICE, points=frozenset({"temp"}), rename={"temp": "volts"})
    assert values({"id": 7, "u": 1, "t": 20}, device=device) == {"volts": (20, GOOD)}
    assert TopicMap(NATIVE, device, POINTS).keys == ("volts",)


def test_indexed_points_conditions_and_constants() -> None:
    doors = {f"door[{n}].open": a_point(f"door[{n}].open", Kind.DISCRETE) for n in (1, 2)}
    topic = Topic(
        "t",
        (
            TopicValue("door[n].open", index="/door", when={"/event": "forced", "/live": True}, constant=True),
            TopicValue("door[n].open", index="/door", when={"/event": "closed"}, constant=False),
        ),
    )
    found = TopicMap(replace(NATIVE, topics=(topic,)), DEVICE, doors)
    assert found.keys == ()

    def said(**payload: object) -> list[tuple[str, object]]:
        return [(item.key, item.value) for item in found.values("t", json.dumps(payload).encode()) or []]

    assert said(event="forced", live=True, door=2) == [("door[2].open", True)]
    assert said(event="forced", live=1, door=2) == []
    assert said(event="closed", door="1") == [("door[1].open", False)]
    assert said(event="closed", door=3) == []
    assert said(event="closed", door="x") == []
    assert said(event="closed") == []


@pytest.mark.parametrize(
    ("raw", "value", "quality"),
    [
        (1, 1, GOOD), (2.5, 2.5, GOOD), ("12.5", 12.5, GOOD), ("x", None, Quality.SENSOR), (True, 1, GOOD),
        ({"a": 1}, None, Quality.SENSOR), (5000, None, Quality.RANGE), ("nan", None, Quality.SENTINEL),
        ("inf", None, Quality.RANGE), (-99, None, Quality.SENTINEL),
    ],
)  # fmt: skip
def test_numbers(raw: object, value: object, quality: Quality) -> None:
    item = TopicValue("p", sentinels=frozenset({-99.0}))
    assert convert(raw, item, a_point("p")) == (value, quality)


@pytest.mark.parametrize(
    ("raw", "value", "quality"),
    [
        (True, True, GOOD), (0, False, GOOD), ("ON", True, GOOD), ("false", False, GOOD), ("?", None, Quality.ENUM),
        (None, None, Quality.SENSOR),
    ],
)  # fmt: skip
def test_flags(raw: object, value: object, quality: Quality) -> None:
    assert convert(raw, TopicValue("p"), a_point("p", Kind.DISCRETE)) == (value, quality)
    inverted = convert(raw, TopicValue("p", invert=True), a_point("p", Kind.DISCRETE))
    assert inverted == (None if value is None else not value, quality)


def test_words_texts_and_states() -> None:
    mode = a_point("p", Kind.ENUM, states=MODES)
    item = TopicValue("p", values={"true": 1, "2": 2, "null": 0})
    assert convert(True, item, mode) == (1, GOOD)
    assert convert(2.0, item, mode) == (2, GOOD)
    assert convert("other", item, mode) == (None, Quality.ENUM)
    assert convert(7, TopicValue("p"), mode) == (None, Quality.ENUM)
    assert convert(7, TopicValue("p"), a_point("p", Kind.TEXT)) == ("7", GOOD)
    assert convert(231, TopicValue("p", scale=0.1), a_point("p")) == (23.1, GOOD)


def test_plain_text_is_a_payload_too() -> None:
    assert parse(b"ON") == "ON"
    assert parse(b"true") is True
    topic = Topic("t", (TopicValue("running"),))
    found = TopicMap(replace(NATIVE, topics=(topic,)), DEVICE, POINTS).values("t", b"ON")
    assert found is not None
    assert [(item.key, item.value) for item in found] == [("running", True)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"x" * (MAX_PAYLOAD + 1), "limit"),
        (b'{"a": 1', "broken JSON"),
        (b"\xff\xfe\xfd", "neither"),
        (b"a\0b", "broken"),
        (b"[" * 60_000, "broken JSON"),
    ],
)
def test_garbage_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        parse(payload)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", {"a/b": [10, {"c~": 3}]}), ("/a~1b/0", 10), ("/a~1b/1/c~0", 3)],
)
def test_pointers(pointer: str, value: object) -> None:
    assert at({"a/b": [10, {"c~": 3}]}, pointer) == value


def test_behind_a_null_is_nothing() -> None:
    assert at({"a": None}, "/a/b/c") is None
    assert at(None, "/a") is None


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ("online", "online"), (" Online\n", "Online"), ('{"state":"online"}', "online"), ("true", "true"), ("", ""),
        ('{"state":1}', '{"state":1}'), ('{"state"', '{"state"'), ("{}", "{}"), ('["online"]', '["online"]'),
    ],
)  # fmt: skip
def test_the_word_of_an_availability_payload(payload: str, word: str) -> None:
    assert presence(payload) == word


@pytest.mark.parametrize("pointer", ["/x", "/a~1b/2", "/a~1b/-1", "/a~1b/0/1", "/a~1b/x"])
def test_pointers_that_lead_nowhere(pointer: str) -> None:
    with pytest.raises(KeyError):
        at({"a/b": [10]}, pointer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "u", "t", "e", "mode", "run"]), inner),
    max_leaves=12,
)


@pytest.mark.slow
@given(json_values)
def test_no_payload_breaks_it_and_no_bad_value_has_a_number(document: object) -> None:
    if isinstance(document, dict):
        document["id"] = "7"
    for value, quality in (values(document) or {}).values():
        assert (value is None) is (quality is not GOOD)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(payload: bytes) -> None:
    found = None
    with suppress(DecodeError):
        found = TopicMap(NATIVE, DEVICE, POINTS).values(TOPIC, payload)
    assert not found
