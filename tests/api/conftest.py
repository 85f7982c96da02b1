"""A house, and a client of its API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from tests.api.house import House, a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A small house, its live cache following the bus, both gateways online."""
    async with a_house(tmp_path) as house:
        task = asyncio.create_task(house.deps.live.run())
        await asyncio.wait_for(house.deps.live.listening.wait(), 2)
        for gateway in house.deps.site.gateways:
            await house.status(gateway)
        yield house
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token; tests add `headers=house.auth(role)`."""
    transport = httpx.ASGITransport(create_app(house.deps, console=False), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://caretaker") as client:
        yield client
