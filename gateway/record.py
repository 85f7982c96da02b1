"""Record a polled device into a table: what it reads, round by round, as `caretaker replay` plays it.

Unlike the poller it keeps every round, not only what changed, and reads all points together, so that the values of one
row are of one instant. What a device refuses is found out as the poller does: a refused read is cut in two until the
registers that the device lacks stand alone; those are left out, and tried again from time to time.
"""

from __future__ import annotations

import csv
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TextIO

from facility.assets import Device
from facility.clock import Clock, from_ms
from facility.errors import DeviceError
from facility.points import Point, Profile
from facility.readings import Value
from gateway.codec import Block
from gateway.modbus import DEAD, REFUSALS, ModbusConnection
from gateway.planner import Read, halves, plan, wanted

RETRY_REFUSED = 60.0
"""Seconds until registers that were refused are tried again."""
RETRY = 1.0
"""Seconds at least between two tries on a device that does not answer."""
ILLEGAL_FUNCTION = 1
"""The code of a device that lacks the whole table."""
TIME = "time"
"""The first column."""
SHOWN = 5
"""Points that are named one by one when they give nothing."""


@dataclass(slots=True)
class _Part:
    """One read, what takes its answer apart, and until when (monotonic seconds) it is left out because of `error`."""

    read: Read
    block: Block
    until: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: its bytes, or the error; the seconds it took."""

    read: Read
    block: Block
    seconds: float
    data: bytes = b""
    error: DeviceError | None = None

    @property
    def silent(self) -> bool:
        """Whether the device itself said nothing, or nothing that makes sense."""
        return self.error is not None and (self.error.kind != "exception" or self.error.code in DEAD)

    @property
    def refused(self) -> bool:
        """Whether the device said that it does not have what it was asked for."""
        return self.error is not None and not self.silent and self.error.code in REFUSALS


@dataclass(frozen=True, slots=True)
class Round:
    """One reading of everything: ms UTC, values (None when not good), what is wrong in words; whether it is silent."""

    at: int
    values: Mapping[str, Value]
    troubles: tuple[str, ...] = ()
    silent: bool = False


class DeviceReader:
    """Reads every wanted point of one device together. `keys` are the profile's own, whatever the site calls them.

    UnreadableError when the profile can't be read within its own limits.
    """

    def __init__(
        self, device: Device, profile: Profile, points: Mapping[str, Point], connection: ModbusConnection, clock: Clock
    ) -> None:
        self._device, self._limits, self._points = device, profile.limits, points
        self._connection, self._clock = connection, clock
        registers = wanted(profile, replace(device, rename={}))
        self.keys = tuple(register.point for register in registers)
        self._parts = [self._part(read) for read in plan(registers, profile.limits)]

    def _part(self, read: Read) -> _Part:
        return _Part(read, Block(read, self._points))

    async def round(self) -> Round:
        """Ask for everything once; never raises because of the device."""
        at = self._clock.ms()
        values: dict[str, Value] = {}
        troubles: list[str] = []
        async with aclosing(self.answers()) as answers:
            async for answer in answers:
                if answer.silent:
                    return Round(at, values, (str(answer.error),), silent=True)
                if answer.error is None:
                    decoded = answer.block.decode(answer.data)
                    values |= {key: value for key, (value, _) in zip(answer.block.keys, decoded, strict=True)}
                elif not answer.refused:
                    troubles.append(str(answer.error))
        refused = (f"{_names(part)}: {part.error}" for part in self._parts if part.error)
        return Round(at, values, tuple(dict.fromkeys((*troubles, *refused))))

    async def answers(self) -> AsyncGenerator[Answer, None]:
        """Every request of one round with what came of it; a refused one is followed by its halves."""
        now = self._clock.monotonic()
        todo = [part for part in reversed(self._parts) if now >= part.until]
        while todo:
            part = todo.pop()
            answer = await self._ask(part)
            if answer.error is None:
                part.until, part.error = 0.0, ""
            elif answer.refused:
                todo += reversed(self._refused(part, answer.error, now))
            yield answer

    async def _ask(self, part: _Part) -> Answer:
        timeout = self._device.line.timeout or self._limits.timeout
        data, failed = b"", None
        try:
            data = await self._connection.read(
                self._device.id, self._device.unit, part.read, timeout, quiet=self._limits.delay
            )
        except DeviceError as error:
            failed = error
        return Answer(part.read, part.block, self._connection.took, data, failed)

    def _refused(self, part: _Part, error: DeviceError, now: float) -> list[_Part]:
        """The halves that take the place of a refused part; none, and it is left out, when it can't be cut."""
        reads = halves(part.read, self._limits) if error.code != ILLEGAL_FUNCTION else ()
        halved = [self._part(read) for read in reads]
        if halved:
            index = self._parts.index(part)
            self._parts[index : index + 1] = halved
        else:
            part.until, part.error = now + RETRY_REFUSED, str(error)
        return halved


def _names(part: _Part) -> str:
    more = f" and {len(part.block.keys) - SHOWN} more" if len(part.block.keys) > SHOWN else ""
    return f"no value for {', '.join(part.block.keys[:SHOWN])}{more}"


class Recorder:
    """Writes the rounds of one device as the rows of a table. OSError when the file takes no more."""

    def __init__(self, reader: DeviceReader, out: TextIO, clock: Clock, say: Callable[[str], None]) -> None:
        self._reader, self._out, self._clock, self._say = reader, out, clock, say
        self._write = csv.writer(out, lineterminator="\n").writerow
        self._told: tuple[str, ...] = ()
        self._answering = False
        self.rows = 0

    async def run(self, every: float, seconds: float | None = None) -> None:
        """Read every so many seconds, for so long (for ever if None), on an absolute schedule."""
        self._write([TIME, *self._reader.keys])
        self._out.flush()
        start, count = self._clock.monotonic(), 0
        while seconds is None or count * every < seconds:
            await self._clock.sleep(start + count * every - self._clock.monotonic())
            found = await self._reader.round()
            self._take(found)
            pause = math.ceil(RETRY / every) if found.silent else 1
            passed = self._clock.monotonic() - start
            count = max(count + pause, math.ceil(passed / every))

    def _take(self, found: Round) -> None:
        """A row; of a device that is silent only what it still said, and one empty row when it has fallen silent."""
        if found.troubles != self._told:
            for trouble in (trouble for trouble in found.troubles if trouble not in self._told):
                self._say(f"{trouble}; tried again")
            if not found.troubles:
                self._say("all is answered again")
            self._told = found.troubles
        if found.values or self._answering or not found.silent:
            self._row(found)
        self._answering = not found.silent

    def _row(self, found: Round) -> None:
        at = from_ms(found.at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._write([at, *(_cell(found.values.get(key)) for key in self._reader.keys)])
        self._out.flush()
        self.rows += 1


def _cell(value: Value) -> str | float | int:
    if value is None:
        return ""
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else " " for letter in value)
    return int(value) if isinstance(value, bool) else value
