"""The points of an asset that can be commanded: what they are now, a control that fits each, and the dialog before it.

Nothing moves without the dialog: it names asset, point, what is and what shall be, and asks how long and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from api.auth import Action, User
from api.commands import value_of
from api.console.marks import Text, box, shown
from api.console.visitor import Visitor
from api.present import age_text, number_text, unit_text, value_words
from facility.assets import Asset
from facility.commanding import Target
from facility.points import Kind, Point, Requirement
from rules.life.rows import CommandRow
from rules.records.transactions import MAX_NOTE

TIMES_S = (300, 900, 3600, 4 * 3600, 8 * 3600, 24 * 3600)
USUAL_S = 900

Given = float | int | bool


class Confirming:
    """The dialog for a new command, and for the approval of somebody else's. One for a page."""

    def __init__(self, visitor: Visitor, asset: Asset) -> None:
        self._visitor = visitor
        self._asset = asset
        self._do: Callable[[User], Awaitable[object]] | None = None
        self._target: Target | None = None
        with ui.dialog() as self._dialog, box("dialog commanding-dialog"):
            self._title = Text("title")
            Text("about", f"{asset.id} {visitor.to(asset.label)}")
            self._point = Text("point-name")
            with box("change"):
                self._old = Text("value")
                Text("arrow", "→")
                self._new = Text("value new")
            self._note = Text("about")
            self._ttl = ui.select({0: ""}, value=0, label=visitor.say("command_for"))
            self._reason = ui.input(visitor.say("reason")).props(f"maxlength={MAX_NOTE}")
            with box("buttons"):
                with ui.element("button").classes("button main confirm").on("click", self._confirm):
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", self._dialog.close):
                    ui.label(visitor.say("cancel_dialog"))

    def ask(self, target: Target, value: Given) -> None:
        """Open for a new command."""
        visitor = self._visitor
        self._open(target, visitor.say("command_title"), value_words(target.point, value, visitor.language))
        self._note.show(visitor.say("two_people") if target.writing.two_people else "")
        times = _times(visitor, target.writing.longest)
        self._ttl.set_options(
            times, value=USUAL_S if target.writing.longest and USUAL_S in times else next(iter(times))
        )
        self._reason.set_value("")
        self._fields(shown=True)

        async def do(user: User) -> object:
            ttl, reason = float(self._ttl.value or 0), str(self._reason.value or "").strip()
            return await visitor.deps.commander.ask(
                user, self._asset.id, target.point.key, value, ttl=ttl, reason=reason[:MAX_NOTE]
            )

        self._do = do
        self._dialog.open()

    def ask_approval(self, target: Target, row: CommandRow) -> None:
        """Open for a command that somebody else has asked for."""
        visitor = self._visitor
        self._open(target, visitor.say("approve_title"), visitor.to(value_of(visitor.deps, row, row.value)))
        self._note.show(f"{visitor.say('asked_by', who=row.asked_by)} · {row.reason}")
        self._fields(shown=False)

        async def do(user: User) -> object:
            return await visitor.deps.commander.approve(user, row.id)

        self._do = do
        self._dialog.open()

    def refresh(self) -> None:
        """What is now may change while somebody still thinks."""
        if self._target is not None:
            what = _now(self._visitor, self._asset.id, self._target.point)
            self._old.show(f"{what[0]} ({what[2]})" if what[2] else what[0], what[1])

    def _open(self, target: Target, title: str, new: str) -> None:
        self._target = target
        self._title.show(title)
        self._point.show(self._visitor.to(target.point.label))
        self._new.show(new)
        self.refresh()

    def _fields(self, *, shown: bool) -> None:
        self._asking = shown
        self._ttl.set_visibility(shown)
        self._reason.set_visibility(shown)

    async def _confirm(self) -> None:
        visitor = self._visitor
        if self._do is None:
            return
        if self._asking and not str(self._reason.value or "").strip():
            visitor.tell(visitor.say("reason_needed"), "warning")
            return
        if await visitor.act(Action.COMMAND, self._do, done="command_given"):
            self._dialog.close()


