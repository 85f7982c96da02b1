"""What can be measured: canonical points of an asset class, and where a device keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from facility.readings import Quality, Value

KEY = re.compile(r"[a-z][a-z0-9_]*(\[(n|\d{1,3})\])?(\.[a-z][a-z0-9_]*(\[(n|\d{1,3})\])?)*")
"""A point key: `car.floor`, `pump[2].freq`, or the template `pump[n].freq`."""


class Kind(StrEnum):
    """How a point behaves; it fixes the type of its value everywhere."""

    ANALOG = "analog"
    DISCRETE = "discrete"
    ENUM = "enum"
    COUNTER = "counter"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Label:
    """A text in both languages."""

    zh: str
    en: str

    def to(self, language: str) -> str:
        """The text in `language`; English where it is not Chinese."""
        return self.zh if language.startswith("zh") else self.en

    def fill(self, n: int) -> Label:
        """The same text with `{n}` replaced."""
        return Label(self.zh.replace("{n}", str(n)), self.en.replace("{n}", str(n)))


@dataclass(frozen=True, slots=True)
class State:
    """One value of an enum or discrete point: its number, stable code and label."""

    number: int
    code: str
    label: Label


@dataclass(frozen=True, slots=True)
class Point:
    """One canonical point of a class.

    `unit` is UCUM (empty for discrete, enum and text). `low`/`high` bound what is physically possible.
    `deadband` is in the unit. `interval` is the wanted poll interval in seconds. `index` is n of an
    indexed point, else 0. `template` is the key as the class file has it.
    """

    key: str
    kind: Kind
    label: Label
    unit: str = ""
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0
    interval: float = 1.0
    critical: bool = False
    derived: bool = False
    states: Mapping[int, State] = field(default_factory=dict)
    template: str = ""
    index: int = 0

    def state(self, code: str) -> State | None:
        """The state with this code, or None."""
        return next((state for state in self.states.values() if state.code == code), None)


class Table(StrEnum):
    """The four Modbus tables."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """True for the two tables whose cell is one bit."""
        return self in (Table.COIL, Table.DISCRETE)


ENCODINGS = ("", "four_quadrant")
"""How a raw number says its value. `four_quadrant`: a power factor from -2 to 2 whose part beyond 1 tells leading from
lagging; 2 - raw above 1, -2 - raw below -1."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold of another point of the asset before a value is written: between `low` and `high`, or `equals`.

    `equals` may be the code of a state.
    """

    point: str
    low: float | None = None
    high: float | None = None
    equals: float | bool | str | None = None

    def holds(self, value: float | bool | str | None, states: Mapping[int, State]) -> bool:
        """Whether a value of a point with these states meets it; None (not good) never does."""
        if value is None:
            return False
        if self.equals is not None:
            state = states.get(int(value)) if isinstance(value, int) else None
            return value == self.equals or (state is not None and state.code == self.equals)
        if isinstance(value, str):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Feedback:
    """The point that shows that the equipment did what was written: it takes the written value `within` seconds.

    `margin`: by how much it may differ, in its unit.
    """

    point: str
    within: float
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Writing:
    """How a point is commanded: where its value is written, what is allowed, and how the result is checked.

    `table`, `address`: coil or holding register, which may be another place than the one that is read. `low`/`high`:
    the values that may be written, in the point's unit. `multiple`: with the function for several cells even if it is
    one. `two_people`: somebody else has to approve. `longest`: seconds that an override may stand before it reverts; 0
    where it may stand for ever.
    """

    table: Table
    address: int
    low: float | None = None
    high: float | None = None
    multiple: bool = False
    two_people: bool = False
    requires: tuple[Requirement, ...] = ()
    feedback: Feedback | None = None
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Register:
    """Where a Modbus device keeps one point, and how its words become the canonical value.

    `address` is the 0-based PDU address. `type`: bool, bit, bits, uint8, int8, (u)int16, (u)int32, (u)int64,
    float16, float32, float64, bcd16, bcd32, bcd64, string. value = raw * scale + offset, in the point's unit; binary
    fixed point is a scale of 2^-n. `encoding`: what a raw number says before it is scaled, one of ENCODINGS.
    `bits` is (first, last) of a bit or a bit field, 0 = least significant. `words` is the length in registers (1 for
    bits tables).
    `sentinels` are raw values that mean "not available". `values` maps raw numbers to canonical enum numbers.
    `byte_order`/`word_order`: big or little. `invert` swaps true and false. `view` marks a second reading of bits that
    another register of the profile holds already (a status word beside its bits): decode it, never encode it.
    `writing`: how it is commanded; None for nearly all.
    """

    point: str
    table: Table
    address: int
    type: str
    words: int = 1
    bits: tuple[int, int] = (0, 0)
    scale: float = 1.0
    offset: float = 0.0
    sentinels: frozenset[float] = frozenset()
    values: Mapping[int, int] | None = None
    byte_order: str = "big"
    word_order: str = "big"
    encoding: str = ""
    invert: bool = False
    interval: float | None = None
    writing: Writing | None = None
    view: bool = False

    def written(self) -> Register:
        """The place where it is written, as a register of its own; the same one unless `writing` names another.

        All that makes a value of its words (scale, `values`, `invert`, ...) is the same there; a coil has one bit.
        """
        if self.writing is None:
            return self
        table, address = self.writing.table, self.writing.address
        if table.is_bits:
            return replace(self, table=table, address=address, type="bool", words=1, bits=(0, 0))
        return replace(self, table=table, address=address)

    def cells(self) -> Iterator[tuple[Table, int, int]]:
        """(table, address, bit) of every bit that the value is made of."""
        if self.table.is_bits:
            yield self.table, self.address, 0
            return
        first, last = self.bits if self.type in ("bit", "bits") else (0, self.words * 16 - 1)
        for bit in range(first, last + 1):
            word = bit // 16
            position = word if self.word_order == "little" else self.words - 1 - word
            yield self.table, self.address + position, bit % 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one read request to a device may ask for.

    `registers`/`bits`: the most per request. `gap`: the widest hole that may be read across, in registers (bits tables:
    times 16); None where only the cost decides.
    `forbidden`: (table, first, last) ranges that must never be touched. `single`: one point per read.
    `delay`: seconds to wait between requests. `timeout`: seconds to wait for an answer.
    """

    registers: int = 125
    bits: int = 2000
    gap: int | None = None
    forbidden: tuple[tuple[Table, int, int], ...] = ()
    single: bool = False
    delay: float = 0.0
    timeout: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """Known words and what they must become: `words` at `address` (bits tables: a 0 or 1 each), point -> value.

    A value that must be bad is None; `quality` then may name its reason.
    """

    table: Table
    address: int
    words: tuple[int, ...]
    expect: Mapping[str, Value]
    quality: Mapping[str, Quality] = field(default_factory=dict)
    note: str = ""

    def covers(self, register: Register) -> bool:
        """Whether all words of a register are among its words."""
        end = self.address + len(self.words)
        return register.table is self.table and self.address <= register.address <= end - register.words


