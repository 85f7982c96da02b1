"""The server goes away under an open page: the page says so at once, and comes back by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from api.console.frame import Frame
from api.deps import COOKIE
from tests.api.console_house import console_house, served
from tests.services.browser import visit

pytestmark = [pytest.mark.slow, pytest.mark.service("chromium")]

COVERED = "getComputedStyle(document.body, '::after').content.includes('与服务器断开')"
FLOOR = '[data-point="EL-01 car.floor"]'


async def test_a_server_that_goes_covers_the_page_and_one_that_comes_uncovers_it(
    tmp_path: Path, browser: Browser
) -> None:
    async with console_house(tmp_path) as house:
        await house.reading("EL-01", "car.floor", 3)
        async with served(house) as address:
            pass
        port = int(address.rpartition(":")[2])
        cookies = {COOKIE: house.tokens["operator"]}
        async with visit(browser, address, cookies=cookies) as window:
            async with served(house, port):
                await window.go("/console/")
                await window.sees(FLOOR)
                assert not await window.page.evaluate(COVERED)
            await window.until(COVERED, limit=8)
            async with served(house, port):
                await house.reading("EL-01", "car.floor", 9)
                await window.until(f"!({COVERED}) && document.querySelector('{FLOOR}')?.textContent === '9'", limit=15)


async def test_a_page_whose_server_has_stopped_counting_is_covered_too(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        console_house(tmp_path) as house,
        served(house) as address,
        visit(browser, address, cookies={COOKIE: house.tokens["operator"]}) as window,
    ):
        await window.go("/console/")
        await window.sees(FLOOR)
        monkeypatch.setattr(Frame, "_show_counts", _fails)
        await window.until(COVERED, limit=12)
        monkeypatch.undo()
        await window.until(f"!({COVERED})", limit=8)


def _fails(_: object) -> None:
    raise ZeroDivisionError("a defect in the page")
