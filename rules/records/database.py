"""The engine of the records database and its migrations: SQLite (WAL, synchronous FULL) or PostgreSQL (asyncpg)."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from facility.settings import RecordsSettings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000
"""How long a writer waits for another process's write in SQLite."""
MIGRATION_LOCK = 0x5AFE_C0DE
"""PostgreSQL advisory lock that one migrating process holds."""
TRIES = 20


def new_engine(settings: RecordsSettings, folder: Path) -> AsyncEngine:
    """The engine; nothing is opened yet, except that SQLite's folder is made."""
    serializers: dict[str, Any] = {
        "json_serializer": lambda value: msgspec.json.encode(value).decode(),
        "json_deserializer": msgspec.json.decode,
    }
    if settings.kind == "postgresql":
        url = "postgresql+asyncpg://" + settings.url.split("://", 1)[1]
        return create_async_engine(url, pool_pre_ping=True, connect_args={"timeout": 5}, **serializers)
    path = folder / settings.path
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"factory": _Sqlite}, **serializers)
    _prepare_sqlite(engine.sync_engine)
    return engine


class _Sqlite(sqlite3.Connection):
    """A connection that ends its transaction before it is closed.

    A task that is cancelled in the middle of a transaction may leave a cursor behind, and SQLite keeps a closed
    connection, with its lock, for as long as one of its statements lives: every other writer would wait for nothing.
    """

    def close(self) -> None:
        """Roll back what is open, then close."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # BEGIN is ours, below
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a reader that turns writer would fail at once with SQLITE_BUSY, so a writer says so from the start
        writes = connection.get_execution_options().get("caretaker_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def upgrade(engine: AsyncEngine) -> None:
    """Bring the schema to its newest form. Processes that start at once wait for each other."""
    for attempt in range(TRIES):
        try:
            async with engine.connect() as plain:
                connection = await plain.execution_options(caretaker_write=True)
                async with connection.begin():
                    await connection.run_sync(_upgrade)
            return
        except OperationalError as error:
            # SQLite: switching to WAL, or a first write, beside another process that does the same
            if "locked" not in str(error) or attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.1)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
