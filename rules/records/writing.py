"""The SQL that loads what a transition needs and writes what it changes, many rows at a time, in either dialect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.life.chatter import Habit
from rules.life.rows import AlarmRow, Cursor, RemovalRow, alarm_row, values
from rules.life.rows import row as any_row
from rules.notification.sift import Sift, Sifter
from rules.records import schema, schema_life
from rules.records.transitions import Changes, Key

T = TypeVar("T")
KEY = ("site", "rule", "rule_index", "asset")
"""The columns by which an alarm's rule at its asset is known."""
_HABIT = tuple(item.name for item in fields(Habit))
_FIXED = frozenset({
    "id", "site", "rule", "rule_index", "asset", "asset_class", "raises", "latch", "shelvable", "opened_at",
    "title_zh", "title_en", "guidance_zh", "guidance_en",
})  # fmt: skip
"""Columns of an alarm that stay as they were when it was opened."""
CHUNK = 500
"""Values in one IN list; both databases bound the parameters of a statement."""


async def known_judgements(connection: AsyncConnection, identities: Sequence[str]) -> set[str]:
    """Which of these judgements the journal has already."""
    column = schema.journal.c.judgement
    found: set[str] = set()
    for part in _chunks(identities):
        found.update(
            name for name in (await connection.execute(select(column).where(column.in_(part)))).scalars() if name
        )
    return found


async def live_alarms(connection: AsyncConnection, site: str, keys: set[Key]) -> dict[Key, AlarmRow]:
    """The live alarm of each key, where there is one, locked until the transaction ends (in one order: no deadlock)."""
    table = schema.alarms
    found: dict[Key, AlarmRow] = {}
    for assets in _chunks(sorted({asset for _, _, asset in keys})):
        query = (
            select(table)
            .where(table.c.site == site, table.c.live.is_(True), table.c.asset.in_(assets))
            .order_by(table.c.id)
            .with_for_update()
        )
        for mapping in (await connection.execute(query)).mappings():
            key = (mapping["rule"], mapping["rule_index"], mapping["asset"])
            if key in keys:
                found[key] = alarm_row(mapping)
    return found


async def begin_sift(connection: AsyncConnection, site: str, sifter: Sifter | None) -> Sift | None:
    """The sift of this transaction, with the causes that stand."""
    if sifter is None:
        return None
    rules = sifter.folding.causes
    if not rules:
        return sifter.begin()
    table = schema.alarms
    real = table.c.live.is_(True) & table.c.drill.is_(None)
    query = select(table).where(table.c.site == site, real, table.c.rule.in_(rules))
    return sifter.begin(alarm_row(found) for found in (await connection.execute(query)).mappings())


async def habits(connection: AsyncConnection, site: str, keys: set[Key]) -> dict[Key, Habit]:
    """How each of these alarms has behaved, where anything is known of it."""
    table = schema_life.habits
    found: dict[Key, Habit] = {}
    for assets in _chunks(sorted({asset for _, _, asset in keys})):
        query = select(table).where(table.c.site == site, table.c.asset.in_(assets))
        for mapping in (await connection.execute(query)).mappings():
            key = (mapping["rule"], mapping["rule_index"], mapping["asset"])
            if key in keys:
                values_ = {name: mapping[name] for name in _HABIT}
                found[key] = Habit(**{**values_, "recent": tuple(values_["recent"])})
    return found


async def removals(connection: AsyncConnection, site: str) -> dict[str, RemovalRow]:
    """The assets that are out of service as a whole now; of several removals the one that covers most."""
    table = schema_life.out_of_service
    query = (
        select(table)
        .where(table.c.ended_at.is_(None), table.c.site == site, table.c.alarm_id.is_(None))
        .order_by(table.c.life_safety, table.c.id)
    )
    return {found["asset"]: any_row(RemovalRow, found) for found in (await connection.execute(query)).mappings()}


async def write(connection: AsyncConnection, changes: Changes) -> None:
    """Everything that the changes hold. The rows of `moved` are locked by the caller, and checked by version."""
    await _update_alarms(connection, changes)  # first: an alarm that is over makes room for its next occurrence
    if changes.opened:
        await connection.execute(insert(schema.alarms), [values(row) for row in changes.opened.values()])
    if changes.tickets:
        await connection.execute(insert(schema.tickets), [values(ticket) for ticket in changes.tickets])
        await connection.execute(insert(schema.ticket_journal), changes.ticket_journal)
    if changes.journal:
        await connection.execute(insert(schema.journal), changes.journal)
    if changes.outbox:
        await connection.execute(insert_missing(connection, schema.outbox, "key"), changes.outbox)
    if changes.behaved:
        site = changes.routing.site
        rows = [
            {**key_columns(site, key), **{name: getattr(habit, name) for name in _HABIT}}
            for key, habit in changes.behaved.items()
        ]
        await connection.execute(upsert(connection, schema_life.habits, KEY, _HABIT), rows)


def insert_missing(connection: AsyncConnection, table: Table, *unique: str) -> Any:
    """INSERT that leaves out rows whose `unique` columns are there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=[*unique])
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=[*unique])


async def _update_alarms(connection: AsyncConnection, changes: Changes) -> None:
    if not changes.moved:
        return
    table = schema.alarms
    statement = (
        update(table)
        .where(table.c.id == bindparam("row_id"), table.c.version == bindparam("row_version"))
        .values({column.name: bindparam(column.name) for column in table.c if column.name not in _FIXED})
    )
    rows = []
    for row in changes.moved.values():
        columns = {name: value for name, value in values(row).items() if name not in _FIXED}
        rows.append({**columns, "row_id": row.id, "row_version": changes.versions[row.id]})
    await connection.execute(statement, rows)


async def save_cursors(connection: AsyncConnection, site: str, cursors: Iterable[Cursor]) -> None:
    """Insert or replace the cursor of each gateway."""
    rows = [{"site": site, **asdict(cursor)} for cursor in cursors]
    if not rows:
        return
    statement = upsert(connection, schema.cursors, ("site", "gateway"), ("boot", "seq", "at", "assets"))
    await connection.execute(statement, rows)


def upsert(connection: AsyncConnection, table: Table, unique: Sequence[str], changed: Sequence[str]) -> Any:
    """INSERT that replaces the `changed` columns of a row that is there already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    new = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=[*unique], set_=new)


def key_columns(site: str, key: Key) -> dict[str, Any]:
    """The values of the columns KEY."""
    return {"site": site, "rule": key[0], "rule_index": key[1], "asset": key[2]}


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
