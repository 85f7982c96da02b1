"""Play a table as a live device: its rows, at their times, as what a Modbus unit shows."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from facility.clock import Clock
from facility.duration import spoken
from facility.errors import Problem
from facility.points import Point, Profile
from facility.readings import Value
from simulators.devices.modbus_server import ModbusUnit
from simulators.replay.check import Summary, check
from simulators.replay.columns import Wishes, table
from simulators.replay.table import Table, TableError, text_lines

GZIP = b"\x1f\x8b"
CHECKED = 1.0
"""Seconds between two words about how far the check is."""
PLAYED = 10.0
"""Seconds between two words about how far the play is; as many without a row are announced."""
BURST = 100
"""Rows that may be played at once before clients get a turn."""
SHORTEST = 0.05
"""Seconds that the last row stands at least."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Opened:
    """An open table: its lines, and the share of the file that has been read."""

    lines: Iterator[str]
    share: Callable[[], float]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A file of text, plain or in gzip. TableError when it can't be opened."""
    try:
        size = max(1, path.stat().st_size)
        raw = path.open("rb")
    except OSError as error:
        raise TableError([Problem(str(path), 0, "", f"can't be opened: {error.strerror or error}")]) from error
    with raw:
        packed = raw.peek(2)[:2] == GZIP
        with gzip.GzipFile(fileobj=raw) if packed else raw as file:
            yield Opened(text_lines(file.readline, str(path)), lambda: raw.tell() / size)


def prepare(
    path: Path, wishes: Wishes, profile: Profile, points: Mapping[str, Point], *, clock: Clock, say: Say
) -> tuple[Table, Summary]:
    """How a file is read, and what it holds, the whole of it checked; TableError with what is wrong."""
    with opened(path) as file:
        head = next(file.lines, "")
        found = table(str(path), head, wishes, profile, points)
    last = clock.monotonic()
    with opened(path) as file:

        def progress(rows: int) -> None:
            nonlocal last
            if clock.monotonic() - last >= CHECKED:
                last = clock.monotonic()
                say(f"checked {rows:,} rows, {file.share():.0%} of {path.name}")

        return found, check(found, file.lines, points, progress)


def refusal(host: str, port: int) -> str:
    """Why an address can't be listened on; nothing when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return f"{host}:{port} can't be listened on: {error.strerror or error}"
    return ""


class Replay:
    """Plays a checked table onto a unit, `speed` times as fast as it was recorded.

    A row earlier than the one above it is played at once, a gap keeps the last values, an empty cell is no value. From
    the beginning on the unit shows the first row.
    """

    def __init__(
        self, path: Path, table: Table, summary: Summary, unit: ModbusUnit, *, clock: Clock, speed: float = 1.0
    ) -> None:
        self._path, self._table, self._summary = path, table, summary
        self._unit, self._clock, self._speed = unit, clock, speed
        self._told = 0.0
        unit.update(summary.first)

    async def run(self, say: Say, *, loop: bool = False) -> None:
        """Play to the end of the file, or again and again; TableError when the file is no longer what it was."""
        self._told = self._clock.monotonic()
        while True:
            await self._play(say)
            if not loop:
                return
            if self._clock.monotonic() - self._told >= PLAYED:
                self._told = self._clock.monotonic()
                say("from the beginning again")

    async def _play(self, say: Say) -> None:
        """Once through the file. The registers are brought up to date just before clients get a turn."""
        clock, begin = self._clock, self._clock.monotonic()
        burst, rows = 0, 0
        now: Mapping[str, Value] = self._summary.first
        with opened(self._path) as file:
            for at, values in self._table.rows(file.lines, _changed):
                moment = clock.monotonic()
                wait = begin + (at - self._summary.start) / self._speed - moment
                burst += 1
                if wait > 0 or burst >= BURST:
                    self._unit.update(now)
                    if moment - self._told >= PLAYED or wait >= PLAYED:
                        self._told = moment
                        say(self._progress(rows, at, wait))
                    await clock.sleep(wait)
                    burst = 0
                now, rows = values, rows + 1
        self._unit.update(now)
        await clock.sleep(max(SHORTEST, self._summary.interval / self._speed))

    def _progress(self, rows: int, at: float, wait: float) -> str:
        share = f"{rows:,} of {self._summary.rows:,} rows, next {instant(at)}"
        return f"{share}, in {spoken(wait)}" if wait >= PLAYED else share


def _changed(problem: Problem) -> NoReturn:
    """What the check did not find can only have come since."""
    raise TableError([problem])


def instant(seconds: float) -> str:
    """Seconds since 1970 as people read them, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
