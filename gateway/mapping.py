"""Pure: a native MQTT payload -> point values, as the topics of a profile say.

A payload is JSON, or plain text where it is none (`ON`, `online`). Placeholders `{name}` are filled from the params of
the device; a brace that names no param stays (a request payload is JSON itself). A pointer that leads nowhere means
that the payload does not speak of the point; a null, be it on the way there, means that the device says it has no
value: bad, SENSOR. (A Shelly tells a component or a key that has vanished by null.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isinf, isnan

import msgspec

from facility.assets import Device
from facility.errors import DecodeError
from facility.points import Kind, Point, Profile, Topic, TopicValue
from facility.readings import Quality, Value
from gateway.codec import bounded, scaler, state

MAX_PAYLOAD = 65_536
"""Bytes of a device's message; longer ones are refused unread."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TRUE = frozenset({"true", "on", "1", "yes"})
_FALSE = frozenset({"false", "off", "0", "no"})
_decoder = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Mapped:
    """One value of a payload, under the key that the device gives it."""

    key: str
    value: Value
    quality: Quality


def fill(text: str, params: Mapping[str, str]) -> str:
    """`text` with every `{name}` that is a param replaced."""
    return _PLACEHOLDER.sub(lambda found: params.get(found[1], found[0]), text)


def presence(payload: str) -> str:
    """The word of an availability payload: the text itself, or what `state` says in a JSON object."""
    text = payload.strip()
    if not text.startswith("{"):
        return text
    try:
        said = parse(text.encode())
    except DecodeError:
        return text
    state_ = said.get("state") if isinstance(said, dict) else None
    return state_ if isinstance(state_, str) else text


def parse(payload: bytes) -> object:
    """The JSON of a payload, or its text; DecodeError when it is too long or neither."""
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError(f"payload of {len(payload)} bytes; the limit is {MAX_PAYLOAD}")
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = payload.lstrip()[:1]
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            raise DecodeError("payload is neither JSON nor text") from error
        if start in (b"{", b"[") or "\0" in text:
            raise DecodeError(f"payload is broken JSON: {error}") from error
        return text


def at(document: object, pointer: str) -> object:
    """What a JSON pointer (RFC 6901) leads to, None behind a null; KeyError when it leads nowhere."""
    for token in pointer.split("/")[1:]:
        if document is None:
            return None
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            raise KeyError(pointer)
    return document


class TopicMap:
    """The topics of one device: filters to subscribe, and what their payloads mean."""

    def __init__(self, profile: Profile, device: Device, points: Mapping[str, Point]) -> None:
        self._device = device
        self._points = points
        self._by_filter: dict[str, list[Topic]] = {}
        for topic in profile.topics:
            self._by_filter.setdefault(fill(topic.topic, device.params), []).append(topic)

    @property
    def filters(self) -> tuple[str, ...]:
        """The MQTT filters of the device."""
        return tuple(self._by_filter)

    @property
    def keys(self) -> tuple[str, ...]:
        """The points that are known before the device has spoken: all but those whose index a payload gives."""
        found = [value.point for topics in self._by_filter.values() for topic in topics for value in topic.values]
        keys = [self._key(point) for point in found if "[n]" not in point]
        keys += [self._key(point) for point in sorted(self._device.points) if "[n]" not in point]
        return tuple(dict.fromkeys(key for key in keys if key))

    def values(self, filter_: str, payload: bytes) -> list[Mapped] | None:
        """What a payload of one filter says; None when it is another device's, DecodeError when it is garbage."""
        document = parse(payload)
        ours = False
        found: dict[str, Mapped] = {}
        for topic in self._by_filter[filter_]:
            if not self._agrees(document, topic.match):
                continue
            ours = True
            for value in topic.values:
                for mapped in self._value(document, value):
                    found[mapped.key] = mapped
        return list(found.values()) if ours else None

    def _value(self, document: object, item: TopicValue) -> Iterator[Mapped]:
        if not self._agrees(document, item.when):
            return
        key = self._key(self._indexed(document, item))
        if not key:
            return
        raw: object = item.constant
        if raw is None:
            try:
                raw = at(document, fill(item.path, self._device.params))
            except KeyError:
                return
        value, quality = convert(raw, item, self._points[key])
        yield Mapped(key, value, quality)

    def _indexed(self, document: object, item: TopicValue) -> str:
        if "[n]" not in item.point:
            return item.point
        try:
            number = str(at(document, fill(item.index, self._device.params)))
        except KeyError:
            return ""
        return item.point.replace("[n]", f"[{number}]") if number.isdecimal() else ""

    def _key(self, point: str) -> str:
        """The key under which the device tells a point; empty when it is not wanted or the class has none."""
        wanted = self._device.points
        if not point or (wanted and point not in wanted and re.sub(r"\[\d+\]", "[n]", point) not in wanted):
            return ""
        key = self._device.rename.get(point, point)
        return key if key in self._points else ""

    def _agrees(self, document: object, wanted: Mapping[str, object]) -> bool:
        for pointer, expected in wanted.items():
            try:
                found = at(document, fill(pointer, self._device.params))
            except KeyError:
                return False
            if isinstance(expected, str):
                if _text(found) != fill(expected, self._device.params):
                    return False
            elif found != expected or isinstance(found, bool) is not isinstance(expected, bool):
                return False
        return True


def convert(raw: object, item: TopicValue, point: Point) -> tuple[Value, Quality]:
    """A JSON value as the value of a point."""
    if raw is None or isinstance(raw, (dict, list)):
        return None, Quality.SENSOR
    if item.values is not None and item.constant is None:
        mapped = item.values.get(_text(raw))
        if mapped is None:
            return None, Quality.ENUM
        raw = mapped
    if point.kind is Kind.TEXT:
        return _text(raw), Quality.GOOD
    if point.kind is Kind.DISCRETE:
        return _discrete(raw, item)
    return _numeric(raw, item, point)


def _discrete(raw: object, item: TopicValue) -> tuple[Value, Quality]:
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word not in _TRUE | _FALSE:
            return None, Quality.ENUM
        raw = word in _TRUE
    if isinstance(raw, float) and isnan(raw):
        return None, Quality.SENTINEL
    return bool(raw) is not item.invert, Quality.GOOD


def _numeric(raw: object, item: TopicValue, point: Point) -> tuple[Value, Quality]:
    number = _number(raw)
    if number is None:
        return None, Quality.SENSOR
    if isnan(number) or number in item.sentinels:
        return None, Quality.SENTINEL
    if isinf(number):
        return None, Quality.RANGE
    if point.kind is Kind.ENUM:
        return state(point, number)
    if item.values is None and item.constant is None:
        number = scaler(item.scale, item.offset)(number)
    return bounded(point, number)


def _number(raw: object) -> float | None:
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, (int, float)):
        return raw
    try:
        return float(str(raw))
    except ValueError:
        return None


def _text(raw: object) -> str:
    """A JSON scalar as a profile writes it: true, 1, 2.5, ON."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return "null" if raw is None else str(raw)
