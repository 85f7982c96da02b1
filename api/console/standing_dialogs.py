"""The dialogs of drills and impairments: declare, open, and a note with whatever is done."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from nicegui import ui

from api.auth import Action, User
from api.console.marks import Text, box
from api.console.visitor import Visitor
from api.drills import declare_drill
from api.impairments import open_impairment
from rules.desk.drilling import Declaration
from rules.desk.impairing import Opening
from rules.drills.scope import Scope
from rules.records.transactions import MAX_NOTE

MINUTE, HOUR = 60_000, 3_600_000
Do = Callable[[User, str, int | None], Awaitable[object]]
"""(user, note, new expiry) -> the act."""


def zones_of(text: str) -> dict[str, tuple[int, ...]] | None:
    """`FA-01: 6, 7; FA-02: 3` as zones by panel; None when it is not written so."""
    found: dict[str, tuple[int, ...]] = {}
    for part in re.split(r"[;；\n]", text):
        if not part.strip():
            continue
        match = re.fullmatch(r"\s*([A-Za-z0-9_-]{1,64})\s*[:：]\s*(\d{1,4}(?:[\s,，、]+\d{1,4})*)\s*", part)
        if match is None:
            return None
        found[match[1]] = (*found.get(match[1], ()), *(int(number) for number in re.findall(r"\d+", match[2])))
    return found


class _Form:
    """A dialog with a title, fields, and two buttons."""

    def __init__(self, visitor: Visitor, title: str) -> None:
        self.visitor = visitor
        with ui.dialog() as self.dialog, box("dialog standing-form"):
            Text("title", visitor.say(title))
            self.fields()
            with box("buttons"):
                with ui.element("button").classes("button main confirm").on("click", self.confirm):
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", self.dialog.close):
                    ui.label(visitor.say("cancel_dialog"))

    def ask(self) -> None:
        """Open it."""
        self.dialog.open()

    def fields(self) -> None:
        """Draw the fields."""
        raise NotImplementedError

    async def confirm(self) -> None:
        """Do what was asked for."""
        raise NotImplementedError

    def line(self, key: str) -> ui.input:
        """A line of text."""
        return ui.input(self.visitor.say(key)).props(f"maxlength={MAX_NOTE} data-field={key}")

    def number(self, key: str, value: float, most: float) -> ui.number:
        """A number from 0."""
        return ui.number(self.visitor.say(key), value=value, min=0, max=most).props(f"data-field={key}")

    def several(self, key: str, options: dict[str, str]) -> ui.select:
        """Some of many."""
        chosen = ui.select(options, label=self.visitor.say(key), multiple=True, value=[], with_input=True)
        return chosen.props("use-chips dense").classes(f"field-{key}")

    def scope_fields(self, *, site: bool) -> None:
        """The fields of a scope."""
        visitor = self.visitor
        data, catalog = visitor.deps.site, visitor.deps.catalog
        kinds = sorted({asset.asset_class for asset in data.assets.values()})
        self._site = ui.checkbox(visitor.say("whole_site")) if site else None
        self._locations = self.several("scope_locations", {k: visitor.to(v.label) for k, v in data.locations.items()})
        self._classes = self.several(
            "scope_classes", {k: visitor.to(catalog.classes[k].label) for k in kinds if k in catalog.classes}
        )
        self._assets = self.several("scope_assets", {k: f"{k} {visitor.to(v.label)}" for k, v in data.assets.items()})
        self._zones = self.line("scope_zones")

    def scope(self) -> Scope | None:
        """The scope as it was given; None, and the visitor is told, when zones are not written as they should be."""
        zones = zones_of(str(self._zones.value or ""))
        if zones is None:
            self.visitor.tell(self.visitor.say("zones_wrong"), "warning")
            return None
        locations, classes, assets = (
            tuple(map(str, field.value or ())) for field in (self._locations, self._classes, self._assets)
        )
        return Scope(bool(self._site and self._site.value), locations, classes, assets, zones)


class Declaring(_Form):
    """Declare a drill."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(visitor, "declare")

    def fields(self) -> None:
        """What, why, where, when, and who is told."""
        site = self.visitor.deps.site
        self._name, self._reason = self.line("name_of_drill"), self.line("reason")
        self.scope_fields(site=True)
        with box("pair"):
            self._in = self.number("starts_in", 0, 60 * 24 * 30)
            self._hours = self.number("lasts", 1, site.settings.alarms.drill_hours)
        self._channels = self.several("to_channels", {channel.id: channel.id for channel in site.channels})

    async def confirm(self) -> None:
        """Declare it, and close when it was done."""
        visitor, scope = self.visitor, self.scope()
        if scope is None:
            return
        start = visitor.deps.clock.ms() + round(float(self._in.value or 0) * MINUTE)
        wanted = Declaration(
            name=str(self._name.value or "")[:MAX_NOTE],
            scope=scope,
            reason=str(self._reason.value or "")[:MAX_NOTE],
            from_at=start,
            until_at=start + round(float(self._hours.value or 0) * HOUR),
            channels=tuple(map(str, self._channels.value or ())),
        )
        if await visitor.act(Action.DRILL, lambda user: declare_drill(visitor.deps, user, wanted)):
            self.dialog.close()


