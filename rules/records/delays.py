"""The delays that run, kept in the records so that a restart does not begin them anew.

They are written in the transaction of the cursors, and only those that changed: what is here is what every reading up
to the cursors has come to. Every function works within the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.conditions import Phase, State
from rules.records.schema_life import delays
from rules.records.transitions import Key
from rules.records.writing import KEY, key_columns, upsert

Delays = Mapping[Key, State | None]
"""Rule at asset -> the state that its condition waits in; None: it waits no more."""
_STATE = ("phase", "since", "spent", "running", "stopped")


class Unsaved:
    """Delays that changed and are not in the records yet; a change that never got there needs no deletion."""

    def __init__(self) -> None:
        self._waiting: dict[Key, State | None] = {}
        self._kept: set[Key] = set()

    def begin(self, kept: Delays, known: Collection[Key]) -> None:
        """What the records have at the start; those of rules that are gone are to be deleted."""
        self._kept = set(kept)
        self._waiting = {key: None for key in kept if key not in known}

    def take(self, changed: Delays) -> Delays:
        """What is to be written now, with what has just changed; it waits until `saved`."""
        self._waiting |= changed
        self._waiting = {key: state for key, state in self._waiting.items() if state or key in self._kept}
        return dict(self._waiting)

    def saved(self, written: Delays) -> None:
        """These are in the records."""
        self._kept = {key for key in self._kept | written.keys() if written.get(key, True)}
        self._waiting = {key: state for key, state in self._waiting.items() if key not in written}


async def load_delays(connection: AsyncConnection, site: str) -> dict[Key, State | None]:
    """Every delay of a site that was running or standing still when the cursors were written."""
    found = (await connection.execute(select(delays).where(delays.c.site == site))).mappings()
    return {
        (row["rule"], row["rule_index"], row["asset"]): State(
            Phase(row["phase"]), row["since"], row["spent"], row["running"], row["stopped"]
        )
        for row in found
    }


async def save_delays(connection: AsyncConnection, site: str, changed: Delays) -> None:
    """Keep the delays that changed; None: it is over."""
    over = [_where(site, key) for key, state in changed.items() if state is None]
    if over:
        statement = delete(delays).where(*(delays.c[name] == bindparam(f"is_{name}") for name in KEY))
        await connection.execute(statement, over)
    rows = [{**key_columns(site, key), **_columns(state)} for key, state in changed.items() if state is not None]
    if rows:
        await connection.execute(upsert(connection, delays, KEY, _STATE), rows)


def _where(site: str, key: Key) -> dict[str, object]:
    return {f"is_{name}": value for name, value in key_columns(site, key).items()}


def _columns(state: State) -> dict[str, object]:
    return {**asdict(state), "phase": state.phase.value}
