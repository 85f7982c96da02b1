"""Debian's Chromium, headless, driven by Playwright: no browser is downloaded, and it asks nobody but our server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.services.require import require

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP = (1600, 900)
PHONE = (390, 844)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A browser with a profile of its own that is gone afterwards; skips the test where Chromium is not installed."""
    path = require("chromium", "chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, args=list(FLAGS), timeout=30_000
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser for one test."""
    async with open_browser() as browser:
        yield browser


@dataclass
class Visit:
    """One person's browser window. `requested`: every address it asked for; `complaints`: errors on its console."""

    page: Page
    context: BrowserContext
    address: str
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page of the server."""
        await self.page.goto(self.address + path)

    async def text(self, selector: str) -> str:
        """The text of the first match, once it is there."""
        return (await self.page.locator(selector).first.inner_text()).strip()

    async def sees(self, selector: str, *, limit: float = 15.0) -> None:
        """Return once something on the page matches and is visible."""
        await self.page.locator(selector).first.wait_for(state="visible", timeout=limit * 1000)

    async def misses(self, selector: str, *, limit: float = 15.0) -> None:
        """Return once nothing visible matches."""
        await self.page.locator(selector).first.wait_for(state="hidden", timeout=limit * 1000)

    async def until(self, script: str, *, limit: float = 15.0) -> None:
        """Return once a JavaScript expression is true."""
        await self.page.wait_for_function(script, timeout=limit * 1000)

    async def untouched(self, script: str, value: object, *, limit: float = 8.0) -> None:
        """Return once an expression has this value, asked in a way that does not count as a gesture of the user."""
        session = await self.context.new_cdp_session(self.page)
        async with asyncio.timeout(limit):
            while True:
                answer = await session.send("Runtime.evaluate", {"expression": script, "userGesture": False})
                if answer["result"].get("value") == value:
                    break
                await asyncio.sleep(0.05)
        await session.detach()

    async def overflow(self) -> int:
        """How many pixels the page is wider than the window: a horizontal scroll bar when it is more than 0."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@asynccontextmanager
async def visit(
    browser: Browser, address: str, *, size: tuple[int, int] = DESKTOP, cookies: dict[str, str] | None = None
) -> AsyncIterator[Visit]:
    """A window of its own, with these cookies for the server."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    try:
        await context.add_cookies([{"name": k, "value": v, "url": address} for k, v in (cookies or {}).items()])
        page = await context.new_page()
        page.set_default_timeout(20_000)
        seen = Visit(page, context, address)
        page.on("request", lambda request: seen.requested.append(request.url))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("console", lambda line: seen.complaints.append(line.text) if line.type == "error" else None)
        yield seen
    finally:
        await context.close()
