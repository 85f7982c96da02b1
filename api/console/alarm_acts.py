"""What may be done with an alarm as it stands, by whom, and the buttons for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from api.auth import Action, User
from api.console.marks import Text, box
from api.console.removing import Removing
from api.console.visitor import Visitor
from api.present import age_text
from rules.desk.commands import MAX_NOTE
from rules.life.alarm import PROCESS, SUPPRESSION, Event
from rules.life.rows import AlarmRow
from rules.notification.notify import is_guarded

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
    Act("return", Action.ALARM_REMOVE, Event.RETURN),
    Act("remove", Action.ALARM_REMOVE, Event.REMOVE),
)


def legal(row: AlarmRow, event: Event) -> bool:
    """Whether the tables have this event for the alarm as it stands; life safety is never shelved."""
    if event in (Event.ACKNOWLEDGE, Event.RESET):
        return (row.state, event) in PROCESS
    if event is Event.SHELVE and (is_guarded(row) or row.suppression == "shelved"):
        return False
    return (row.suppression, event) in SUPPRESSION


def right(row: AlarmRow, act: Act) -> Action:
    """The right that it takes for this alarm: life safety goes out of service by a manager only."""
    guarded = act.event is Event.REMOVE and is_guarded(row)
    return Action.ALARM_REMOVE_LIFE_SAFETY if guarded else act.action


def buttons(visitor: Visitor, row: AlarmRow, dialogs: Dialogs, *, only: tuple[str, ...] = ()) -> None:
    """The buttons that the alarm's state and the visitor's role allow; `only` some, by key."""
    for act in ACTS:
        if legal(row, act.event) and visitor.may(right(row, act)) and (not only or act.key in only):
            _button(visitor, row, act, dialogs)


def _button(visitor: Visitor, row: AlarmRow, act: Act, dialogs: Dialogs) -> None:
    commands = visitor.deps.commands

    def do(user: User) -> Awaitable[object]:
        at = visitor.deps.clock.ms()
        match act.key:
            case "acknowledge":
                return commands.acknowledge(row.id, actor=user.name, at=at)
            case "reset":
                return commands.reset(row.id, actor=user.name, at=at)
            case "return":
                return _return(visitor, row, user, at)
            case _:
                return commands.unshelve(row.id, actor=user.name, at=at)

    async def press() -> None:
        if act.key == "shelve":
            dialogs.shelving.ask(row)
        elif act.key == "remove":
            await dialogs.removing.ask(row)
        else:
            await visitor.act(act.action, do)

    look = "main" if act.key in ("acknowledge", "reset") else ""
    with ui.element("button").classes(f"button {look} {act.key}").on("click.stop", press):
        ui.label(visitor.say(act.key))


async def _return(visitor: Visitor, row: AlarmRow, user: User, at: int) -> object:
    """One that is out of service with its whole asset returns with all of it."""
    found = await visitor.deps.records.removals(asset=row.asset, now=True)
    whole = next((item for item in found if item.id == row.removal_id and item.alarm_id is None), None)
    if whole is not None:
        return await visitor.deps.commands.end_removal(whole.id, actor=user.name, at=at)
    return await visitor.deps.commands.restore(row.id, actor=user.name, at=at)


class Dialogs:
    """What a page asks in before it acts. One of each for a page, so that a list drawn anew does not close it."""

    def __init__(self, visitor: Visitor) -> None:
        self.shelving = Shelving(visitor)
        self.removing = Removing(visitor)


class Shelving:
    """The dialog that asks for how long and why."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._row: AlarmRow | None = None
        with ui.dialog() as self._dialog, box("dialog"):
            Text("title", visitor.say("shelve_title"))
            self._about = Text("about")
            longest = max(1, round(visitor.deps.site.settings.alarms.shelve_hours * 60))
            offered = [minutes for minutes in MINUTES if minutes < longest] + [longest]
            self._usual = USUAL if USUAL in offered else offered[0]
            times = {minutes: age_text(minutes * 60_000, visitor.language) for minutes in offered}
            self._minutes = ui.select(times, value=self._usual, label=visitor.say("shelve_for"))
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
        self._minutes.set_value(self._usual)
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
        until = at + int(self._minutes.value or self._usual) * 60_000

        def do(user: User) -> Awaitable[object]:
            return commands.shelve(row.id, actor=user.name, at=at, until=until, reason=reason[:MAX_NOTE])

        if await visitor.act(Action.ALARM_SHELVE, do):
            self._dialog.close()
