"""Golden words in a profile file: words as the source gives them, and the values that they must become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from facility.points import Example, Kind, Point, Register, Table
from facility.readings import Quality, Value
from facility.yamlfile import Strict

REASONS = (Quality.SENTINEL, Quality.RANGE, Quality.ENUM, Quality.SENSOR)
"""What words alone can make of a value that is not good."""


class ExampleSpec(Strict):
    """One entry of `examples`."""

    table: Table | None = None
    address: int = Field(ge=0, le=65_535)
    words: list[int] = Field(min_length=1, max_length=2000)
    expect: dict[str, bool | int | float | str | None] = Field(min_length=1)
    quality: dict[str, Quality] = {}
    note: str = ""


def example(spec: ExampleSpec, table: Table) -> Example:
    """As the domain value."""
    return Example(table, spec.address, tuple(spec.words), spec.expect, spec.quality, spec.note)


def check_example(
    found: Example, registers: Mapping[str, Register], points: Mapping[str, Point]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place inside the entry, what is wrong there)."""
    most = 1 if found.table.is_bits else 0xFFFF
    if any(not 0 <= word <= most for word in found.words):
        yield ("words",), f"a word of {found.table} is 0 to {most:#x}"
    for key, value in found.expect.items():
        register, point = registers.get(key), points.get(key)
        if register is None:
            yield ("expect", key), f"the profile has no register of {key}"
        elif not found.covers(register):
            last = register.address + register.words - 1
            yield ("expect", key), f"{key} is {register.table} {register.address}..{last}, outside these words"
        elif point is not None and not _fits(point, value):
            yield ("expect", key), f"{value!r} can not be a value of kind {point.kind}"
    for key, reason in found.quality.items():
        if key not in found.expect or found.expect[key] is not None:
            yield ("quality", key), f"{key} has a reason only when `expect` says null for it"
        elif reason not in REASONS:
            yield ("quality", key), f"words can only be {', '.join(REASONS)}"


def _fits(point: Point, value: Value) -> bool:
    if value is None:
        return True
    if point.kind is Kind.DISCRETE:
        return isinstance(value, bool)
    if point.kind is Kind.TEXT:
        return isinstance(value, str)
    return isinstance(value, int if point.kind is Kind.ENUM else int | float) and not isinstance(value, bool)
