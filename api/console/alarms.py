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
from api.grouping import By, Group, Places, followers, grouped
from facility.words import ALARM_STATES
from rules.life.rows import AlarmRow

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
GROUPINGS: tuple[tuple[str, By | None], ...] = (
    ("one_list", None),
    ("by_location", "location"),
    ("by_cause", "cause"),
    ("by_asset", "asset"),
)


class Heading:
    """What stands over the alarms of a group: its name, how many, the worst."""

    def __init__(self, page: AlarmsPage) -> None:
        self._language = page.visitor.language
        self._visitor = page.visitor
        self._shown: tuple[object, ...] = ()
        with page.list:
            self.element = box("group-head", "header")

    def show(self, group: Group, order: int) -> None:
        """Show this group at this place of the list."""
        shown = (group.label, len(group.rows), group.worst, order)
        if shown == self._shown:
            return
        self._shown = shown
        self.element.style(f"order: {order}")
        self.element.clear()
        with self.element:
            severity_mark(group.worst, self._language)
            Text("name", self._visitor.to(group.label))
            Text("number", self._visitor.say("alarms_n" if len(group.rows) != 1 else "alarms_1", n=len(group.rows)))


class Card:
    """One alarm in the list. Its content is built anew when the alarm has changed; the card itself stays."""

    def __init__(self, page: AlarmsPage, row: AlarmRow) -> None:
        self._page = page
        self._drawn: tuple[int, int, bool] | None = None
        self._order = -1
        self._here = False
        with page.list:
            self.element = box("card", "article")
        self.element.props["tabindex"] = "0"
        self.element.props["data-alarm"] = row.id
        self.element.on("click", lambda: page.choose(row.id)).on(KEY, lambda: page.choose(row.id))

    def show(self, row: AlarmRow, order: int, *, here: bool, followers: int = 0, beneath: bool = False) -> None:
        """Show this row at this place of the list; `followers` are its consequences, `beneath`: it is one itself."""
        if order != self._order:
            self._order = order
            self.element.style(f"order: {order}")
        if here != self._here:
            self._here = here
            self.element.classes(add="here" if here else "", remove="" if here else "here")
        if self._drawn != (row.version, followers, beneath):
            self._drawn = (row.version, followers, beneath)
            self._draw(row, followers, beneath=beneath)

    def _draw(self, row: AlarmRow, followers: int, *, beneath: bool) -> None:
        visitor = self._page.visitor
        alarm = row.alarm
        looks = [f"alarm{row.severity}", "owed" if alarm.is_owed else "", "" if alarm.is_active else "over"]
        looks.append("loud" if is_loud(row) else "quiet" if row.suppression != "none" else "")
        looks.append("beneath" if beneath else "")
        looks.append("drill" if row.drill else "")
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
            if followers:
                self._unfold(row, followers)

    def _unfold(self, row: AlarmRow, followers: int) -> None:
        """The line that says how many consequences there are, and shows or hides them."""
        visitor, page = self._page.visitor, self._page
        with ui.element("button").classes("quiet follow").on("click.stop", lambda: page.unfold(row.id)):
            ui.label(visitor.say("consequence_1" if followers == 1 else "consequences_n", n=followers))


