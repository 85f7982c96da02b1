"""The console's page of drills and impairments: banners, what is overdue, rounds, and the acts of a manager."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.console.standing_dialogs import zones_of
from rules.desk import drilling, impairing
from rules.desk.drilling import Declaration
from rules.desk.impairing import Opening
from rules.drills.scope import Scope
from rules.rule import Raises
from tests.api.console_house import Console, console_house, served
from tests.api.house import House, a_rule
from tests.services.browser import PHONE, open_browser

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


async def furnish(house: House) -> None:
    """A drill that runs, one that is planned, something overdue with a round due, something in order."""
    records, routing, now = house.deps.records, house.routing, house.clock.ms()
    for name, start, scope in (
        ("疏散演习", None, Scope(locations=("roof",), zones={"FA-01": (6, 7)})),
        ("全楼断电演练", now + DAY, Scope(site=True)),
    ):
        until = (start or now) + 2 * HOUR
        wanted = Declaration(name=name, scope=scope, reason="半年一次，消防队在场", from_at=start, until_at=until)
        await drilling.declare(records, routing, wanted, actor="manager", at=now)
    then = now - DAY
    for what, asset, hours, suppress in (
        ("1号消防泵电机拆修", "PS-01", 20, ("water_pump.pump_fault",)),
        ("2号客梯更换钢丝绳", "EL-02", 60, ()),
    ):
        opening = Opening(
            scope=Scope(assets=(asset,)), what=what, reason="年度检修", owner="赵工", expires_at=then + hours * HOUR,
            measures="安排专人巡查，备好灭火器", rounds_every=30 if suppress else 0, suppress=suppress,
        )  # fmt: skip
        await impairing.open_impairment(records, routing, opening, actor="operator", at=then)
    await impairing.tick(records, routing, now)
    await house.alarm("EL-01", a_rule("elevator.entrapment", 1, raises=Raises.EMERGENCY))
    await house.alarm("PS-01", a_rule("water_pump.dry", 2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("standing")) as house,
        served(house) as address,
    ):
        await furnish(house)
        yield Console(house, browser, address)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.slow
@pytest.mark.service("chromium")
@pytest.mark.parametrize(
    ("language", "banner", "overdue"), [("zh", "演习进行中", "已超期"), ("en", "Drill running until", "OVERDUE")]
)
async def test_every_screen_says_that_a_drill_runs_and_what_is_overdue(
    console: Console, language: str, banner: str, overdue: str
) -> None:
    async with console.window("viewer", language=language) as window:
        await window.go("/console/standing")
        await window.sees(".card.late")
        assert banner in await window.page.locator(".banner.drill").inner_text()
        assert overdue in await window.page.locator(".card.late .state").inner_text()
        assert await window.page.locator('[data-act="end_drill"], [data-act="restored"]').count() == 0
        await window.go("/console/alarms")
        await window.sees(".card.drill")
        assert "1" not in await window.page.locator(".counts .s1 .number").inner_text()
        assert not window.complaints


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.slow
@pytest.mark.service("chromium")
async def test_a_round_is_confirmed_and_a_drill_is_declared_and_ended(console: Console) -> None:
    async with console.window("manager", language="en") as window:
        await window.go("/console/standing")
        await window.page.click('.card.late [data-act="round_done"]')
        await window.page.fill(".dialog input", "Walked all floors, nothing found")
        await window.page.click(".dialog .button.main:visible")
        await window.sees(".card.late .note:not(.now)")
        await window.page.click('[data-act="declare"]')
        await window.page.fill('[data-field="name_of_drill"]', "Lift rescue")
        await window.page.fill('[data-field="reason"]', "Half-yearly")
        await window.page.fill('[data-field="scope_zones"]', "FA-01: 9")
        await window.page.click(".standing-form:visible .confirm")
        await window.sees('.card.running:has-text("Lift rescue")')
        await window.page.click('.card.running:has-text("Lift rescue") [data-act="end_drill"]')
        await window.page.click(".dialog .button.main:visible")
        await window.sees('.card.over:has-text("Lift rescue")')
        assert not window.complaints


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.slow
@pytest.mark.service("chromium")
async def test_a_phone_has_one_column(console: Console) -> None:
    async with console.window("operator", language="en", size=PHONE) as window:
        await window.go("/console/standing")
        await window.sees(".card.late")
        assert await window.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("", {}),
        ("FA-01: 6, 7", {"FA-01": (6, 7)}),
        ("FA-01：6、7；FA-02: 3", {"FA-01": (6, 7), "FA-02": (3,)}),
        ("FA-01", None),
        ("FA-01: six", None),
    ],
)
def test_zones_as_people_write_them(text: str, zones: dict[str, tuple[int, ...]] | None) -> None:
    assert zones_of(text) == zones
