"""Collect deliveries until size or age asks for a flush; bounded in bytes; pure (instants are seconds, given)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What can be collected: it knows how many readings it holds and how many bytes it came in."""

    @property
    def readings(self) -> int:
        """How many readings it holds."""
        ...

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        ...


T = TypeVar("T", bound=Sized)


@dataclass(frozen=True, slots=True)
class Limits:
    """When to flush, and how much may wait. `age`: seconds. `most`: readings taken at once. `bytes`: the bound."""

    readings: int = 5_000
    age: float = 0.2
    most: int = 20_000
    bytes: int = 32 * 1024 * 1024


class Collector(Generic[T]):
    """A first-in, first-out queue that says when it wants to be emptied."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.readings = 0
        self.bytes = 0
        self._items: deque[tuple[float, T]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, item: T, now: float) -> bool:
        """Queue an item; False (and nothing changes) when it would pass the bound in bytes."""
        if self.bytes + item.size > self.limits.bytes:
            return False
        self._items.append((now, item))
        self.readings += item.readings
        self.bytes += item.size
        return True

    @property
    def full(self) -> bool:
        """Whether there is enough for a flush, whatever its age."""
        return self.readings >= self.limits.readings

    def wait(self, now: float) -> float | None:
        """Seconds until a flush is due: 0 when it is, None when nothing waits."""
        if not self._items:
            return None
        left = self._items[0][0] + self.limits.age - now
        # a clock can't be asked to move by less than it resolves
        return 0.0 if self.full or left < 0.001 else left

    def take(self) -> list[T]:
        """The oldest items, up to `limits.most` readings (at least one item, if there is any)."""
        taken: list[T] = []
        readings = 0
        while self._items and (not taken or readings + self._items[0][1].readings <= self.limits.most):
            _, item = self._items.popleft()
            taken.append(item)
            readings += item.readings
            self.bytes -= item.size
        self.readings -= readings
        return taken
