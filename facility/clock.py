"""The only place that reads the wall clock and the monotonic one."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as a dependency, so that tests hold it still."""

    def now(self) -> datetime:
        """The instant, timezone-aware, UTC."""
        ...

    def ms(self) -> int:
        """The instant as milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for delays and rates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` (none if not positive)."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The instant, timezone-aware, UTC."""
        return datetime.now(UTC)

    def ms(self) -> int:
        """The instant as milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """The event loop's own clock where one runs, so that a virtual loop moves it too."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` (none if not positive)."""
        await asyncio.sleep(max(0.0, seconds))


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC of a timezone-aware instant; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("naive datetime: give a time zone")
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The UTC instant of milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)
