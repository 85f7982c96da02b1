"""The wall: one tile an asset, its most telling values, and its worst alarm. Made to be read from three metres."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from api.console.coverage import CoverageLine
from api.console.frame import Frame, gateway_words
from api.console.headline import headline
from api.console.marks import Look, Text, box, link, shown
from api.console.visitor import Visitor
from facility.assets import Asset
from facility.points import Point
from facility.readings import Reading
from facility.words import SEVERITIES
from rules.life.alarm import Suppression
from rules.life.rows import AlarmRow

MAX_TILES = 200
"""More would be slow in the browser and are no wall; the page says how many it leaves out."""


class ValueCell:
    """One value with its unit, and, when it is not good, the reason in words beside it."""

    def __init__(self, visitor: Visitor, asset: str, point: Point) -> None:
        self._visitor = visitor
        self._asset = asset
        self._point = point
        Text("name", visitor.to(point.label))
        self._number = Text("number")
        self._number.props["data-point"] = f"{asset} {point.key}"
        self._mark = Text("mark")

    def refresh(self) -> Reading | None:
        """Show what is known now."""
        deps = self._visitor.deps
        reading = deps.live.reading(self._asset, self._point.key)
        now = shown(self._point, reading, deps.clock.ms(), self._visitor.language)
        self._number.show(now.text, now.look)
        self._mark.show(now.mark)
        return reading


class Tile:
    """One asset on the wall."""

    def __init__(self, visitor: Visitor, asset: Asset) -> None:
        self._visitor = visitor
        self._asset = asset
        points = headline(asset.asset_class, visitor.deps.live.points(asset.id))
        place = visitor.deps.site.locations.get(asset.location)
        with link("tile", f"/console/assets/{asset.id}") as element:
            with box("head"):
                Text("id", asset.id)
                Text("label", visitor.to(asset.label))
                Text("place", visitor.to(place.label) if place else "")
            with box("values"):
                self._cells = [ValueCell(visitor, asset.id, point) for point in points]
            with box("foot"):
                with box("severity") as mark:
                    box("shape")
                self._mark = Look(mark, "hidden")
                self._words = Text("words")
        element.props["data-asset"] = asset.id
        self._look = Look(element)

    def refresh(self, alarms: Sequence[AlarmRow]) -> None:
        """Show values and the worst alarm (`alarms` are this asset's, worst first)."""
        known = [reading for cell in self._cells if (reading := cell.refresh())]
        words, dead = self._condition(known)
        free = [row for row in alarms if row.suppression is Suppression.NONE and not row.drill]
        looks = [f"alarm{free[0].severity}"] if free else []
        looks += ["owed"] if any(row.alarm.is_owed for row in free) else []
        looks += ["dead"] if dead else []
        self._look.show(" ".join(looks))
        self._mark.show(f"s{free[0].severity}" if free else "hidden")
        self._words.show(self._text(free) or words or self._visitor.say("kept_quiet" if alarms else "all_quiet"))

    def _text(self, alarms: Sequence[AlarmRow]) -> str:
        """The worst alarm in words, and how many more there are; nothing without alarms."""
        if not alarms:
            return ""
        visitor, worst = self._visitor, alarms[0]
        words = f"{visitor.to(SEVERITIES[worst.severity])} · {visitor.to(worst.title)}"
        return words + (f" · {visitor.say('more_alarms', n=len(alarms) - 1)}" if len(alarms) > 1 else "")

    def _condition(self, known: Sequence[Reading]) -> tuple[str, bool]:
        """What to say of the values as a whole (nothing when some are good), and whether none can be trusted."""
        visitor = self._visitor
        if self._cells:
            dead = not any(reading.quality.is_good for reading in known)
            return (visitor.say("all_stale" if known else "no_data"), True) if dead else ("", False)
        # a gateway has no readings of its own: its status speaks for it
        for gateway in visitor.deps.live.gateways():
            if gateway.id == self._asset.id:
                words, look = gateway_words(visitor, gateway)
                return words, look == "bad"
        return visitor.say("no_data"), True


async def wall_page(visitor: Visitor) -> None:
    """Build the wall, class by class, and keep it fresh."""
    frame = Frame(visitor, "wall")
    tiles: dict[str, Tile] = {}
    assets = list(visitor.deps.site.assets.values())[:MAX_TILES]
    coverage = CoverageLine(visitor)
    with box("wall", "main"):
        for name in dict.fromkeys(asset.asset_class for asset in assets):
            count = sum(item.asset_class == name for item in assets)
            with box("class", "section").style(f"--n: {count}"):
                with box("", "h2"):
                    ui.label(visitor.to(visitor.deps.catalog.classes[name].label))
                tiles.update({item.id: Tile(visitor, item) for item in assets if item.asset_class == name})
        if len(assets) < len(visitor.deps.site.assets):
            Text("empty", visitor.say("shown_of", n=len(assets), all=len(visitor.deps.site.assets)))

    def tick() -> None:
        by_asset: dict[str, list[AlarmRow]] = {}
        for row in frame.alarms or ():
            by_asset.setdefault(row.asset, []).append(row)
        for asset, tile in tiles.items():
            tile.refresh(by_asset.get(asset, ()))
        coverage.tick()

    await frame.start(tick)
