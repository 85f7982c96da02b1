"""One line over the wall: how much of the building is watched, and which systems are not watched in full."""

from __future__ import annotations

import asyncio

from api.console.marks import Text, box
from api.console.visitor import Visitor
from api.coverage import CoverageOut, covered
from facility.errors import StoreError
from facility.points import Label

EVERY_S = 10.0
MOST = 6
"""Systems that are named; the least covered stand first."""
WORDS = {
    "watched": Label("监测覆盖 {share}", "Watched {share}"),
    "points": Label("{fresh}/{points} 点正常", "{fresh} of {points} points"),
    "unknown": Label("监测覆盖未知", "Coverage not known"),
}


class CoverageLine:
    """Refreshed beside the beat of the page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        with box("coverage"):
            self._whole = Text("whole")
            self._points = Text("amount")
            self._parts = [Text("part", look="hidden") for _ in range(MOST)]

    def tick(self) -> None:
        """Read anew when it is time."""
        now = self._visitor.deps.clock.monotonic()
        if now - self._read_at >= EVERY_S and (self._reading is None or self._reading.done()):
            self._read_at = now
            self._reading = asyncio.create_task(self._read(), name="console coverage")

    async def _read(self) -> None:
        try:
            (whole,) = await covered(self._visitor.deps, "site") or (None,)
            parts = await covered(self._visitor.deps, "system")
        except StoreError:
            whole, parts = None, []
        if not self._visitor.client.is_deleted:
            self._show(whole, parts)

    def _show(self, whole: CoverageOut | None, parts: list[CoverageOut]) -> None:
        say = self._visitor.to
        if whole is None or whole.per_cent is None:
            self._whole.show(say(WORDS["unknown"]), "unknown")
            self._points.show("")
        else:
            words = say(WORDS["watched"]).format(share=share_text(whole.per_cent))
            self._whole.show(words, "full" if whole.per_cent >= 100 else "holes")
            have = whole.points - whole.absent
            self._points.show(say(WORDS["points"]).format(fresh=whole.fresh, points=have))
        holes = [part for part in parts if part.per_cent is not None and part.per_cent < 100][:MOST]
        for place, text in enumerate(self._parts):
            if place < len(holes):
                hole = holes[place]
                words = f"{hole.zh if self._visitor.language == 'zh' else hole.en} {share_text(hole.per_cent)}"
                text.show(words, "critical" if hole.critical else "minor")
            else:
                text.show("", "hidden")


def share_text(per_cent: float | None) -> str:
    """A share as it is read: `98.7 %`, and 100 only for all."""
    return "—" if per_cent is None else f"{per_cent:g} %"
