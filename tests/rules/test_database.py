"""The engine of the records: what a cancelled transaction leaves behind must not lock out the next one."""

from __future__ import annotations

from pathlib import Path

import aiosqlite
from sqlalchemy import text

from facility.settings import RecordsSettings
from rules.records.database import new_engine


async def test_a_connection_closed_in_the_middle_of_a_statement_keeps_no_lock(tmp_path: Path) -> None:
    engine = new_engine(RecordsSettings(path="records.sqlite"), tmp_path)
    async with engine.connect() as left:
        await left.execute(text("CREATE TABLE t (n)"))
        await left.commit()
        raw = (await left.get_raw_connection()).driver_connection
        assert isinstance(raw, aiosqlite.Connection)
        await raw.execute("BEGIN IMMEDIATE")
        # as a cancelled task leaves it: rows that nobody has fetched, and somebody still holds the cursor
        cursor = await raw.execute("INSERT INTO t VALUES (1), (2), (3) RETURNING n")
        await raw.close()
        async with engine.connect() as plain:
            await plain.execute(text("PRAGMA busy_timeout = 0"))
            await plain.rollback()
            writer = await plain.execution_options(caretaker_write=True)
            async with writer.begin():
                assert (await writer.execute(text("SELECT count(*) FROM t"))).scalar() == 0
        assert cursor
        await left.invalidate()
    await engine.dispose()
