"""The records as they are, for a command that only reads: nothing is made, and no schema is brought up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from facility.errors import StoreError
from facility.settings import RecordsSettings
from rules.records.database import new_engine
from rules.records.records import Records


@asynccontextmanager
async def look_into(settings: RecordsSettings, folder: Path) -> AsyncIterator[Records]:
    """The records of a site folder, beside whatever process writes them; StoreError when there are none."""
    if settings.kind == "sqlite" and not (folder / settings.path).exists():
        raise StoreError("records", f"{folder / settings.path}: is not there; the rules never ran here")
    engine = new_engine(settings, folder)
    try:
        yield Records(engine)
    finally:
        await engine.dispose()