class Control:
    """One point: its name, its value now, what may be done, and the control for it."""

    def __init__(self, visitor: Visitor, target: Target, confirming: Confirming) -> None:
        self._visitor = visitor
        self._target = target
        self._confirming = confirming
        with box("command-point") as element:
            element.props["data-command"] = target.point.key
            with box("first"):
                Text("name", visitor.to(target.point.label))
                self._value = Text("value")
                self._mark = Text("mark")
            with box("control"):
                self._draw()
            Text("when", " · ".join(_notes(visitor, target)))

    def refresh(self) -> None:
        """Show what is known now."""
        text, look, mark = _now(self._visitor, self._target.asset, self._target.point)
        self._value.show(text, look)
        self._mark.show(mark)

    def _draw(self) -> None:
        point = self._target.point
        if point.kind is Kind.ANALOG:
            self._number()
        elif point.kind is Kind.ENUM:
            self._select()
        else:
            words = {bool(state.number): self._visitor.to(state.label) for state in self._target.choices}
            if not point.states:
                words = {value: value_words(point, value, self._visitor.language) for value in (False, True)}
            with box("choice"):
                for value, word in words.items():
                    self._button(word, "", partial(self._confirming.ask, self._target, value))

    def _number(self) -> None:
        visitor, writing = self._visitor, self._target.writing
        low, high = writing.low, writing.high
        wrong = visitor.say("outside", low=_bound(low), high=_bound(high))

        def fits(value: float | None) -> bool:
            return value is None or ((low is None or value >= low) and (high is None or value <= high))

        field = ui.number(suffix=unit_text(self._target.point), validation={wrong: fits}).props("dense")

        def press() -> None:
            if field.value is None:
                visitor.tell(visitor.say("choose_value"), "warning")
            elif field.validate():
                self._confirming.ask(self._target, float(field.value))

        self._button(visitor.say("command_do"), "main", press)

    def _select(self) -> None:
        visitor = self._visitor
        words = {state.number: visitor.to(state.label) for state in self._target.choices}
        field = ui.select(words, label=visitor.say("new_value")).props("dense")

        def press() -> None:
            if field.value is None:
                visitor.tell(visitor.say("choose_value"), "warning")
            else:
                self._confirming.ask(self._target, int(field.value))

        self._button(visitor.say("command_do"), "main", press)

    def _button(self, text: str, look: str, press: Callable[[], None]) -> None:
        with ui.element("button").classes(f"button command {look}").on("click", press):
            ui.label(text)


def _now(visitor: Visitor, asset: str, point: Point) -> tuple[str, str, str]:
    """A point's value as it stands: text, look, and why it is not to be trusted."""
    deps = visitor.deps
    what = shown(point, deps.live.reading(asset, point.key), deps.clock.ms(), visitor.language)
    return what.text, what.look, what.mark


def _times(visitor: Visitor, longest: float) -> dict[int, str]:
    """The times to choose from, by seconds; 0 for ever where that is allowed."""
    times = {} if longest else {0: visitor.say("command_ever")}
    chosen = [seconds for seconds in TIMES_S if not longest or seconds <= longest]
    if longest and int(longest) not in chosen:
        chosen.append(int(longest))
    return times | {seconds: age_text(seconds * 1000, visitor.language) for seconds in chosen}


def _notes(visitor: Visitor, target: Target) -> list[str]:
    """What has to be known before: limits, two people, when it reverts, what must hold."""
    writing = target.writing
    found = []
    if target.point.kind is Kind.ANALOG:
        limits = visitor.say("limits", low=_bound(writing.low), high=_bound(writing.high))
        found.append(f"{limits} {unit_text(target.point)}".rstrip())
    if writing.two_people:
        found.append(visitor.say("two_people"))
    if writing.longest:
        found.append(visitor.say("reverts", age=age_text(round(writing.longest * 1000), visitor.language)))
    found += [visitor.say("requires", what=_condition(visitor, target, item)) for item in writing.requires]
    return found


def _condition(visitor: Visitor, target: Target, item: Requirement) -> str:
    """What must hold of another point, in words: `Bus control = Bus`, `Level 0.5 … 3 m`."""
    asset_class = visitor.deps.site.assets[target.asset].asset_class
    point = visitor.deps.catalog.point(asset_class, item.point)
    if point is None:
        return item.point
    name = visitor.to(point.label)
    if item.equals is None:
        return f"{name} {_bound(item.low)} … {_bound(item.high)} {unit_text(point)}".rstrip()
    state = point.state(item.equals) if isinstance(item.equals, str) else None
    value = visitor.to(state.label) if state else value_words(point, item.equals, visitor.language)
    return f"{name} = {value}"


def _bound(value: float | None) -> str:
    return "…" if value is None else number_text(value)
