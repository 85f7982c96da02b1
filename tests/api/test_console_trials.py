"""The pages of rules on trial in a real browser, in both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from rules.records.rule_texts import note_versions
from rules.versions import stamped
from tests.api.console_house import Console, console_house, served
from tests.api.house import a_rule
from tests.api.test_rule_trials import HOUR, LIVE, SHADOW, raised
from tests.services.browser import PHONE, open_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """A house with a shadow rule that saw more than the live one."""
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("console")) as house,
        served(house) as address,
    ):
        now, records = house.clock.ms(), house.deps.records
        older = stamped(replace(LIVE, when="car.overload"))
        await note_versions(records, "tower", [older], now - 90 * HOUR)
        await note_versions(records, "tower", [LIVE, SHADOW, stamped(a_rule("else"))], now - 80 * HOUR)
        await raised(house, LIVE, now - 50 * HOUR, now - 49 * HOUR)
        await raised(house, SHADOW, now - 51 * HOUR, now - 49 * HOUR)
        await raised(house, SHADOW, now - 20 * HOUR, now - 19 * HOUR)
        await house.alarm("EL-01", LIVE, at=now - HOUR)
        yield Console(house, browser, address)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("影子规则：最近 7 天与现行规则对比", "与现行规则 lift.stuck 对比", "新增", "更早 · 更长", "消失")),
        ("en", ("Shadow rules beside the live ones", "beside the live rule lift.stuck", "added", "earlier · longer")),
    ],
)
async def test_the_page_shows_both_rules(console: Console, language: str, words: tuple[str, ...]) -> None:
    async with console.window(language=language) as window:
        await window.go("/console/rules")
        await window.page.wait_for_selector(".trial td")
        text = await window.text(".trials")
        for word in (*words, "lift.stuck.shadow @ "):
            assert word in text
        assert "else" not in text


async def test_it_fits_a_phone(console: Console) -> None:
    async with console.window(size=PHONE) as window:
        await window.go("/console/rules")
        await window.page.wait_for_selector(".trial td")
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE[0]


async def test_an_alarm_leads_to_the_text_of_its_rule(console: Console) -> None:
    alarm = (await console.house.deps.records.alarms(True)).items[0].id
    async with console.window(language="en") as window:
        await window.go(f"/console/alarms?alarm={alarm}")
        await window.page.click("a.version")
        await window.page.wait_for_selector(".source")
        assert '"when": "car.moving"' in await window.text(".source")
        assert LIVE.version in await window.text(".version.here")
        assert await window.page.locator(".choice .version").count() == 2
        await window.go("/console/rules/nobody")
        assert "The rule nobody never ran" in await window.text(".empty")
