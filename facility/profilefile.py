"""Device profiles as data: read `profiles/*.yaml` into register maps and topic maps."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from pydantic import Field

from facility.classfile import AssetClass, Labels
from facility.errors import ConfigError, Problem
from facility.examplefile import ExampleSpec, check_example, example
from facility.points import (
    Ask,
    Availability,
    Kind,
    Limits,
    NodeMetric,
    Profile,
    Register,
    Table,
    Topic,
    TopicValue,
)
from facility.writingfile import WriteSpec, wrong_writing
from facility.yamlfile import Document, Strict

WORDS = {
    "bool": 1, "bit": 1, "bits": 1, "int8": 1, "uint8": 1, "int16": 1, "uint16": 1, "bcd16": 1, "float16": 1,
    "int32": 2, "uint32": 2, "float32": 2, "bcd32": 2, "int64": 4, "uint64": 4, "float64": 4, "bcd64": 4,
    "string": 0,
}  # fmt: skip
"""Type -> length in registers; 0 where the profile says it (`length`)."""

Order = Literal["big", "little"]


class _Register(Strict):
    point: str
    table: Table | None = None
    address: int = Field(ge=0, le=65_535)
    type: str = "uint16"
    length: int = Field(default=0, ge=0, le=125)
    bit: int | None = Field(default=None, ge=0, le=63)
    bits: tuple[int, int] | None = None
    scale: float = 1.0
    offset: float = 0.0
    fixed: int = Field(default=0, ge=0, le=62)
    encoding: Literal["", "four_quadrant"] = ""
    sentinels: list[int | float] | None = None
    values: dict[int, int] | None = None
    byte_order: Order | None = None
    word_order: Order | None = None
    invert: bool = False
    interval: float | None = Field(default=None, gt=0)
    write: WriteSpec | None = None
    repeat: int = Field(default=0, ge=0, le=512)
    step: int = 0
    first: int = Field(default=1, ge=1)
    bit_step: int = Field(default=0, ge=0, le=16)
    view: bool = False


class _Limits(Strict):
    registers: int = Field(default=125, ge=1, le=125)
    bits: int = Field(default=2000, ge=1, le=2000)
    gap: int | None = Field(default=None, ge=0, le=124)
    forbidden: list[tuple[Table, int, int]] = []
    single: bool = False
    delay: float = Field(default=0.0, ge=0)
    timeout: float = Field(default=1.0, gt=0, le=60)


class _Firmware(Strict):
    table: Table | None = None
    address: int = Field(ge=0, le=65_535)
    length: int = Field(default=1, ge=1, le=16)


class _TopicValue(Strict):
    point: str
    path: str = ""
    index: str = ""
    when: dict[str, bool | int | float | str] = {}
    scale: float = 1.0
    offset: float = 0.0
    values: dict[str, int] | None = None
    invert: bool = False
    constant: bool | float | None = None
    sentinels: list[float] = []


class _Topic(Strict):
    topic: str = Field(min_length=1)
    root: str = ""
    match: dict[str, bool | int | float | str] = {}
    values: list[_TopicValue] = Field(min_length=1)


class _Availability(Strict):
    topic: str
    online: str
    offline: str


class _Ask(Strict):
    topic: str
    payload: str
    every: float = Field(gt=0)


class _Metric(Strict):
    point: str
    metric: str = Field(min_length=1)
    device: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    values: dict[str, int] | None = None
    invert: bool = False
    sentinels: list[float] = []


class _Profile(Strict):
    profile: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    class_: str = Field(alias="class")
    labels: Labels
    source: str = Field(min_length=1)
    protocol: Literal["modbus", "mqtt", "sparkplug"] = "modbus"
    table: Table = Table.HOLDING
    byte_order: Order = "big"
    word_order: Order = "big"
    sentinels: list[int | float] = []
    limits: _Limits = _Limits()
    identity: dict[int, int] = {}
    firmware: _Firmware | None = None
    registers: list[_Register] = []
    examples: list[ExampleSpec] = []
    topics: list[_Topic] = []
    availability: _Availability | None = None
    asks: list[_Ask] = []
    device: str = ""
    metrics: list[_Metric] = []
    stale_after: float = Field(default=90.0, gt=0)
    params: list[str] = []


def read_profile(document: Document, classes: Mapping[str, AssetClass]) -> Profile:
    """One profile file as a Profile whose points all exist; ConfigError with every problem."""
    spec, problems = document.read(_Profile)
    if spec is None:
        raise ConfigError(problems)
    asset_class = classes.get(spec.class_)
    if asset_class is None:
        known = ", ".join(sorted(classes))
        missing = document.problem(("class",), f"there is no asset class {spec.class_!r}; known: {known}")
        raise ConfigError([*problems, missing])
    problems += _check_forbidden(document, spec)
    for check in (_check_registers, _check_writes, _check_topics, _check_metrics, _check_examples):
        problems += check(document, spec, asset_class)
    if problems:
        raise ConfigError(problems)
    return Profile(
        id=spec.profile,
        asset_class=spec.class_,
        label=spec.labels.label(),
        source=spec.source,
        protocol=spec.protocol,
        registers=tuple(register for item in spec.registers for register in _registers(item, spec)),
        identity=spec.identity,
        firmware=_firmware(spec),
        limits=_limits(spec.limits),
        topics=tuple(_topic(topic) for topic in spec.topics),
        availability=Availability(**spec.availability.model_dump()) if spec.availability else None,
        asks=tuple(Ask(ask.topic, ask.payload, ask.every) for ask in spec.asks),
        metrics=tuple(_metric(item, spec) for item in spec.metrics),
        stale_after=spec.stale_after,
        params=tuple(spec.params),
        examples=tuple(example(item, item.table or spec.table) for item in spec.examples),
    )


def _limits(spec: _Limits) -> Limits:
    return Limits(spec.registers, spec.bits, spec.gap, tuple(spec.forbidden), spec.single, spec.delay, spec.timeout)


def _firmware(spec: _Profile) -> Register | None:
    if spec.firmware is None:
        return None
    found = spec.firmware
    return Register("", found.table or spec.table, found.address, "string", words=found.length)


def _topic(spec: _Topic) -> Topic:
    root = spec.root
    values = tuple(
        TopicValue(
            point=item.point, path=root + item.path, index=item.index and root + item.index,
            when={root + path: value for path, value in item.when.items()}, scale=item.scale,
            offset=item.offset, values=item.values, invert=item.invert, constant=item.constant,
            sentinels=frozenset(item.sentinels),
        )
        for item in spec.values
    )  # fmt: skip
    return Topic(spec.topic, values, dict(spec.match))


def _metric(item: _Metric, spec: _Profile) -> NodeMetric:
    value = TopicValue(
        point=item.point, scale=item.scale, offset=item.offset, values=item.values, invert=item.invert,
        sentinels=frozenset(item.sentinels),
    )  # fmt: skip
    return NodeMetric(item.metric, spec.device if item.device is None else item.device, value)


def _words(item: _Register, table: Table) -> int:
    return 1 if table.is_bits else item.length or WORDS.get(item.type, 0)


def _sentinels(type_: str, raws: Sequence[float]) -> frozenset[float]:
    """Sentinels as the type can say them: what is written -999.9 is -999.9000244 in a float32."""
    code = {"float16": "e", "float32": "f"}.get(type_)
    if code is None:
        return frozenset(raws)
    with suppress(OverflowError):
        return frozenset(struct.unpack(code, struct.pack(code, raw))[0] for raw in raws)
    return frozenset(raws)


def _registers(item: _Register, spec: _Profile) -> Iterator[Register]:
    table = item.table or spec.table
    for index in range(item.repeat or 1):
        first, last = item.bits or ((item.bit, item.bit) if item.bit is not None else (0, 0))
        jump, shift = divmod(first + index * item.bit_step, 16) if item.bit_step else (0, first)
        yield Register(
            point=item.point.replace("[n]", f"[{item.first + index}]"),
            table=table,
            address=item.address + index * item.step + jump,
            type="bool" if table.is_bits else item.type,
            words=_words(item, table),
            bits=(shift, shift + last - first),
            scale=item.scale / (1 << item.fixed),
            offset=item.offset,
            sentinels=_sentinels(item.type, spec.sentinels if item.sentinels is None else item.sentinels),
            values=item.values,
            byte_order=item.byte_order or spec.byte_order,
            word_order=item.word_order or spec.word_order,
            encoding=item.encoding,
            invert=item.invert,
            interval=item.interval,
            writing=item.write.writing(table, item.address, index, item.first) if item.write else None,
            view=item.view,
        )


def _check_registers(document: Document, spec: _Profile, asset_class: AssetClass) -> Iterator[Problem]:
    if spec.protocol == "modbus" and not spec.registers:
        yield document.problem((), "a modbus profile needs registers")
    seen: set[str] = set()
    taken: dict[tuple[Table, int, int], str] = {}
    for number, item in enumerate(spec.registers):
        place = ("registers", number)
        if item.type not in WORDS:
            yield document.problem((*place, "type"), f"{item.type!r} is none of {', '.join(WORDS)}")
            continue
        for message in _check_form(item):
            yield document.problem(place, message)
        for register in _registers(item, spec):
            yield from _check_register(document, place, register, asset_class)
            for message in _check_limits(register, spec.limits):
                yield document.problem((*place, "address"), f"{register.point}: {message}")
            if register.point in seen:
                yield document.problem((*place, "point"), f"{register.point} is mapped twice")
            seen.add(register.point)
            if register.view:
                continue
            for owner in sorted({taken[cell] for cell in register.cells() if cell in taken}):
                message = f"{register.point} has bits that {owner} holds already; mark one of the two `view: true`"
                yield document.problem((*place, "address"), message)
            taken.update(dict.fromkeys(register.cells(), register.point))


def _check_form(item: _Register) -> Iterator[str]:
    """What an entry lacks, whatever its class."""
    if item.type == "string" and not item.length:
        yield "a string needs its length in registers"
    if item.type in ("bit", "bits") and item.length not in (0, 1, 2, 4):
        yield f"a bit field lies in 1, 2 or 4 registers, not in {item.length}"
    elif item.type not in ("bit", "bits", "string") and item.length not in (0, WORDS[item.type]):
        yield f"{item.type} has {WORDS[item.type]} registers, not {item.length}"
    last = max((item.bit or 0), *(item.bits or (0, 0)))
    if last >= 16 * (item.length or 1) and not item.bit_step:
        yield f"bit {last} is not in {item.length or 1} registers; `length` says how many there are"
    if item.encoding and not item.type.startswith("float"):
        yield f"the encoding {item.encoding} needs a float"
    if item.type == "bit" and item.bit is None:
        yield "type bit needs the number of the bit"
    if item.type == "bits" and (item.bits is None or item.bits[0] > item.bits[1]):
        yield "type bits needs `bits: [first, last]`"
    if "[n]" in item.point and not item.repeat:
        yield "a point with [n] needs repeat and step"


def _check_register(
    document: Document, place: tuple[str | int, ...], register: Register, asset_class: AssetClass
) -> Iterator[Problem]:
    point = asset_class.point(register.point)
    if point is None:
        yield document.problem((*place, "point"), f"the class {asset_class.id} has no point {register.point!r}")
    elif point.kind in (Kind.ENUM, Kind.DISCRETE) and register.values:
        known = set(point.states) if point.kind is Kind.ENUM else {0, 1}
        for number in sorted(set(register.values.values()) - known):
            yield document.problem((*place, "values"), f"{number} is no state of {register.point}")
    if register.address + register.words > 65_536:
        yield document.problem(
            (*place, "address"), f"{register.point}: register {register.address} is outside the map (0..65535)"
        )


def _check_writes(document: Document, spec: _Profile, asset_class: AssetClass) -> Iterator[Problem]:
    for number, item in enumerate(spec.registers):
        if item.write is None:
            continue
        place = ("registers", number, "write")
        if asset_class.life_safety:
            message = f"the class {asset_class.id} is life safety: it is observed, never commanded"
            yield document.problem(place, message)
        for register in _registers(item, spec):
            for message in wrong_writing(register, asset_class):
                yield document.problem(place, message)


def _check_forbidden(document: Document, spec: _Profile) -> Iterator[Problem]:
    for number, (_, first, last) in enumerate(spec.limits.forbidden):
        if not 0 <= first <= last < 65_536:
            yield document.problem(("limits", "forbidden", number), f"{first}..{last} is no range of addresses")


def _check_limits(register: Register, limits: _Limits) -> Iterator[str]:
    """What no request may read, told where it stands."""
    most = limits.bits if register.table.is_bits else limits.registers
    if register.words > most:
        yield f"{register.words} registers do not fit into one request of this model ({most})"
    for table, first, last in limits.forbidden:
        if table is register.table and register.address <= last and first < register.address + register.words:
            yield f"lies in the forbidden range {table} {first}..{last}"


def _check_examples(document: Document, spec: _Profile, asset_class: AssetClass) -> Iterator[Problem]:
    registers = {register.point: register for item in spec.registers for register in _registers(item, spec)}
    for number, item in enumerate(spec.examples):
        for place, message in check_example(example(item, item.table or spec.table), registers, asset_class.points):
            yield document.problem(("examples", number, *place), message)


def _check_topics(document: Document, spec: _Profile, asset_class: AssetClass) -> Iterator[Problem]:
    if spec.protocol == "mqtt" and not spec.topics:
        yield document.problem((), "an mqtt profile needs topics")
    for number, topic in enumerate(spec.topics):
        for position, item in enumerate(topic.values):
            place = ("topics", number, "values", position)
            if "[n]" in item.point and not item.index:
                yield document.problem(place, "a point with [n] needs `index`, the pointer to n")
            if asset_class.point(item.point.replace("[n]", "[1]")) is None:
                yield document.problem((*place, "point"), f"the class {asset_class.id} has no point {item.point!r}")
            if item.path and not item.path.startswith("/"):
                yield document.problem((*place, "path"), "is not a JSON pointer such as /params/em:0/a_voltage")


def _check_metrics(document: Document, spec: _Profile, asset_class: AssetClass) -> Iterator[Problem]:
    if spec.protocol != "sparkplug":
        if spec.metrics:
            yield document.problem(("metrics",), "are those of a Sparkplug node: `protocol: sparkplug` is missing")
        return
    if not spec.metrics:
        yield document.problem((), "a sparkplug profile needs metrics")
    for name in sorted({"group", "node"} - set(spec.params)):
        yield document.problem(("params",), f"a sparkplug profile needs the param {name!r}")
    seen: set[str] = set()
    for number, item in enumerate(spec.metrics):
        place = ("metrics", number)
        point = asset_class.point(item.point)
        if point is None:
            yield document.problem((*place, "point"), f"the class {asset_class.id} has no point {item.point!r}")
        elif item.values and point.kind in (Kind.ENUM, Kind.DISCRETE):
            known = set(point.states) if point.kind is Kind.ENUM else {0, 1}
            for state in sorted(set(item.values.values()) - known):
                yield document.problem((*place, "values"), f"{state} is no state of {item.point}")
        if item.point in seen:
            yield document.problem((*place, "point"), f"{item.point} is mapped twice")
        seen.add(item.point)
