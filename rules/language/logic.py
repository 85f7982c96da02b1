"""What a condition says about single values: enough to see beforehand that it can never be true.

A condition is a tree of `Says` (some number, state or truth lies within a set of values), `Every` and `Either`. Two
parts of a rule that read alike are one value, for a rule is judged at one instant. What can't be put into this form is
a truth of its own, so only what is certain is found: `refuted` never speaks against a condition that some values meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Plain = float | bool | str
MOST_WAYS = 200
"""Ways in which a condition may become true that are looked at; with more of them nothing is said against it."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values from `low` to `high` (open: without the end itself), of these only `only`, and without `never`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    only: frozenset[Plain] | None = None
    never: frozenset[Plain] = frozenset()

    def meet(self, other: Values) -> Values:
        """The values that both have."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Values(
            low,
            high,
            any(item.open_low for item in (self, other) if item.low == low),
            any(item.open_high for item in (self, other) if item.high == high),
            self.only if other.only is None else other.only if self.only is None else self.only & other.only,
            self.never | other.never,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no value in it."""
        if self.only is not None:
            return not any(self._holds(value) for value in self.only)
        if self.low < self.high:
            return False
        return self.low > self.high or self.open_low or self.open_high or self.low in self.never

    def _holds(self, value: Plain) -> bool:
        if value in self.never:
            return False
        if isinstance(value, str):
            return True
        above = value > self.low or (value == self.low and not self.open_low)
        return above and (value < self.high or (value == self.high and not self.open_high))


ANY = Values()
TRUTHS = Values(only=frozenset((True, False)))


@dataclass(frozen=True, slots=True)
class Says:
    """`subject` (its text) has one of `values`; one of `others` if this is false; and one of `domain` in any case."""

    subject: str
    values: Values
    others: Values
    domain: Values = ANY


@dataclass(frozen=True, slots=True)
class Every:
    """All parts are true; without parts it is true."""

    parts: tuple[Logic, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts is true at least; without parts it is false."""

    parts: tuple[Logic, ...] = ()


Logic = Says | Every | Either
_Way = dict[str, Values]


def fixed(truth: bool) -> Logic:
    """What is always true, or always false."""
    return Every() if truth else Either()


def truth(subject: str) -> Logic:
    """A truth of its own."""
    return Says(subject, Values(only=frozenset((True,))), Values(only=frozenset((False,))), TRUTHS)


def compared(name: str, subject: str, value: Plain, domain: Values) -> Logic:
    """A comparison with a constant; `name` is the operator's, as `ast` has it."""
    if isinstance(value, str) or name in ("Eq", "NotEq"):
        return among(subject, [value], domain) if name == "Eq" else negated(among(subject, [value], domain))
    below, above = Values(high=value, open_high=True), Values(low=value, open_low=True)
    at_most, at_least = Values(high=value), Values(low=value)
    found = {"Lt": (below, at_least), "LtE": (at_most, above), "Gt": (above, at_most), "GtE": (at_least, below)}
    return Says(subject, *found[name], domain)


def among(subject: str, values: Iterable[Plain], domain: Values) -> Logic:
    """It is one of these."""
    members = frozenset(values)
    return Says(subject, Values(only=members), Values(never=members), domain)


def negated(logic: Logic) -> Logic:
    """What is true when it is known to be false."""
    if isinstance(logic, Says):
        return Says(logic.subject, logic.others, logic.values, logic.domain)
    parts = tuple(negated(part) for part in logic.parts)
    return Either(parts) if isinstance(logic, Every) else Every(parts)


def refuted(*parts: Logic) -> str:
    """Why these can never be true together, in words; empty if they may be."""
    search = _Search()
    try:
        return "" if search.ways(Every(parts)) else search.why or "it is always false"
    except _TooManyError:
        return ""


class _TooManyError(Exception):
    """More ways than are looked at."""


class _Search:
    """Gathers the ways in which a condition becomes true; `why` is the first obstacle that was met."""

    def __init__(self) -> None:
        self.why = ""

    def ways(self, logic: Logic) -> list[_Way]:
        if isinstance(logic, Says):
            return self._joined([{logic.subject: logic.domain}], [{logic.subject: logic.values}], logic.domain)
        if isinstance(logic, Either):
            return _few([way for part in logic.parts for way in self.ways(part)])
        found: list[_Way] = [{}]
        for part in logic.parts:
            found = self._joined(found, self.ways(part), ANY)
        return found

    def _joined(self, ones: Sequence[_Way], others: Sequence[_Way], domain: Values) -> list[_Way]:
        found = []
        for one in ones:
            for other in _few(others):
                both = {**one, **other, **{key: one[key].meet(other[key]) for key in one.keys() & other.keys()}}
                empty = sorted(key for key, values in both.items() if values.is_empty)
                if not empty:
                    found.append(both)
                elif not self.why:
                    self.why = f"no value of {empty[0]} meets it{_within(domain)}"
        return _few(found)


def _few(ways: Sequence[_Way]) -> list[_Way]:
    if len(ways) > MOST_WAYS:
        raise _TooManyError
    return list(ways)


def _within(domain: Values) -> str:
    """The range, in words, where the range alone was the obstacle."""
    ends = [f"{value:g}" for value in (domain.low, domain.high) if math.isfinite(value)]
    if domain.only is not None or not ends:
        return ""
    return f" (it is between {domain.low:g} and {domain.high:g})"
