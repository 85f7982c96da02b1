"""The console in a real browser: login, wall, quality, languages, phones."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from nicegui import Client

from api import live
from facility.errors import StoreError
from facility.presence import SILENT_MS
from facility.readings import Quality, Sample
from tests.api.console_house import Console, console_house, served
from tests.api.house import PASSWORD, a_rule
from tests.services.browser import PHONE, Visit, open_browser
from tests.services.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]

FLOOR = '[data-point="EL-01 car.floor"]'
OLD_MS = 20 * 60 * 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """One served house and one browser for the tests of this file; each uses assets of its own."""
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("console")) as house,
        served(house) as address,
    ):
        yield Console(house, browser, address)


async def log_in(window: Visit, name: str, password: str) -> None:
    await window.page.fill("input[name=name]", name)
    await window.page.fill("input[name=password]", password)
    await window.page.click("button[type=submit]")


async def test_nobody_enters_without_the_right_password(console: Console) -> None:
    async with console.window(None) as window:
        await window.go("/console/alarms?alarm=A1")
        assert "/console/login" in window.page.url
        await log_in(window, "operator", "not the password")
        assert "用户名或密码不正确" in await window.text(".failed")
        await window.go("/console/alarms")
        await log_in(window, "operator", PASSWORD)
        await window.sees(".clock")
        assert window.page.url.endswith("/console/alarms")
        await window.page.click("text=退出")
        await window.sees("form[action='/session']")
        await window.go("/console/")
        assert "/console/login" in window.page.url


async def test_a_reading_is_on_the_wall_within_a_second(console: Console) -> None:
    async with console.window() as window:
        await console.house.reading("EL-01", "car.floor", 3)
        await window.go("/console/")
        await window.until(f"document.querySelector('{FLOOR}')?.textContent === '3'")
        took = []
        for floor in (4, 5, 6):
            since = time.monotonic()
            await console.house.reading("EL-01", "car.floor", floor)
            await window.until(f"document.querySelector('{FLOOR}').textContent === '{floor}'", limit=2)
            took.append(time.monotonic() - since)
        assert min(took) < 1.0, took
        assert not window.complaints
        assert window.requested
        assert not [
            address for address in window.requested if not address.startswith((console.address, "ws://", "data:"))
        ]


async def test_what_is_not_good_is_marked_with_its_reason(console: Console) -> None:
    house = console.house
    await house.publish(Sample("EL-02", house.clock.ms() - OLD_MS, {"car.speed": 1.5}))
    await house.publish(Sample("EL-02", house.clock.ms(), {"car.floor": None}, {"car.floor": Quality.COMM}))
    async with console.window(language="en") as window:
        await window.go("/console/")
        await window.sees('[data-point="EL-02 car.speed"].stale')
        assert await window.text('[data-point="EL-02 car.speed"]') == "1.50 m/s"
        assert await window.text('[data-point="EL-02 car.speed"] + .mark') == "stale 20 min"
        assert await window.text('[data-point="EL-02 car.floor"].bad') == "—"
        assert await window.text('[data-point="EL-02 car.floor"] + .mark') == "no comms"
        assert await window.text('[data-point="EL-02 car.load"] + .mark') == "no data yet"
        await window.sees('[data-asset="EL-02"].dead')


async def test_nothing_of_a_gateway_that_is_gone_looks_live(console: Console) -> None:
    house = console.house
    await house.reading("FA-01", "panel.mode", 1, gateway="gw-2")
    async with console.window() as window:
        await window.go("/console/")
        await window.sees('[data-point="FA-01 panel.mode"].live')
        await house.status("gw-2", online=False)
        await window.sees('[data-point="FA-01 panel.mode"].stale')
        await window.sees(".gateway.bad:has-text('gw-2 离线')")
        assert await window.text(".gateway.good") == "1 个网关在线"
        await house.status("gw-2", down=["fire-1"])
        await window.sees('[data-point="FA-01 panel.mode"].live')
        await window.sees(".gateway.warn:has-text('1 台设备中断')")
        await house.status("gw-2")
        await window.sees(".gateway.good:has-text('2 个网关在线')")
        await window.misses(".gateway:has-text('gw-')")


async def test_a_gateway_that_froze_shows_in_a_page_that_stands_open(console: Console) -> None:
    house = console.house
    await house.reading("FA-01", "panel.mode", 1, gateway="gw-2")
    async with console.window() as window:
        await window.go("/console/")
        await window.sees('[data-point="FA-01 panel.mode"].live')
        del house.said["gw-2"]
        house.deps.live._presence["gw-2"].heard = house.clock.ms() - SILENT_MS
        await window.sees('[data-point="FA-01 panel.mode"].stale')
        await window.sees(".gateway.bad:has-text('gw-2 离线')")
        await house.status("gw-2")
        await window.sees('[data-point="FA-01 panel.mode"].live')


async def test_a_lost_broker_and_lost_records_are_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    house = console.house
    await house.reading("AC-01", "door[1].contact", True, gateway="gw-1")
    async with console.window() as window:
        await window.go("/console/")
        await window.sees('[data-point="AC-01 door[1].contact"].live')
        monkeypatch.setattr(live, "GRACE_S", 0.0)
        monkeypatch.setattr(type(house.bus), "connected", property(lambda _: False))
        await window.sees(".banner:has-text('消息总线已断开')")
        await window.sees('[data-point="AC-01 door[1].contact"].stale')

        async def away(_: str) -> list[object]:
            raise StoreError("records", "gone")

        monkeypatch.setattr(house.deps.records, "live_alarms", away)
        house.deps.board.touch()
        await window.sees(".banner:has-text('报警数据库没有响应')", limit=8)
        monkeypatch.undo()
        await window.misses(".banner.shown", limit=8)
        await window.sees('[data-point="AC-01 door[1].contact"].live')


async def test_the_worst_alarm_colours_its_tile_and_sounds_until_acknowledged(console: Console) -> None:
    house = console.house
    async with console.window() as window:
        rule = a_rule("power.test", 1, asset_class="power")
        alarm = await house.alarm("PW-01", rule)
        await window.go("/console/")
        # nobody has touched this window: the browser blocks its sound, and the page says so
        await window.untouched("document.body.dataset.sounding", "blocked")
        await window.untouched("document.getElementById('sound').textContent", "点击启用声音")
        await window.sees('[data-asset="PW-01"].alarm1.owed')
        assert "紧急 · 门区外停梯" in await window.text('[data-asset="PW-01"] .words')
        await window.sees(".counts .s1.owed")
        await window.page.click(".clock")
        await window.until("document.body.dataset.sounding === '1'")
        assert await window.text("#sound") == "声音：开"
        await window.page.click("#sound")
        assert await window.text("#sound") == "声音：已静音"
        await window.until("document.body.dataset.sounding === ''")
        await window.page.click("#sound")
        await window.until("document.body.dataset.sounding === '1'")
        await house.deps.commands.acknowledge(alarm, actor="operator", at=house.clock.ms())
        house.deps.board.touch()
        await window.until("document.body.dataset.sounding === ''")
        await window.sees('[data-asset="PW-01"].alarm1:not(.owed)')
        await house.alarm("PW-01", rule, "clear")


async def test_a_language_chosen_on_a_page_stays_and_keeps_the_page(console: Console) -> None:
    async with console.window("viewer") as window:
        await window.go("/console/assets/EL-01?point=car.floor")
        await window.sees("text=台账")
        await window.page.click("#language")
        await window.sees("text=Ledger")
        assert window.page.url.endswith("/console/assets/EL-01?point=car.floor")
        assert await window.page.evaluate("document.documentElement.lang") == "en"
        await window.go("/console/")
        assert "Lift 1" in await window.text('[data-asset="EL-01"] .label')
        await window.page.click("#language")
        assert "1号客梯" in await window.text('[data-asset="EL-01"] .label')


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_no_page_is_wider_than_a_phone(console: Console, language: str) -> None:
    alarm = await console.house.alarm("EL-02", a_rule(f"narrow_{language}"))
    async with console.window(language=language, size=PHONE) as window:
        for path in ("", "alarms", f"alarms?alarm={alarm}", "tickets", "assets/EL-02", "login"):
            await window.go(f"/console/{path}")
            await window.sees("form" if path == "login" else ".clock")
            assert await window.overflow() <= 0, path


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [1280, 1440, 1501, 1601, 1701])
async def test_the_head_of_the_page_is_one_line(console: Console, language: str, width: int) -> None:
    house = console.house
    name = f"head.test_{language}_{width}"  # one alarm that comes and goes too often would be shelved
    rules = [a_rule(f"{name}_{severity}", severity, asset_class="access_control") for severity in (1, 2, 3, 4)]
    for rule in rules:
        await house.alarm("AC-01", rule)
    async with console.window(language=language, size=(width, 800)) as window:
        await window.go("/console/")
        for severity in (1, 2, 3, 4):
            await window.sees(f".counts .s{severity}.some")
            assert await window.page.locator(f".counts .s{severity}").get_attribute("title")
        await window.sees(".gateway.good")
        assert await window.page.evaluate("document.querySelector('.bar').offsetHeight") < 70
        assert await window.overflow() <= 0
    for rule in rules:
        await house.alarm("AC-01", rule, "clear")


@pytest.mark.parametrize(("language", "short", "hour"), [("zh", "10 分钟", "1 小时"), ("en", "10 min", "1 h")])
async def test_a_young_history_begins_with_ten_minutes(console: Console, language: str, short: str, hour: str) -> None:
    house = console.house
    await house.publish(Sample("PW-01", house.clock.ms() - 5 * 60_000, {"p.total": 40.0}), hist=True)
    async with console.window(language=language) as window:
        await window.go("/console/assets/PW-01?point=p.total")
        await window.sees(f".history .button.here:has-text('{short}')")
        await window.page.click(f".history >> text={hour}")
        await window.sees(f".history .button.here:has-text('{hour}')")
        await window.misses(f".history .button.here:has-text('{short}')")


async def test_the_asset_page_draws_what_the_store_holds(console: Console) -> None:
    house = console.house
    at = house.clock.ms()
    for minute in range(30, 0, -1):
        await house.publish(
            Sample("PS-01", at - minute * 60_000, {"sys.outlet_pressure": 0.5 + minute / 100}), hist=True
        )
    await house.publish(Sample("PS-01", at, {"sys.outlet_pressure": 0.55, "sys.run": True}))
    async with console.window(language="en") as window:
        await window.go("/console/assets/PS-01")
        await window.sees(".history canvas")
        assert await window.text(".history .title") == "Outlet pressure"
        await window.sees(".history .button.here:has-text('1 h')")
        assert (await window.text('[data-point="sys.outlet_pressure"] .value')).startswith("0.550")
        assert await window.text('[data-point="sys.outlet_pressure"] .quality') == "good"
        await window.page.click('[data-point="sys.run"]')
        await window.until("document.querySelector('.history .title').textContent !== 'Outlet pressure'")
        assert window.page.url.endswith("?point=sys.run")
        await window.page.click(".history >> text=24 h")
        await window.sees(".history .button.here:has-text('24 h')")
        await window.go("/console/assets/NOT-THERE")
        assert "There is no asset NOT-THERE" in await window.text(".empty")
        assert [text for text in window.complaints if "404" not in text] == []


async def test_a_closed_page_leaves_nothing_behind(console: Console) -> None:
    await until(lambda: not Client.instances, limit=8)
    async with console.window() as window:
        for path in ("", "alarms", "tickets"):
            await window.go(f"/console/{path}")
            await window.sees(".clock")
        assert Client.instances
    await until(lambda: not Client.instances, limit=8)
