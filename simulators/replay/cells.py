"""Pure: the cells of a column -> values of its point, each checked against its register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facility.points import Kind, Point, Register
from facility.readings import Value
from facility.units import convert, symbol
from simulators.replay.fit import judge

NOTHING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none"})
"""Cells, in whatever case, that mean: no value."""
_SWITCH = {"false": 0, "true": 1, "off": 0, "on": 1}
_SHOWN = 40

Read = Callable[[str], Value]
"""A cell -> its value, None for no value; ValueError, in words, for what can't be one."""


class Numbers:
    """The numbers of one table. Its decimal mark is the one that it uses first; both in one table are refused.

    `comma`: whether a comma can be that mark, as it can where it does not separate the cells.
    """

    def __init__(self, *, comma: bool) -> None:
        self._comma = comma
        self._mark = ""

    def read(self, text: str) -> float | None:
        """A number, None for no value; ValueError for text."""
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            return self._otherwise(text)
        if "." in text and self._mark != ".":
            self._marked(text, ".")
        if "_" in text:
            raise ValueError(f"{text[:_SHOWN]!r} is no number")
        return number if number == number else None

    def _otherwise(self, text: str) -> float | None:
        bare = text.strip().lower()
        if bare in NOTHING:
            return None
        if self._comma and bare.count(",") == 1 and "." not in bare and "_" not in bare:
            try:
                number = float(bare.replace(",", "."))
            except ValueError:
                pass
            else:
                self._marked(text, ",")
                return number
        raise ValueError(f"{text[:_SHOWN]!r} is no number")

    def _marked(self, text: str, mark: str) -> None:
        if self._mark not in ("", mark):
            message = f"{text[:_SHOWN]!r} has a {mark!r} where numbers above have a {self._mark!r}: which is decimal?"
            raise ValueError(message)
        self._mark = mark


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a column's numbers are multiplied by, and the unit (UCUM) that they have then; empty for the point's own."""

    factor: float = 1.0
    unit: str = ""


def reader(point: Point, register: Register, numbers: Numbers, conversion: Conversion | None = None) -> Read:
    """What reads the cells of a column; ValueError when the column can't be taken for the point at all."""
    numeric = point.kind in (Kind.ANALOG, Kind.COUNTER)
    if conversion and not numeric:
        raise ValueError(f"{point.key} is no measured number: it has neither factor nor unit")
    if (point.kind is Kind.TEXT) is not (register.type == "string"):
        raise ValueError(f"{point.key} can't be shown as {register.type}")
    if point.kind is Kind.TEXT:
        return _text(register)
    if numeric:
        return _number(point, register, numbers, conversion or Conversion())
    return _state(point, register)


def _number(point: Point, register: Register, numbers: Numbers, conversion: Conversion) -> Read:
    unit = conversion.unit or point.unit
    shift = convert(0.0, unit, point.unit)
    slope = conversion.factor * (convert(1.0, unit, point.unit) - shift)
    number, fits = numbers.read, judge(register)

    def read(text: str) -> Value:
        found = number(text)
        if found is None:
            return None
        value = found * slope + shift
        refused = fits(value)
        if refused:
            raise ValueError(f"{text[:_SHOWN]!r}, {value:g} {symbol(point.unit)}, {refused}")
        return value

    return read


def _state(point: Point, register: Register) -> Read:
    """Enums by number or code, switches by 0/1, true/false, on/off or code; the same whatever the case."""
    fits = judge(register)
    words = _words(point)
    flip = register.invert and point.kind is Kind.DISCRETE
    refused = {number: reason for number in words.values() if (reason := fits(1 - number if flip else number))}

    def read(text: str) -> Value:
        found = words.get(text)
        if found is None:
            bare = text.strip().lower()
            found = words.get(bare)
            if found is None and bare in NOTHING:
                return None
        if found is None:
            known = ", ".join(f"{number} {state.code}" for number, state in point.states.items())
            raise ValueError(f"{text[:_SHOWN]!r} is no state of {point.key}; its states: {known or '0, 1'}")
        if found in refused:
            raise ValueError(f"{text[:_SHOWN]!r} {refused[found]}")
        return bool(found) if point.kind is Kind.DISCRETE else found

    return read


def _words(point: Point) -> Mapping[str, int]:
    """What may stand in a cell -> the number of the state. A state's own code goes before the words of a switch."""
    words = dict(_SWITCH) if point.kind is Kind.DISCRETE else {}
    numbers = {*point.states, *words.values()}
    words |= {text: number for number in numbers for text in (str(number), f"{number}.0")}
    return words | {state.code.lower(): number for number, state in point.states.items()}


def _text(register: Register) -> Read:
    room = register.words * 2

    def read(text: str) -> Value:
        if len(text.encode()) > room:
            raise ValueError(f"{text[:_SHOWN]!r} is longer than the {room} bytes of its register")
        return text or None

    return read
