"""Pure: Sparkplug B payloads, bytes <-> metrics.

Protobuf is the library's work; the message types are built at import time from the table below, which holds the field
numbers that are published with the Sparkplug B specification. What the table leaves out (data sets, templates,
metadata) is skipped unread.

Whole numbers travel in unsigned fields: a negative one is its two's complement, at the width of its data type or wider.
After a birth a metric may come without name and data type; then `value` is as it was in the field, and whoever knows
the birth applies `typed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message_factory import GetMessageClass

from facility.errors import DecodeError

MAX_PAYLOAD = 262_144
"""Bytes of a message; a longer one is refused unread."""
MAX_METRICS = 10_000
"""Metrics of a message; one with more is refused."""

Raw = int | float | bool | str | None
"""The value of a metric; None for no value, and for what is neither number, text nor flag."""

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = range(9, 16)
_WIDTH = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
_LONG = frozenset({INT64, UINT32, UINT64, DATETIME})
QUALITY = "Quality"
"""The property that says how good a value is."""
BAD, GOOD, STALE = 0, 192, 500
BDSEQ = "bdSeq"
"""The metric that ties a death to its birth."""
REBIRTH = "Node Control/Rebirth"
"""The metric of a node command that asks for all births again."""

_F = FieldDescriptorProto
_PACKAGE = "caretaker.sparkplug"
_FIELDS: Mapping[str, tuple[tuple[str, int, int | str, bool], ...]] = {
    "Payload": (
        ("timestamp", 1, _F.TYPE_UINT64, False),
        ("metrics", 2, "Metric", True),
        ("seq", 3, _F.TYPE_UINT64, False),
    ),
    "Metric": (
        ("name", 1, _F.TYPE_BYTES, False),
        ("alias", 2, _F.TYPE_UINT64, False),
        ("timestamp", 3, _F.TYPE_UINT64, False),
        ("datatype", 4, _F.TYPE_UINT32, False),
        ("is_historical", 5, _F.TYPE_BOOL, False),
        ("is_null", 7, _F.TYPE_BOOL, False),
        ("properties", 9, "Properties", False),
        ("int_value", 10, _F.TYPE_UINT32, False),
        ("long_value", 11, _F.TYPE_UINT64, False),
        ("float_value", 12, _F.TYPE_FLOAT, False),
        ("double_value", 13, _F.TYPE_DOUBLE, False),
        ("boolean_value", 14, _F.TYPE_BOOL, False),
        ("string_value", 15, _F.TYPE_BYTES, False),
    ),
    "Properties": (
        ("keys", 1, _F.TYPE_BYTES, True),
        ("values", 2, "Property", True),
    ),
    "Property": (
        ("type", 1, _F.TYPE_UINT32, False),
        ("is_null", 2, _F.TYPE_BOOL, False),
        ("int_value", 3, _F.TYPE_UINT32, False),
        ("long_value", 4, _F.TYPE_UINT64, False),
    ),
}
"""Message -> (field, number, type or message, repeated). Texts are declared as bytes, the same on the wire: the library
would let through what is not UTF-8, and we don't."""


