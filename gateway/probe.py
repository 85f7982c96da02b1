"""Read a live device once by a profile, and say what came: values, raw words, what was refused, how long it took.

`probe` reads, `lines` and `cause` put it into words. A device may be silent where it lacks a register, so one silent
request does not end it; a device that has never said a word is left after three.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median

from facility.assets import Device
from facility.errors import DeviceError
from facility.points import Kind, Point, Profile, Register, Table
from facility.readings import Quality, Value
from facility.units import symbol
from gateway.modbus import DEAD, REFUSALS, ModbusConnection
from gateway.planner import Read
from gateway.record import ILLEGAL_FUNCTION, Answer, DeviceReader
from gateway.transport import UnreachableError

PATIENCE = 3
"""Requests without an answer until a device that has said nothing is left alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """One point: its register, and its value with quality and raw words, or the error that it has none."""

    register: Register
    point: Point
    value: Value = None
    quality: Quality = Quality.COMM
    words: str = ""
    error: str = ""


@dataclass(slots=True)
class Probed:
    """What came of a device. `errors` are the failed requests, each once; `silent` whether it never said a word."""

    rows: list[Row] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    errors: list[DeviceError] = field(default_factory=list)
    answered: bool = False

    @property
    def good(self) -> int:
        """How many points have a good value."""
        return sum(row.quality.is_good for row in self.rows)


async def probe(reader: DeviceReader, points: Mapping[str, Point]) -> Probed:
    """Ask a device for everything once; never raises because of it."""
    found = Probed()
    async with aclosing(reader.answers()) as answers:
        async for answer in answers:
            found.seconds.append(answer.seconds)
            found.answered = found.answered or not answer.silent
            if answer.error is None:
                found.rows += _values(answer)
                continue
            found.refused += answer.refused
            if not answer.refused or len(answer.read.registers) == 1 or answer.error.code == ILLEGAL_FUNCTION:
                found.errors.append(answer.error)
                found.rows += [_nothing(register, points, answer.error) for register in answer.read.registers]
            if _hopeless(found, answer):
                break
    return found


async def strange(connection: ModbusConnection, device: Device, profile: Profile) -> AsyncIterator[str]:
    """What a device does not show of what identifies the profile's map: it is of another map, or another version."""
    home = Counter(register.table for register in profile.registers).most_common(1)[0][0]
    for address, word in profile.identity.items():
        try:
            data = await connection.read(device.id, device.unit, Read(home, address, 1, ()), profile.limits.timeout)
        except DeviceError as error:
            yield f"{home} {address} should be {word:04x}, which identifies {profile.id}: {error}"
            continue
        if int.from_bytes(data, "big") != word:
            yield f"{home} {address} is {data.hex()}, not {word:04x}: this is no {profile.id}, or another version of it"


def _hopeless(found: Probed, answer: Answer) -> bool:
    """Whether asking on makes no sense: no connection, or nothing heard at all."""
    no_connection = answer.error is not None and answer.error.kind == "refused"
    return answer.silent and not found.answered and (no_connection or len(found.seconds) >= PATIENCE)


def _values(answer: Answer) -> Iterator[Row]:
    decoded = answer.block.decode(answer.data)
    for register, point, (value, quality) in zip(answer.read.registers, answer.block.points, decoded, strict=True):
        yield Row(register, point, value, quality, _words(answer, register))


def _nothing(register: Register, points: Mapping[str, Point], error: DeviceError) -> Row:
    return Row(register, points[register.point], error=str(error).partition(": ")[2])


def _words(answer: Answer, register: Register) -> str:
    """The words of a register as they came, in hex; 0 or 1 of a table of bits."""
    start = register.address - answer.read.address
    if register.table.is_bits:
        return str(answer.data[start // 8] >> start % 8 & 1)
    return answer.data[start * 2 : (start + register.words) * 2].hex(" ", 2)


def lines(found: Probed, language: str) -> Iterator[str]:
    """The table, a line each point, and the summary."""
    cells = [_cells(row, language) for row in found.rows]
    header = ("point", "label", "value", "quality", "register", "words")
    widths = [max(_width(row[column]) for row in (header, *cells)) for column in range(5)]
    for row in (header, *cells) if cells else ():
        padded = (text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=False))
        yield "  ".join((*padded, row[5])).rstrip()
    yield _summary(found)


def _cells(row: Row, language: str) -> tuple[str, str, str, str, str, str]:
    register = row.register
    place = f"{register.table} {register.address}"
    if register.type in ("bit", "bits"):
        first, last = register.bits
        place += f".{first}" if first == last else f".{first}-{last}"
    value = _spoken(row, language) if row.quality.is_good else "-"
    quality = f"{row.quality}: {_why(row)}" if not row.quality.is_good else "good"
    return register.point, row.point.label.to(language), value, quality, place, row.words


def _spoken(row: Row, language: str) -> str:
    """A good value as people read it."""
    point, value = row.point, row.value
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else " " for letter in value)
    if value is None:
        return "-"
    if point.kind in (Kind.ENUM, Kind.DISCRETE):
        state = point.states.get(int(value))
        return f"{state.label.to(language)} ({int(value)})" if state else str(int(value))
    digits = (
        7 if row.register.type in ("float16", "float32") else 10
    )  # what a float32 has; a counter of 32 bits has ten
    return f"{value:.{digits}g} {symbol(point.unit)}".rstrip()


