"""The SQL of linkage runs and of their chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Protocol

import msgspec
from sqlalchemy import RowMapping, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import StoreError
from rules.linkage.ledger import START, Link, broken, chained
from rules.linkage.run import Run
from rules.records.schema_linkage import linkage_chain, linkage_runs

MAX_NOTE = 2000
TRIES = 5
MOST = 100
"""Zones that may be on fire at once, of which one is looked for."""


class Records(Protocol):
    """What is needed of the records."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection to read with; StoreError when the database is not there."""

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction to write in; StoreError when the database is not there."""


async def keep_runs(connection: AsyncConnection, *, runs: Iterable[Run], at: int) -> None:
    """Write runs as they stand; those that are over go into the chain, once."""
    for run in runs:
        sealed = await _is_sealed(connection, run.id)
        row = {
            "id": run.id,
            "site": run.site,
            "panel": run.panel,
            "zone": run.zone,
            "mode": run.mode,
            "t0": run.t0,
            "ended_at": run.ended_at,
            "held": run.held,
            "sealed": sealed or not run.is_live,
            "changed_at": at,
            "run": msgspec.to_builtins(run),
        }
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        changed = {name: value for name, value in row.items() if name not in ("id", "site", "panel", "t0")}
        statement = dialect.insert(linkage_runs).values(row)
        await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))
        if not run.is_live and not sealed:
            body = msgspec.json.encode(run, order="deterministic").decode()
            await _append(connection, Link(run.site, run.id, "run", run.ended_at or at, "", body))


async def open_runs(records: Records, site: str) -> list[Run]:
    """Those that are being judged, and those whose fire has not been reset."""
    query = select(linkage_runs.c.run).where(linkage_runs.c.site == site, linkage_runs.c.held.is_(True))
    async with records.reading() as connection:
        found = (await connection.execute(query.order_by(linkage_runs.c.id))).scalars().all()
    return [msgspec.convert(item, Run) for item in found]


async def runs(records: Records, site: str, *, limit: int, after: str | None = None) -> list[Run]:
    """The newest runs of a site, those before `after`."""
    query = select(linkage_runs.c.run).where(linkage_runs.c.site == site)
    if after is not None:
        query = query.where(linkage_runs.c.id < after)
    async with records.reading() as connection:
        found = (await connection.execute(query.order_by(linkage_runs.c.id.desc()).limit(limit))).scalars().all()
    return [msgspec.convert(item, Run) for item in found]


async def runs_before(records: Records, site: str, panel: str, at: int) -> list[Run]:
    """The newest runs of a panel that had begun at `at`, as they stand; MOST of them at most."""
    table = linkage_runs
    query = select(table.c.run).where(table.c.site == site, table.c.panel == panel, table.c.t0 <= at)
    async with records.reading() as connection:
        found = (await connection.execute(query.order_by(table.c.t0.desc()).limit(MOST))).scalars().all()
    return [msgspec.convert(item, Run) for item in found]


async def run_of(records: Records, site: str, run_id: str) -> Run | None:
    """One run as it was sealed, or as it stands while it is not."""
    sealed = [link for link in await links(records, site, run_id) if link.kind == "run"]
    if sealed:
        return msgspec.json.decode(sealed[0].body, type=Run)
    query = select(linkage_runs.c.run).where(linkage_runs.c.site == site, linkage_runs.c.id == run_id)
    async with records.reading() as connection:
        found = (await connection.execute(query)).scalar()
    return msgspec.convert(found, Run) if found else None


async def links(records: Records, site: str, run_id: str | None = None) -> list[Link]:
    """The chain of a site, or what of it concerns one run, the oldest first."""
    query = select(linkage_chain).where(linkage_chain.c.site == site)
    if run_id is not None:
        query = query.where(linkage_chain.c.run_id == run_id)
    async with records.reading() as connection:
        found: Sequence[RowMapping] = (await connection.execute(query.order_by(linkage_chain.c.id))).mappings().all()
    return [_link(row) for row in found]


async def add_note(records: Records, site: str, run_id: str, *, text: str, author: str, at: int) -> None:
    """Append what somebody says about a run; ValueError for an empty or overlong text."""
    if not text.strip() or len(text) > MAX_NOTE:
        raise ValueError(f"a note has 1 to {MAX_NOTE} characters")
    for attempt in range(TRIES):
        try:
            async with records.writing() as connection:
                await _append(connection, Link(site, run_id, "note", at, author, text))
            return
        except IntegrityError as error:  # another process appended in between: take the new end of the chain
            if attempt == TRIES - 1:
                raise StoreError("records", f"the linkage chain is being written by others: {error.orig}") from error


async def verify(records: Records, site: str) -> tuple[int, int | None]:
    """(how many links the chain of a site has, which of them is not as it was written; None when all are)."""
    found = await links(records, site)
    return len(found), broken(found)


async def _is_sealed(connection: AsyncConnection, run_id: str) -> bool:
    query = select(linkage_runs.c.sealed).where(linkage_runs.c.id == run_id)
    return bool((await connection.execute(query)).scalar())


async def _append(connection: AsyncConnection, link: Link) -> None:
    newest = select(linkage_chain.c.hash).where(linkage_chain.c.site == link.site).order_by(linkage_chain.c.id.desc())
    previous = (await connection.execute(newest.limit(1))).scalar() or START
    await connection.execute(insert(linkage_chain).values(asdict(chained(link, previous))))


def _link(row: RowMapping) -> Link:
    return Link(**{name: row[name] for name in Link.__slots__})
