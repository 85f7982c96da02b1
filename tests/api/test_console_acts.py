"""What people do at the console: acknowledge, shelve, reset, move tickets; and what they may not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from api.auth import Role
from api.deps import COOKIE
from facility.errors import StoreError
from rules.life.tickets import TicketEvent
from rules.records.schema import audit, users
from tests.api.console_house import Console, console_house, served
from tests.api.house import a_rule
from tests.services.browser import PHONE, open_browser, visit

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.service("chromium")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """One served house and one browser for the tests of this file; each raises alarms of its own."""
    async with (
        open_browser() as browser,
        console_house(tmp_path_factory.mktemp("acts")) as house,
        served(house) as address,
    ):
        yield Console(house, browser, address)


async def audited(console: Console, object_: str) -> list[tuple[str, str]]:
    """(actor, action) of everything done to this object."""
    async with console.house.deps.records.reading() as connection:
        rows = await connection.execute(select(audit).where(audit.c.object == object_).order_by(audit.c.id))
        return [(row.actor, row.action) for row in rows]


async def test_an_alarm_appears_and_is_acknowledged_by_a_click(console: Console) -> None:
    house = console.house
    async with console.window() as window:
        await window.go("/console/alarms")
        await window.sees(".clock")
        alarm = await house.alarm("EL-01", a_rule("appears", 1))
        card = f'[data-alarm="{alarm}"]'
        await window.sees(f"{card}.owed")
        assert "门区外停梯" in await window.text(f"{card} .title")
        assert await window.text(f"{card} .state") == "未确认"
        await window.page.click(f"{card} .acknowledge")
        await window.sees(f"{card}:not(.owed)")
        assert await window.text(f"{card} .state") == "已确认"
        await window.misses(f"{card} .acknowledge")
    row = await house.deps.records.alarm(alarm)
    assert (row.state, row.acknowledged_by) == ("acknowledged", "operator")
    assert await audited(console, alarm) == [("operator", "alarm.acknowledge")]


async def test_a_push_leads_to_its_alarm_with_guidance_facts_and_journal(console: Console) -> None:
    alarm = await console.house.alarm("EL-01", a_rule("pushed"))
    async with console.window(language="en") as window:
        await window.go(f"/alarms/{alarm}")
        await window.sees(".detail.open")
        assert window.page.url.endswith(f"/console/alarms?alarm={alarm}")
        detail = await window.text(".detail")
        for words in (
            "Stopped between floors",
            "Lift 1",
            "Speak to the passengers first",
            "Floor",
            "7",
            "Raised · rules",
        ):
            assert words in detail
        await window.page.click(".detail .acknowledge")
        await window.sees(".detail .journal .entry:has-text('Acknowledged · operator')")
        await console.house.alarm("EL-01", a_rule("pushed"), "clear")
        await window.misses(f'[data-alarm="{alarm}"]')
        # it is over and has left the list; who looks at it sees how it ended
        await window.sees(".detail .state:has-text('Normal')")
        await window.page.click(".detail .close")
        await window.misses(".detail.open")
        await window.until("location.pathname + location.search === '/console/alarms'")


async def test_a_viewer_sees_no_buttons(console: Console) -> None:
    alarm = await console.house.alarm("EL-02", a_rule("looked_at"))
    async with console.window("viewer") as window:
        await window.go(f"/console/alarms?alarm={alarm}")
        await window.sees(".detail .journal .entry")
        assert await window.page.locator(".acknowledge, .shelve, .reset").count() == 0
        await window.go("/console/tickets")
        await window.sees(".ticket")
        assert await window.page.locator(".ticket .buttons .button").count() == 0
    async with console.window("crew") as window:
        await window.go(f"/console/alarms?alarm={alarm}")
        await window.sees(".detail .acknowledge")
        assert await window.page.locator(".shelve").count() == 0


async def test_a_right_taken_away_counts_at_once_not_at_the_next_page(console: Console) -> None:
    house, deps = console.house, console.house.deps
    alarm = await house.alarm("EL-02", a_rule("demoted"))
    at = deps.clock.ms()
    user = await deps.accounts.add("temp", Role.OPERATOR, language="en", password_hash="-", at=at, actor="test")
    token = await deps.accounts.add_token(user, "test", at, expires=None, actor="test")
    async with visit(console.browser, console.address, cookies={COOKIE: token}) as window:
        await window.go("/console/alarms")
        await window.sees(f'[data-alarm="{alarm}"] .acknowledge')
        async with deps.records.writing() as connection:
            await connection.execute(update(users).where(users.c.name == "temp").values(role="viewer"))
        deps.gate._known.clear()
        await window.page.click(f'[data-alarm="{alarm}"] .acknowledge')
        await window.sees("text=Your role may not do this")
        assert (await deps.records.alarm(alarm)).state == "unacknowledged"
        async with deps.records.writing() as connection:
            await connection.execute(update(users).where(users.c.name == "temp").values(disabled=True))
        deps.gate._known.clear()
        await window.page.wait_for_url("**/console/login**")


async def test_who_comes_too_late_is_told_the_state(console: Console) -> None:
    house = console.house
    alarm = await house.alarm("EL-01", a_rule("raced"))
    async with console.window(language="en") as window:
        await window.go("/console/alarms")
        await window.sees(f'[data-alarm="{alarm}"] .acknowledge')
        # a colleague in another process: this one hears of it a moment later
        await house.deps.commands.acknowledge(alarm, actor="crew", at=house.clock.ms())
        await window.page.click(f'[data-alarm="{alarm}"] .acknowledge')
        await window.sees("text=Not done: it is Acknowledged by now")
        await window.misses(f'[data-alarm="{alarm}"] .acknowledge')


async def test_a_database_that_does_not_answer_is_no_dead_end(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = await console.house.alarm("EL-01", a_rule("retried"))

    async def away(*_: object, **__: object) -> object:
        raise StoreError("records", "locked")

    async with console.window() as window:
        await window.go("/console/alarms")
        monkeypatch.setattr(console.house.deps.commands, "acknowledge", away)
        await window.page.click(f'[data-alarm="{alarm}"] .acknowledge')
        await window.sees("text=暂时无法执行，请重试")
        monkeypatch.undo()
        await window.page.click(f'[data-alarm="{alarm}"] .acknowledge')
        await window.sees(f'[data-alarm="{alarm}"]:not(.owed)')


async def test_shelving_needs_a_reason_and_ends_by_a_click(console: Console) -> None:
    records = console.house.deps.records
    alarm = await console.house.alarm("EL-02", a_rule("shelved", 3))
    emergency = await console.house.alarm("EL-02", a_rule("never_shelved", 1))
    async with console.window() as window:
        await window.go(f"/console/alarms?alarm={emergency}")
        await window.sees(".detail .acknowledge")
        assert await window.page.locator(".detail .shelve").count() == 0
        await window.page.click(f'[data-alarm="{alarm}"] .title')
        await window.page.click(".detail .shelve")
        await window.page.click(".dialog .confirm")
        await window.sees("text=请填写原因")
        await window.page.fill(".dialog input[maxlength]", "等待备件")
        await window.page.click(".dialog .confirm")
        await window.sees(f'[data-alarm="{alarm}"].quiet')
        row = await records.alarm(alarm)
        assert row.suppression == "shelved"
        assert row.shelved_until is not None
        assert 3_500_000 < row.shelved_until - row.changed_at <= 3_600_000
        await window.sees(".detail .journal .entry:has-text('等待备件')")
        await window.page.click(".detail .unshelve")
        await window.sees(f'[data-alarm="{alarm}"]:not(.quiet)')
    assert (await records.alarm(alarm)).suppression == "none"


async def test_a_latched_alarm_is_reset_after_its_acknowledgement(console: Console) -> None:
    rule = a_rule("latched", latch=True)
    alarm = await console.house.alarm("EL-01", rule)
    await console.house.alarm("EL-01", rule, "clear")
    async with console.window() as window:
        await window.go("/console/alarms")
        card = f'[data-alarm="{alarm}"]'
        await window.sees(f"{card} .state:has-text('已锁定，未确认')")
        assert await window.page.locator(f"{card} .reset").count() == 0
        await window.page.click(f"{card} .acknowledge")
        await window.page.click(f"{card} .reset")
        await window.misses(card)
    assert (await console.house.deps.records.alarm(alarm)).live is False


async def test_a_crew_works_a_ticket_on_a_phone(console: Console) -> None:
    house = console.house
    alarm = await house.alarm("EL-01", a_rule("worked"))
    ticket = (await house.deps.records.alarm(alarm)).ticket_id
    card = f'[data-ticket="{ticket}"]'
    async with console.window("crew", size=PHONE) as window:
        await window.go("/console/tickets")
        assert await window.text(f"{card} .state") == "待处理"
        assert await window.page.locator(f"{card} .assign").count() == 0
        await window.page.click(f"{card} .button.accept")
        await window.page.click(f"{card} .button.arrive")
        await window.page.click(f"{card} .button.finish")
        await window.page.fill(".dialog textarea", "更换门机皮带")
        await window.page.click(".dialog .confirm")
        await window.sees(f"{card} .state:has-text('已完成')")
        await window.page.click(f"{card} button.quiet")
        await window.sees(f"{card} .entry:has-text('更换门机皮带')")
        assert await window.overflow() <= 0
    row = await house.deps.records.ticket(str(ticket))
    assert (row.state, row.assignee) == ("done", "crew")
    assert [action for _, action in await audited(console, str(ticket))] == [
        "ticket.accept", "ticket.arrive", "ticket.finish",
    ]  # fmt: skip


async def test_a_manager_assigns_and_closes(console: Console) -> None:
    house = console.house
    alarm = await house.alarm("EL-02", a_rule("assigned"))
    ticket = str((await house.deps.records.alarm(alarm)).ticket_id)
    card = f'[data-ticket="{ticket}"]'
    async with console.window("manager", language="en") as window:
        await window.go("/console/tickets")
        await window.page.click(f"{card} .button.assign")
        await window.page.click(".dialog .confirm")
        await window.sees("text=is no user who may work on tickets")
        await window.page.click(".dialog .q-select")
        await window.page.click(".q-menu >> text=crew")
        await window.page.click(".dialog .confirm")
        await window.sees(f"{card} .when:has-text('Assignee: crew')")
        # moves made elsewhere arrive by themselves
        at = house.clock.ms()
        for event in (TicketEvent.ACCEPT, TicketEvent.FINISH, TicketEvent.VERIFY):
            await house.deps.commands.move_ticket(ticket, event, actor="crew", at=at)
        await window.page.click(f"{card} .button.close")
        await window.misses(card)
        await window.page.click(".choice >> text=All")
        await window.sees(f"{card}.closed")
    assert (await house.deps.records.ticket(ticket)).state == "closed"


async def test_windows_of_two_people_do_not_mix(console: Console) -> None:
    alarm = await console.house.alarm("EL-01", a_rule("both"))
    async with console.window("crew") as one, console.window("viewer", language="en") as other:
        for window in (one, other):
            await window.go("/console/alarms")
        await one.page.click(f'[data-alarm="{alarm}"] .acknowledge')
        await other.sees(f'[data-alarm="{alarm}"] .state:has-text("Acknowledged")')
        await one.sees(f'[data-alarm="{alarm}"] .state:has-text("已确认")')
    row = await console.house.deps.records.alarm(alarm)
    assert row.acknowledged_by == "crew"
