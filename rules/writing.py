"""The SQL that loads what a transition needs and writes what it changes, many rows at a time, in either dialect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules import schema
from rules.rows import AlarmRow, Cursor, alarm_row, values
from rules.sift import Sift, Sifter
from rules.transitions import Changes, Key

T = TypeVar("T")
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
    query = select(table).where(table.c.site == site, table.c.live.is_(True), table.c.rule.in_(rules))
    return sifter.begin(alarm_row(found) for found in (await connection.execute(query)).mappings())


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
        .values({column.name: bindparam(column.name) for column in table.c if column.name != "id"})
    )
    rows = []
    for row in changes.moved.values():
        columns = values(row)
        columns["row_id"] = columns.pop("id")
        columns["row_version"] = changes.versions[row.id]
        rows.append(columns)
    await connection.execute(statement, rows)


async def save_cursors(connection: AsyncConnection, site: str, cursors: Iterable[Cursor]) -> None:
    """Insert or replace the cursor of each gateway."""
    rows = [{"site": site, **asdict(cursor)} for cursor in cursors]
    if not rows:
        return
    table = schema.cursors
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    changed = {name: statement.excluded[name] for name in ("boot", "seq", "at", "assets")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["site", "gateway"], set_=changed), rows)


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
