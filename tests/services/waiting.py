"""Wait for something real (a process, a broker) without sleeping longer than it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], *, limit: float = 5.0) -> None:
    """Return as soon as `condition` holds; TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)
