"""The console says why an alarm rang and what every rule of an asset comes to, in both languages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.readings import Quality, Sample, Value
from rules.book.compiled import Rulebook
from rules.book.rulebook import load_rulebook
from rules.effects import Judgement, Seen
from tests.api.console_house import Console, console_house, served
from tests.api.house import write_site
from tests.services.browser import PHONE, browser  # noqa: F401 - a fixture

PEOPLE = """
channels:
  - {id: log, kind: log}
routes:
  - {severities: [1, 2, 3], to: [log]}
"""
_READ: list[tuple[Site, Catalog, Rulebook]] = []
S = 1000


@pytest.fixture
async def console(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """The small house with a channel, the pressure low for a minute and an alarm for it."""
    if not _READ:
        folder = write_site(tmp_path_factory.mktemp("why"))
        (folder / "people.yaml").write_text(PEOPLE, encoding="utf-8")
        site, catalog = load_site(folder, env={})
        _READ.append((site, catalog, load_rulebook(site, catalog)))
    site, catalog, book = _READ[0]
    async with console_house(tmp_path, loaded=(site, catalog)) as house, served(house) as address:
        house.deps.explainer._book = book
        await low_pressure(house)
        yield Console(house, browser, address)


async def low_pressure(house) -> None:  # type: ignore[no-untyped-def]
    now = house.clock.ms()
    for ago in range(400, -1, -10):
        low = ago <= 100
        values: dict[str, Value] = {
            "sys.outlet_pressure": 0.1 if low else 0.45,
            "sys.setpoint": 0.45,
            "sys.run": True,
            "room.flood": False,
            "sys.flow": 3.2,
        }
        await house.publish(Sample("PS-01", now - ago * S, values, {}))
    items = {item.rule.id: item for item in house.deps.explainer._book.by_asset["PS-01"]}
    item = items["water_pump.no_water"]
    at = now - 70 * S
    seen = {key: Seen(0.1, Quality.GOOD, at) for key in item.points}
    facts: dict[str, Value] = dict.fromkeys(item.points, 0.1)
    judgement = Judgement(item.rule, "PS-01", "raise", at, at - 30 * S, facts, False, seen)
    await house.deps.records.apply([judgement], house.routing, at + 300)
    house.deps.board.touch()


@pytest.mark.parametrize(
    ("language", "sentence", "told"),
    [
        ("zh", "出水压力低于 0.1125 MPa（0.1 MPa）", "已通知"),
        ("en", "Outlet pressure is below 0.1125 MPa (0.1 MPa)", "people were told"),
    ],
)
async def test_an_alarm_says_why_it_rang(console: Console, language: str, sentence: str, told: str) -> None:
    alarm = (await console.house.deps.records.alarms(asset="PS-01")).items[0].id
    async with console.window(language=language) as visit:
        await visit.go(f"/console/alarms?alarm={alarm}")
        await visit.sees(".why .said.then .sentence", limit=60)
        assert sentence in await visit.text(".why .said.then .sentence")
        await visit.sees(".why .tree .mark.yes")
        await visit.sees(".why .inputs .value")
        await visit.page.locator(".why details.fold > summary").last.click()
        await visit.sees(".why .sent")
        assert told in await visit.page.locator(".why details.fold").last.inner_text()
        assert await visit.overflow() <= 0
        assert visit.complaints == []
        if folder := os.environ.get("CARETAKER_SHOTS"):
            await visit.page.set_viewport_size({"width": 1440, "height": 1700})
            await visit.page.screenshot(path=f"{folder}/why-{language}.png")


@pytest.mark.parametrize(("language", "verdict"), [("zh", "报警中"), ("en", "in alarm")])
async def test_an_asset_says_what_its_rules_come_to(console: Console, language: str, verdict: str) -> None:
    async with console.window(language=language) as visit:
        await visit.go("/console/assets/PS-01")
        await visit.sees(".rules .verdict", limit=60)
        assert await visit.text(".rules .verdict") == verdict
        shown = await visit.page.locator(".rules details.rule").count()
        await visit.page.locator(".rules details.rule > summary").first.click()
        await visit.sees(".rules .tree .mark")
        if folder := os.environ.get("CARETAKER_SHOTS"):
            await visit.page.screenshot(path=f"{folder}/rules-{language}.png", full_page=True)
        await visit.page.locator(".rules button.quiet").click()
        await visit.until(f"document.querySelectorAll('.rules details.rule').length > {shown}")
        assert visit.complaints == []


async def test_it_fits_a_phone(console: Console) -> None:
    async with console.window(size=PHONE) as visit:
        await visit.go("/console/assets/PS-01")
        await visit.sees(".rules .verdict", limit=60)
        assert await visit.overflow() <= 0
