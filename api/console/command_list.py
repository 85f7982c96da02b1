"""The last commands of an asset: who, when, why, each step that the gateway told; a second person approves here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nicegui import ui

from api.auth import Action, User
from api.commands import moves, value_of, words_of
from api.console.commanding import Confirming, Control
from api.console.marks import Text, box
from api.console.visitor import Visitor
from api.present import age_text
from facility.assets import Asset
from facility.errors import StoreError
from rules.life.commanding import CommandEvent, CommandState
from rules.life.rows import CommandRow, CommandStepRow

KEPT = 8
"""How many of the last commands are shown."""
UNFOLDED = 1
"""How many of them show their steps without a click."""
LONGEST_S = 3.0
"""What another process has seen is shown after so long at most."""


class CommandCard:
    """One command; built anew only when it has changed."""

    def __init__(self, visitor: Visitor, confirming: Confirming, row: CommandRow) -> None:
        self._visitor = visitor
        self._confirming = confirming
        self._version = -1
        self._order = -1
        self.element = box("card command", "article")
        self.element.props["data-id"] = row.id

    def show(self, row: CommandRow, steps: Sequence[CommandStepRow], order: int) -> None:
        """Show this row at this place of the list."""
        if order != self._order:
            self._order = order
            self.element.style(f"order: {order}")
        if row.version != self._version:
            self._version = row.version
            self.element.classes(replace=f"card command {row.state}")
            self.element.clear()
            with self.element:
                self._draw(row, steps)

    def _draw(self, row: CommandRow, steps: Sequence[CommandStepRow]) -> None:
        visitor = self._visitor
        asset = visitor.deps.site.assets.get(row.asset)
        point = visitor.deps.catalog.point(asset.asset_class, row.point) if asset else None
        with box("first"):
            Text("title", visitor.to(point.label) if point else row.point)
            Text("value", f"→ {visitor.to(value_of(visitor.deps, row, row.value))}")
            Text(f"state {row.shown}", visitor.to(words_of(row.shown)))
        people = [visitor.time(row.created_at), visitor.say("asked_by", who=row.asked_by)]
        people += [visitor.say("approved_by", who=row.approved_by)] if row.approved_by else []
        people += [visitor.say("stands", age=age_text(round(row.ttl * 1000), visitor.language))] if row.ttl else []
        Text("when", " · ".join(people))
        Text("text", row.reason)
        if row.message:
            Text("told", row.message)
        if row.state is CommandState.AWAITING_SECOND:
            Text("told", visitor.say("approve_before", at=visitor.time(row.due_at)))
            with box("buttons"):
                self._buttons(row)
        self._steps(row, steps)

    def _buttons(self, row: CommandRow) -> None:
        visitor = self._visitor
        target = visitor.deps.commander.targets(row.asset).get(row.point)

        async def cancel() -> None:
            async def do(user: User) -> object:
                return await visitor.deps.commander.cancel(user, row.id)

            await visitor.act(Action.COMMAND, do)

        def approve() -> None:
            if target is not None:
                self._confirming.ask_approval(target, row)

        possible = moves(row, visitor.user)
        if CommandEvent.APPROVE in possible and target is not None:
            with ui.element("button").classes("button main approve").on("click", approve):
                ui.label(visitor.say("approve"))
        if CommandEvent.CANCEL in possible:
            with ui.element("button").classes("button withdraw").on("click", cancel):
                ui.label(visitor.say("withdraw"))

    def _steps(self, row: CommandRow, steps: Sequence[CommandStepRow]) -> None:
        if not steps:
            return
        visitor = self._visitor
        with box("journal", "details") as details:
            if self._order < UNFOLDED:
                details.props("open")
            with box("", "summary"):
                ui.label(visitor.say("journal"))
            for step in steps:
                words = [visitor.to(words_of(step.step))]
                words += [] if step.value is None else [visitor.to(value_of(visitor.deps, row, step.value))]
                words += [step.message] if step.message else []
                with box("entry"):
                    Text("at", visitor.time(step.recorded_at))
                    Text("what", " · ".join(words))


class CommandSection:
    """Everything about the commands of one asset, for one client; nothing where there is nothing to command or tell."""

    def __init__(self, visitor: Visitor, asset: Asset) -> None:
        self._visitor = visitor
        self._asset = asset
        self._targets = visitor.deps.commander.targets(asset.id)
        self._controls: list[Control] = []
        self._cards: dict[str, CommandCard] = {}
        self._reading: asyncio.Task[None] | None = None
        self._seen = -1
        self._read_at = float("-inf")
        if not self._targets:
            return
        self._confirming = Confirming(visitor, asset)
        with box("commanding"):
            if visitor.may(Action.COMMAND):
                with box("panel controls"):
                    Text("heading", visitor.say("commands"))
                    with box("grid"):
                        self._controls = [
                            Control(visitor, target, self._confirming) for target in self._targets.values()
                        ]
            with box("panel last"):
                Text("heading", visitor.say("last_commands"))
                self._empty = Text("empty-words")
                self._list = box("list")

    def tick(self) -> None:
        """Show the values; the commands are read beside the beat, when something has changed."""
        if not self._targets:
            return
        for control in self._controls:
            control.refresh()
        self._confirming.refresh()
        if self._due() and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read(), name="console commands")

    def _due(self) -> bool:
        deps = self._visitor.deps
        return deps.commander.revision != self._seen or deps.clock.monotonic() - self._read_at > LONGEST_S

    async def _read(self) -> None:
        deps = self._visitor.deps
        seen = deps.commander.revision
        try:
            rows = (await deps.commander.desk.commands(asset=self._asset.id, limit=KEPT)).items
            steps = await deps.commander.desk.steps(*(row.id for row in rows))
        except StoreError:
            return  # the frame says that the records don't answer
        self._seen, self._read_at = seen, deps.clock.monotonic()
        if not self._visitor.client.is_deleted:
            self._show(rows, steps)

    def _show(self, rows: Sequence[CommandRow], steps: Sequence[CommandStepRow]) -> None:
        visitor = self._visitor
        self._empty.show("" if rows else visitor.say("no_commands"))
        for id_ in self._cards.keys() - {row.id for row in rows}:
            self._cards.pop(id_).element.delete()
        for order, row in enumerate(rows):
            if row.id not in self._cards:
                with self._list:
                    self._cards[row.id] = CommandCard(visitor, self._confirming, row)
            self._cards[row.id].show(row, [step for step in steps if step.command_id == row.id], order)
