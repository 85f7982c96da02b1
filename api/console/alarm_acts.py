"""What may be done with an alarm as it stands, by whom, and the buttons for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from api.auth import Action, User
from api.console.marks import Text, box
from api.console.visitor import Visitor
from api.present import age_text
from rules.alarm import PROCESS, SUPPRESSION, Event
from rules.commands import MAX_NOTE
from rules.notify import is_emergency
from rules.rows import AlarmRow

MINUTES = (15, 30, 60, 120, 240, 480)
USUAL = 60

Do = Callable[[User], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Act:
    """One button: the key of its text, the right that it needs, the event that must be legal."""

    key: str
    action: Action
    event: Event


ACTS = (
    Act("acknowledge", Action.ALARM_ACKNOWLEDGE, Event.ACKNOWLEDGE),
    Act("reset", Action.ALARM_RESET, Event.RESET),
    Act("unshelve", Action.ALARM_SHELVE, Event.UNSHELVE),
    Act("shelve", Action.ALARM_SHELVE, Event.SHELVE),
)


def legal(row: AlarmRow, event: Event) -> bool:
    """Whether the tables have this event for the alarm as it stands; life safety is never shelved."""
    if event in (Event.ACKNOWLEDGE, Event.RESET):
        return (row.state, event) in PROCESS
    if event is Event.SHELVE and (is_emergency(row) or not row.shelvable or row.suppression == "shelved"):
        return False
    return (row.suppression, event) in SUPPRESSION


def buttons(visitor: Visitor, row: AlarmRow, shelving: Shelving, *, only: tuple[str, ...] = ()) -> None:
    """The buttons that the alarm's state and the visitor's role allow; `only` some, by key."""
    for act in ACTS:
        if legal(row, act.event) and visitor.may(act.action) and (not only or act.key in only):
            _button(visitor, row, act, shelving)


def _button(visitor: Visitor, row: AlarmRow, act: Act, shelving: Shelving) -> None:
    commands = visitor.deps.commands

    def do(user: User) -> Awaitable[object]:
        at = visitor.deps.clock.ms()
        match act.key:
            case "acknowledge":
                return commands.acknowledge(row.id, actor=user.name, at=at)
            case "reset":
                return commands.reset(row.id, actor=user.name, at=at)
            case _:
                return commands.unshelve(row.id, actor=user.name, at=at)

    async def press() -> None:
        if act.key == "shelve":
            shelving.ask(row)
        else:
            await visitor.act(act.action, do)

    look = "main" if act.key in ("acknowledge", "reset") else ""
    with ui.element("button").classes(f"button {look} {act.key}").on("click.stop", press):
        ui.label(visitor.say(act.key))


class Shelving:
    """The dialog that asks for how long and why. One for a page, so that a list drawn anew does not close it."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._row: AlarmRow | None = None
        with ui.dialog() as self._dialog, box("dialog"):
            Text("title", visitor.say("shelve_title"))
            self._about = Text("about")
            times = {minutes: age_text(minutes * 60_000, visitor.language) for minutes in MINUTES}
            self._minutes = ui.select(times, value=USUAL, label=visitor.say("shelve_for"))
            self._reason = ui.input(visitor.say("reason")).props(f"maxlength={MAX_NOTE} autofocus")
            with box("buttons"):
                with ui.element("button").classes("button main confirm").on("click", self._confirm):
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", self._dialog.close):
                    ui.label(visitor.say("cancel_dialog"))

    def ask(self, row: AlarmRow) -> None:
        """Open for this alarm."""
        self._row = row
        self._about.show(f"{row.asset} · {self._visitor.to(row.title)}")
        self._minutes.set_value(USUAL)
        self._reason.set_value("")
        self._dialog.open()

    async def _confirm(self) -> None:
        visitor, row, reason = self._visitor, self._row, str(self._reason.value or "").strip()
        if row is None:
            return
        if not reason:
            visitor.tell(visitor.say("reason_needed"), "warning")
            return
        at, commands = visitor.deps.clock.ms(), visitor.deps.commands
        until = at + int(self._minutes.value or USUAL) * 60_000

        def do(user: User) -> Awaitable[object]:
            return commands.shelve(row.id, actor=user.name, at=at, until=until, reason=reason[:MAX_NOTE])

        if await visitor.act(Action.ALARM_SHELVE, do):
            self._dialog.close()
