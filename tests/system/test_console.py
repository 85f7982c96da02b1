"""The console of the demonstration as its user meets it: log in, watch, hear of the entrapment, acknowledge it.

Keeps pictures of every page in ./artifacts/, for whoever looks at a run of CI.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.services.browser import DESKTOP, PHONE, Visit, visit

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
ENTRAPMENT = ".card:has-text('电梯困人')"

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.service("chromium"), pytest.mark.timeout(150)]


@dataclass
class Demo:
    """A running demonstration: what it printed for its user."""

    address: str
    password: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def demonstration() -> AsyncIterator[Demo]:
    """`caretaker demo --scenario tour` in a process of its own, stopped with Ctrl-C."""
    command = ["-u", "-m", "caretaker", "demo", "--port", "0", "--scenario", "tour"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(40):
            text = ""
            assert process.stdout
            while not (found := re.search(r"(http://\S+?)/?\s.*?password (\S+)", text, re.DOTALL)):
                line = await process.stdout.readline()
                assert line, f"the demonstration ended: {text}"
                text += line.decode()
        drain = asyncio.create_task(process.stdout.read())
        yield Demo(found[1], found[2], process)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            await process.wait()
        await drain
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def log_in(window: Visit, demo: Demo) -> None:
    await window.go("/")
    await window.page.fill("input[name=name]", "operator")
    await window.page.fill("input[name=password]", demo.password)
    await window.page.click("button[type=submit]")
    await window.sees(".clock")


async def keep(window: Visit, name: str) -> None:
    """A picture, once the page has settled: fonts are there, and the charts have drawn."""
    await window.until("document.fonts.status === 'loaded'")
    await window.page.screenshot(path=ARTIFACTS / f"console-{name}.png")


async def test_an_operator_sees_the_building_live_and_acknowledges_the_entrapment(browser: Browser) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    async with demonstration() as demo:
        async with visit(browser, demo.address, size=DESKTOP) as window:
            await log_in(window, demo)
            # a lift that moves changes what the wall says of it, without a reload
            await window.sees('[data-asset="EL-01"] .number.live')
            await window.page.evaluate("window.before = document.querySelector('main').innerText")
            await window.until("document.querySelector('main').innerText !== window.before")
            await window.sees('[data-asset="EL-02"].alarm1.owed', limit=60)
            await keep(window, "wall-zh")
            await window.go("/console/alarms")
            await window.page.click(f"{ENTRAPMENT} .acknowledge")
            await window.sees(f"{ENTRAPMENT}:not(.owed)")
            await window.page.click(f"{ENTRAPMENT} .title")
            await window.sees(".detail .entry:has-text('确认 · operator')")
            await keep(window, "alarms-zh")
            assert not window.complaints
            state = await window.context.storage_state()
            cookies = {cookie["name"]: cookie["value"] for cookie in state["cookies"]}
        for language in ("zh", "en"):
            for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
                await pictures(browser, demo, cookies | {"caretaker_language": language}, f"{language}-{device}", size)
    assert demo.process.returncode == 0


async def pictures(browser: Browser, demo: Demo, cookies: dict[str, str], name: str, size: tuple[int, int]) -> None:
    async with visit(browser, demo.address, size=size, cookies=cookies) as window:
        for page, path in (("wall", ""), ("alarms", "alarms"), ("tickets", "tickets"), ("asset", "assets/WP-01")):
            await window.go(f"/console/{path}")
            await window.sees({"wall": ".tile", "alarms": ".card", "tickets": ".ticket", "asset": "canvas"}[page])
            assert await window.overflow() <= 0, (page, name)
            await keep(window, f"{page}-{name}")