class Impairing(_Form):
    """Open an impairment."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(visitor, "impair")

    def fields(self) -> None:
        """What, why, where, who answers, until when, and what makes up for it."""
        days = self.visitor.deps.site.settings.alarms.impairment_days
        self._what, self._reason = self.line("what_impaired"), self.line("reason")
        self.scope_fields(site=False)
        with box("pair"):
            self._owner = self.line("owner")
            self._hours = self.number("expires_in", 24, days * 24)
        self._measures = self.line("measures")
        self._every = self.number("rounds_every", 30, 1440)
        self._suppress = self.line("suppress_rules")

    async def confirm(self) -> None:
        """Open it, and close the dialog when it was done."""
        visitor, scope = self.visitor, self.scope()
        if scope is None:
            return
        wanted = Opening(
            scope=scope,
            what=str(self._what.value or "")[:MAX_NOTE],
            reason=str(self._reason.value or "")[:MAX_NOTE],
            owner=str(self._owner.value or "")[:64],
            expires_at=visitor.deps.clock.ms() + round(float(self._hours.value or 0) * HOUR),
            measures=str(self._measures.value or "")[:MAX_NOTE],
            rounds_every=round(float(self._every.value or 0)),
            suppress=tuple(re.findall(r"[\w.]+", str(self._suppress.value or ""))),
        )
        if await visitor.act(Action.IMPAIRMENT, lambda user: open_impairment(visitor.deps, user, wanted)):
            self.dialog.close()


class Noting:
    """A note with what is done: why a drill ends, what was seen on a round, why it takes longer."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def ask(  # noqa: PLR0913 - each is a word of the question
        self,
        title: str,
        about: str,
        action: Action,
        do: Do,
        *,
        needed: bool = False,
        hours: bool = False,
        label: str = "note",
    ) -> None:
        """Open it. `needed`: not without a note; `hours`: with a new expiry, as hours from now."""
        visitor = self._visitor
        with ui.dialog() as dialog, box("dialog"):
            Text("title", visitor.say(title))
            Text("about", about)
            field = ui.input(visitor.say(label)).props(f"maxlength={MAX_NOTE}")
            days = visitor.deps.site.settings.alarms.impairment_days
            more = ui.number(visitor.say("expires_in"), value=24, min=1, max=days * 24) if hours else None

            async def confirm() -> None:
                note = str(field.value or "").strip()
                if needed and not note:
                    visitor.tell(visitor.say("reason_needed"), "warning")
                    return
                until = visitor.deps.clock.ms() + round(float(more.value or 0) * HOUR) if more else None
                if await visitor.act(action, lambda user: do(user, note, until)):
                    dialog.close()

            with box("buttons"):
                with ui.element("button").classes("button main confirm").on("click", confirm):
                    ui.label(visitor.say("confirm"))
                with ui.element("button").classes("button").on("click", dialog.close):
                    ui.label(visitor.say("cancel_dialog"))
        dialog.on("hide", dialog.delete)
        dialog.open()
