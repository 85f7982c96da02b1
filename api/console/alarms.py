"""The alarm list: worst first, newest first within a severity, each with its state and the button that it needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from nicegui import ui

from api.console.alarm_acts import Dialogs, buttons
from api.console.alarm_detail import Detail
from api.console.frame import Frame
from api.console.marks import Look, Text, box, is_loud, marks, severity_mark
from api.console.texts import word
from api.console.visitor import Visitor
from facility.words import ALARM_STATES
from rules.rows import AlarmRow

SHOWN = 60
"""Cards on the page; a flood is counted, not drawn."""
KEY = "keydown.enter"
FILTERS: Mapping[str, Callable[[AlarmRow], bool]] = {
    "all_alarms": lambda _: True,
    "stale_alarms": lambda row: row.stale_at is not None,
    "chattering_alarms": lambda row: row.chattering_since is not None,
    "quiet_alarms": lambda row: row.suppression != "none",
}
"""What the list may show, by the key of its text."""


class Card:
    """One alarm in the list. Its content is built anew when the alarm has changed; the card itself stays."""

    def __init__(self, page: AlarmsPage, row: AlarmRow) -> None:
        self._page = page
        self._version = -1
        self._order = -1
        self._here = False
        with page.list:
            self.element = box("card", "article")
        self.element.props["tabindex"] = "0"
        self.element.props["data-alarm"] = row.id
        self.element.on("click", lambda: page.choose(row.id)).on(KEY, lambda: page.choose(row.id))

    def show(self, row: AlarmRow, order: int, *, here: bool) -> None:
        """Show this row at this place of the list."""
        if order != self._order:
            self._order = order
            self.element.style(f"order: {order}")
        if here != self._here:
            self._here = here
            self.element.classes(add="here" if here else "", remove="" if here else "here")
        if row.version != self._version:
            self._version = row.version
            self._draw(row)

    def _draw(self, row: AlarmRow) -> None:
        visitor = self._page.visitor
        alarm = row.alarm
        looks = [f"alarm{row.severity}", "owed" if alarm.is_owed else "", "" if alarm.is_active else "over"]
        looks.append("loud" if is_loud(row) else "quiet" if row.suppression != "none" else "")
        self.element.classes(replace=f"card {' '.join(looks)} {'here' if self._here else ''}")
        self.element.clear()
        asset = visitor.deps.site.assets.get(row.asset)
        with self.element:
            with box("first"):
                severity_mark(row.severity, visitor.language)
                Text("time", visitor.time(row.raised_at or row.opened_at))
                Text(f"state {row.shown}", word(ALARM_STATES, row.shown, visitor.language))
                marks(row, visitor.language)
            if is_loud(row):
                Text("loud", visitor.say("removed_loud"))
            with box("second"):
                with box("words"):
                    Text("title", visitor.to(row.title))
                    Text("asset", f"{row.asset} {visitor.to(asset.label) if asset else ''}")
                buttons(visitor, row, self._page.dialogs, only=("acknowledge", "reset", "unshelve", "return"))


class AlarmsPage:
    """List and detail of one client."""

    def __init__(self, visitor: Visitor, frame: Frame, wanted: str) -> None:
        self.visitor = visitor
        self._frame = frame
        self._cards: dict[str, Card] = {}
        self._drawing: asyncio.Task[None] | None = None
        self._only = "all_alarms"
        self.dialogs = Dialogs(visitor)
        with box("alarms", "main"):
            with box("column"):
                with box("filters"):
                    self._filters = {key: self._filter(key) for key in FILTERS}
                self._note = Text("empty")
                self.list = box("list")
            self.detail = Detail(visitor, self.dialogs)
        self.detail.alarm = wanted

    def _filter(self, key: str) -> tuple[Text, Look]:
        def press() -> None:
            self._only = key
            self.tick()

        with ui.element("button").classes("filter").on("click", press) as element:
            return Text(), Look(element)

    def choose(self, alarm: str) -> None:
        """Open this alarm beside the list."""
        self.detail.alarm = alarm
        ui.run_javascript(f"caretaker.here({json.dumps('/console/alarms?alarm=' + alarm)})")
        self.tick()

    def tick(self) -> None:
        """Show what the frame knows of the alarms."""
        rows = self._frame.alarms
        if rows is None:
            return
        for key, (text, look) in self._filters.items():
            number = sum(map(FILTERS[key], rows))
            text.show(self.visitor.say(key, n=number))
            look.show("here" if key == self._only else "none" if not number and key != "all_alarms" else "")
        rows = tuple(filter(FILTERS[self._only], rows))
        # what is kept quiet comes last, except where nobody may be in doubt about it
        rows = tuple(sorted(rows, key=lambda row: 0 if is_loud(row) else 1 + (row.suppression != "none")))
        seen = {row.id: row for row in rows}
        shown = [row for number, row in enumerate(rows) if number < SHOWN or row.id == self.detail.alarm]
        for gone in self._cards.keys() - {row.id for row in shown}:
            self._cards.pop(gone).element.delete()
        for order, row in enumerate(shown):
            card = self._cards.get(row.id)
            if card is None:
                card = self._cards[row.id] = Card(self, row)
            card.show(row, order, here=row.id == self.detail.alarm)
        self._note.show(self._words(len(rows), len(shown)))
        self._show_detail(seen.get(self.detail.alarm))

    def _words(self, count: int, shown: int) -> str:
        if not count:
            return self.visitor.say("no_alarms" if self._only == "all_alarms" else "none_of_these")
        return self.visitor.say("shown_of", n=shown, all=count) if count > shown else ""

    def _show_detail(self, row: AlarmRow | None) -> None:
        if self.detail.wants(row) and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self.detail.draw(row), name="console alarm")


async def alarms_page(visitor: Visitor, wanted: str) -> None:
    """Build the list; `wanted` is the id of an alarm to open."""
    frame = Frame(visitor, "alarms")
    page = AlarmsPage(visitor, frame, wanted)
    await frame.start(page.tick)
