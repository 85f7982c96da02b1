"""A house whose console is served to browsers: real clock, memory bus and store, SQLite records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

from api.app import create_app
from api.deps import COOKIE
from api.server import serve
from api.session import LANGUAGE_COOKIE
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.presence import STATUS
from tests.api.house import House, a_house
from tests.services.browser import DESKTOP, Visit, visit


@dataclass
class Console:
    """A served house and a browser to look at it with."""

    house: House
    browser: Browser
    address: str

    def window(
        self, role: str | None = "operator", *, language: str = "zh", size: tuple[int, int] = DESKTOP
    ) -> AbstractAsyncContextManager[Visit]:
        """A window of somebody with this role, logged in; of nobody, if None."""
        cookies = {LANGUAGE_COOKIE: language} | ({COOKIE: self.house.tokens[role]} if role else {})
        return visit(self.browser, self.address, size=size, cookies=cookies)


@asynccontextmanager
async def served(house: House, port: int = 0) -> AsyncIterator[str]:
    """Serve the house's application with its console; gives the address."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()
    app = create_app(house.deps)
    work = [
        asyncio.create_task(house.deps.live.run()),
        asyncio.create_task(house.deps.commander.run()),
        asyncio.create_task(serve(app, port=port, ready=lambda host, at: answered.set_result(f"http://{host}:{at}"))),
    ]
    try:
        await asyncio.wait([answered, *work], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        yield answered.result()
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def console_house(folder: Path, *, loaded: tuple[Site, Catalog] | None = None) -> AsyncIterator[House]:
    """A house with the machine's own clock, both gateways online; each goes on saying what a test said last for it."""
    async with a_house(folder, loaded=loaded, clock=SystemClock()) as house:  # type: ignore[arg-type]
        for gateway in house.deps.site.gateways:
            await house.status(gateway)
        telling = asyncio.create_task(_tell(house))
        yield house
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


async def _tell(house: House) -> None:
    while True:
        await asyncio.sleep(STATUS)
        for gateway in tuple(house.said):
            await house.say(gateway)
