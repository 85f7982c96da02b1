"""What a rule asks of other equipment: which assets, and what of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Where the other assets are, seen from the rule's own: the functions of the language have these names."""

    UPSTREAM = "upstream"
    MEMBERS = "members"
    NEARBY = "nearby"


@dataclass(frozen=True, slots=True)
class Relation:
    """One question to other assets. `points` and `rated` are what each of them must have to be asked.

    `windows`: (function, seconds) of the windows inside the condition.
    """

    side: Side
    asset_class: str
    points: tuple[str, ...]
    rated: tuple[str, ...] = ()
    windows: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        """For people: what an asset lacks that has nobody to ask."""
        wanted = ", ".join((*self.points, *(f"rated {name!r}" for name in self.rated)))
        return f"{self.side} {self.asset_class} with {wanted}"
