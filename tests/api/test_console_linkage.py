"""The console's page of the linkage: what counts down, what came, what failed; runs that are over; notes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from rules.records import linkage_runs
from tests.api.console_house import Console, console_house, served
from tests.api.linkage_runs import a_run, keep
from tests.api.linkage_story import Story, fire
from tests.services.browser import PHONE, open_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("linkage")) as house,
        served(house) as address,
    ):
        now = house.clock.ms()
        old = a_run(house, now - 3_600_000, run_id="L1")
        old.close(now - 3_540_000, "reset")  # the lifts had 30 s more
        await keep(house, old, a_run(house, now - 70_000, run_id="L2"))
        yield Console(house, browser, address)


@pytest.mark.parametrize(("language", "failed", "left"), [("zh", "未动作", "剩余"), ("en", "FAILED", "s left")])
async def test_the_run_that_is_going_on_is_shown_with_its_countdown(
    console: Console, language: str, failed: str, left: str
) -> None:
    async with console.window("viewer", language=language) as window:
        await window.go("/console/linkage")
        await window.sees('[data-effect="14"].failed')
        assert failed in await window.page.locator('[data-effect="14"] .verdict').inner_text()
        assert left in await window.page.locator('[data-effect="4"] .left').inner_text()
        await window.sees('[data-effect="8"].late')
        await window.sees('[data-effect="17"].not_applicable')
        assert not window.complaints


async def test_a_run_that_is_over_is_opened_and_gets_a_note(console: Console) -> None:
    async with console.window("operator", language="en") as window:
        await window.go("/console/linkage")
        await window.page.click('[data-run="L1"]')
        await window.sees('[data-effect="4"].pending')
        assert "panel reset" in await window.page.locator(".run > .first .state").inner_text()
        await window.page.click("text=Add a note")
        await window.page.fill("textarea", "Power cut by hand at 14:03")
        await window.page.click(".button.main:has-text('Confirm')")
        await window.sees(".said .entry:has-text('Power cut by hand')")
        assert not window.complaints
    links = await linkage_runs.links(console.house.deps.records, console.house.deps.site.id, "L1")
    assert [(link.kind, link.author) for link in links] == [("run", ""), ("note", "operator")]


@pytest.mark.parametrize(
    ("language", "said", "mark"), [("zh", "到期未到位", "读数"), ("en", "not there by its deadline", "By hand: ")]
)
async def test_an_alarm_of_it_says_what_did_not_come(console: Console, language: str, said: str, mark: str) -> None:
    house = console.house
    rows = (await house.deps.records.alarms(asset="FA-01")).items
    alarm = next((row.id for row in rows if row.rule == "fire_alarm.smoke_fan_failed"), None)
    if alarm is None:
        story = Story(house)
        await fire(story)
        await story.pass_to(60)
        house.deps.board.touch()
        alarm = await story.alarm("fire_alarm.smoke_fan_failed")
    async with console.window("viewer", language=language) as window:
        await window.go(f"/console/alarms?alarm={alarm}")
        await window.sees(".why .said.then .sentence", limit=60)
        assert said in await window.text(".why .said.then .sentence")
        assert mark in await window.text(".why")
        await window.sees(".why .tree .mark.no")
        await window.sees(".why .inputs .value")
        assert await window.overflow() <= 0
        assert not window.complaints
        if folder := os.environ.get("CARETAKER_SHOTS"):
            await window.page.set_viewport_size({"width": 1440, "height": 1700})
            await window.page.screenshot(path=f"{folder}/why-linkage-{language}.png")
        await window.page.click("a.version")
        await window.sees(".source")
        assert '"limit_s": 15.0' in await window.text(".source")
        assert await window.page.locator(".choice .version").count() == 1


async def test_who_may_not_write_sees_no_button_and_a_phone_has_one_column(console: Console) -> None:
    async with console.window("viewer", language="en", size=PHONE) as window:
        await window.go("/console/linkage?run=L1")
        await window.sees('[data-effect="6"].confirmed')
        assert await window.page.locator("text=Add a note").count() == 0
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE[0]
