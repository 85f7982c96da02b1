"""The short way to write a series of readings: `0.45x30 0.3-0.01x5 _x10 <comm>`, one item a step.

0.45        a number, or the code of a state (`running`), or true/false
0.45x30     the same for 30 steps
0.3+0.01x5  5 steps: 0.3 0.31 0.32 0.33 0.34; with `-` downwards
_           nothing is told in this step
<comm>      a reading that is not good, by its quality: comm, sentinel, range, enum, sensor, clock, stale
"""

from __future__ import annotations

import math
import re

from facility.points import Kind, Point
from facility.readings import Quality, Value

MAX_STEPS = 100_000
"""Readings that one series may have; checked before they are made."""
SILENT = "_"

_NUMBER = r"-?\d{1,15}(?:\.\d{1,12})?"
_RAMP = re.compile(rf"({_NUMBER})([+-])(\d{{1,15}}(?:\.\d{{1,12}})?)")
_TIMES = re.compile(r"(.+?)x(\d{1,7})")
_INSTANT = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8}(?:\.\d{1,3})?)s?)?")

Told = tuple[Value, Quality]
"""What one reading says; a value of None is never good."""


class NotationError(ValueError):
    """A series, a value or an instant that can't be understood; the message is for its writer."""


def instant(text: str) -> int:
    """ms from the start of a test: `90`, `90s`, `1m30s`, `2h`, `3d`; NotationError."""
    found = _INSTANT.fullmatch(text) if 0 < len(text) < 32 else None
    if found is None:
        raise NotationError(f"{text!r} is no instant such as 90, 90s or 1m30s")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return round(1000 * (86_400 * days + 3600 * hours + 60 * minutes + seconds))


def written(ms: int) -> str:
    """An instant as people write it: `90s`, or `1d2h3m4s` beyond two hours."""
    if abs(ms) <= 7_200_000:
        return f"{ms / 1000:g}s"
    seconds, rest = divmod(ms, 1000)
    parts = ((86_400, "d"), (3600, "h"), (60, "m"))
    text = ""
    for size, unit in parts:
        number, seconds = divmod(seconds, size)
        text += f"{number}{unit}" if number else ""
    tail = seconds + rest / 1000
    return text + (f"{tail:g}s" if tail else "")


def reading(point: Point, given: Value) -> Told | None:
    """One value as YAML has it: a number, true/false, a state's code, `<quality>`; None for `_`. NotationError."""
    if isinstance(given, str):
        if given == SILENT:
            return None
        if given.startswith("<"):
            return None, _quality(given)
        if point.kind is Kind.TEXT:
            return given, Quality.GOOD
        return _of_code(point, given), Quality.GOOD
    if given is None:
        raise NotationError(f"a reading of {point.key} is missing; write _ where nothing is told")
    return _typed(point, given), Quality.GOOD


def series(point: Point, text: str) -> list[Told | None]:
    """What a point tells step by step (None: nothing); NotationError."""
    found: list[Told | None] = []
    for item in text.split():
        body, times = _repeated(point, item)
        if len(found) + times > MAX_STEPS:
            raise NotationError(f"more than {MAX_STEPS} steps")
        ramp = _RAMP.fullmatch(body)
        if ramp:
            step = float(ramp[3]) * (1 if ramp[2] == "+" else -1)
            values = [round(float(ramp[1]) + number * step, 9) for number in range(times)]
            found += [reading(point, _whole(point, value)) for value in values]
        else:
            found += [reading(point, _scalar(point, body))] * times
    if not found:
        raise NotationError("is empty")
    return found


def _repeated(point: Point, item: str) -> tuple[str, int]:
    """The item without its `xN`; a state whose code ends like that is the state."""
    times = _TIMES.fullmatch(item)
    if times is None or point.state(item):
        return item, 1
    number = int(times[2])
    if not number:
        raise NotationError(f"{item!r}: x0 tells nothing")
    return times[1], number


def _scalar(point: Point, text: str) -> Value:
    if point.kind in (Kind.ANALOG, Kind.COUNTER, Kind.ENUM) and re.fullmatch(_NUMBER, text):
        return _whole(point, float(text))
    if point.kind is Kind.DISCRETE and text in ("true", "false"):
        return text == "true"
    return text


def _whole(point: Point, value: float) -> Value:
    return int(value) if point.kind is Kind.ENUM and value.is_integer() else value


def _typed(point: Point, given: float | bool) -> Value:
    """A value of the type that the point's kind wants."""
    if point.kind is Kind.DISCRETE and isinstance(given, bool):
        return given
    if point.kind in (Kind.ANALOG, Kind.COUNTER) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    if point.kind is Kind.ENUM and isinstance(given, int) and not isinstance(given, bool):
        return given
    raise NotationError(f"{point.key} is of kind {point.kind.value}; {given!r} is no value of it")


def _of_code(point: Point, code: str) -> Value:
    state = point.state(code)
    if state is None:
        known = ", ".join(item.code for item in point.states.values())
        hint = f"; its states: {known}" if known else ""
        raise NotationError(f"{code!r} is no value of {point.key}{hint}")
    return bool(state.number) if point.kind is Kind.DISCRETE else state.number


def _quality(text: str) -> Quality:
    try:
        quality = Quality(text[1:-1]) if text.endswith(">") else Quality.GOOD
    except ValueError:
        quality = Quality.GOOD
    if quality is Quality.GOOD:
        known = " ".join(f"<{item.value}>" for item in Quality if item is not Quality.GOOD)
        raise NotationError(f"there is no quality {text!r}; known: {known}")
    return quality
