"""The MQTT contract: what goes out comes back, the examples of docs/wire.md decode, garbage raises DecodeError."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import DecodeError
from facility.readings import Quality, Sample
from facility.wire import (
    MAX_PAYLOAD,
    AlarmNotice,
    Batch,
    DeviceStatus,
    Status,
    Stored,
    alarms_topic,
    decode,
    encode,
    parse_topic,
    readings_topic,
    status_topic,
    stored_topic,
)

KINDS: dict[str, type[msgspec.Struct]] = {"readings": Batch, "stored": Stored, "status": Status, "alarms": AlarmNotice}
PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
EXAMPLES = re.findall(r"[Tt]opic `(fm/v1/[^`]+)`:\n\n```json\n(.*?)```", PAGE, re.DOTALL)

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
instants = st.integers(0, 4_102_444_800_000)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
good = numbers | st.booleans() | st.text(max_size=20)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """A sample whose bad values are None and have a reason."""
    keys = draw(st.lists(st.sampled_from(["car.floor", "pump[2].freq", "f", "zone[128].alarm"]), unique=True))
    bad = {key: draw(st.sampled_from([q for q in Quality if not q.is_good])) for key in keys if draw(st.booleans())}
    return Sample(draw(ids), draw(instants), {key: None if key in bad else draw(good) for key in keys}, bad)


batches = st.builds(
    Batch, boot=ids, seq=st.integers(1, 2**53), samples=st.lists(samples(), max_size=5), hist=st.booleans()
)


@given(batches)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    back = decode(Batch, encode(batch))
    assert back == batch
    for sent, got in zip(batch.samples, back.samples, strict=True):  # 1 == True == 1.0, so look at the types too
        assert [type(value) for value in got.values.values() if not isinstance(value, float)] == [
            type(value) for value in sent.values.values() if not isinstance(value, float)
        ]


@given(
    st.builds(Stored, boot=ids, ranges=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99))))
    | st.builds(
        Status,
        online=st.booleans(),
        boot=ids,
        devices=st.dictionaries(ids, st.builds(DeviceStatus, state=st.just("up"), error=st.text(max_size=9))),
        clock_offset_ms=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
    | st.builds(AlarmNotice, severity=st.integers(1, 4), at=instants, version=st.integers(1, 2**53))
)
def test_every_other_message_comes_back_as_it_was(message: msgspec.Struct) -> None:
    assert decode(type(message), encode(message)) == message


def test_the_page_has_an_example_of_every_message() -> None:
    assert {topic.rpartition("/")[2] for topic, _ in EXAMPLES} == set(KINDS)


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_every_example_of_the_page_decodes(topic: str, text: str) -> None:
    kind = KINDS[topic.rpartition("/")[2]]
    message = decode(kind, text.encode())
    told = msgspec.json.decode(text.encode())
    assert set(told) <= {field.name for field in msgspec.structs.fields(kind)}  # no member that nobody reads
    assert decode(kind, encode(message)) == message


def test_the_examples_say_what_the_page_says() -> None:
    batch = decode(Batch, EXAMPLES[0][1].encode())
    assert (batch.boot, batch.seq, batch.count, batch.hist) == ("b4f1c2", 17, 7, False)
    assert batch.samples[0].values == {"car.floor": 7, "car.moving": True, "car.direction": 1, "car.speed": -1.75}
    assert batch.samples[1].quality_of("sys.inlet_pressure") is Quality.SENTINEL
    assert batch.samples[1].quality_of("sys.energy") is Quality.GOOD


def test_unknown_members_are_ignored() -> None:
    assert decode(Stored, b'{"boot":"b","ranges":[],"later":1}') == Stored("b", [])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"boot":"b","seq":1,"samples":[["EL-01"]]}',
        b'{"boot":"b","seq":"1","samples":[]}',
        b'{"boot":"b","seq":1.5,"samples":[]}',
        b'{"boot":"b","seq":1,"samples":[["EL-01",1,{"f":NaN}]]}',
        b'{"boot":"b","seq":1,"samples":[["EL-01",1,{"f":Infinity}]]}',
        b'{"boot":"b","seq":1,"samples":[["EL-01",1,{"f":[1]}]]}',
        b'{"boot":"b","seq":1,"samples":[["EL-01",1,{"f":null},{"f":"tired"}]]}',
        b'{"boot":"b","seq":1,"samples":[["EL-01",1,{"f":1}]]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_batch_is_a_decode_error_with_a_short_reason(payload: bytes) -> None:
    with pytest.raises(DecodeError) as error:
        decode(Batch, payload)
    assert 0 < len(error.value.reason) < 200


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_raise_decode_error(payload: bytes) -> None:
    with suppress(DecodeError):
        assert isinstance(decode(Batch, payload), Batch)


def test_an_oversized_payload_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DecodeError, match=r"262145 bytes; the limit is 262144"):
        decode(Batch, b" " * (MAX_PAYLOAD + 1))
    padding = b'{"boot":"b","seq":1,"samples":[]}'.ljust(MAX_PAYLOAD)
    assert decode(Batch, padding).seq == 1


@given(ids, ids)
def test_topics_parse_back(site: str, gateway: str) -> None:
    assert parse_topic(readings_topic(site, gateway)) == (site, gateway, "readings")
    assert parse_topic(stored_topic(site, gateway)) == (site, gateway, "stored")
    assert parse_topic(status_topic(site, gateway)) == (site, gateway, "status")
    assert alarms_topic(site) == f"fm/v1/{site}/alarms"


@pytest.mark.parametrize(
    "topic",
    ["", "fm/v1/s/g", "fm/v2/s/g/readings", "fm/v1/s/g/readings/x", "fm/v1//g/readings", "fm/v1/s/g g/readings",
     "fm/v1/s/ü/readings", "fm/v1/" + "s" * 65 + "/g/readings", "fm/v1/s/g\n/readings"],
)  # fmt: skip
def test_a_strange_topic_is_a_decode_error(topic: str) -> None:
    with pytest.raises(DecodeError):
        parse_topic(topic)
