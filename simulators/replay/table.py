"""Pure: the lines of a delimited text file -> the rows of a time series.

Everything that is wrong has a place: file, line, column. What stands in a line is bounded before it is taken apart: a
line may have `MAX_LINE` bytes, and a quoted cell ends on the line that it begins on.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from facility.errors import CaretakerError, Problem
from facility.readings import Value
from simulators.replay.cells import Read
from simulators.replay.instants import Instants

MAX_LINE = 65_536
"""Bytes of one line."""
SEPARATORS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ","}
"""By name; where two fit a first line equally well, the one that is named first here is taken."""

Row = tuple[float, dict[str, Value]]
"""Seconds since 1970 UTC, point -> value."""
Tell = Callable[[Problem], None]


class TableError(CaretakerError):
    """A table, or what was asked of it, is wrong: the first problems, and how many more there are at least."""

    def __init__(self, problems: Sequence[Problem], more: int = 0, *, exact: bool = True) -> None:
        self.problems = tuple(problems)
        self.more = more
        lines = [str(problem) for problem in problems]
        if more:
            lines.append(f"... and {'' if exact else 'at least '}{more} more")
        super().__init__("\n".join(lines))


def text_lines(read: Callable[[int], bytes], name: str) -> Iterator[str]:
    """The lines that `read` (a binary file's readline) gives, without a byte order mark.

    TableError at the first that is no text, too long, or leaves a quoted cell open.
    """
    number = 0
    while True:
        number += 1
        try:
            raw = read(MAX_LINE + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError([Problem(name, number, "", f"can't be read any further: {error}")]) from error
        if not raw:
            return
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        yield _text(raw, name, number)


def _text(raw: bytes, name: str, number: int) -> str:
    message, text = "", ""
    if b"\0" in raw:
        message = "is no text: a table has to be UTF-8 text, plain or in gzip"
    elif len(raw) > MAX_LINE:
        message = f"is longer than {MAX_LINE} bytes"
    else:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            message = f"is no UTF-8 text from byte {error.start + 1} on; save it as UTF-8 (it may be GBK or UTF-16)"
    if not message and text.count('"') % 2:
        message = "a quoted cell is not closed on this line"
    if message:
        raise TableError([Problem(name, number, "", message)])
    return text


def split(line: str, separator: str) -> list[str]:
    """The cells of one line; csv.Error when its quoting is wrong."""
    return next(iter(_reader([line], separator)), [])


def _reader(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)


def sniffed(line: str, wanted: Collection[str]) -> str:
    """The separator of a first line: the one that finds most of the wanted names in it, or else the most cells."""

    def found(separator: str) -> tuple[int, int]:
        try:
            names = [name.strip() for name in split(line, separator)]
        except csv.Error:
            return -1, 0
        return len(set(names) & set(wanted)), len(names)

    return max(SEPARATORS.values(), key=found)


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is played: where it is, its name, its point, and what reads its cells."""

    index: int
    name: str
    point: str
    read: Read


@dataclass(frozen=True, slots=True)
class Table:
    """How a file is read: `names` are its columns, `times` the places of the time (joined by a space if several)."""

    file: str
    separator: str
    names: tuple[str, ...]
    times: tuple[int, ...]
    instants: Instants
    columns: tuple[Column, ...]

    def rows(self, lines: Iterator[str], tell: Tell) -> Iterator[Row]:
        """The rows below the first line, in the order of the file.

        What is wrong is told, and left out; TableError when nothing can be read from there on.
        """
        next(lines, None)
        width, times, read_time = len(self.names), self.times, self.instants.read
        columns = [(column.index, column.point, column.read) for column in self.columns]
        for number, cells in self._records(lines):
            if len(cells) != width:
                tell(Problem(self.file, number, "", f"has {len(cells)} cells, the first line has {width}"))
                continue
            values: dict[str, Value] = {}
            for index, point, read in columns:
                try:
                    values[point] = read(cells[index])
                except ValueError as error:
                    tell(Problem(self.file, number, self.names[index], str(error)))
            try:
                at = read_time(cells[times[0]] if len(times) == 1 else " ".join(cells[index] for index in times))
            except ValueError as error:
                tell(Problem(self.file, number, "+".join(self.names[index] for index in times), str(error)))
            else:
                yield at, values

    def _records(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        """(number of the line, cells) of every line that is not empty."""
        number = 1
        try:
            for number, cells in enumerate(_reader(lines, self.separator), 2):
                if cells:
                    yield number, cells
        except csv.Error as error:
            raise TableError([Problem(self.file, number + 1, "", f"{error}")]) from error