def _why(row: Row) -> str:
    """Why a value is bad."""
    point = row.point
    if row.quality is Quality.SENTINEL:
        return "the device says it has none"
    if row.quality is Quality.RANGE:
        return (
            f"outside {point.low:g} to {point.high:g} {symbol(point.unit)}".rstrip() if _bounded(point) else "no number"
        )
    if row.quality is Quality.ENUM:
        return "no state of this point"
    return row.error or "no value"


def _bounded(point: Point) -> bool:
    return point.low is not None and point.high is not None


def _summary(found: Probed) -> str:
    times = sorted(found.seconds)
    taken = ""
    if times:
        shortest, middle, longest = (f"{seconds * 1000:.1f}" for seconds in (times[0], median(times), times[-1]))
        taken = f"; {shortest} ms at least, {middle} median, {longest} at most (the first connects)"
    return (
        f"{found.good} of {len(found.rows)} points good, {len(times)} requests, {found.refused} of them refused{taken}"
    )


def _width(text: str) -> int:
    """Columns that a text takes on a screen."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


_EXCEPTIONS = {
    1: "it knows no such function: another model, or the profile names the wrong table",
    2: "it has no such registers: another model or firmware, or another unit id",
    3: "it does not give so many registers at once: lower limits.registers of the profile",
    4: "it reports a failure of its own",
    6: "it is busy: another master, or too many requests; see limits.delay of the profile",
}


def cause(error: DeviceError, unit: int) -> str:
    """What is most likely behind an error, and what to try."""
    behind, text = error.__cause__, str(error).lower()
    if error.code in DEAD:
        return f"what is in between reaches no unit {unit}: unit id, wiring, baud rate; try --all-units 1-247"
    if error.kind == "exception":
        return _EXCEPTIONS.get(error.code or 0, "the device refuses for a reason of its own")
    if error.kind == "garbage":
        return (
            "what answers is no Modbus TCP, or answers another question: the port, or RTU behind a plain serial server"
        )
    if error.kind == "timeout" and not isinstance(behind, UnreachableError):
        return f"connected, but unit {unit} says nothing: unit id, wiring or baud rate behind it; try --all-units 1-247"
    if error.kind == "timeout":
        return "nothing answers at this address: the address, the cable, the power, or a firewall in between"
    if "closed the connection" in text:
        return "it hangs up: it may allow few connections or only certain hosts, or this is no Modbus port"
    if "refused" in text or "connect call failed" in text:
        return "the host is there and refuses: nothing listens at this port, or a firewall"
    if any(words in text for words in ("name", "address family", "nodename", "temporary failure")):
        return "there is no such host: check the name, or take its address"
    return "there is no way to the host: the network, the address, a firewall"


def distinct(errors: Sequence[DeviceError]) -> list[DeviceError]:
    """One error of each kind and code."""
    found: dict[tuple[str, int | None], DeviceError] = {}
    for error in errors:
        found.setdefault((error.kind, error.code), error)
    return list(found.values())


async def scan(
    connection: ModbusConnection, register: Register, units: Iterable[int], timeout: float
) -> AsyncIterator[tuple[int, str]]:
    """(unit, what it says) for each unit id that says anything, by one register; DeviceError without a connection."""
    read = Read(register.table, register.address, register.words, (register,))
    for unit in units:
        try:
            data = await connection.read(f"unit {unit}", unit, read, timeout)
        except DeviceError as error:
            if error.kind == "refused":
                raise
            if error.kind == "exception" and error.code not in DEAD:
                more = "" if error.code in REFUSALS else ", try again"
                yield unit, f"is there, but has no {register.table} {register.address} (exception {error.code}{more})"
            elif error.kind == "garbage":
                yield unit, f"answers, but not to the question ({error})"
        else:
            yield unit, f"answers: {register.table} {register.address} is {data.hex(' ', 2)}"


def first_register(registers: Iterable[Register]) -> Register:
    """The register to ask a unit for, the lowest of the words if there are any."""
    return min(
        registers, key=lambda one: (one.table is not Table.HOLDING and one.table.is_bits, one.words, one.address)
    )
