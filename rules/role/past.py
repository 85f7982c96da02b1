"""A stretch of the stored past: what fills the windows before it, and what of it was never judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facility.readings import Sample
from rules.book.compiled import Rulebook
from rules.role.readback import ReadBack, Take

WARM_MS = 15 * 60_000
"""At least this much of the past fills the engine's windows at start."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a start reads back, up to `until` (ms). Judged already is what is not after `seen` of its asset.

    For an asset that is not in `seen`, `default` counts: the newest instant judged of all, or `until` where nothing
    ever was; then all is warming.
    """

    default: int
    until: int
    seen: Mapping[str, int] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """The instant up to which everything is judged."""
        return min([self.default, *self.seen.values()])

    def with_(self, other: Past) -> Past:
        """Both."""
        assets = self.seen.keys() | other.seen.keys()
        seen = {name: min(self.seen.get(name, self.default), other.seen.get(name, other.default)) for name in assets}
        return Past(min(self.default, other.default), max(self.until, other.until), seen)

    async def read(self, readback: ReadBack, rulebook: Rulebook, *, warm: Take, judge: Take) -> bool:
        """Hand over the stored samples, oldest first; False when the store was not there, and some may be missing."""
        oldest = min(self.until, self.judged)
        start = oldest - max(WARM_MS, round(rulebook.usual_window * 1000))
        seen, default = self.seen, self.default

        def take(sample: Sample) -> None:
            (warm if sample.at <= seen.get(sample.asset, default) else judge)(sample)

        # a window of a day is filled for its own asset: the whole site's day is too long to wait for
        complete = True
        if patient := rulebook.patient:
            first = oldest - round(max(patient.values()) * 1000)
            complete = await readback.read(first, start, take, assets=sorted(patient))
        return await readback.read(start, self.until + 1, take) and complete
