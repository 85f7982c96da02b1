"""Sparkplug B payloads: words worked out by hand, round trips, garbage. The encoder of others: test_sparkplug_peer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import DecodeError
from gateway import sparkplug_payload as sp
from gateway.sparkplug_payload import MAX_METRICS, MAX_PAYLOAD, Metric, Payload, Raw, decode, encode, rebirth, typed


def delimited(number: int, body: bytes) -> bytes:
    """A field of bytes, text or a message, as protobuf writes it."""
    tag = number << 3 | 2
    return (bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])) + bytes([len(body)]) + body


def metric_bytes(*parts: bytes) -> bytes:
    """A payload with one metric of these fields."""
    return delimited(2, b"".join(parts))


NAME = delimited(1, b"a")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"\x20\x09" + b"\x65" + struct.pack("<f", 2.5), Metric("a", 2.5, sp.FLOAT)),
        (b"\x20\x0a" + b"\x69" + struct.pack("<d", -0.1), Metric("a", -0.1, sp.DOUBLE)),
        (b"\x20\x0b" + b"\x70\x01", Metric("a", True, sp.BOOLEAN)),
        (b"\x20\x0b" + b"\x50\x01", Metric("a", True, sp.BOOLEAN)),  # a flag in the field for numbers
        (b"\x20\x0c" + delimited(15, "泵".encode()), Metric("a", "泵", sp.STRING)),
        (b"\x20\x01" + b"\x50\xff\x01", Metric("a", -1, sp.INT8)),  # at the type's own width
        (b"\x20\x01" + b"\x50\xff\xff\xff\xff\x0f", Metric("a", -1, sp.INT8)),  # extended to 32 bits
        (b"\x20\x03" + b"\x50" + b"\xff" * 9 + b"\x01", Metric("a", -1, sp.INT32)),  # extended to 64 bits
        (b"\x20\x02" + b"\x50\x80\x80\x02", Metric("a", -32_768, sp.INT16)),
        (b"\x20\x03" + b"\x50\xfe\xff\xff\xff\x0f", Metric("a", -2, sp.INT32)),
        (b"\x20\x04" + b"\x58" + b"\xff" * 9 + b"\x01", Metric("a", -1, sp.INT64)),
        (b"\x20\x07" + b"\x50\xff\xff\xff\xff\x0f", Metric("a", 4_294_967_295, sp.UINT32)),
        (b"\x20\x07" + b"\x58\xff\xff\xff\xff\x0f", Metric("a", 4_294_967_295, sp.UINT32)),
        (b"\x50\xff\xff\xff\xff\x0f", Metric("a", 4_294_967_295)),  # no type: the birth's says what it is
        (b"\x20\x03" + b"\x38\x01", Metric("a", None, sp.INT32, is_null=True)),
        (b"\x20\x03\x38\x01\x50\x05", Metric("a", None, sp.INT32, is_null=True)),
        (b"\x20\x03", Metric("a", None, sp.INT32)),
        (b"\x20\x11" + delimited(16, b"\x00\x01"), Metric("a", None, 17)),  # bytes are no value of a point
        (b"\x20\x10" + delimited(17, b"\x08\x02"), Metric("a", None, 16)),  # nor is a data set
        (b"\x10\x07\x18\x0a\x28\x01\x50\x03", Metric("a", 3, 0, 7, 10, is_historical=True)),
    ],
)
def test_a_metric_by_its_bytes(fields: bytes, expected: Metric) -> None:
    (found,) = decode(metric_bytes(NAME, fields)).metrics
    assert found == expected
    assert type(found.value) is type(expected.value)


@pytest.mark.parametrize("number", [0, 192, 500])
def test_the_quality_property(number: int) -> None:
    value = b"\x08\x03\x18" + (bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7]))
    unit = delimited(1, b"engUnit") + delimited(2, b"\x08\x0c" + delimited(8, b"V"))
    quality = delimited(1, b"Quality") + delimited(2, value)
    (found,) = decode(metric_bytes(NAME, delimited(9, unit + quality), b"\x50\x03")).metrics
    assert (found.quality, found.value) == (number, 3)


def test_a_quality_without_a_number_is_good() -> None:
    quality = delimited(1, b"Quality") + delimited(2, b"\x08\x03\x10\x01")
    assert decode(metric_bytes(NAME, delimited(9, quality))).metrics[0].quality == sp.GOOD
    assert decode(metric_bytes(NAME, delimited(9, delimited(1, b"Quality")))).metrics[0].quality == sp.GOOD


def test_the_envelope() -> None:
    found = decode(b"\x08\x96\x01" + metric_bytes(NAME, b"\x50\x01") + b"\x18\xff\x01" + delimited(4, b"uuid"))
    assert (found.timestamp, found.seq) == (150, 255)
    assert found.metrics[0].timestamp == 150  # the payload's where the metric has none
    assert decode(b"") == Payload(None, 0, ())


def test_the_same_bytes_have_the_same_digest() -> None:
    one, other = encode(Payload(1, 2)), encode(Payload(1, 3))
    assert decode(one).digest == decode(one).digest != decode(other).digest


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"\x12\x05ab", b'{"timestamp": 1}', b"online", delimited(2, delimited(1, b"\xff\xfe")), b"\x07"],
)
def test_garbage_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError, match="no Sparkplug B"):
        decode(payload)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(DecodeError, match="the limit is 262144"):
        decode(bytes(MAX_PAYLOAD + 1))
    with pytest.raises(DecodeError, match="10001 metrics"):
        decode(b"\x12\x00" * (MAX_METRICS + 1))


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(payload: bytes) -> None:
    try:
        found = decode(payload)
    except DecodeError:
        return
    assert all(isinstance(metric.value, Raw) for metric in found.metrics)


WHOLE = {
    kind: (-(1 << bits - 1), (1 << bits - 1) - 1) for kind, bits in zip((1, 2, 3, 4), (8, 16, 32, 64), strict=True)
}
WHOLE |= {kind: (0, (1 << bits) - 1) for kind, bits in zip((5, 6, 7, 8), (8, 16, 32, 64), strict=True)}
VALUES = st.one_of(
    *(st.tuples(st.integers(*limits), st.just(kind)) for kind, limits in WHOLE.items()),
    st.tuples(st.floats(width=32, allow_nan=False), st.just(sp.FLOAT)),
    st.tuples(st.floats(allow_nan=False), st.just(sp.DOUBLE)),
    st.tuples(st.booleans(), st.just(sp.BOOLEAN)),
    st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([sp.STRING, sp.TEXT, sp.UUID])),
    st.tuples(st.integers(0, 1 << 63), st.just(sp.DATETIME)),
)
ALIAS = st.none() | st.integers(0, (1 << 64) - 1)
METRICS = st.builds(
    lambda pair, name, alias, at, old, quality: Metric(
        name, pair[0], pair[1], alias, at, is_historical=old, quality=quality
    ),
    VALUES, st.text(st.characters(exclude_categories=["Cs"]), max_size=9), ALIAS, st.integers(0, 1 << 50),
    st.booleans(), st.sampled_from([0, 192, 500]),
)  # fmt: skip


@given(st.builds(Payload, st.integers(0, 1 << 50), st.integers(0, 255), st.lists(METRICS).map(tuple)))
def test_what_is_encoded_comes_back(payload: Payload) -> None:
    assert decode(encode(payload)) == payload


@given(VALUES)
def test_what_comes_without_its_type_is_the_same_with_the_birth_s(pair: tuple[float | bool | str, int]) -> None:
    value, datatype = pair
    # as a node that leaves the type out after its birth
    typeless = decode(encode(Payload(1, 1, (Metric("", value, datatype, 4),)))).metrics[0]
    bare = decode(encode(Payload(1, 1, (Metric("", value, 0, 4),)))).metrics[0]
    assert typeless.value == value
    if datatype != sp.FLOAT:
        assert typed(bare.value, datatype) == value


def test_a_rebirth_request() -> None:
    found = decode(rebirth(150))
    assert found.metrics == (Metric("Node Control/Rebirth", True, sp.BOOLEAN, timestamp=150),)
    assert b"\x18" not in rebirth(5)[-2:]  # a command has no seq
