"""The console's page of the alarm system's figures, and the line of coverage over the wall, in both languages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.console_house import Console, console_house, served
from tests.api.house import a_rule
from tests.services.browser import PHONE, open_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]
MINUTE = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """A house with a day behind it: a burst, a lift door that comes again and again, some answers."""
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("performance")) as house,
        served(house) as address,
    ):
        now = house.clock.ms()
        for number in range(14):
            await house.alarm("EL-01", a_rule("door", 3), at=now - 900 * MINUTE + number * 20 * MINUTE)
            await house.alarm("EL-01", a_rule("door", 3), "clear", at=now - 900 * MINUTE + number * 20 * MINUTE + 5_000)
        for number in range(12):
            alarm = await house.alarm("PS-01", a_rule(f"pump{number}", 1 + number % 4), at=now - 60 * MINUTE + number)
        await house.deps.commands.acknowledge(alarm, actor="operator", at=now - 58 * MINUTE)
        yield Console(house, browser, address)


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh", ("报警质量", "每10分钟报警数（平均）", "数据不足", "超标")),
     ("en", ("Alarm quality", "Alarms per 10 min, mean", "not enough data", "over"))],
)  # fmt: skip
async def test_a_manager_reads_the_figures(console: Console, language: str, words: tuple[str, ...]) -> None:
    async with console.window("manager", language=language) as window:
        await window.go("/console/")
        await window.page.click(".more summary")
        await window.page.click('.pages a[href="/console/performance"]')
        await window.sees('[data-kpi="per_ten_mean"]')
        text = await window.text("body")
        for word in words:
            assert word in text, word
        assert await window.page.locator(".card").count() == 5
        assert await window.page.locator(".bad").count() == 10
        assert "14" in await window.text(".bad")
        assert "operator" in await window.text(".people")
        _ = await _picture(window.page, f"performance-{language}")
        await window.page.click(".performance .files a")
        await window.sees("h1")
        assert ("报警系统月报" in await window.text("h1")) is (language == "zh")
        _ = await _picture(window.page, f"report-{language}")
        assert not window.complaints


async def test_it_fits_a_phone(console: Console) -> None:
    async with console.window("operator", size=PHONE) as window:
        await window.go("/console/performance?days=7")
        await window.sees(".card")
        _ = await _picture(window.page, "performance-phone")
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE[0]


async def test_who_may_not_read_it_is_told_so(console: Console) -> None:
    async with console.window("viewer") as window:
        await window.go("/console/performance")
        await window.sees(".performance .empty")
        assert await window.page.locator(".card").count() == 0
        assert await window.page.locator('.pages a[href="/console/performance"]').count() == 0


@pytest.mark.parametrize(("language", "words"), [("zh", "监测覆盖"), ("en", "Watched")])
async def test_the_wall_says_how_much_is_watched(console: Console, language: str, words: str) -> None:
    async with console.window("viewer", language=language) as window:
        await window.go("/console/")
        await window.until(f"document.querySelector('.coverage .whole').innerText.includes('{words}')")
        await window.sees(".coverage .part.critical")
        _ = await _picture(window.page, f"wall-{language}")
        assert not window.complaints


async def _picture(page: object, name: str) -> None:
    """For a person who wants to look: CARETAKER_PICTURES names the folder."""
    if folder := os.environ.get("CARETAKER_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)  # type: ignore[attr-defined]
