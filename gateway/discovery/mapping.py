"""Pure: the entities of one device -> the points of one asset class, with everything that was refused and why.

A profile is of one class, so the class that takes most of a device's entities is chosen; where two take as many, the
first of the table. An entity counts only when all of it is understood: its topic, its template, its words, its unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from facility.catalog import Catalog
from facility.errors import DecodeError
from facility.points import Kind, Point
from gateway.discovery.expand import Entity, Origin
from gateway.discovery.table import Entry, Table
from gateway.discovery.template import TemplateError, pointer
from gateway.mapping import parse

BATTERY_SILENCE = 90_000.0
"""Seconds (25 h) until a device with a battery is stale that says nothing of it: such devices speak once a day."""
SILENCE = 3_600.0
"""Seconds for a device without a battery that says nothing of it."""
MAX_TEXT = 1_000
"""Characters of a topic or a word of a payload."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a device: the point, and where and how it is told."""

    point: str
    topic: str
    path: str
    entity: str
    scale: float = 1.0
    offset: float = 0.0
    values: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An entity (or topic) that is not in the files, and why."""

    entity: str
    reason: str


@dataclass(frozen=True, slots=True)
class Presence:
    """An availability topic with its two words."""

    topic: str
    online: str
    offline: str


@dataclass(frozen=True, slots=True)
class Imported:
    """One device as it will be written; without items nothing of it could be."""

    origin: Origin
    asset_class: str
    items: tuple[Item, ...]
    presence: Presence | None
    stale_after: float
    notes: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An entity that is understood, but for its class."""

    entity: Entity
    entry: Entry
    topic: str
    path: str
    values: Mapping[str, int] | None
    unit: str


