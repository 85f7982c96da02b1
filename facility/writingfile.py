"""The `write` of a register in a profile: read into a Writing, and checked against the class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from facility.classfile import AssetClass
from facility.points import Feedback, Kind, Register, Requirement, Table, Writing
from facility.yamlfile import Strict

WRITABLE = frozenset({"bool", "bit", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"})
"""Types of a register that can be commanded."""


class _Requirement(Strict):
    point: str
    min: float | None = None
    max: float | None = None
    equals: bool | float | str | None = None


class _Feedback(Strict):
    point: str
    within: float = Field(gt=0, le=600)
    margin: float = Field(default=0.0, ge=0)


class WriteSpec(Strict):
    """`table` and `address` where it is written to another place than it is read from; `step` for a repeated point."""

    table: Literal["coil", "holding"] | None = None
    address: int | None = Field(default=None, ge=0, le=65_535)
    step: int = Field(default=1, ge=1)
    low: float | None = None
    high: float | None = None
    multiple: bool = False
    two_people: bool = False
    requires: list[_Requirement] = []
    feedback: _Feedback | None = None
    longest: float = Field(default=0.0, ge=0, le=31_536_000)

    def writing(self, table: Table, address: int, index: int, first: int) -> Writing:
        """The domain value for the register read at `address` of `table`; of a repeated one the `index`-th of those
        that count from `first`."""

        def named(point: str) -> str:
            return point.replace("[n]", f"[{first + index}]")

        start = address if self.address is None else self.address
        return Writing(
            table=Table(self.table) if self.table else table,
            address=start + index * self.step,
            low=self.low,
            high=self.high,
            multiple=self.multiple,
            two_people=self.two_people,
            requires=tuple(Requirement(named(item.point), item.min, item.max, item.equals) for item in self.requires),
            feedback=Feedback(named(self.feedback.point), self.feedback.within, self.feedback.margin)
            if self.feedback
            else None,
            longest=self.longest,
        )


def wrong_writing(register: Register, asset_class: AssetClass) -> Iterator[str]:
    """What is wrong with the way a register is commanded."""
    writing, point = register.writing, asset_class.point(register.point)
    if writing is None or point is None:
        return
    if writing.table not in (Table.COIL, Table.HOLDING):
        yield f"{register.point} is read from {writing.table}, which can't be written: name a coil or holding register"
    if register.type not in WRITABLE:
        yield f"{register.point}: a {register.type} can't be written"
    if writing.table is Table.COIL and point.kind is not Kind.DISCRETE:
        yield f"{register.point}: a coil is on or off, but the point is {point.kind}"
    if point.kind in (Kind.COUNTER, Kind.TEXT):
        yield f"{register.point}: a {point.kind} can't be commanded"
    if point.kind is Kind.ANALOG and not _is_bounded(writing):
        yield f"{register.point}: say with low and high what may be written"
    yield from _wrong_conditions(writing, asset_class)


def _wrong_conditions(writing: Writing, asset_class: AssetClass) -> Iterator[str]:
    """What is wrong with the points that are looked at before and after."""
    others = [item.point for item in writing.requires] + ([writing.feedback.point] if writing.feedback else [])
    for key in others:
        if asset_class.point(key) is None:
            yield f"the class {asset_class.id} has no point {key!r}"
    for item in writing.requires:
        point = asset_class.point(item.point)
        if item.equals is None and item.low is None and item.high is None:
            yield f"requires {item.point}: say min, max or equals"
        if point and point.states and isinstance(item.equals, str) and point.state(item.equals) is None:
            known = ", ".join(state.code for state in point.states.values())
            yield f"requires {item.point}: {item.equals!r} is none of {known}"


def _is_bounded(writing: Writing) -> bool:
    return writing.low is not None and writing.high is not None and writing.low < writing.high
