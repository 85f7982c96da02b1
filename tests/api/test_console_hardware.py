"""The console's page of the simulated hardware: a fault begins and ends by clicks; a viewer only looks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.console_house import Console, console_house, served
from tests.services.browser import PHONE, open_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]
PAGE = "/console/hardware?on=asset&subject=EL-01"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("hardware")) as house,
        served(house) as address,
    ):
        yield Console(house, browser, address)


async def test_a_fault_begins_and_ends_by_clicks(console: Console) -> None:
    lift = console.house.simulation.building.models["EL-01"]
    async with console.window("manager") as window:
        await window.go("/console/")
        await window.page.click(".more summary")
        await window.page.click("text=模拟设备")
        await window.sees(".hardware .empty")
        await window.page.click(".subject:has-text('EL-01')")
        await window.page.click('[data-deed="pit_water"] .begin')
        await window.sees('[data-fault="EL-01 pit_water"]')
        assert lift.active == {"pit_water"}
        await window.page.click('[data-fault="EL-01 pit_water"] .end')
        await window.misses('[data-fault="EL-01 pit_water"]')
        assert not lift.active
        assert not window.complaints


async def test_params_are_taken_from_the_fields(console: Console) -> None:
    lift = console.house.simulation.building.models["EL-01"]
    async with console.window("admin", language="en") as window:
        await window.go(PAGE)
        deed = window.page.locator('[data-deed="entrapment"]')
        await deed.locator("input").first.fill("7")
        await deed.locator("input").last.fill("300")
        await deed.locator(".begin").click()
        await window.sees('[data-fault="EL-01 entrapment"]')
        assert lift.param("entrapment", "button_after", 0.0) == 7.0
        assert "5 min left" in await window.text('[data-fault="EL-01 entrapment"]')
        await window.page.click('[data-fault="EL-01 entrapment"] .end')
        await window.misses('[data-fault="EL-01 entrapment"]')


async def test_who_may_not_simulate_sees_no_buttons(console: Console) -> None:
    for role in ("viewer", "operator", "crew"):
        async with console.window(role, size=PHONE) as window:
            await window.go(PAGE)
            await window.sees('[data-deed="entrapment"]')
            assert await window.page.locator(".begin, .end").count() == 0
            assert await window.overflow() <= 0


async def test_a_subject_that_is_not_there(console: Console) -> None:
    async with console.window("manager", language="en") as window:
        await window.go("/console/hardware?on=moon&subject=<script>")
        assert await window.text(".hardware .empty") == "Choose something on the left"


async def test_a_device_whose_simulation_broke_down_is_shown(console: Console) -> None:
    console.house.simulation.crashed["EL-02-gw"] = "ZeroDivisionError: in its model"
    async with console.window("viewer", language="en", size=PHONE) as window:
        await window.go(PAGE)
        text = await window.text('[data-crashed="EL-02-gw"]')
        assert "answers no more" in text
        assert "ZeroDivisionError: in its model" in text
        assert await window.overflow() <= 0