@dataclass(slots=True)
class Mapper:
    """Maps devices by a table. `only` narrows the classes to one; `silence` is for devices without expire_after."""

    table: Table
    catalog: Catalog
    only: str = ""
    silence: float | None = None
    _classes: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        """Fix the classes that may be chosen."""
        self._classes = [self.only] if self.only else self.table.classes

    def devices(self, entities: Iterable[Entity]) -> list[Imported]:
        """The entities by their devices, in the order in which those were first told of."""
        found: dict[str, list[Entity]] = {}
        for entity in entities:
            found.setdefault(entity.origin.key, []).append(entity)
        return [self.device(group) for group in found.values()]

    def device(self, entities: Sequence[Entity]) -> Imported:
        """One device."""
        ordered = sorted(entities, key=lambda entity: (entity.component, entity.object_id, entity.topic))
        refused: list[Refused] = []
        candidates: list[_Candidate] = []
        for entity in ordered:
            try:
                candidates.append(self._candidate(entity))
            except (DecodeError, ValueError) as error:
                refused.append(Refused(entity.title, str(error)))
        tried = [(name, *self._as(name, candidates)) for name in self._classes]
        asset_class, items, left = max(tried, key=lambda one: len(one[1]))  # of equals the first
        used = {item.entity for item in items}
        presence, notes = _presence([one.entity for one in candidates if one.entity.title in used])
        if presence and presence.topic in {item.topic for item in items}:
            notes = [*notes, f"availability left out: {presence.topic} tells values too"]
            presence = None
        stale_after, how = self._stale_after([one.entity for one in candidates if one.entity.title in used], items)
        return Imported(
            ordered[0].origin, asset_class, tuple(items), presence, stale_after, (*notes, *how), (*refused, *left)
        )

    def _candidate(self, entity: Entity) -> _Candidate:
        """The entity taken apart; DecodeError or ValueError says what about it is not understood."""
        unit, device_class = entity.text("unit_of_measurement"), entity.text("device_class")
        topic, path = _state(entity)
        names = (entity.object_id, path.rpartition("/")[2])
        entry = self.table.entry(entity.component, device_class, unit, entity.text("entity_category"), names)
        if entry is None or entry.why:
            kind = f"{entity.component} of {f'device_class {device_class}' if device_class else 'no device_class'}"
            raise ValueError(entry.why if entry else f"no point is known for a {kind}")
        values = None if entity.component == "sensor" else _words(entity, path)
        return _Candidate(entity, entry, topic, path, values, unit)

    def _as(self, asset_class: str, candidates: Sequence[_Candidate]) -> tuple[list[Item], list[Refused]]:
        """The candidates as points of one class, and those that are none."""
        items: list[Item] = []
        refused: list[Refused] = []
        taken: dict[str, str] = {}
        for one in candidates:
            try:
                item = self._item(asset_class, one, taken)
            except ValueError as error:
                refused.append(Refused(one.entity.title, str(error)))
            else:
                taken[item.point] = one.entity.title
                items.append(item)
        for one in candidates:
            unsure = one.entry.unsure
            if unsure and unsure.beside in taken and unsure.without not in taken:
                open_ = [item for item in items if item.entity == one.entity.title]
                items = [item for item in items if item not in open_]
                refused += [
                    Refused(item.entity, f"may be the whole or phase 1: there is {unsure.beside}, no {unsure.without}")
                    for item in open_
                ]
        return items, refused

    def _item(self, asset_class: str, one: _Candidate, taken: Mapping[str, str]) -> Item:
        template = one.entry.points.get(asset_class)
        if template is None:
            others = ", ".join(one.entry.points)
            raise ValueError(f"the device is written as {asset_class}, which has no such point ({others} has)")
        key, point = self._free(asset_class, template, taken)
        item = Item(key, one.topic, one.path, one.entity.title, values=one.values)
        if point.kind in (Kind.ANALOG, Kind.COUNTER):
            scale, offset = self.table.factors(one.unit, point)
            item = replace(item, scale=scale, offset=offset)
        return item

    def _free(self, asset_class: str, template: str, taken: Mapping[str, str]) -> tuple[str, Point]:
        """The point of a template that no other entity has taken yet."""
        numbers = range(1, 1000) if "[n]" in template else (0,)
        for number in numbers:
            key = template.replace("[n]", f"[{number}]")
            point = self.catalog.point(asset_class, key)
            if point is None:
                break
            if key not in taken:
                return key, point
        raise ValueError(f"{template} of {asset_class} is taken already by {taken.get(key, 'as many as it has')}")

    def _stale_after(self, entities: Iterable[Entity], items: Sequence[Item]) -> tuple[float, list[str]]:
        """The shortest expire_after, so that nothing is taken for fresh that its maker would not."""
        told = sorted({found for entity in entities if (found := _expires(entity))})
        if told:
            more = [f"expire_after differs ({told[0]:g} to {told[-1]:g} s); the shortest is taken"] if told[1:] else []
            return told[0], more
        battery = any(".battery" in item.point for item in items)
        seconds = self.silence or (BATTERY_SILENCE if battery else SILENCE)
        return seconds, [f"says no expire_after; stale_after is {seconds:g} s, check it"]


def _state(entity: Entity) -> tuple[str, str]:
    """(topic, JSON pointer) of the entity's value."""
    topic = entity.text("state_topic")
    if not topic:
        raise ValueError("has no state_topic: it only takes commands")
    if entity.config.get("encoding") == "":
        raise ValueError("its payload is bytes")
    if entity.config.get("off_delay") is not None:
        raise ValueError("has an off_delay: it never says by itself that it is over")
    _checked(topic, "state_topic")
    key = "state_value_template" if entity.component == "light" else "value_template"
    template = entity.text(key)
    schema = entity.text("schema")
    if entity.component == "light" and schema == "json":
        return topic, "/state"
    if schema not in ("", "basic"):
        raise ValueError(f"the schema {schema!r} is not understood")
    return topic, pointer(template) if template else ""


def _checked(topic: str, what: str) -> None:
    """ValueError unless a topic can be subscribed to as it is, and written into a site's file."""
    if any(sign in topic for sign in "+#") or topic.startswith("$"):
        raise ValueError(f"the {what} {topic[:80]!r} is no topic of a device")
    _storable(topic, what)