def _message_class() -> Any:
    file = FileDescriptorProto(name="caretaker/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _FIELDS.items():
        message: DescriptorProto = file.message_type.add(name=name)
        for member, number, kind, repeated in fields:
            made = message.field.add(name=member, number=number)
            made.label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
            if isinstance(kind, str):
                made.type, made.type_name = _F.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                made.type = kind  # type: ignore[assignment]
            if name == "Metric" and member.endswith("_value"):
                made.oneof_index = 0
        if name == "Metric":
            message.oneof_decl.add(name="value")
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


_Payload = _message_class()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is empty and `datatype` 0 where they were left out; `alias` is None without one.

    `timestamp`: ms UTC, that of the payload where the metric has none, None where neither has. `quality` is the number
    of the Quality property, GOOD without it.
    """

    name: str = ""
    value: Raw = None
    datatype: int = 0
    alias: int | None = None
    timestamp: int | None = None
    is_null: bool = False
    is_historical: bool = False
    quality: int = GOOD


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. `seq` is 0 where it was left out, as encoders do that leave out zeros.

    `digest` is one for the bytes that it came in, by which a copy is known.
    """

    timestamp: int | None = None
    seq: int = 0
    metrics: tuple[Metric, ...] = ()
    digest: int = field(default=0, compare=False)

    def value(self, name: str) -> Raw:
        """The value of the first metric of this name, None when there is none."""
        return next((metric.value for metric in self.metrics if metric.name == name), None)


def typed(value: Raw, datatype: int) -> Raw:
    """A value as its data type means it; one that does not fit its type stays as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        width = _WIDTH.get(datatype)
        if width:
            half = 1 << (width - 1)
            return (value + half) % (1 << width) - half
        if datatype == BOOLEAN:
            return bool(value)
    return value


def decode(payload: bytes) -> Payload:
    """The message in `payload`; DecodeError when it is too large or no Sparkplug B payload."""
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError(f"payload of {len(payload)} bytes; the limit is {MAX_PAYLOAD}")
    try:
        message = _Payload.FromString(payload)
        if len(message.metrics) > MAX_METRICS:
            raise DecodeError(f"payload of {len(message.metrics)} metrics; the limit is {MAX_METRICS}")
        timestamp = message.timestamp if message.HasField("timestamp") else None
        metrics = tuple(_metric(item, timestamp) for item in message.metrics)
        return Payload(timestamp, message.seq, metrics, hash(payload))
    except (ProtobufError, UnicodeDecodeError) as error:
        raise DecodeError(f"payload is no Sparkplug B: {error}") from error


def _metric(item: Any, timestamp: int | None) -> Metric:
    chosen = item.WhichOneof("value")
    null = item.is_null or chosen is None
    return Metric(
        name=item.name.decode(),
        value=None if null else typed(_raw(getattr(item, chosen)), item.datatype),
        datatype=item.datatype,
        alias=item.alias if item.HasField("alias") else None,
        timestamp=item.timestamp if item.HasField("timestamp") else timestamp,
        is_null=item.is_null,
        is_historical=item.is_historical,
        quality=_quality(item.properties) if item.HasField("properties") else GOOD,
    )


def _raw(value: bytes | float | bool) -> Raw:
    return value.decode() if isinstance(value, bytes) else value


def _quality(properties: Any) -> int:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == QUALITY.encode() and not value.is_null:
            return int(value.int_value if value.HasField("int_value") else value.long_value)
    return GOOD


def encode(payload: Payload, *, seq: bool = True) -> bytes:
    """The bytes of a message; without `seq` for a death and a command, which have none."""
    message = _Payload()
    if payload.timestamp is not None:
        message.timestamp = payload.timestamp
    if seq:
        message.seq = payload.seq
    for metric in payload.metrics:
        _put(message.metrics.add(), metric)
    return bytes(message.SerializeToString())


def _put(item: Any, metric: Metric) -> None:
    if metric.name:
        item.name = metric.name.encode()
    if metric.datatype:
        item.datatype = metric.datatype
    for name in ("alias", "timestamp"):
        if getattr(metric, name) is not None:
            setattr(item, name, getattr(metric, name))
    for flag in ("is_null", "is_historical"):
        if getattr(metric, flag):
            setattr(item, flag, True)
    if metric.quality != GOOD:
        item.properties.keys.append(QUALITY.encode())
        item.properties.values.add(type=INT32, int_value=metric.quality)
    if metric.value is not None:
        name, value = _field(metric.value, metric.datatype)
        setattr(item, name, value)


def _field(value: bool | float | str, datatype: int) -> tuple[str, bool | float | bytes]:
    if isinstance(value, bool):
        return "boolean_value", value
    if isinstance(value, str):
        return "string_value", value.encode()
    if isinstance(value, float) or datatype in (FLOAT, DOUBLE):
        return ("float_value" if datatype == FLOAT else "double_value"), value
    # without a type the reader may take it for any, and 64 bits are right for all
    long = datatype in _LONG or value >= 1 << 32 or (value < 0 and datatype not in (INT8, INT16, INT32))
    return ("long_value", value % (1 << 64)) if long else ("int_value", value % (1 << 32))


def rebirth(at: int) -> bytes:
    """The payload of a node command that asks for all births again."""
    return encode(Payload(at, metrics=(Metric(REBIRTH, True, BOOLEAN, timestamp=at),)), seq=False)
