"""One asset: every point with its quality and age, its commands, the history of the chosen point, and its ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from nicegui import ui

from api.console.asset_rules import RulesSection
from api.console.command_list import CommandSection
from api.console.frame import Frame
from api.console.headline import headline
from api.console.history import History
from api.console.marks import Look, Text, box, link, severity_mark, shown
from api.console.texts import ATTRIBUTES, word
from api.console.visitor import Visitor
from api.present import age_text, quality_label
from facility.assets import Asset
from facility.points import Point
from facility.readings import Quality
from facility.words import ALARM_STATES
from rules.life.rows import AlarmRow


class PointLine:
    """One point in the table."""

    def __init__(self, page: AssetPage, point: Point) -> None:
        self._visitor = page.visitor
        self._asset = page.asset.id
        self.point = point
        with box("line", "button") as element:
            Text("name", self._visitor.to(point.label))
            self._value = Text("value")
            self._quality = Text("quality")
            self._age = Text("age")
        element.props["data-point"] = point.key
        element.props["title"] = point.key
        element.on("click", lambda: page.choose(point))
        self.look = Look(element)

    def refresh(self) -> None:
        """Show what is known now."""
        visitor = self._visitor
        now = visitor.deps.clock.ms()
        reading = visitor.deps.live.reading(self._asset, self.point.key)
        what = shown(self.point, reading, now, visitor.language)
        self._value.show(what.text, what.look)
        if reading is None:
            self._quality.show(what.mark, "missing")
            return
        # an age that is told by the second would be told to everybody twice a second: by ten seconds will do
        age = max(0, now - reading.at) // 10_000 * 10_000
        self._quality.show(visitor.to(quality_label(reading.quality)), "" if reading.quality.is_good else "shown")
        text = visitor.say("ago", age=age_text(age, visitor.language)) if age else visitor.say("just_now")
        self._age.show(text, "late" if reading.quality is Quality.STALE else "")


class AlarmLines:
    """The live alarms of the asset, each a way to its guidance."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._drawn: list[tuple[str, int]] | None = None
        self._box = box("asset-alarms")

    def refresh(self, rows: list[AlarmRow]) -> None:
        """Draw them if they have changed."""
        versions = [(row.id, row.version) for row in rows]
        if versions == self._drawn:
            return
        self._drawn = versions
        visitor = self._visitor
        self._box.clear()
        with self._box:
            for row in rows:
                look = f"card alarm{row.severity} {'owed' if row.alarm.is_owed else ''}"
                with link(look, f"/console/alarms?alarm={row.id}"), box("first"):
                    severity_mark(row.severity, visitor.language)
                    Text("title", visitor.to(row.title))
                    Text("time", visitor.time(row.raised_at or row.opened_at))
                    Text(f"state {row.shown}", word(ALARM_STATES, row.shown, visitor.language))


class AssetPage:
    """The page of one asset for one client."""

    def __init__(self, visitor: Visitor, frame: Frame, asset: Asset, chosen: str) -> None:
        self.visitor = visitor
        self.asset = asset
        self._frame = frame
        points = visitor.deps.live.points(asset.id)
        telling = headline(asset.asset_class, points, most=1)
        with box("asset-page", "main"):
            with box("asset-head"):
                self._head()
            self._alarms = AlarmLines(visitor)
            self._commands = CommandSection(visitor, asset)
            self._rules = RulesSection(visitor, asset.id)
            with box("left"), box("points"):
                with box("line heads"):
                    for key in ("point", "value", "quality", "updated"):
                        Text("", visitor.say(key))
                self._lines = [PointLine(self, point) for point in points.values()]
            with box("right"):
                self._history = History(visitor, asset.id)
                self._ledger()
        self.choose(points.get(chosen) or (telling[0] if telling else None), first=True)

    def choose(self, point: Point | None, *, first: bool = False) -> None:
        """Draw this point's history."""
        for line in self._lines:
            line.look.show("here" if line.point is point else "")
        self._history.choose(point)
        if point and not first:
            address = f"/console/assets/{self.asset.id}?point={point.key}"
            ui.run_javascript(f"caretaker.here({json.dumps(address)})")

    def tick(self) -> None:
        """Show the values; the history follows at its own pace."""
        for line in self._lines:
            line.refresh()
        alarms = [row for row in self._frame.alarms or () if row.asset == self.asset.id]
        self._alarms.refresh(alarms)
        self._rules.tick([(row.id, row.version) for row in alarms])
        self._commands.tick()
        self._history.tick()

    async def first(self) -> None:
        """Draw the history before the page is shown, if the store answers soon."""
        await asyncio.wait({self._history.draw_soon()}, timeout=1.0)

    def _head(self) -> None:
        visitor, asset = self.visitor, self.asset
        place = visitor.deps.site.locations.get(asset.location)
        with box("", "h1"):
            ui.label(f"{asset.id} {visitor.to(asset.label)}")
        words = [visitor.to(visitor.deps.catalog.classes[asset.asset_class].label)]
        words += [visitor.to(place.label)] if place else []
        Text("about", " · ".join(words))

    def _ledger(self) -> None:
        visitor, asset = self.visitor, self.asset
        pairs: Mapping[str, object] = {**asset.ledger, **{key: f"{value:g}" for key, value in asset.rated.items()}}
        if not pairs and not asset.parents:
            return
        with box("ledger"):
            Text("heading", visitor.say("ledger"))
            with box("pairs"):
                for key, value in pairs.items():
                    Text("name", word(ATTRIBUTES, key, visitor.language))
                    Text("value", str(value))


async def asset_page(visitor: Visitor, name: str, chosen: str) -> None:
    """Build the page of an asset; `chosen` is the point drawn first."""
    asset = visitor.deps.site.assets.get(name)
    frame = Frame(visitor, "asset", title=name[:64])
    if asset is None:
        visitor.client.status_code = 404
        with box("tickets", "main"):
            Text("empty", visitor.say("no_asset", id=name[:64]))
        await frame.start(lambda: None)
        return
    page = AssetPage(visitor, frame, asset, chosen)
    await page.first()
    await frame.start(page.tick)
