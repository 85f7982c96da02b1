"""The dialog that takes an alarm, or all alarms of its equipment, out of service: for which ticket, and why."""

from __future__ import annotations

from collections.abc import Awaitable

from nicegui import ui

from api.auth import Action, User
from api.console.marks import Look, Text, box
from api.console.texts import word
from api.console.visitor import Visitor
from facility.errors import StoreError
from facility.words import TICKET_STATES
from rules.desk.commands import MAX_NOTE, Removal
from rules.life.rows import AlarmRow, TicketRow
from rules.life.tickets import PENDING
from rules.notification.notify import is_guarded


class Removing:
    """One for a page. Without an open ticket of the equipment nothing can be taken out of service."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._row: AlarmRow | None = None
        with ui.dialog() as self._dialog, box("dialog removing"):
            Text("title", visitor.say("remove_title"))
            self._about = Text("about")
            self._loud = Text("loud")
            self._none = Text("about")
            self._ticket = ui.select({}, label=visitor.say("remove_ticket"))
            self._reason = ui.input(visitor.say("reason")).props(f"maxlength={MAX_NOTE}")
            self._whole = ui.checkbox(visitor.say("remove_whole"))
            Text("about", visitor.say("remove_until"))
            with box("buttons"):
                confirm = ui.element("button").classes("button main confirm").on("click", self._confirm)
                with confirm:
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", self._dialog.close):
                    ui.label(visitor.say("cancel_dialog"))
        self._possible = Look(confirm)

    async def ask(self, row: AlarmRow) -> None:
        """Open for this alarm, with the open tickets of its equipment; its own one is chosen already."""
        visitor = self._visitor
        try:
            page = await visitor.deps.records.tickets(
                open_=True, asset=row.asset, states=[state.value for state in PENDING]
            )
        except StoreError:
            visitor.tell(visitor.say("try_again"), "negative")
            return
        self._row = row
        offered = {ticket.id: self._words(ticket) for ticket in page.items}
        chosen = row.ticket_id if row.ticket_id in offered else next(iter(offered), None)
        self._about.show(f"{row.asset} · {visitor.to(row.title)}")
        self._loud.show(visitor.say("remove_loud") if is_guarded(row) else "")
        self._none.show("" if offered else visitor.say("remove_no_ticket"))
        self._possible.show("" if offered else "hidden")
        self._ticket.set_options(offered, value=chosen)
        self._reason.set_value("")
        self._whole.set_value(False)
        self._dialog.open()

    def _words(self, ticket: TicketRow) -> str:
        state = word(TICKET_STATES, ticket.state, self._visitor.language)
        return f"{self._visitor.to(ticket.title)} · {state} · {self._visitor.time(ticket.created_at)}"

    async def _confirm(self) -> None:
        visitor, row, reason = self._visitor, self._row, str(self._reason.value or "").strip()
        if row is None or not self._ticket.value:
            return
        if not reason:
            visitor.tell(visitor.say("reason_needed"), "warning")
            return
        loud = is_guarded(row)
        wanted = Removal(ticket=str(self._ticket.value), reason=reason[:MAX_NOTE], life_safety=loud)
        whole, at, commands = bool(self._whole.value), visitor.deps.clock.ms(), visitor.deps.commands

        def do(user: User) -> Awaitable[object]:
            if whole:
                return commands.remove_asset(row.asset, wanted, actor=user.name, at=at)
            return commands.remove(row.id, wanted, actor=user.name, at=at)

        if await visitor.act(Action.ALARM_REMOVE_LIFE_SAFETY if loud else Action.ALARM_REMOVE, do):
            self._dialog.close()
