"""One alarm in full: what to do, what the rule saw, what happened, and what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nicegui import ui

from api.console.alarm_acts import Dialogs, buttons
from api.console.marks import Text, box, is_loud, link, marks, severity_mark
from api.console.texts import ACTORS, EVENTS, word
from api.console.visitor import Visitor
from api.console.why import Why
from api.present import quality_label, unit_text, value_text
from facility.errors import StoreError
from facility.points import Kind, Label, Point
from facility.readings import Quality, Value
from facility.words import ALARM_STATES
from rules.life.rows import AlarmRow, JournalRow, NotFoundError, RemovalRow
from rules.notification.notify import REASONS
from rules.records.related import consequences, folded

MOST = 30
"""Consequences that are listed."""


@dataclass(frozen=True, slots=True)
class Related:
    """The alarm's cause, if it has one, its consequences, and how many of these are not over."""

    cause: AlarmRow | None
    followers: tuple[AlarmRow, ...]
    number: int


class Detail:
    """The panel beside the list (on a phone: over it). Drawn anew only when the alarm has changed."""

    def __init__(self, visitor: Visitor, dialogs: Dialogs) -> None:
        self.alarm = ""
        self._visitor = visitor
        self._dialogs = dialogs
        self._drawn: tuple[str, int] | None = None
        self._panel = box("detail", "aside")

    def wants(self, row: AlarmRow | None) -> bool:
        """Whether what is drawn is not this row (None: the alarm is over, and was drawn while it was live)."""
        if not self.alarm:
            return False
        if row is None:
            return self._drawn is None or self._drawn[1] >= 0
        return self._drawn != (row.id, row.version)

    async def draw(self, row: AlarmRow | None) -> None:
        """Read the journal (and the alarm itself when it is not live) and draw."""
        records, wanted = self._visitor.deps.records, self.alarm
        self._drawn = (wanted, row.version if row else -1)
        try:
            found = row or await records.alarm(wanted)
            journal = await records.journal(wanted)
            related = Related(
                await records.alarm(found.cause_id) if found.cause_id else None,
                tuple(await consequences(records, wanted, limit=MOST)),
                (await folded(records, [wanted])).get(wanted, 0),
            )
            removals = await records.removals(asset=found.asset, now=True) if found.removal_id else []
        except NotFoundError:
            self.close()
            return
        except StoreError:
            self._drawn = None
            return
        if wanted != self.alarm or self._visitor.client.is_deleted:
            return
        self._panel.clear()
        self._panel.classes(add="open")
        with self._panel:
            removal = next((item for item in removals if item.id == found.removal_id), None)
            self._draw(found, journal, removal, related)

    def close(self) -> None:
        """Show none."""
        self.alarm = ""
        self._drawn = None
        self._panel.clear()
        self._panel.classes(remove="open")
        with self._visitor.client:
            ui.run_javascript('caretaker.here("/console/alarms")')

    def _draw(self, row: AlarmRow, journal: list[JournalRow], removal: RemovalRow | None, related: Related) -> None:
        visitor = self._visitor
        asset = visitor.deps.site.assets.get(row.asset)
        place = visitor.deps.site.locations.get(asset.location) if asset else None
        with box("first"):
            severity_mark(row.severity, visitor.language)
            Text(f"state {row.shown}", word(ALARM_STATES, row.shown, visitor.language))
            marks(row, visitor.language)
            with ui.element("button").classes("button close").on("click", self.close):
                ui.label(visitor.say("cancel_dialog"))
        Text("title", visitor.to(row.title))
        if is_loud(row):
            Text("loud", visitor.say("removed_loud"))
        with link("asset", f"/console/assets/{row.asset}"):
            names = [row.asset, visitor.to(asset.label) if asset else "", visitor.to(place.label) if place else ""]
            ui.label(" · ".join(name for name in names if name))
        with box("buttons"):
            buttons(visitor, row, self._dialogs)
        for line in self._instants(row, removal):
            Text("when", line)
        if row.rule_version:
            with link("when version", f"/console/rules/{row.rule}?version={row.rule_version}"):
                ui.label(visitor.say("rule_text", rule=row.rule, version=row.rule_version))
        self._related(related)
        self._part("guidance", visitor.to(row.guidance))
        Why(visitor, row)
        if row.facts:
            self._heading("facts")
            with box("pairs"):
                for key, value in row.facts.items():
                    self._fact(row, key, value)
        self._heading("journal")
        with box("journal"):
            for entry in journal:
                self._entry(row, entry)

    def _instants(self, row: AlarmRow, removal: RemovalRow | None) -> list[str]:
        visitor = self._visitor
        lines = [visitor.say("raised", at=visitor.time(row.raised_at or row.opened_at))]
        if row.acknowledged_at and row.acknowledged_by:
            by = visitor.say("by", who=row.acknowledged_by)
            lines.append(f"{by} {visitor.time(row.acknowledged_at)}")
        if row.shelved_until:
            until = visitor.say("until", at=visitor.time(row.shelved_until))
            lines.append(f"{word(ALARM_STATES, 'shelved', visitor.language)} {until}")
        if removal:
            at = visitor.time(removal.begun_at)
            lines.append(visitor.say("removed_by", ticket=removal.ticket_id, who=removal.begun_by, at=at))
        if row.stale_at:
            lines.append(visitor.say("stale_since", at=visitor.time(row.stale_at)))
        if row.chattering_since is not None:
            lines.append(visitor.say("chatters_since", at=visitor.time(row.chattering_since)))
        if row.ticket_id:
            lines.append(f"{visitor.say('ticket_of')} {row.ticket_id}")
        return lines

    def _related(self, related: Related) -> None:
        visitor = self._visitor
        if related.cause:
            self._heading("cause_is")
            self._other(related.cause)
        if related.followers:
            n = max(related.number, len(related.followers))
            Text("heading", visitor.say("consequence_1" if n == 1 else "consequences_n", n=n))
            for row in related.followers:
                self._other(row)

    def _other(self, row: AlarmRow) -> None:
        """Another alarm, as a link that opens it."""
        asset = self._visitor.deps.site.assets.get(row.asset)
        with link("related", f"/console/alarms?alarm={row.id}"):
            severity_mark(row.severity, self._visitor.language, word=False)
            name = f"{row.asset} {self._visitor.to(asset.label) if asset else ''}".strip()
            Text("", f"{self._visitor.to(row.title)} · {name}")

    def _heading(self, key: str) -> None:
        Text("heading", self._visitor.say(key))

    def _part(self, key: str, text: str) -> None:
        if text:
            self._heading(key)
            Text("text", text)

    def _fact(self, row: AlarmRow, key: str, value: Value) -> None:
        visitor = self._visitor
        point = visitor.deps.catalog.point(row.asset_class, key) or Point(key, Kind.TEXT, Label(key, key))
        text = value_text(point, value, visitor.language)
        unit = "" if point.states or value is None else unit_text(point)
        Text("name", visitor.to(point.label))
        Text("value", f"{text} {unit}".strip())

    def _entry(self, row: AlarmRow, entry: JournalRow) -> None:
        visitor = self._visitor
        why = REASONS.get(entry.reason)
        words = [
            word(EVENTS, entry.event, visitor.language),
            word(ACTORS, entry.actor, visitor.language),
            "" if entry.reason == "folded" else entry.note,  # there it is the id of the cause, which stands above
            visitor.to(why) if why else "",
        ]
        with box("entry"):
            Text("at", visitor.time(entry.at))
            Text("what", " · ".join(text for text in words if text))
            if entry.seen:
                values = [self._seen(row, key, seen) for key, seen in entry.seen.items()]
                Text("values", ", ".join(values))

    def _seen(self, row: AlarmRow, key: str, seen: Mapping[str, Value]) -> str:
        """A reading as it was at a transition; its quality behind it when that was not good."""
        visitor, value = self._visitor, seen["value"]
        point = visitor.deps.catalog.point(row.asset_class, key) or Point(key, Kind.TEXT, Label(key, key))
        unit = "" if point.states or value is None else unit_text(point)
        quality = str(seen["quality"] or "")
        if value is None:
            label = quality_label(Quality(quality)) if quality else Label("无数据", "no data")
            return f"{visitor.to(point.label)} — ({visitor.to(label)})"
        return f"{visitor.to(point.label)} {value_text(point, value, visitor.language)} {unit}".strip()
