"""The page of rules on trial: every shadow rule beside the live one; and the text of a rule at a version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

from nicegui import ui

from api.console.frame import Frame
from api.console.marks import Text, box, link, severity_mark
from api.console.texts import CHANGES, word
from api.console.visitor import Visitor
from facility.errors import StoreError
from rules.life.rows import NotFoundError
from rules.records.rule_texts import VersionRow, versions
from rules.records.shadow_report import SideBySide, side_by_side
from rules.trial.compare import Change, Episode, Pair

DAYS = 7
DAY_MS = 86_400_000
SHOWN = 40
"""Alarms of one rule on the page, and versions of one, the newest."""
EVERY_TICKS = 20
"""The comparison is read every ten seconds."""


class TrialsPage:
    """The shadow rules of one client's page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._ticks = 0
        self._reading: asyncio.Task[None] | None = None
        self._drawn: object = None
        with box("trials", "main"):
            Text("heading", visitor.say("shadow_rules", n=DAYS))
            self._note = Text("empty")
            self._list = box("list")

    def tick(self) -> None:
        """Read anew when it is time."""
        if self._ticks % EVERY_TICKS == 0 and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read(), name="console trials")
        self._ticks += 1

    async def _read(self) -> None:
        deps = self._visitor.deps
        try:
            since = deps.clock.ms() - DAYS * DAY_MS
            found = await side_by_side(deps.records, deps.site.id, since, time_zone=deps.site.time_zone)
        except StoreError:
            return  # the frame says so
        seen = [(item.rule.id, item.rule.version, item.comparison.pairs) for item in found]
        if seen == self._drawn or self._visitor.client.is_deleted:
            return
        self._drawn = seen
        self._note.show("" if found else self._visitor.say("no_shadow_rules"))
        self._list.clear()
        with self._list:
            for item in found:
                self._draw(item)

    def _draw(self, item: SideBySide) -> None:
        visitor, rule, total = self._visitor, item.rule, item.comparison.total
        with box("trial", "section"):
            with box("first"):
                severity_mark(int(rule.severity), visitor.language)
                Text("title", visitor.to(rule.label))
                with link("version", f"/console/rules/{rule.id}?version={rule.version}"):
                    ui.label(f"{rule.id} @ {rule.version}")
            beside = (
                visitor.say("shadow_beside", rule=rule.shadow_of) if rule.shadow_of else visitor.say("shadow_alone")
            )
            Text("beside", f"{beside} · {visitor.say('since', at=visitor.time(item.since))}")
            with box("figures"):
                self._figure(visitor.say("live_rule"), total.old)
                self._figure(visitor.say("shadow_rule"), total.new)
                for change in Change:
                    self._figure(word(CHANGES, change.value, visitor.language), total.changes[change])
                nightly = sum(tally.new for tally in item.comparison.nights.values())
                self._figure(visitor.say("at_night"), nightly)
            self._table(list(reversed(item.comparison.pairs[-SHOWN:])))

    def _figure(self, name: str, number: int) -> None:
        with box("figure"):
            Text("number", str(number))
            Text("name", name)

    def _table(self, pairs: Iterable[Pair]) -> None:
        visitor = self._visitor
        with box("pairs_table", "table"):
            with box("", "tr"):
                for key in ("asset", "live_rule", "shadow_rule", "difference"):
                    with box("", "th"):
                        ui.label(visitor.say(key))
            for pair in pairs:
                _, index, asset = pair.first.key
                with box("", "tr"):
                    self._cell(f"{asset} [{index}]" if index else asset)
                    self._cell(self._span(pair.old))
                    self._cell(self._span(pair.new))
                    words = [word(CHANGES, change.value, visitor.language) for change in pair.changes]
                    self._cell(" · ".join(words) or visitor.say("change_none"))

    def _cell(self, text: str) -> None:
        with box("", "td"):
            ui.label(text)

    def _span(self, episode: Episode | None) -> str:
        visitor = self._visitor
        if episode is None:
            return "—"
        end = visitor.time(episode.cleared) if episode.cleared is not None else visitor.say("stands_now")
        return f"{visitor.time(episode.raised)} – {end}"


async def trials_page(visitor: Visitor) -> None:
    """Build the page of shadow rules."""
    frame = Frame(visitor, "trials")
    page = TrialsPage(visitor)
    await frame.start(page.tick)


async def rule_page(visitor: Visitor, rule: str, wanted: str) -> None:
    """The text of a rule at a version (the newest, if none is named), and its other versions."""
    frame = Frame(visitor, "trials")
    with box("trials", "main"):
        try:
            found = await versions(visitor.deps.records, visitor.deps.site.id, rule)
        except NotFoundError:
            Text("empty", visitor.say("no_such_rule", id=rule))
        except StoreError:
            Text("empty", visitor.say("records_lost"))
        else:
            shown = next((row for row in found if row.version == wanted), None if wanted else found[0])
            _draw_versions(visitor, rule, found, shown)
    await frame.start(lambda: None)


def _draw_versions(visitor: Visitor, rule: str, found: list[VersionRow], shown: VersionRow | None) -> None:
    Text("heading", rule)
    listed = found if shown is None else [row for row in found if row.subject == shown.subject]
    with box("choice"):
        for row in listed[:SHOWN]:
            here = "here" if row is shown else ""
            with link(f"version {here}", f"/console/rules/{rule}?version={row.version}"):
                ui.label(f"{row.version} · {visitor.say('since', at=visitor.time(row.first_seen))}")
    if shown is None:
        Text("empty", visitor.say("no_such_version"))
        return
    Text("when", visitor.say("read_from", origin=shown.origin, by=shown.seen_by))
    with box("source", "pre"):
        ui.label(json.dumps(json.loads(shown.text), ensure_ascii=False, indent=2, sort_keys=True))
