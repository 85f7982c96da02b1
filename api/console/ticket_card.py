"""One ticket as a card that fits a phone: what it is about, whose it is, one large button for each legal move."""

from __future__ import annotations

from nicegui import ui

from api.auth import User
from api.console.marks import Text, box, link, severity_mark
from api.console.texts import ACTORS, EVENTS, TICKET_EVENTS, word
from api.console.visitor import Visitor
from api.tickets import ACTION_OF, Move, move_ticket, moves, workers
from facility.errors import StoreError
from facility.words import TICKET_STATES
from rules.desk.commands import MAX_NOTE
from rules.life.rows import TicketRow
from rules.life.tickets import TicketEvent

QUICK = frozenset({TicketEvent.ACCEPT, TicketEvent.ARRIVE, TicketEvent.VERIFY, TicketEvent.CLOSE})
"""Moves that need no word; the others ask for a note, and `assign` for a person."""
FORWARD = (*QUICK, TicketEvent.FINISH)


class Asking:
    """The dialog for moves that need a word. One for a page, so that a card drawn anew does not close it."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._row: TicketRow | None = None
        self._event = TicketEvent.FINISH
        with ui.dialog() as self._dialog, box("dialog"):
            self._title = Text("title")
            self._about = Text("about")
            self._person = ui.select([], label=visitor.say("assign_to"))
            self._note = ui.textarea(visitor.say("note")).props(f"maxlength={MAX_NOTE} autogrow")
            with box("buttons"):
                with ui.element("button").classes("button main confirm").on("click", self._confirm):
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", self._dialog.close):
                    ui.label(visitor.say("cancel_dialog"))

    async def ask(self, row: TicketRow, event: TicketEvent) -> None:
        """Open for this move of this ticket."""
        visitor = self._visitor
        self._row, self._event = row, event
        if event is TicketEvent.ASSIGN:
            try:
                names = [user.name for user in await workers(visitor.deps)]
            except StoreError:
                visitor.tell(visitor.say("try_again"), "negative")
                return
            self._person.set_options(names, value=row.assignee if row.assignee in names else None)
        self._person.set_visibility(event is TicketEvent.ASSIGN)
        self._title.show(word(TICKET_EVENTS, event, visitor.language))
        self._about.show(f"{row.asset} · {visitor.to(row.title)}")
        self._note.set_value("")
        self._dialog.open()

    async def _confirm(self) -> None:
        if self._row is None:
            return
        assignee = str(self._person.value or "") if self._event is TicketEvent.ASSIGN else ""
        note = str(self._note.value or "").strip()[:MAX_NOTE]
        if await move(self._visitor, self._row, Move(event=self._event, assignee=assignee, note=note)):
            self._dialog.close()


async def move(visitor: Visitor, row: TicketRow, body: Move) -> bool:
    """Make the move and say what became of it."""

    async def do(user: User) -> object:
        return await move_ticket(visitor.deps, user, row.id, body)

    return await visitor.act(ACTION_OF[body.event], do)


class TicketCard:
    """One ticket; built anew only when it has changed. `history` opens what happened to it."""

    def __init__(self, visitor: Visitor, asking: Asking, row: TicketRow) -> None:
        self._visitor = visitor
        self._asking = asking
        self._version = -1
        self._order = -1
        self.element = box("card ticket", "article")
        self.element.props["data-ticket"] = row.id

    def show(self, row: TicketRow, order: int) -> None:
        """Show this row at this place of the list."""
        if order != self._order:
            self._order = order
            self.element.style(f"order: {order}")
        if row.version != self._version:
            self._version = row.version
            self.element.classes(replace=f"card ticket alarm{row.priority} {row.state}")
            self.element.clear()
            with self.element:
                self._draw(row)

    def _draw(self, row: TicketRow) -> None:
        visitor = self._visitor
        with box("first"):
            severity_mark(row.priority, visitor.language)
            Text("time", visitor.time(row.created_at))
            Text(f"state {row.state}", word(TICKET_STATES, row.state, visitor.language))
        Text("title", visitor.to(row.title))
        with link("asset", f"/console/assets/{row.asset}"):
            ui.label(self._place(row))
        Text("when", f"{visitor.say('assignee')}: {row.assignee or visitor.say('nobody')}")
        Text("text", visitor.to(row.guidance))
        with box("buttons"):
            # the way forward first, and large
            for event in sorted(moves(row, visitor.user), key=lambda event: event not in FORWARD):
                self._button(row, event)
        journal = box("journal")
        with ui.element("button").classes("quiet") as more:
            ui.label(visitor.say("journal"))

        async def open_journal() -> None:
            more.delete()
            with journal:
                await self._journal(row.id)

        more.on("click", open_journal)

    def _place(self, row: TicketRow) -> str:
        visitor = self._visitor
        asset = visitor.deps.site.assets.get(row.asset)
        place = visitor.deps.site.locations.get(asset.location) if asset else None
        names = [row.asset, visitor.to(asset.label) if asset else "", visitor.to(place.label) if place else ""]
        return " · ".join(name for name in names if name)

    def _button(self, row: TicketRow, event: TicketEvent) -> None:
        async def press() -> None:
            if event in QUICK:
                await move(self._visitor, row, Move(event=event))
            else:
                await self._asking.ask(row, event)

        look = "main" if event in FORWARD else ""
        with ui.element("button").classes(f"button {look} {event}").on("click", press):
            ui.label(word(TICKET_EVENTS, event, self._visitor.language))

    async def _journal(self, ticket: str) -> None:
        visitor = self._visitor
        try:
            entries = await visitor.deps.records.ticket_journal(ticket)
        except StoreError:
            visitor.tell(visitor.say("try_again"), "negative")
            return
        for entry in entries:
            event = word(TICKET_EVENTS, entry.event, visitor.language)
            words = [event if event != entry.event else word(EVENTS, entry.event, visitor.language)]
            words += [word(ACTORS, entry.actor, visitor.language), entry.note]
            with box("entry"):
                Text("at", visitor.time(entry.at))
                Text("what", " · ".join(text for text in words if text))
