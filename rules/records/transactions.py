"""What every act in the records shares: it is tried anew when somebody else was quicker, and kept in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import StoreError
from rules.records import schema
from rules.records.records import CONFLICTS, Records
from rules.records.transitions import Act

MAX_NOTE = 2000
"""Characters of a note or reason."""

T = TypeVar("T")


class ConflictError(Exception):
    """The row changed between reading and writing."""


async def retried(records: Records, attempt: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """What `attempt` gives in a transaction, a few times if it meets a ConflictError; StoreError if it always does."""
    for _ in range(CONFLICTS):
        try:
            async with records.writing() as connection:
                return await attempt(connection)
        except ConflictError:
            continue
    raise StoreError("records", "somebody else keeps changing the same row")


async def acted(records: Records, attempt: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """`retried`, and the outbox is woken for what the act has to tell."""
    done = await retried(records, attempt)
    records.outbox_changed.set()
    return done


def check_note(note: str) -> None:
    """ValueError for a note that is too long."""
    if len(note) > MAX_NOTE:
        raise ValueError(f"a note may have {MAX_NOTE} characters")


async def audit(connection: AsyncConnection, act: Act, action: str, object_: str) -> None:
    """Keep who did what to which alarm, ticket or command, within the transaction that does it."""
    entry = {"at": act.at, "actor": act.actor, "action": action, "object": object_, "detail": act.note}
    await connection.execute(insert(schema.audit), [entry])
