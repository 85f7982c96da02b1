"""Months of the site's own calendar: when they begin and end, and which one is over. Pure; instants are ms UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str) -> Month:
        """From `2026-10`; ValueError for anything else."""
        found = _MONTH.fullmatch(text)
        if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
            raise ValueError(f"{text[:20]!r} is no month such as 2026-10")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, at: int, zone: ZoneInfo) -> Month:
        """The one in which an instant lies, by the site's clocks."""
        local = datetime.fromtimestamp(at / 1000, zone)
        return cls(local.year, local.month)

    @property
    def before(self) -> Month:
        """The month before."""
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    @property
    def after(self) -> Month:
        """The month after."""
        return Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)

    def begin(self, zone: ZoneInfo) -> int:
        """Its first instant."""
        return round(datetime(self.year, self.number, 1, tzinfo=zone).timestamp() * 1000)

    def end(self, zone: ZoneInfo) -> int:
        """The first instant after it."""
        return self.after.begin(zone)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"
