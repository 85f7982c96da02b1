"""Pure: a file's first line and what was asked for -> how the file is read, or everything that is wrong with them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from facility.errors import Problem
from facility.names import unknown
from facility.points import Point, Profile, Register
from facility.units import UNITS
from simulators.replay.cells import Conversion, Numbers, reader
from simulators.replay.instants import Instants
from simulators.replay.table import SEPARATORS, Column, Table, TableError, sniffed, split

TIME, MAP, SCALE, UNIT = "--time-column", "--map", "--scale", "--unit"
FORM, SEPARATOR = "--time-format", "--separator"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says about a table, as it was written; several texts of one option count together.

    `time` may name several columns with `+` between, such as Date+Time.
    """

    time: str
    map: Sequence[str] = ()
    scale: Sequence[str] = ()
    unit: Sequence[str] = ()
    form: str = ""
    separator: str = ""


def table(file: str, head: str, wishes: Wishes, profile: Profile, points: Mapping[str, Point]) -> Table:
    """How `file`, whose first line is `head`, is read onto `profile`; TableError with everything that is wrong."""
    return _Resolver(file, wishes, profile, points).table(head)


class _Resolver:
    def __init__(self, file: str, wishes: Wishes, profile: Profile, points: Mapping[str, Point]) -> None:
        self.file, self.wishes, self.profile, self.points = file, wishes, profile, points
        self.registers = {register.point: register for register in profile.registers}
        self.names: tuple[str, ...] = ()
        self.problems: list[Problem] = []

    def table(self, head: str) -> Table:
        mapping = self._pairs(MAP, self.wishes.map, "column=point")
        separator = self._separator(head, [column for column, _ in mapping])
        try:
            self.names = tuple(_printable(name).strip() for name in split(head, separator))
        except csv.Error as error:
            self._wrong(self.file, f"the first line: {error}", 1)
        if not any(self.names):
            self._wrong(self.file, "the first line has to name the columns", 1)
        times = self._times()
        instants = self._instants()
        columns = self._columns(mapping or list(self._named()), separator)
        if not columns and not self.problems:
            self._wrong(MAP, f"no column is named like a point of {self.profile.id}; say which column is which point")
        if self.problems:
            raise TableError(self.problems)
        return Table(self.file, separator, self.names, times, instants, columns)

    def _wrong(self, place: str, message: str, line: int = 0) -> None:
        self.problems.append(Problem(place, line, "", message))

    def _pairs(self, option: str, texts: Sequence[str], form: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for item in (item for text in texts for item in self._items(option, text)):
            left, _, right = item.rpartition("=")
            if left.strip() and right.strip():
                found.append((left.strip(), right.strip()))
            else:
                self._wrong(option, f"{item!r} is not {form}")
        return found

    def _items(self, option: str, text: str) -> list[str]:
        """The parts between commas; a name with a comma in it stands in quotes."""
        try:
            return next(iter(csv.reader([text], skipinitialspace=True)), [])
        except csv.Error as error:
            self._wrong(option, f"{text!r}: {error}")
            return []

    def _separator(self, head: str, columns: Sequence[str]) -> str:
        given = self.wishes.separator
        if not given:
            return sniffed(head, {self.wishes.time, *self.wishes.time.split("+"), *columns})
        found = SEPARATORS.get(given, given.replace("\\t", "\t"))
        if found not in SEPARATORS.values():
            self._wrong(SEPARATOR, f"{given!r} is none of {', '.join(SEPARATORS)}")
            return ","
        return found

    def _index(self, option: str, name: str) -> int | None:
        """The place of a column; None, and a problem, when there is none or more than one."""
        if self.names.count(name) == 1:
            return self.names.index(name)
        if name in self.names:
            self._wrong(self.file, f"two columns are named {name!r} ({option})", 1)
        else:
            self._wrong(self.file, f"{unknown('column', name, filter(None, self.names))} ({option})", 1)
        return None

    def _times(self) -> tuple[int, ...]:
        whole = self.wishes.time
        parts = [whole] if whole in self.names else whole.split("+")
        return tuple(index for name in parts if (index := self._index(TIME, name.strip())) is not None)

    def _instants(self) -> Instants:
        try:
            return Instants(self.wishes.form)
        except ValueError as error:
            self._wrong(FORM, str(error))
            return Instants()

    def _named(self) -> Iterator[tuple[str, str]]:
        """The columns that are named like points; not what the device only shows a second time."""
        for name in dict.fromkeys(self.names):
            register = self.registers.get(name)
            if register and not register.view:
                yield name, name

    def _columns(self, mapping: Sequence[tuple[str, str]], separator: str) -> tuple[Column, ...]:
        conversions = self._conversions([column for column, _ in mapping])
        numbers = Numbers(comma=separator != ",")
        found: dict[str, Column] = {}
        for name, key in mapping:
            index, register = self._index(MAP, name), self._register(key)
            if key in found:
                self._wrong(MAP, f"{key} is given two columns, {found[key].name!r} and {name!r}")
            if index is None or register is None:
                continue
            try:
                read = reader(self.points[key], register, numbers, conversions.get(name))
            except ValueError as error:
                self._wrong(f"{SCALE} or {UNIT}" if name in conversions else MAP, f"{name}: {error}")
            else:
                found[key] = Column(index, name, key, read)
        return tuple(found.values())

    def _register(self, key: str) -> Register | None:
        register = self.registers.get(key)
        if register is None:
            self._wrong(MAP, f"{self.profile.id}: {unknown('point', key, self.registers)}")
        elif register.view:
            self._wrong(MAP, f"{key} only shows again what other points of {self.profile.id} say; map those")
            return None
        return register

    def _conversions(self, columns: Sequence[str]) -> dict[str, Conversion]:
        factors, units = self._factors(), dict(self._pairs(UNIT, self.wishes.unit, "column=unit"))
        for option, names in ((SCALE, factors), (UNIT, units)):
            for name in names:
                if name not in columns:
                    self._wrong(option, unknown("mapped column", name, columns))
        for name, code in list(units.items()):
            if code not in UNITS:
                self._wrong(UNIT, f"{name}: {unknown('unit', code, UNITS)}")
                del units[name]
        both = factors.keys() | units.keys()
        return {name: Conversion(factors.get(name, 1.0), units.get(name, "")) for name in both}

    def _factors(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, text in self._pairs(SCALE, self.wishes.scale, "column=factor"):
            try:
                factor = float(text)
            except ValueError:
                factor = 0.0
            if factor and math.isfinite(factor):
                found[name] = factor
            else:
                self._wrong(SCALE, f"{name}: {text!r} is no factor")
        return found


def _printable(name: str) -> str:
    """Names are told to people: nothing in them may steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in name)
