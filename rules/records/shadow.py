"""Shadow rules: they run in the live engine, and what they raise is kept apart, so that it reaches nobody.

Their alarms have a table of their own: no count, board, ticket, message or figure of alarms can meet one by mistake.
They are written in the transaction that writes the live alarms and the cursors, so that a restart loses none and
writes none twice. An alarm of a shadow rule has no life cycle: it is raised, and it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import TransitionError
from facility.readings import Value
from rules.effects import Judgement
from rules.engine import Key
from rules.life.rows import Columns, row
from rules.records import schema
from rules.records.schema_trial import shadow_alarms
from rules.records.writing import insert_missing
from rules.trial.compare import Episode

PREFIX = "S"
"""Ids of shadow alarms begin with it, those of alarms with A."""
MAX_EPISODES = 20_000
"""Raises and clears of one rule that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """One alarm of a shadow rule. `shadow_of` is the live rule that it is to replace, empty if there is none."""

    id: str
    rule: str
    shadow_of: str
    rule_version: str
    rule_index: int
    asset: str
    asset_class: str
    severity: int
    since: int
    raised_at: int
    cleared_at: int | None
    title_zh: str
    title_en: str
    facts: dict[str, Value]

    @property
    def key(self) -> Key:
        """What the engine knows it by."""
        return self.rule, self.rule_index, self.asset


def shadow_row(mapping: Columns) -> ShadowRow:
    """A row of the table."""
    return row(ShadowRow, mapping)


async def set_shadows_apart(
    connection: AsyncConnection,
    site: str,
    judgements: Sequence[Judgement],
    at: int,
    new_id: Callable[[str, int], str],
) -> list[Judgement]:
    """Keep what shadow rules judged, in order; the same judgement twice is one. Returns those of live rules."""
    table = shadow_alarms
    for item in judgements:
        rule = item.rule
        if not rule.shadow:
            continue
        mine = {"site": site, "rule": rule.id, "rule_index": rule.index, "asset": item.asset}
        if item.event == "raise":
            values: dict[str, Any] = mine | {
                "id": new_id(PREFIX, at),
                "shadow_of": rule.shadow_of,
                "rule_version": rule.version,
                "asset_class": rule.asset_class,
                "severity": int(rule.severity),
                "since": item.since,
                "raised_at": item.at,
                "recorded_at": at,
                "title_zh": rule.label.zh,
                "title_en": rule.label.en,
                "facts": dict(item.facts),
            }
            statement = insert_missing(connection, table, "site", "rule", "rule_index", "asset", "raised_at")
            await connection.execute(statement, [values])
        if item.event != "clear":
            continue
        matching = [table.c[name] == value for name, value in mine.items()]
        await connection.execute(
            update(table)
            .where(*matching, table.c.cleared_at.is_(None), table.c.raised_at <= item.at)
            .values(cleared_at=item.at)
        )
    return [item for item in judgements if not item.rule.shadow]


async def open_shadows(connection: AsyncConnection, site: str) -> list[Key]:
    """The keys of shadow alarms that stand."""
    table = shadow_alarms
    columns = (table.c.rule, table.c.rule_index, table.c.asset)
    query = select(*columns).where(table.c.site == site, table.c.cleared_at.is_(None)).distinct()
    return [(rule, index, asset) for rule, index, asset in await connection.execute(query)]


async def end_shadows(connection: AsyncConnection, site: str, keys: Sequence[Key], at: int) -> None:
    """No rule answers to these any more: their alarms are over."""
    table = shadow_alarms
    for rule, index, asset in keys:
        mine = (table.c.site == site, table.c.rule == rule, table.c.rule_index == index, table.c.asset == asset)
        await connection.execute(update(table).where(*mine, table.c.cleared_at.is_(None)).values(cleared_at=at))


async def refuse_shadow(connection: AsyncConnection, alarm_id: str, event: str) -> None:
    """TransitionError when this is an alarm of a shadow rule: nobody is told of it, so nobody can answer it."""
    if not alarm_id.startswith(PREFIX):
        return
    query = select(shadow_alarms.c.id).where(shadow_alarms.c.id == alarm_id)
    if (await connection.execute(query)).first():
        raise TransitionError("alarm", "shadow", event)


async def shadow_episodes(connection: AsyncConnection, site: str, since: int) -> dict[str, list[Episode]]:
    """What the shadow rules raised since an instant, or had standing then: rule id -> alarms."""
    table = shadow_alarms
    query = (
        select(table)
        .where(table.c.site == site, (table.c.cleared_at.is_(None)) | (table.c.cleared_at >= since))
        .order_by(table.c.raised_at.desc())
        .limit(MAX_EPISODES)
    )
    found: dict[str, list[Episode]] = {}
    for item in (await connection.execute(query)).mappings():
        key = (item["rule"], item["rule_index"], item["asset"])
        found.setdefault(item["rule"], []).append(Episode(key, item["raised_at"], item["cleared_at"]))
    return found


async def live_episodes(connection: AsyncConnection, site: str, rule: str, since: int) -> list[Episode]:
    """What a live rule raised since an instant, from the journal."""
    alarms, journal = schema.alarms, schema.journal
    query = (
        select(alarms.c.id, alarms.c.rule_index, alarms.c.asset, journal.c.event, journal.c.at)
        .join(journal, journal.c.alarm_id == alarms.c.id)
        .where(alarms.c.site == site, alarms.c.rule == rule, journal.c.event.in_(("raise", "clear")))
        .where((alarms.c.live.is_(True)) | (alarms.c.changed_at >= since))
        .order_by(journal.c.id.desc())
        .limit(MAX_EPISODES)
    )
    rows = list((await connection.execute(query)).all())
    standing: dict[Key, int] = {}
    found: list[Episode] = []
    for _, index, asset, event, at in reversed(rows):
        key = (rule, index, asset)
        if event == "raise":
            standing.setdefault(key, at)
        elif key in standing:
            found.append(Episode(key, standing.pop(key), at))
    found += [Episode(key, at) for key, at in standing.items()]
    return [item for item in found if item.cleared is None or item.cleared >= since]