class AlarmsPage:
    """List and detail of one client."""

    def __init__(self, visitor: Visitor, frame: Frame, wanted: str) -> None:
        self.visitor = visitor
        self._frame = frame
        self._cards: dict[str, Card] = {}
        self._heads: dict[str, Heading] = {}
        self._by: By | None = None
        self._unfolded: set[str] = set()
        self._drawing: asyncio.Task[None] | None = None
        self._only = "all_alarms"
        self.dialogs = Dialogs(visitor)
        with box("alarms", "main"):
            with box("column"):
                with box("choice grouping"):
                    self._choices = {by: self._choice(key, by) for key, by in GROUPINGS}
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

    def unfold(self, alarm: str) -> None:
        """Show the consequences of this alarm, or hide them again."""
        self._unfolded ^= {alarm}
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
        rows = tuple(sorted(rows, key=_apart))
        beneath = followers(rows)
        items = self._grouped(rows) if self._by else self._listed(rows, beneath)
        shown = [item for number, item in enumerate(items) if number < SHOWN or self._is_open(item)]
        self._drop(shown)
        hidden = {row.id for each in beneath.values() for row in each}
        for order, item in enumerate(shown):
            if isinstance(item, Group):
                self._head(item).show(item, order)
                continue
            under = not self._by or self._by == "cause"
            self._card(item).show(
                item,
                order,
                here=item.id == self.detail.alarm,
                followers=0 if self._by else len(beneath.get(item.id, ())),
                beneath=under and item.id in hidden,
            )
        count = sum(not isinstance(item, Group) for item in items)
        self._note.show(self._words(count, sum(not isinstance(item, Group) for item in shown)))
        self._show_detail({row.id: row for row in rows}.get(self.detail.alarm))

    def _listed(self, rows: tuple[AlarmRow, ...], beneath: dict[str, list[AlarmRow]]) -> list[AlarmRow | Group]:
        """One list, each consequence behind its cause where that is unfolded."""
        hidden = {row.id for each in beneath.values() for row in each}
        items: list[AlarmRow | Group] = []
        for row in rows:
            if row.id not in hidden:
                items.append(row)
                items += beneath.get(row.id, []) if row.id in self._unfolded else []
        return items

    def _grouped(self, rows: tuple[AlarmRow, ...]) -> list[AlarmRow | Group]:
        site = self.visitor.deps.site
        groups = grouped(rows, self._by or "location", Places(site.assets, site.locations))
        items: list[AlarmRow | Group] = []
        for group in groups:
            items += [group, *group.rows]
        return items

    def _is_open(self, item: AlarmRow | Group) -> bool:
        return isinstance(item, AlarmRow) and item.id == self.detail.alarm

    def _drop(self, shown: list[AlarmRow | Group]) -> None:
        """Take away the cards and headings that are no longer shown."""
        for gone in self._cards.keys() - {item.id for item in shown if isinstance(item, AlarmRow)}:
            self._cards.pop(gone).element.delete()
        for gone in self._heads.keys() - {item.key for item in shown if isinstance(item, Group)}:
            self._heads.pop(gone).element.delete()

    def _card(self, row: AlarmRow) -> Card:
        if row.id not in self._cards:
            self._cards[row.id] = Card(self, row)
        return self._cards[row.id]

    def _head(self, group: Group) -> Heading:
        if group.key not in self._heads:
            self._heads[group.key] = Heading(self)
        return self._heads[group.key]

    def _choice(self, key: str, by: By | None) -> Look:
        def choose() -> None:
            self._by = by
            for value, look in self._choices.items():
                look.show("here" if value == by else "")
            self.tick()

        with ui.element("button").classes("button").on("click", choose) as element:
            ui.label(self.visitor.say(key))
        element.props["data-group"] = by or "none"
        return Look(element, "" if by else "here")

    def _words(self, count: int, shown: int) -> str:
        if not count:
            return self.visitor.say("no_alarms" if self._only == "all_alarms" else "none_of_these")
        return self.visitor.say("shown_of", n=shown, all=count) if count > shown else ""

    def _show_detail(self, row: AlarmRow | None) -> None:
        if self.detail.wants(row) and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self.detail.draw(row), name="console alarm")


def _apart(row: AlarmRow) -> int:
    """What must not be overlooked first, then what is real, what is quiet, and what is an exercise last."""
    if row.drill:
        return 3
    return 0 if is_loud(row) else 1 + (row.suppression != "none")


async def alarms_page(visitor: Visitor, wanted: str) -> None:
    """Build the list; `wanted` is the id of an alarm to open."""
    frame = Frame(visitor, "alarms")
    page = AlarmsPage(visitor, frame, wanted)
    await frame.start(page.tick)
