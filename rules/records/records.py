"""The records database: alarms, tickets, their journals, the outbox. The point of truth for rules and API alike.

`open_records` brings the schema up to date and gives a `Records`. Writers hold a short transaction: in SQLite it begins
IMMEDIATE (one writer, others wait up to 5 s), in PostgreSQL the rows are locked; a version check stands behind both.
Readers never wait. Every trouble with the database itself is a StoreError("records").
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, func, or_, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from facility.errors import StoreError
from facility.settings import RecordsSettings
from rules.effects import Judgement
from rules.life.alarm import ACTIVE, OWED, State, Suppression
from rules.life.rows import (
    AlarmRow,
    Counts,
    Cursor,
    DeliveryRow,
    JournalRow,
    NotFoundError,
    OutboxRow,
    Page,
    RemovalRow,
    TicketJournalRow,
    TicketRow,
    alarm_row,
    row,
    ticket_row,
)
from rules.life.tickets import FINAL, TicketState
from rules.notification.notify import Routing
from rules.notification.sift import Sifter
from rules.records import schema, schema_life
from rules.records.database import new_engine, upgrade
from rules.records.informing import informed
from rules.records.judging import judge
from rules.records.shadow import set_shadows_apart
from rules.records.transitions import Changes, identity
from rules.records.writing import begin_sift, habits, known_judgements, live_alarms, removals, save_cursors, write

T = TypeVar("T")
Beside = Callable[[AsyncConnection], Awaitable[None]]
MAX_PAGE = 1000
MARKS = {"stale": schema.alarms.c.stale_at, "chattering": schema.alarms.c.chattering_since}
"""What an alarm may be beside its states, and the column that says since when."""
PORTION = 100
"""Judgements of one transaction after which everything else gets its turn."""
CONFLICTS = 5
"""How often a transaction that met another writer is tried anew."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one `apply` did. `duplicates` are judgements that were in the journal already."""

    opened: int = 0
    moved: int = 0
    unchanged: int = 0
    duplicates: int = 0
    tickets: int = 0
    queued: int = 0


def new_id(prefix: str, at: int) -> str:
    """An id that sorts by instant: the prefix, 11 hex digits of ms, 10 of chance."""
    return f"{prefix}{at:011x}{secrets.token_hex(5)}"


@asynccontextmanager
async def open_records(settings: RecordsSettings, folder: Path) -> AsyncIterator[Records]:
    """The records of a site folder, their schema brought up to date; several processes may do so at once.

    StoreError when the database can't be reached.
    """
    engine = new_engine(settings, folder)
    try:
        async with _as_store_errors():
            await upgrade(engine)
        yield Records(engine)
    finally:
        await engine.dispose()


