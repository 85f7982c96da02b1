"""Commanding at the console: confirmed with old and new value, approved by another, every step shown in words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from facility.readings import Sample
from tests.api.commandable import WHOLE_WAY, FakeGateway, commandable
from tests.api.console_house import Console, console_house, served
from tests.services.browser import PHONE, open_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]
PAGE = "/console/assets/PS-01"
SETPOINT = '[data-command="sys.setpoint_pct"]'
RUN = '[data-command="sys.run"]'
MODE = '[data-command="sys.operation_mode"]'
NEWEST = '.card.command[style*="order: 0"]'


@dataclass
class Plant(Console):
    """A served house whose pumps answer to commands."""

    gateway: FakeGateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    """One house, gateway and browser for the tests of this file."""
    folder = tmp_path_factory.mktemp("commands")
    async with (
        open_browser() as browser,
        console_house(folder, loaded=commandable(folder)) as house,
        served(house) as address,
    ):
        gateway = FakeGateway(house.bus)
        task = asyncio.create_task(gateway.answer())
        await asyncio.wait_for(house.deps.commander.listening.wait(), 5)
        values = {"sys.setpoint_pct": 45.0, "sys.run": True, "sys.operation_mode": 0, "sys.remote_access": True}
        await house.publish(Sample("PS-01", house.clock.ms(), values))
        yield Plant(house, browser, address, gateway)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def fresh(plant: Plant) -> None:
    """A gateway that answers the whole way and has taken nothing."""
    plant.gateway.steps, plant.gateway.message = WHOLE_WAY, ""
    plant.gateway.taken.clear()


async def test_a_number_is_confirmed_sent_and_told_step_by_step(plant: Plant) -> None:
    async with plant.window() as window:
        await window.go(PAGE)
        await window.sees(f"{SETPOINT} .value:has-text('45 %')")
        assert await window.text(f"{SETPOINT} .when") == "20–80 % · 最长 1 小时，之后恢复原值 · 前提：总线控制 = 总线"
        await window.page.fill(f"{SETPOINT} input", "60")
        await window.page.click(f"{SETPOINT} .command")
        await window.sees(".commanding-dialog .change")
        dialog = await window.text(".commanding-dialog")
        for words in ("下发指令", "PS-01 生活水泵", "设定值比例", "45 %", "60 %", "15 分钟"):
            assert words in dialog
        await window.page.click(".commanding-dialog .confirm")
        await window.sees("text=请填写原因")
        assert plant.gateway.taken == []
        await window.page.fill(".commanding-dialog input[maxlength]", "夜间试运行")
        await window.page.click(".commanding-dialog .confirm")
        await window.sees(f"{NEWEST} .state.done:has-text('已完成')")
        await window.misses(".commanding-dialog")
        card = await window.text(NEWEST)
        for words in (
            "设定值比例",
            "→ 60 %",
            "operator 下发",
            "15 分钟后恢复",
            "夜间试运行",
            "正在写入 · 60 %",
            "正在回读",
        ):
            assert words in card
        assert not window.complaints
    (command,) = plant.gateway.taken
    assert (command.value, command.ttl, command.by, command.reason) == (60.0, 900.0, "operator", "夜间试运行")


async def test_what_is_out_of_limits_never_gets_to_the_dialog(plant: Plant) -> None:
    async with plant.window(language="en") as window:
        await window.go(PAGE)
        await window.page.click(f"{SETPOINT} .command")
        await window.sees("text=Say first what it shall be")
        await window.page.fill(f"{SETPOINT} input", "81")
        await window.page.click(f"{SETPOINT} .command")
        await window.sees(f"{SETPOINT} :text('From 20 to 80')")
        await window.misses(".commanding-dialog")
    assert plant.gateway.taken == []


async def test_two_people_approve_on_the_same_page(plant: Plant) -> None:
    async with plant.window(language="en") as one, plant.window("manager", size=PHONE) as other:
        for window in (one, other):
            await window.go(PAGE)
        await one.page.click(f"{RUN} .command:has-text('Stopped')")
        await one.sees(".commanding-dialog :text('Somebody else has to approve')")
        await one.page.fill(".commanding-dialog input[maxlength]", "Leak on floor 7")
        await one.page.click(".commanding-dialog .confirm")
        await one.sees(f"{NEWEST} .state.awaiting_second:has-text('Waits for a second person')")
        assert await one.page.locator(".approve").count() == 0
        assert plant.gateway.taken == []
        await other.page.click(f"{NEWEST} .approve")
        await other.sees(".commanding-dialog .change")
        dialog = await other.text(".commanding-dialog")
        for words in ("批准指令", "PS-01 生活水泵", "机组运行", "运行", "停止", "operator 下发", "Leak on floor 7"):
            assert words in dialog
        await other.page.click(".commanding-dialog .confirm")
        await other.sees(f"{NEWEST} .state.done")
        await one.sees(f"{NEWEST} .state.done:has-text('Done')")
        assert "asked by operator · approved by manager" in await one.text(f"{NEWEST} .when")
        assert await other.overflow() <= 0
    (command,) = plant.gateway.taken
    assert (command.value, command.by, command.second) == (False, "operator", "manager")


async def test_a_state_is_chosen_and_what_waits_is_withdrawn(plant: Plant) -> None:
    plant.gateway.steps, plant.gateway.message = ("received", "refused"), "the unit is in local mode"
    async with plant.window(language="en") as window:
        await window.go(PAGE)
        await window.page.click(f"{MODE} .q-select")
        assert await window.page.locator(".q-menu .q-item").all_inner_texts() == ["Automatic", "Minimum", "Maximum"]
        await window.page.click(".q-menu >> text=Minimum")
        await window.page.click(f"{MODE} .command")
        await window.page.fill(".commanding-dialog input[maxlength]", "Trial")
        await window.page.click(".commanding-dialog .confirm")
        await window.sees(f"{NEWEST} .state.refused:has-text('Refused')")
        assert "the unit is in local mode" in await window.text(f"{NEWEST} .told")
        await window.page.click(f"{RUN} .command:has-text('Running')")
        await window.page.fill(".commanding-dialog input[maxlength]", "By mistake")
        await window.page.click(".commanding-dialog .confirm")
        await window.page.click(f"{NEWEST} .withdraw")
        await window.sees(f"{NEWEST} .state.cancelled:has-text('Cancelled')")
    assert [command.value for command in plant.gateway.taken] == [4]


async def test_who_may_not_command_sees_what_was_commanded(plant: Plant) -> None:
    user = await plant.house.deps.gate.user_of(plant.house.tokens["admin"])
    assert user is not None
    await plant.house.deps.commander.ask(user, "PS-01", "sys.setpoint_pct", 50, ttl=None, reason="Seen by all")
    for role in ("viewer", "crew"):
        async with plant.window(role, language="en") as window:
            await window.go(PAGE)
            await window.sees(f"{NEWEST}:has-text('Seen by all')")
            assert await window.page.locator(".command-point, .approve, .withdraw").count() == 0


async def test_what_can_not_be_commanded_has_no_section(plant: Plant) -> None:
    async with plant.window("admin") as window:
        for asset in ("EL-01", "FA-01", "PW-01"):
            await window.go(f"/console/assets/{asset}")
            await window.sees(".points")
            assert await window.page.locator(".commanding").count() == 0


async def test_a_gateway_that_is_away_fails_the_command_in_words(plant: Plant) -> None:
    await plant.house.status("gw-1", online=False)
    try:
        async with plant.window() as window:
            await window.go(PAGE)
            await window.page.click(f"{MODE} .q-select")
            await window.page.click(".q-menu >> text=最大")
            await window.page.click(f"{MODE} .command")
            await window.page.fill(".commanding-dialog input[maxlength]", "试运行")
            await window.page.click(".commanding-dialog .confirm")
            await window.sees("text=指令未能送达网关")
            await window.sees(f"{NEWEST} .state.failed:has-text('失败')")
    finally:
        await plant.house.status("gw-1")
    assert plant.gateway.taken == []