@dataclass(frozen=True, slots=True)
class TopicValue:
    """One point inside a JSON payload: `path` is a JSON pointer (RFC 6901), empty for the whole payload.

    `point` may hold `[n]`; then `index` is the JSON pointer of n. `when` are pointer -> expected JSON values that must
    all match. `values` maps the payload's own words (as text) to canonical numbers. `constant`: the value to take
    instead of the payload's when `when` matches.
    """

    point: str
    path: str = ""
    index: str = ""
    when: Mapping[str, object] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0
    values: Mapping[str, int] | None = None
    invert: bool = False
    constant: float | bool | None = None
    sentinels: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a native MQTT device. `topic` may hold `{name}` placeholders filled from the device's `params`.

    `match`: pointer -> expected value (text may hold placeholders); a payload that does not match is not ours.
    """

    topic: str
    values: tuple[TopicValue, ...]
    match: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeMetric:
    """A metric of a Sparkplug B edge node, and the point that it gives.

    `name` and `device` (empty for a metric of the node itself) may hold `{name}` placeholders filled from the device's
    `params`. Of `value` only what converts is used: scale, offset, values, invert, sentinels.
    """

    name: str
    device: str
    value: TopicValue


@dataclass(frozen=True, slots=True)
class Availability:
    """The topic that says whether a native MQTT device is there, with its two payloads."""

    topic: str
    online: str
    offline: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that the gateway publishes every `every` seconds so that a quiet device speaks."""

    topic: str
    payload: str
    every: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One device model's map onto the canonical points of one class, with the manual it was taken from.

    `identity`: address -> word that a device of this map always shows (in the table that most of it uses) and that is
    no point: a magic number, the version of the map. `firmware`: the register that says which firmware it has.
    `examples`: golden words of the map.
    """

    id: str
    asset_class: str
    label: Label
    source: str
    protocol: str
    registers: tuple[Register, ...] = ()
    limits: Limits = Limits()
    identity: Mapping[int, int] = field(default_factory=dict)
    firmware: Register | None = None
    topics: tuple[Topic, ...] = ()
    availability: Availability | None = None
    asks: tuple[Ask, ...] = ()
    metrics: tuple[NodeMetric, ...] = ()
    stale_after: float = 90.0
    params: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def points(self) -> tuple[str, ...]:
        """Every canonical key the model can give, in the profile's order, each once."""
        keys = [register.point for register in self.registers]
        keys += [value.point for topic in self.topics for value in topic.values]
        keys += [metric.value.point for metric in self.metrics]
        return tuple(dict.fromkeys(keys))