class Records:
    """Queries and transactions. `outbox_changed` is set whenever this process has put something into the outbox."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.outbox_changed = asyncio.Event()
        self._writer = asyncio.Lock()

    # transactions

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with; StoreError when the database is not there."""
        async with _as_store_errors(), self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction to write in, committed at the end; StoreError when the database is not there.

        One at a time in this process: with SQLite, waiting here is quicker than waiting for the file's lock.
        """
        async with self._writer, _as_store_errors(), self.engine.connect() as plain:
            connection = await plain.execution_options(caretaker_write=True)
            async with connection.begin():
                yield connection

    async def apply(
        self,
        judgements: Sequence[Judgement],
        routing: Routing,
        at: int,
        *,
        cursors: Iterable[Cursor] = (),
        sifter: Sifter | None = None,
        beside: Beside | None = None,
    ) -> Applied:
        """All judgements, their tickets, messages and notices, and how far the rules are, in one transaction.

        `sifter` holds back what need not be told on its own; without it everything is told. `beside` writes in the same
        transaction what else belongs to them; it may be called again when another writer was met.
        """
        for attempt in range(CONFLICTS):
            try:
                return await self._apply(judgements, routing, at, cursors, sifter=sifter, beside=beside)
            except IntegrityError as error:  # another process opened the same alarm in between: look again
                if attempt == CONFLICTS - 1:
                    raise StoreError("records", f"a transition clashes with another writer: {error.orig}") from error
        raise AssertionError("unreachable")

    async def _apply(
        self,
        judgements: Sequence[Judgement],
        routing: Routing,
        at: int,
        cursors: Iterable[Cursor],
        *,
        sifter: Sifter | None,
        beside: Beside | None,
    ) -> Applied:
        changes = Changes(routing, at, new_id)
        async with self.writing() as connection:
            judgements = await set_shadows_apart(connection, routing.site, judgements, at, new_id)
            changes.sift = await begin_sift(connection, routing.site, sifter)
            identities = [identity(routing.site, judgement) for judgement in judgements]
            seen = await known_judgements(connection, identities)
            keys = {judgement.key for judgement in judgements}
            live = await live_alarms(connection, routing.site, keys)
            if keys:
                changes.habits = await habits(connection, routing.site, keys)
                changes.removals = await removals(connection, routing.site)
                changes.routing = await informed(connection, routing, at)
            for number, (name, judgement) in enumerate(zip(identities, judgements, strict=True), 1):
                if number % PORTION == 0:
                    await asyncio.sleep(0)  # in a storm readings, ticks and messages need their turn too
                if name in seen:
                    changes.duplicates += 1
                    continue
                seen.add(name)
                judge(changes, live, judgement)
            await write(connection, changes)
            await save_cursors(connection, routing.site, cursors)
            if beside:
                await beside(connection)
        self.committed(changes)
        opened, moved, tickets = len(changes.opened), len(changes.moved), len(changes.tickets)
        return Applied(opened, moved, changes.unchanged, changes.duplicates, tickets, len(changes.outbox))

    async def save_cursors(self, site: str, cursors: Iterable[Cursor]) -> None:
        """Remember how far the rules are with each gateway."""
        async with self.writing() as connection:
            await save_cursors(connection, site, cursors)

    def committed(self, changes: Changes) -> None:
        """Keep what the changes made of their sifter, and wake the outbox. At once after the transaction, unawaited."""
        if changes.sift:
            changes.sift.sifter.keep(changes.sift)
        if changes.outbox:
            self.outbox_changed.set()

    # queries

    async def alarms(
        self,
        active: bool | None = None,
        *,
        asset: str | None = None,
        severity: int | None = None,
        states: Sequence[str] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Page[AlarmRow]:
        """Alarms, the newest first.

        `active`: not over yet (the condition is abnormal or held, an acknowledgement is owed, or it is suppressed).
        `states` are names of process states, suppressions or marks (MARKS). `after` is `Page.next` of the page before.
        """
        table = schema.alarms
        query = select(table)
        if active is not None:
            query = query.where(table.c.live.is_(active))
        if asset is not None:
            query = query.where(table.c.asset == asset)
        if severity is not None:
            query = query.where(table.c.severity == severity)
        if states:
            marked = [column.is_not(None) for name, column in MARKS.items() if name in states]
            query = query.where(or_(table.c.state.in_(states), table.c.suppression.in_(states), *marked))
        return await self.page(query, table.c.id, after, limit, alarm_row)

    async def alarm(self, alarm_id: str) -> AlarmRow:
        """One alarm; NotFoundError."""
        found = await self.rows(select(schema.alarms).where(schema.alarms.c.id == alarm_id))
        if not found:
            raise NotFoundError("alarm", alarm_id)
        return alarm_row(found[0])

    async def live_alarms(self, site: str) -> list[AlarmRow]:
        """Every alarm of a site that is not over, the oldest first."""
        table = schema.alarms
        query = select(table).where(table.c.site == site, table.c.live.is_(True)).order_by(table.c.id)
        return [alarm_row(found) for found in await self.rows(query)]

    async def journal(self, alarm_id: str) -> list[JournalRow]:
        """Every transition of an alarm, the oldest first."""
        table = schema.journal
        query = select(table).where(table.c.alarm_id == alarm_id).order_by(table.c.id)
        return [row(JournalRow, found) for found in await self.rows(query)]

    async def removals(self, *, asset: str | None = None, now: bool | None = None) -> list[RemovalRow]:
        """What is (`now`) or was out of service, the oldest first."""
        table = schema_life.out_of_service
        query = select(table).order_by(table.c.id)
        if asset is not None:
            query = query.where(table.c.asset == asset)
        if now is not None:
            query = query.where(table.c.ended_at.is_(None) if now else table.c.ended_at.is_not(None))
        return [row(RemovalRow, found) for found in await self.rows(query.limit(MAX_PAGE))]

    async def tickets(
        self,
        *,
        open_: bool | None = None,
        asset: str | None = None,
        assignee: str | None = None,
        states: Sequence[str] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Page[TicketRow]:
        """Tickets, the newest first; `open_` means neither closed nor cancelled."""
        table = schema.tickets
        query = select(table)
        if open_ is not None:
            final = table.c.state.in_([state.value for state in FINAL])
            query = query.where(~final if open_ else final)
        if asset is not None:
            query = query.where(table.c.asset == asset)
        if assignee is not None:
            query = query.where(table.c.assignee == assignee)
        if states:
            query = query.where(table.c.state.in_(states))
        return await self.page(query, table.c.id, after, limit, ticket_row)

    async def ticket(self, ticket_id: str) -> TicketRow:
        """One ticket; NotFoundError."""
        found = await self.rows(select(schema.tickets).where(schema.tickets.c.id == ticket_id))
        if not found:
            raise NotFoundError("ticket", ticket_id)
        return ticket_row(found[0])

    async def ticket_journal(self, ticket_id: str) -> list[TicketJournalRow]:
        """Every move of a ticket, the oldest first."""
        table = schema.ticket_journal
        query = select(table).where(table.c.ticket_id == ticket_id).order_by(table.c.id)
        return [row(TicketJournalRow, found) for found in await self.rows(query)]

    async def outbox(
        self,
        *,
        kind: str | None = None,
        state: str | None = None,
        alarm_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[OutboxRow]:
        """What has left or must leave, the newest first."""
        table = schema.outbox
        query = select(table)
        for column, wanted in ((table.c.kind, kind), (table.c.state, state), (table.c.alarm_id, alarm_id)):
            if wanted is not None:
                query = query.where(column == wanted)
        number = int(after) if after and after.isdigit() else None
        return await self.page(query, table.c.id, number, limit, lambda found: row(OutboxRow, found))

    async def deliveries(self, outbox_id: int) -> list[DeliveryRow]:
        """Every attempt to send one outbox row, the oldest first."""
        table = schema.deliveries
        query = select(table).where(table.c.outbox_id == outbox_id).order_by(table.c.id)
        return [row(DeliveryRow, found) for found in await self.rows(query)]

    async def cursors(self, site: str) -> dict[str, Cursor]:
        """How far the rules are, by gateway."""
        table = schema.cursors
        return {
            found["gateway"]: row(Cursor, found) for found in await self.rows(select(table).where(table.c.site == site))
        }

    async def counts(self) -> Counts:
        """The whole at a glance."""
        async with self.reading() as connection:
            return await _counts(connection)

    async def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """What a query finds."""
        async with self.reading() as connection:
            found: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
        return found

    async def page(self, query: Select[Any], key: Any, after: object, limit: int, build: Any) -> Page[Any]:
        """The rows whose `key` is below `after`, the highest first, each made by `build`."""
        limit = max(1, min(limit, MAX_PAGE))
        if after is not None:
            query = query.where(key < after)
        found = await self.rows(query.order_by(key.desc()).limit(limit + 1))
        items = tuple(build(item) for item in found[:limit])
        return Page(items, str(items[-1].id) if len(found) > limit else None)


async def _counts(connection: AsyncConnection) -> Counts:
    alarms, tickets, outbox = schema.alarms, schema.tickets, schema.outbox

    async def grouped(*columns: Any, where: Any = True) -> list[tuple[Any, ...]]:
        query = select(*columns, func.count()).where(where).group_by(*columns)
        return [tuple(found) for found in await connection.execute(query)]

    real = alarms.c.live.is_(True) & alarms.c.drill.is_(None)
    live = await grouped(alarms.c.severity, alarms.c.state, alarms.c.suppression, where=real)
    opened = await grouped(alarms.c.asset_class, alarms.c.raises)
    work = dict(await grouped(tickets.c.state))
    queue = {(kind, state): number for kind, state, number in await grouped(outbox.c.kind, outbox.c.state)}
    free = [entry for entry in live if entry[2] == Suppression.NONE.value]
    return Counts(
        active_by_severity={
            level: sum(number for severity, state, _, number in free if severity == level and State(state) in ACTIVE)
            for level in Counts.LEVELS
        },
        live=sum(entry[3] for entry in live),
        owed=sum(number for _, state, _, number in free if State(state) in OWED),
        suppressed=sum(entry[3] for entry in live) - sum(entry[3] for entry in free),
        alarms=sum(entry[2] for entry in opened),
        emergencies=sum(number for _, raises, number in opened if raises == "emergency"),
        tickets=sum(work.values()),
        open_tickets=sum(number for state, number in work.items() if TicketState(state) not in FINAL),
        outbox_pending=sum(number for (_, state), number in queue.items() if state == "pending"),
        outbox_dead=sum(number for (_, state), number in queue.items() if state == "dead"),
        sent=queue.get(("message", "sent"), 0),
        dead=queue.get(("message", "dead"), 0),
        by_class=_sums((name, number) for name, _, number in opened),
    )


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, number in pairs:
        found[name] = found.get(name, 0) + number
    return found


@asynccontextmanager
async def _as_store_errors() -> AsyncIterator[None]:
    """Turn trouble with the database itself into StoreError; a clash with another writer stays what it is."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError("records", f"{type(cause).__name__}: {cause}") from error
