"""Pure: the cells of a time column -> seconds since 1970 UTC.

A column has one form from its first row to its last: the one that is given, else what the first row looks like, a
number since 1970 (its size tells seconds, milliseconds, microseconds or nanoseconds) or ISO 8601. A time without a zone
is taken for UTC: only the distance between rows matters when they are played.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

_EPOCHS = ((0.0, 4.2e9, 1.0), (1e11, 4.2e12, 1e3), (1e14, 4.2e15, 1e6), (1e17, 4.2e18, 1e9))
"""(from, to, how many make a second): seconds from 1970 on, the finer units from 1973 on, all until 2103."""
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{4}(\d\d)?)?")
"""20200201 and 20200201120000 look like numbers, but hardly mean seconds since 1970."""
_PROBE = datetime(2000, 2, 29, 13, 14, 15, 160_000, UTC)


class Instants:
    """Reads the cells of one time column. `form` is a strptime format; ValueError when it can't be one."""

    def __init__(self, form: str = "") -> None:
        self._form = form
        self._read: Callable[[str], float] | None = None
        if form:
            self._read = self._by_form
            try:
                self._by_form(_PROBE.strftime(form))
            except ValueError as error:
                raise ValueError(f"{form!r} is no time format such as '%d/%m/%Y %H:%M:%S': {error}") from error
            if "%" not in form:
                raise ValueError(f"{form!r} is no time format such as '%d/%m/%Y %H:%M:%S'")

    def read(self, text: str) -> float:
        """Seconds since 1970 UTC; ValueError when the text is no time of the column's form."""
        read = self._read or self._chosen(text.strip())
        try:
            return read(text.strip())
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text[:40]!r} is no time {self._expected()}") from error

    def _chosen(self, text: str) -> Callable[[str], float]:
        """The form of the first cell that has one is that of the column."""
        if _DATE.fullmatch(text):
            raise ValueError(f"{text!r} may be a date or a number; give the time format, such as %Y%m%d")
        for read in (_number, _iso):
            try:
                read(text)
            except ValueError:
                continue
            self._read = read
            return read
        return _iso

    def _by_form(self, text: str) -> float:
        # the zone, if there is one, is the format's own
        return _seconds(datetime.strptime(text, self._form))  # noqa: DTZ007

    def _expected(self) -> str:
        if self._form:
            return f"of the form {self._form}"
        if self._read is _number:
            return "in seconds, ms, us or ns since 1970, as those above it"
        return "in ISO 8601, such as 2020-02-01 13:30:00; for another form give the time format"


def _number(text: str) -> float:
    number = float(text)
    for low, high, per_second in _EPOCHS:
        if low <= abs(number) <= high:
            return number / per_second
    raise ValueError("neither seconds nor a finer unit")


def _iso(text: str) -> float:
    return _seconds(datetime.fromisoformat(text))


def _seconds(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
