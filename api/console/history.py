"""The chart of one point: which span, when it is drawn anew, and what stands there when there is nothing to draw."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
from nicegui import ui

from api.console.chart import Span, empty_chart, is_numeric, states_chart, steps_chart
from api.console.marks import Look, Text, box
from api.console.visitor import Visitor
from facility.errors import StoreError
from facility.points import Kind, Point

MINUTE_MS = 60_000
SHORT, HOUR = 10, 60
SPANS = (SHORT, HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR)
"""In minutes."""
BUCKETS, STEP_MS = 300, 12_000
"""At most so many steps, none shorter: values are told when they move, and shorter steps would tear the line apart."""
MOST_RAW = 2000
REDRAW_S = 10.0


class History:
    """A chart of one asset's chosen point for one client."""

    def __init__(self, visitor: Visitor, asset: str) -> None:
        self._visitor = visitor
        self._asset = asset
        self._point: Point | None = None
        self._minutes = HOUR
        self._settled = False
        self._drawn_at = float("-inf")
        self._drawing: asyncio.Task[None] | None = None
        with box("history"):
            with box("top"):
                self._title = Text("title", visitor.say("choose_point"))
                with box("choice"):
                    self._spans = {minutes: self._button(minutes) for minutes in SPANS}
            self._chart = ui.echart(empty_chart("", self._span())).classes("chart")

    def choose(self, point: Point | None) -> None:
        """Draw this point from now on."""
        self._point = point
        self._title.show(self._visitor.to(point.label) if point else self._visitor.say("choose_point"))
        self._drawn_at = float("-inf")

    def tick(self) -> None:
        """Draw anew when it is time."""
        if self._visitor.deps.clock.monotonic() - self._drawn_at >= REDRAW_S:
            self.draw_soon()

    def draw_soon(self) -> asyncio.Task[None]:
        """Read and draw beside the beat; the task that does."""
        if self._drawing is None or self._drawing.done():
            self._drawing = asyncio.create_task(self._draw(), name="console history")
        return self._drawing

    async def _draw(self) -> None:
        self._drawn_at = self._visitor.deps.clock.monotonic()
        point = self._point
        try:
            await self._settle(point)
            minutes, span = self._minutes, self._span()
            options = await self._options(point, span) if point else empty_chart("", span)
        except StoreError:
            minutes = self._minutes
            options = empty_chart(self._visitor.say("store_down"), self._span())
        if self._visitor.client.is_deleted:
            return
        if (point, minutes) != (self._point, self._minutes):
            self._drawn_at = float("-inf")  # something else was chosen meanwhile
            return
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()

    async def _settle(self, point: Point | None) -> None:
        """Begin with the short span while all of the last hour lies in it, unless a span was chosen meanwhile."""
        if point is None or self._settled:
            return
        end = self._visitor.deps.clock.ms()
        young = end - SHORT * MINUTE_MS
        if await self._holds(point, end - HOUR * MINUTE_MS, young):
            self._settled = True
        elif await self._holds(point, young, end + 1) and not self._settled and not self._visitor.client.is_deleted:
            self._look_at(SHORT)

    async def _holds(self, point: Point, start: int, end: int) -> bool:
        return bool(await self._visitor.deps.store.between(self._asset, [point.key], start, end, limit=1))

    async def _options(self, point: Point, span: Span) -> dict[str, Any]:
        store, visitor = self._visitor.deps.store, self._visitor
        zone = self._zone(span[1])
        axis = (span[0] + zone, span[1] + zone)
        if is_numeric(point):
            steps = await store.buckets(
                self._asset, point.key, *span, count=min(BUCKETS, (span[1] - span[0]) // STEP_MS)
            )
            if any(step.count for step in steps):
                moved = [replace(step, at=step.at + zone) for step in steps]
                return steps_chart(point, moved, mean=visitor.say("mean"), band=visitor.say("low_high"), span=axis)
        elif point.kind is not Kind.TEXT:
            readings = await store.between(self._asset, [point.key], *span, limit=MOST_RAW)
            if readings:
                local = [msgspec.structs.replace(reading, at=reading.at + zone) for reading in readings]
                return states_chart(point, local, language=visitor.language, span=axis)
        return empty_chart(visitor.say("nothing_in_span"), axis)

    def _zone(self, at: int) -> int:
        """How far the site's clocks are ahead of UTC, in ms."""
        offset = self._visitor.local(at).utcoffset()
        return int(offset.total_seconds() * 1000) if offset else 0

    def _span(self) -> Span:
        end = self._visitor.deps.clock.ms()
        return end - self._minutes * MINUTE_MS, end

    def _look_at(self, minutes: int) -> None:
        self._minutes, self._settled = minutes, True
        for value, look in self._spans.items():
            look.show("here" if value == minutes else "")

    def _button(self, minutes: int) -> Look:
        def choose() -> None:
            self._look_at(minutes)
            self._drawn_at = float("-inf")
            self.tick()

        with ui.element("button").classes("button").on("click", choose) as element:
            ui.label(self._visitor.say(f"span_{minutes}"))
        return Look(element, "here" if minutes == self._minutes else "")
