"""The records of checked commands: who asked, who approved, what the gateway said, what became of it.

Each act is one transaction through the table in rules.commanding, under a version check, with an entry in the audit.
Nothing is published here: the caller sends a command only after it is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import TransitionError
from facility.readings import Value
from facility.wire import CommandStep
from rules.life.commanding import WAITING, CommandEvent, Order, asked, overdue, step
from rules.life.rows import CommandRow, CommandStepRow, NotFoundError, Page, command_row, row, values
from rules.records import schema
from rules.records.records import Records, new_id
from rules.records.transactions import MAX_NOTE, ConflictError, audit, check_note, retried
from rules.records.transitions import SYSTEM, Act
from rules.records.writing import insert_missing

MAX_STEP = 56
"""Characters of a step's name, which with its prefix is an action of the audit."""
MAX_ID = 32
MAX_AT = 1 << 53
"""No instant and no whole number is larger: beyond it JSON can't be trusted."""
SWEPT = 100
"""Commands that one look at the clock ends at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants: a checked value for a point, by way of a gateway, for `ttl` seconds (0: for ever)."""

    gateway: str
    asset: str
    point: str
    value: float | int | bool
    ttl: float
    reason: str
    two_people: bool


class CommandDesk:
    """Commands of one site. `actor` is a user's name, `at` ms UTC.

    Errors: NotFoundError (404), TransitionError (409), ValueError (422) and StoreError (503).
    """

    def __init__(self, records: Records, site: str) -> None:
        self._records = records
        self._site = site

    # acts

    async def ask(self, wish: Wish, *, actor: str, at: int) -> CommandRow:
        """Put a wish on record: sent, as far as the desk is concerned, or waiting for a second person."""
        reason = _clean(wish.reason, MAX_NOTE + 1).strip()
        if not reason:
            raise ValueError("a command needs a reason")
        check_note(reason)
        order = asked(at, two_people=wish.two_people)
        fresh = CommandRow(
            id=new_id("C", at),
            site=self._site,
            gateway=wish.gateway,
            asset=wish.asset,
            point=wish.point,
            value=wish.value,
            ttl=wish.ttl,
            reason=reason,
            asked_by=actor,
            approved_by="",
            state=order.state,
            last_step="",
            message="",
            created_at=at,
            approved_at=None,
            expires_at=order.expires_at,
            due_at=order.due_at,
            changed_at=at,
            version=1,
        )
        detail = f"{wish.asset} {wish.point} = {wish.value}" + (f" for {wish.ttl:g} s" if wish.ttl else "")
        async with self._records.writing() as connection:
            await connection.execute(insert(schema.commands), [values(fresh)])
            act = Act(at=at, actor=actor, note=f"{detail}: {reason}")
            await audit(connection, act, "command.ask", fresh.id)
        return fresh

    async def approve(self, command_id: str, *, actor: str, at: int) -> CommandRow:
        """A second person agrees: never the one who asked (ValueError), and within five minutes."""

        def agreed(before: CommandRow) -> CommandEvent:
            if before.asked_by == actor:
                raise ValueError("somebody else has to approve")
            return CommandEvent.APPROVE

        return await self._act(command_id, agreed, Act(at=at, actor=actor))

    async def cancel(self, command_id: str, *, actor: str, at: int) -> CommandRow:
        """Withdraw a command that was not sent yet."""
        return await self._act(command_id, lambda _: CommandEvent.CANCEL, Act(at=at, actor=actor))

    async def fail(self, command_id: str, why: str, *, at: int) -> CommandRow:
        """It could not be handed to the gateway."""
        return await self._act(command_id, lambda _: CommandEvent.FAIL, Act(at=at, actor=SYSTEM, note=why))

    async def hear(self, gateway: str, said: CommandStep, *, at: int) -> CommandRow | None:
        """Keep what a gateway said of one of its commands; None when that was heard before.

        NotFoundError for a command that is not of this desk or not of this gateway, TransitionError for one that was
        never sent, ValueError for an impossible instant.
        """
        if not 0 <= said.at < MAX_AT:
            raise ValueError(f"a step at {said.at} ms is no instant")
        if said.id != _clean(said.id, MAX_ID):
            raise NotFoundError("command", _clean(said.id, MAX_ID))
        name, message = _clean(said.step, MAX_STEP), _clean(said.message, MAX_NOTE)

        async def attempt(connection: AsyncConnection) -> CommandRow | None:
            before = await self._locked(connection, said.id)
            if (before.gateway, before.asset, before.point) != (gateway, said.asset, said.point):
                raise NotFoundError("command", said.id)
            entry = {
                "command_id": said.id,
                "step": name,
                "at": said.at,
                "recorded_at": at,
                "value": _plain(said.value),
                "message": message,
                "final": said.final,
            }
            query = insert_missing(connection, schema.command_steps, "command_id", "step", "at")
            if (await connection.execute(query, entry)).rowcount != 1:
                return None
            order = step(before.order, CommandEvent.END if said.final else CommandEvent.ANSWER, at)
            after = _moved(replace(before, last_step=name, message=message), order, at)
            await _update(connection, before, after)
            note = message or ("" if said.value is None else _clean(str(said.value), MAX_NOTE))
            await audit(connection, Act(at=at, actor=gateway, note=note), f"command.{name}", said.id)
            return after

        return await retried(self._records, attempt)

    async def sweep(self, at: int) -> list[CommandRow]:
        """End what has waited too long, for its second person or for an answer; the commands that ended."""
        table = schema.commands
        query = select(table).where(
            table.c.site == self._site,
            table.c.state.in_([state.value for state in WAITING]),
            table.c.due_at < at,
        )
        ended = []
        for found in await self._records.rows(query.order_by(table.c.id).limit(SWEPT)):
            try:
                ended.append(await self._act(found["id"], lambda before: _due(before, at), Act(at=at, actor=SYSTEM)))
            except TransitionError:
                continue  # somebody was quicker
        return ended

    # queries

    async def command(self, command_id: str) -> CommandRow:
        """One command; NotFoundError."""
        found = await self._records.rows(select(schema.commands).where(schema.commands.c.id == command_id))
        if not found:
            raise NotFoundError("command", command_id)
        return command_row(found[0])

    async def commands(
        self, *, asset: str | None = None, states: Collection[str] = (), after: str | None = None, limit: int = 100
    ) -> Page[CommandRow]:
        """Commands, the newest first."""
        table = schema.commands
        query = select(table).where(table.c.site == self._site)
        if asset is not None:
            query = query.where(table.c.asset == asset)
        if states:
            query = query.where(table.c.state.in_(states))
        return await self._records.page(query, table.c.id, after, limit, command_row)

    async def steps(self, *command_ids: str) -> list[CommandStepRow]:
        """What gateways said of these commands, in the order in which it was heard."""
        table = schema.command_steps
        query = select(table).where(table.c.command_id.in_(command_ids)).order_by(table.c.id)
        return [row(CommandStepRow, found) for found in await self._records.rows(query)]

    # within a transaction

    async def _act(self, command_id: str, decide: Callable[[CommandRow], CommandEvent], act: Act) -> CommandRow:
        async def attempt(connection: AsyncConnection) -> CommandRow:
            before = await self._locked(connection, command_id)
            event = decide(before)
            after = _moved(before, step(before.order, event, act.at, actor=act.actor), act.at)
            if act.note:
                after = replace(after, message=act.note)
            await _update(connection, before, after)
            await audit(connection, act, f"command.{event.value}", command_id)
            return after

        return await retried(self._records, attempt)

    async def _locked(self, connection: AsyncConnection, command_id: str) -> CommandRow:
        table = schema.commands
        query = select(table).where(table.c.id == command_id, table.c.site == self._site).with_for_update()
        found = (await connection.execute(query)).mappings().first()
        if found is None:
            raise NotFoundError("command", command_id)
        return command_row(found)


def _due(before: CommandRow, at: int) -> CommandEvent:
    event = overdue(before.order, at)
    if event is None:
        raise TransitionError("command", before.state, CommandEvent.GIVE_UP)
    return event


def _moved(before: CommandRow, order: Order, at: int) -> CommandRow:
    return replace(
        before,
        state=order.state,
        due_at=order.due_at,
        approved_by=order.approved_by,
        approved_at=order.approved_at,
        expires_at=order.expires_at,
        changed_at=at,
        version=before.version + 1,
    )


async def _update(connection: AsyncConnection, before: CommandRow, after: CommandRow) -> None:
    table = schema.commands
    query = update(table).where(table.c.id == before.id, table.c.version == before.version).values(values(after))
    if (await connection.execute(query)).rowcount != 1:
        raise ConflictError


def _clean(text: str, longest: int) -> str:
    """Text of a stranger as every database takes it: no NUL, no half characters, not endless."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]


def _plain(value: Value) -> Value:
    """A value of a stranger as every database takes it."""
    if isinstance(value, str):
        return _clean(value, MAX_NOTE)
    if isinstance(value, int) and abs(value) >= MAX_AT:
        return str(value)[:MAX_NOTE]
    return value
