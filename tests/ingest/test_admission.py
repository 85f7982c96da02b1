"""What may enter the store, and the words in which the rest is refused."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.readings import Quality, Sample, Value
from facility.wire import Batch, decode, encode
from ingest.admission import MAX_AT, MAX_REFUSED, Admission, wrong_envelope
from ingest.intake import Intake, Item
from tests.ingest.building import ASSETS, LIFT, T0, a_batch, a_notice, a_sample, catalog

DOOR = Admission(ASSETS, catalog(), future_limit=60.0)
INTAKE = Intake("tower", ["gw-1"], DOOR)
TOPIC = "fm/v1/tower/gw-1/readings"


def refused(*samples: Sample) -> list[tuple[str, str]]:
    found = DOOR.admit("gw-1", a_batch(1, *samples), T0)
    return [(held.what, held.reason) for held in found.refused]


def test_a_batch_that_is_fine_passes_untouched() -> None:
    batch = a_batch(1, a_sample(car__floor=3, car__moving=False, car__direction=1), a_sample("PS-01", tank__level=1.2))
    admitted = DOOR.admit("gw-1", batch, T0)
    assert admitted.delivery.batch is batch
    assert admitted.refused == ()
    assert admitted.future == 0


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (a_sample("EL-99"), "no such asset"),
        (a_sample(no__such=1.0), "elevator has no such point"),
        (a_sample(car__floor="three"), "analog point can't hold a value of type str"),
        (a_sample(car__floor=True), "analog point can't hold a value of type bool"),
        (a_sample(car__moving=1), "discrete point can't hold a value of type int"),
        (a_sample(car__direction=1.0), "enum point can't hold a value of type float"),
        (a_sample(car__floor=float("nan")), "not finite"),
        (a_sample(car__floor=10**400), "too large"),
        (a_sample(car__floor=10**6000), "too large"),
        (a_sample(at=10**6000), "no believable instant"),
        (a_sample(car__direction=2**63), "too large"),
        (a_sample(car__floor=None), "no quality that says why"),
        (a_sample(at=-1), "no believable instant"),
        (a_sample(at=MAX_AT + 1), "no believable instant"),
    ],
)
def test_each_kind_of_mistake_is_named(sample: Sample, reason: str) -> None:
    # a value that can't come over the wire is refused all the same
    (held,) = refused(Sample(sample.asset, sample.at, sample.values, {"car.speed": Quality.COMM}))[:1]
    assert reason in held[1]
    assert held[0].startswith(sample.asset)


def test_a_quality_without_a_value_is_refused() -> None:
    (held,) = refused(a_sample(bad={"car.speed": Quality.COMM}, car__floor=1.0))
    assert "car.speed" in held[0]


def test_a_bad_reading_loses_its_number() -> None:
    admitted = DOOR.admit("gw-1", a_batch(1, a_sample(bad={"car.floor": Quality.RANGE}, car__floor=999.0)), T0)
    (sample,) = admitted.delivery.batch.samples
    assert sample.values == {"car.floor": None}
    assert sample.quality == {"car.floor": Quality.RANGE}


def test_refusals_of_one_batch_are_bounded() -> None:
    samples = [a_sample("EL-99", T0 + n) for n in range(MAX_REFUSED + 7)]
    found = refused(*samples)
    assert len(found) == MAX_REFUSED + 1
    assert found[-1][0] == "and 7 readings more"


def test_names_of_any_length_are_cut_in_the_report() -> None:
    ((what, _),) = refused(Sample("A" * 10_000, T0, {"p" * 10_000: "v" * 10_000}))
    assert len(what) < 500


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (Batch("", 1, []), "boot"),
        (Batch("b" * 65, 1, []), "boot"),
        (Batch("b/1", 1, []), "boot"),
        (Batch("b1", 0, []), "seq starts at 1"),
        (Batch("b1", -5, []), "seq starts at 1"),
        (Batch("b1", 2**63, []), "63 bits"),
        (Batch("b1", 10**6000, []), "63 bits"),
        (Batch("b1", 1, []), ""),
    ],
)
def test_an_envelope_that_can_not_be_confirmed_is_refused(batch: Batch, reason: str) -> None:
    found = wrong_envelope(batch)
    assert (reason in found) if reason else not found


POINTS = st.sampled_from(["car.floor", "car.moving", "car.direction", "car.speed", "no.such", ""])
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
SAMPLES = st.builds(
    Sample,
    st.sampled_from([LIFT, "EL-02", "EL-99", ""]),
    st.one_of(st.integers(T0 - 5, T0 + 120_000), st.integers()),
    st.dictionaries(POINTS, VALUES, max_size=5),
    st.dictionaries(POINTS, st.sampled_from(sorted(set(Quality) - {Quality.GOOD})), max_size=2),
)


@given(st.lists(SAMPLES, max_size=5))
def test_every_reading_is_either_let_in_or_refused_and_what_is_let_in_fits(samples: list[Sample]) -> None:
    batch = Batch("b1", 1, samples)
    admitted = DOOR.admit("gw-1", batch, T0)
    kept = admitted.delivery.batch
    stray = sum(point not in sample.values for sample in samples for point in sample.quality if _known(sample))
    assert kept.count + len(admitted.refused) == batch.count + stray
    again = DOOR.admit("gw-1", kept, T0)
    assert again.refused == ()
    assert again.delivery.batch == kept
    for sample in kept.samples:
        for point, value in sample.values.items():
            assert (value is None) == (not sample.quality_of(point).is_good)
            assert sample.at <= T0 + 60_000 or sample.quality[point] is Quality.CLOCK


def _known(sample: Sample) -> bool:
    return sample.asset in ASSETS and 0 <= sample.at <= MAX_AT


@given(st.binary(max_size=200))
def test_no_payload_breaks_the_intake(payload: bytes) -> None:
    item = INTAKE.read(TOPIC, payload, T0)
    assert isinstance(item, Item)
    assert item.letters or item.delivery


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_json_breaks_the_intake(one: object, other: object) -> None:
    samples = [["EL-01", 1, one, other]]
    for document in (one, {"boot": "b1", "seq": 1, "samples": one}, {"boot": "b1", "seq": 1, "samples": samples}):
        item = INTAKE.read(TOPIC, json.dumps(document).encode(), T0)
        assert isinstance(item, Item)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "fm/v1/tower/gw-1/status",
        "fm/v1/other/gw-1/readings",
        "fm/v2/tower/gw-1/readings",
        "fm/v1/tower/g w/readings",
    ],
)
def test_a_message_on_another_topic_is_a_dead_letter(topic: str) -> None:
    item = INTAKE.read(topic, encode(a_batch(1)), T0)
    assert isinstance(item, Item)
    assert item.key is None
    assert len(item.letters) == 1


def test_an_alarm_notice_is_told_apart() -> None:
    assert INTAKE.read("fm/v1/tower/alarms", encode(a_notice()), T0) == a_notice()
    untimely = msgspec.structs.replace(a_notice(), at=10**30)
    for payload in (b"{}", encode(untimely), encode(msgspec.structs.replace(a_notice(), version=2**63))):
        broken = INTAKE.read("fm/v1/tower/alarms", payload, T0)
        assert isinstance(broken, Item)
        assert broken.letters


def test_the_letter_of_an_unknown_gateway_holds_the_whole_batch() -> None:
    payload = encode(a_batch(3))
    item = INTAKE.read("fm/v1/tower/gw-9/readings", payload, T0)
    assert isinstance(item, Item)
    assert item.key == ("gw-9", "b1", 3)
    assert decode(Batch, item.letters[0].payload) == a_batch(3)
