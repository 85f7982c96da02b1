"""The tickets, made for a phone: the most pressing first."""

from __future__ import annotations

import asyncio

from nicegui import ui

from api.console.frame import Frame
from api.console.marks import Look, Text, box
from api.console.ticket_card import Asking, TicketCard
from api.console.visitor import Visitor
from facility.errors import StoreError
from rules.life.rows import TicketRow
from rules.life.tickets import FINAL

SHOWN = 60
EVERY_TICKS = 4
"""Tickets are read every two seconds, and at once when the visitor has done something."""


class TicketsPage:
    """The cards of one client."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._ticks = 0
        self._only_open = True
        self._cut = False
        self._seen = -1
        self._rows: tuple[TicketRow, ...] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._cards: dict[str, TicketCard] = {}
        self._asking = Asking(visitor)
        with box("tickets", "main"):
            with box("choice"):
                self._choices = {
                    only_open: self._choice(key, only_open=only_open)
                    for key, only_open in (("open_tickets", True), ("all_tickets", False))
                }
            self._note = Text("empty")
            self._list = box("list")

    def tick(self) -> None:
        """Show what was read; read anew when it is time."""
        due = self._ticks % EVERY_TICKS == 0 or self._seen != self._visitor.deps.board.revision
        self._ticks += 1
        if due and (self._reading is None or self._reading.done()):
            self._seen = self._visitor.deps.board.revision
            self._reading = asyncio.create_task(self._read(), name="console tickets")
        if self._rows is not None:
            self._show(self._rows)

    async def first(self) -> None:
        """Read before the page is shown, if the records answer soon."""
        self._reading = asyncio.create_task(self._read(), name="console tickets")
        await asyncio.wait({self._reading}, timeout=1.0)

    async def _read(self) -> None:
        only_open = self._only_open
        try:
            page = await self._visitor.deps.records.tickets(open_=True if only_open else None, limit=SHOWN)
        except StoreError:
            return  # the frame says so, and the next reading tries again
        if only_open == self._only_open:
            self._cut = page.next is not None
            self._rows = tuple(sorted(page.items, key=lambda row: (row.state in FINAL, row.priority, -row.created_at)))

    def _show(self, rows: tuple[TicketRow, ...]) -> None:
        for gone in self._cards.keys() - {row.id for row in rows}:
            self._cards.pop(gone).element.delete()
        for order, row in enumerate(rows):
            card = self._cards.get(row.id)
            if card is None:
                with self._list:
                    card = self._cards[row.id] = TicketCard(self._visitor, self._asking, row)
            card.show(row, order)
        if not rows:
            self._note.show(self._visitor.say("no_tickets"))
        else:
            self._note.show(self._visitor.say("newest", n=len(rows)) if self._cut else "")

    def _choice(self, key: str, *, only_open: bool) -> Look:
        async def choose() -> None:
            self._only_open = only_open
            for value, look in self._choices.items():
                look.show("here" if value == only_open else "")
            await self._read()
            self.tick()

        with ui.element("button").classes("button").on("click", choose) as element:
            ui.label(self._visitor.say(key))
        return Look(element, "here" if only_open else "")


async def tickets_page(visitor: Visitor) -> None:
    """Build the list and keep it fresh."""
    frame = Frame(visitor, "tickets")
    page = TicketsPage(visitor)
    await page.first()
    await frame.start(page.tick)
