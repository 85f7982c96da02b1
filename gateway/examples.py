"""Pure: the golden words of a profile through the codec, and what comes of it beside what must."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from facility.points import Example, Point, Profile, Register, Table
from facility.readings import Quality, Value
from gateway.codec import decode

CLOSE = 1e-6
"""Relative; the words of a float32 are no closer to the number that a person writes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One register of an example: its words, what they say, what was expected; `expects` is False for a mere look."""

    register: Register
    words: tuple[int, ...]
    value: Value
    quality: Quality
    expected: Value = None
    reason: Quality | None = None
    expects: bool = True

    @property
    def is_right(self) -> bool:
        """Whether what came is what must; a bad value without a named reason may have any."""
        if not self.expects:
            return True
        if self.expected is None:
            return self.value is None and self.reason in (None, self.quality)
        return self.quality.is_good and _same(self.value, self.expected)


def judged(example: Example, registers: Mapping[str, Register], points: Mapping[str, Point]) -> Iterator[Judged]:
    """Every expected value of an example. `registers` and `points` are those of the profile and its class, by key."""
    for key, expected in example.expect.items():
        register = registers[key]
        words = _of(register, example.address, example.words)
        yield Judged(register, words, *decode(register, words, points[key]), expected, example.quality.get(key))


def looked(
    profile: Profile, points: Mapping[str, Point], table: Table, address: int, words: Sequence[int]
) -> Iterator[Judged]:
    """What words given by hand say: every register that lies whole in them."""
    given = Example(table, address, tuple(words), {})
    for register in profile.registers:
        if given.covers(register):
            mine = _of(register, address, words)
            yield Judged(register, mine, *decode(register, mine, points[register.point]), expects=False)


def uncovered(profile: Profile) -> tuple[str, ...]:
    """The points of a profile that no example speaks of."""
    spoken = {key for example in profile.examples for key in example.expect}
    return tuple(register.point for register in profile.registers if register.point not in spoken)


def _of(register: Register, address: int, words: Sequence[int]) -> tuple[int, ...]:
    start = register.address - address
    return tuple(words[start : start + register.words])


def _same(value: Value, expected: Value) -> bool:
    if _is_number(value) and _is_number(expected):
        return math.isclose(value, expected, rel_tol=CLOSE, abs_tol=1e-9)
    return value == expected and type(value) is type(expected)


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