def _storable(text: str, what: str) -> None:
    """ValueError for what a site's files can't hold: `${`, control signs, brackets without their other half."""
    unmatched = any(text.count(left) != text.count(right) for left, right in ("[]", "{}"))
    if "${" in text or unmatched or len(text) > MAX_TEXT or not text.isprintable():
        raise ValueError(f"the {what} {text[:80]!r} can't stand in a site's files")


def _words(entity: Entity, path: str) -> dict[str, int]:
    """The payload's words for on and off -> 1 and 0."""
    found: dict[str, int] = {}
    for number, state, payload, default in (
        (1, "state_on", "payload_on", "ON"),
        (0, "state_off", "payload_off", "OFF"),
    ):
        said = entity.config.get(state) if entity.component == "switch" else None
        said = said if said is not None else entity.config.get(payload, default)
        if isinstance(said, dict | list) or said is None:
            raise ValueError(f"{payload} is no word")
        for word in _spellings(said, path):
            _storable(word, payload)
            if found.setdefault(word, number) != number:
                raise ValueError(f"on and off are the same word {word!r}")
    return found


def _spellings(said: object, path: str) -> Iterator[str]:
    """A word as the mapping will see it in a payload; a template turns JSON's true into True."""
    if isinstance(said, bool):
        yield "true" if said else "false"
        return
    text = str(said)
    yield text
    if path and text in ("True", "False"):
        yield text.lower()
    try:
        number = parse(text.encode())
    except DecodeError:
        return
    if isinstance(number, float) and number.is_integer():
        yield str(int(number))


def _expires(entity: Entity) -> float:
    seconds = entity.config.get("expire_after")
    return float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0 else 0.0


def _presence(entities: Iterable[Entity]) -> tuple[Presence | None, list[str]]:
    """The availability of a device, of its first entity that tells one; what had to be left out is noted."""
    notes: dict[str, None] = {}
    found: list[Presence] = []
    for entity in entities:
        try:
            presence, more = _available(entity)
        except (DecodeError, ValueError) as error:
            notes[f"availability left out: {error}"] = None
            continue
        notes |= dict.fromkeys(more)
        if presence and presence not in found:
            found.append(presence)
    if found[1:]:
        notes[f"its entities have {len(found)} availability topics; {found[0].topic} is taken"] = None
    return (found[0] if found else None), list(notes)


def _available(entity: Entity) -> tuple[Presence | None, list[str]]:
    listed = entity.config.get("availability")
    notes: list[str] = []
    options: Mapping[str, object] = entity.config
    key = "availability_template"
    if isinstance(listed, list) and listed:
        if not isinstance(listed[0], dict):
            raise ValueError("the list has something that is no JSON object")
        options, key = {"availability_topic": listed[0].get("topic"), **listed[0]}, "value_template"
        if listed[1:]:
            others = ", ".join(str(item.get("topic")) for item in listed[1:] if isinstance(item, dict))
            notes = [f"has {len(listed)} availability topics; the first is taken, not {others}"]
    topic, template = options.get("availability_topic"), options.get(key)
    if not isinstance(topic, str) or not topic:
        return None, notes
    _checked(topic, "availability topic")
    if template and (not isinstance(template, str) or _path(template) not in ("", "/state")):
        raise ValueError(f"the template {template!r} is not understood")
    words = [options.get(name, default) for name, default in
             (("payload_available", "online"), ("payload_not_available", "offline"))]  # fmt: skip
    if not all(isinstance(word, str | int) for word in words):
        raise ValueError("its words are no texts")
    online, offline = (next(_spellings(word, "")) for word in words)
    for word in (online, offline):
        _storable(word, "word of its availability")
    return Presence(topic, online, offline), notes


def _path(template: str) -> str:
    try:
        return pointer(template)
    except TemplateError:
        return "?"
