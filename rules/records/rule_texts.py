"""The versions of rules in the records: kept when rules begin to run, so that an alarm's rule can always be read."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from rules.life.rows import NotFoundError, row
from rules.records.records import Records
from rules.records.schema_trial import rule_starts, rule_versions
from rules.records.writing import insert_missing
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a rule. `text` is its canonical JSON; `first_seen` (ms UTC) when a process first ran it.

    `origin` is file:line as that process read it, `seen_by` the process.
    """

    rule: str
    version: str
    asset_class: str
    text: str
    origin: str
    first_seen: int
    seen_by: str

    @property
    def subject(self) -> tuple[str, str]:
        """What of the site the text is about: its class, and the point or effect where one id has a text for each."""
        definition = json.loads(self.text).get("definition") or {}
        return self.asset_class, str(definition.get("point") or definition.get("effect") or "")


def this_process() -> str:
    """host:pid, to say who ran a version first."""
    return f"{socket.gethostname()}:{os.getpid()}"[:128]


async def note_versions(
    records: Records, site: str, rules: Iterable[Rule], at: int, *, beside: Iterable[Rule] = ()
) -> None:
    """Keep the text of every rule that runs from `at` on, and which they are. Idempotent; StoreError.

    `rules` have one text an id, and the start names it. `beside` are those that have one a point, an effect or an asset
    (rules/versions.py): of them only the texts are kept, for an alarm names its own.
    """
    written = [rule for rule in rules if rule.version]
    rows = {
        (rule.id, rule.version): {
            "site": site,
            "rule": rule.id,
            "version": rule.version,
            "asset_class": rule.asset_class,
            "text": rule.text,
            "origin": rule.origin,
            "first_seen": at,
            "seen_by": this_process(),
        }
        for rule in (*written, *beside)
        if rule.version
    }
    if not rows:
        return
    begun = {"site": site, "at": at, "versions": dict(sorted((rule.id, rule.version) for rule in written))}
    table = rule_versions
    async with records.writing() as connection:
        kept = await connection.execute(select(table.c.rule, table.c.version).where(table.c.site == site))
        missing = [rows[key] for key in rows.keys() - {(item.rule, item.version) for item in kept}]
        if missing:
            await connection.execute(insert_missing(connection, table, "site", "rule", "version"), missing)
        await connection.execute(insert_missing(connection, rule_starts, "site", "at"), [begun])


async def versions(records: Records, site: str, rule: str) -> list[VersionRow]:
    """Every version of a rule, the newest first; NotFoundError for a rule that never ran."""
    table = rule_versions
    query = select(table).where(table.c.site == site, table.c.rule == rule).order_by(table.c.first_seen.desc())
    found = [row(VersionRow, item) for item in await records.rows(query)]
    if not found:
        raise NotFoundError("rule", rule)
    return found


async def version(records: Records, site: str, rule: str, wanted: str) -> VersionRow:
    """One version; NotFoundError."""
    found = next((item for item in await versions(records, site, rule) if item.version == wanted), None)
    if found is None:
        raise NotFoundError("version", f"{rule}@{wanted}")
    return found


async def running_versions(records: Records, site: str) -> dict[str, VersionRow]:
    """The versions that rules ran with when they started last: rule id -> version; empty when they never did."""
    starts = rule_starts
    query = select(starts).where(starts.c.site == site).order_by(starts.c.at.desc()).limit(1)
    started = await records.rows(query)
    if not started:
        return {}
    wanted = started[0]["versions"]
    table = rule_versions
    rows = await records.rows(select(table).where(table.c.site == site, table.c.rule.in_(list(wanted))))
    return {item["rule"]: row(VersionRow, item) for item in rows if wanted.get(item["rule"]) == item["version"]}
