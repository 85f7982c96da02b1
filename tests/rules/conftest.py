"""Records in a temporary folder, and builders with sensible defaults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from facility.settings import RecordsSettings
from rules.records.records import Records, open_records


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    """Fresh records in SQLite."""
    async with open_records(RecordsSettings(path="records.sqlite"), tmp_path) as opened:
        yield opened
