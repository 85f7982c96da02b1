"""When a rule holds: local days and hours, and what holidays make of them.

    22:00-06:00              every day, holidays too; over midnight it belongs to the day on which it begins
    mon-fri 08:00-18:00      on these weekdays, unless they are holidays
    sat,sun 00:00-24:00      the whole of these days
    holidays 00:00-24:00     on the holidays of the site; with weekdays beside it (`sun,holidays`) on both

Times are those of the clock on the wall: a night that is an hour longer when the clocks go back lies within its hours.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60
_ENTRY = re.compile(r"(?:([a-z,\-]+) +)?(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """One entry. `begin` and `end` are minutes of the local day; an end before the begin lies on the next day.

    `days`: the weekdays, Monday is 0. Without `days` and without `holidays` it is for every day.
    """

    begin: int
    end: int
    days: frozenset[int] = frozenset()
    holidays: bool = False

    def holds(self, local: datetime, holidays: Container[date]) -> bool:
        """Whether a local instant lies in it."""
        minute, day = local.hour * 60 + local.minute, local.date()
        if self.begin < self.end:
            return self.begin <= minute < self.end and self._is_for(day, holidays)
        if minute >= self.begin:
            return self._is_for(day, holidays)
        return minute < self.end and self._is_for(day - _DAY, holidays)

    def _is_for(self, day: date, holidays: Container[date]) -> bool:
        if not self.days and not self.holidays:
            return True
        return self.holidays if day in holidays else day.weekday() in self.days


def parse_hours(text: str) -> Hours:
    """An entry as people write it; ValueError with what is wrong."""
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no span of hours such as 22:00-06:00, or with days: mon-fri 08:00-18:00")
    first, second, third, fourth = (int(part) for part in found.groups()[1:])
    begin, end = first * 60 + second, third * 60 + fourth
    if begin >= MIDNIGHT or end > MIDNIGHT:
        raise ValueError(f"{text!r}: a day goes from 00:00 to 24:00")
    if begin == end:
        raise ValueError(f"{text!r} begins where it ends; a whole day is 00:00-24:00")
    names = found[1].split(",") if found[1] else []
    days = [day for name in names if name != "holidays" for day in _days(name)]
    return Hours(begin, end, frozenset(days), "holidays" in names)


def _days(name: str) -> list[int]:
    first, dash, last = name.partition("-")
    for part in (first, last) if dash else (first,):
        if part not in DAYS:
            raise ValueError(f"{part!r} is no day: {', '.join(DAYS)}, a span such as mon-fri, or holidays")
    begin = DAYS.index(first)
    return [(begin + step) % 7 for step in range((DAYS.index(last) - begin) % 7 + 1 if dash else 1)]
