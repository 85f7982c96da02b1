"""The records of commands, over SQLite and PostgreSQL alike: their way, their steps once each, their audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import Connection, MetaData, delete, select, update
from sqlalchemy.exc import DBAPIError

from facility.errors import StoreError, TransitionError
from facility.settings import RecordsSettings
from facility.wire import CommandStep
from rules.desk.command_desk import MAX_AT, CommandDesk, Wish
from rules.life.commanding import APPROVAL_MS, ARRIVAL_MS, PATIENCE_MS, WORK_MS
from rules.life.rows import NotFoundError
from rules.records import schema
from rules.records.database import MIGRATIONS, new_engine
from rules.records.records import Records, open_records
from rules.records.transactions import MAX_NOTE

WISH = Wish(
    gateway="gw-1", asset="PS-01", point="sys.setpoint_pct", value=60.5, ttl=900.0, reason="试运行", two_people=False
)
TWO = replace(WISH, two_people=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgres"))])
def settings(request: pytest.FixtureRequest) -> RecordsSettings:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return RecordsSettings(path="records.sqlite")
    return RecordsSettings(kind="postgresql", url=request.getfixturevalue("postgres").url())


@pytest.fixture
async def records(settings: RecordsSettings, tmp_path: Path) -> AsyncIterator[Records]:
    """Records opened, their schema made."""
    async with open_records(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
def desk(records: Records) -> CommandDesk:
    """The commands of the site s1."""
    return CommandDesk(records, "s1")


def said(id_: str, step: str, at: int, **more: object) -> CommandStep:
    """A step of WISH."""
    given: dict[str, object] = {"asset": WISH.asset, "point": WISH.point, **more}
    return CommandStep(id_, step=step, at=at, **given)  # type: ignore[arg-type]


async def audit(records: Records, object_: str) -> list[tuple[str, str, str]]:
    """(actor, action, detail) of everything done to a command."""
    table = schema.audit
    query = select(table.c.actor, table.c.action, table.c.detail).where(table.c.object == object_).order_by(table.c.id)
    return [(row["actor"], row["action"], row["detail"]) for row in await records.rows(query)]


async def test_from_the_wish_to_the_gateways_last_word(records: Records, desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    assert (row.state, row.shown, row.expires_at, row.version) == ("sent", "sent", 1000 + ARRIVAL_MS, 1)
    assert row == await desk.command(row.id)
    for at, (name, value) in enumerate((("received", None), ("written", 60.5), ("read_back", 60.5)), start=2000):
        row = await desk.hear("gw-1", said(row.id, name, at, value=value), at=at) or row
        assert (row.state, row.shown, row.due_at) == ("sent", name, at + WORK_MS)
    row = await desk.hear("gw-1", said(row.id, "done", 2003, message="反馈到位", final=True), at=2003) or row
    assert (row.state, row.shown, row.message, row.version) == ("ended", "done", "反馈到位", 5)
    assert row == await desk.command(row.id)
    steps = await desk.steps(row.id)
    assert [(step.step, step.value, step.final) for step in steps] == [
        ("received", None, False),
        ("written", 60.5, False),
        ("read_back", 60.5, False),
        ("done", None, True),
    ]
    assert await audit(records, row.id) == [
        ("wang", "command.ask", "PS-01 sys.setpoint_pct = 60.5 for 900 s: 试运行"),
        ("gw-1", "command.received", ""),
        ("gw-1", "command.written", "60.5"),
        ("gw-1", "command.read_back", "60.5"),
        ("gw-1", "command.done", "反馈到位"),
    ]


async def test_an_override_reverts_after_the_last_word(desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    for at, (name, final) in enumerate((("held", True), ("reverting", False), ("reverted", True)), start=2000):
        row = await desk.hear("gw-1", said(row.id, name, at, final=final), at=at) or row
        assert (row.state, row.shown) == ("ended", name)


async def test_a_step_that_comes_twice_is_kept_once(records: Records, desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    step = said(row.id, "received", 2000)
    heard = await asyncio.gather(*(desk.hear("gw-1", step, at=2001) for _ in range(4)))
    assert len([found for found in heard if found]) == 1
    assert len(await desk.steps(row.id)) == 1
    assert (await desk.command(row.id)).version == 2
    assert len(await audit(records, row.id)) == 2


@pytest.mark.parametrize("value", [True, False, 3, 2.5, -1.0e-9])
async def test_a_value_comes_back_as_what_it_was(desk: CommandDesk, value: float | bool) -> None:
    row = await desk.ask(replace(WISH, value=value), actor="wang", at=1000)
    found = (await desk.command(row.id)).value
    assert (found, type(found)) == (value, type(value))


async def test_two_people_are_two(records: Records, desk: CommandDesk) -> None:
    row = await desk.ask(TWO, actor="wang", at=1000)
    assert (row.state, row.expires_at, row.due_at) == ("awaiting_second", None, 1000 + APPROVAL_MS)
    with pytest.raises(ValueError, match="somebody else"):
        await desk.approve(row.id, actor="wang", at=2000)
    with pytest.raises(TransitionError):
        await desk.hear("gw-1", said(row.id, "done", 2000, final=True), at=2000)
    assert await desk.steps(row.id) == []
    after = await desk.approve(row.id, actor="li", at=3000)
    assert (after.state, after.approved_by, after.approved_at) == ("sent", "li", 3000)
    assert after.expires_at == 3000 + ARRIVAL_MS
    with pytest.raises(TransitionError):
        await desk.approve(row.id, actor="zhao", at=4000)
    assert [entry[:2] for entry in await audit(records, row.id)] == [("wang", "command.ask"), ("li", "command.approve")]


async def test_of_two_who_approve_at_once_one_does(desk: CommandDesk) -> None:
    row = await desk.ask(TWO, actor="wang", at=1000)
    both = await asyncio.gather(
        *(desk.approve(row.id, actor=name, at=2000) for name in ("li", "zhao")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["CommandRow", "TransitionError"]


async def test_what_was_withdrawn_is_never_sent(desk: CommandDesk) -> None:
    row = await desk.ask(TWO, actor="wang", at=1000)
    assert (await desk.cancel(row.id, actor="li", at=2000)).state == "cancelled"
    with pytest.raises(TransitionError):
        await desk.approve(row.id, actor="li", at=2001)
    sent = await desk.ask(WISH, actor="wang", at=1000)
    with pytest.raises(TransitionError):
        await desk.cancel(sent.id, actor="wang", at=1001)


async def test_time_ends_what_nobody_approved_and_what_nobody_answered(records: Records, desk: CommandDesk) -> None:
    waiting = await desk.ask(TWO, actor="wang", at=0)
    sent = await desk.ask(WISH, actor="wang", at=0)
    silent = ARRIVAL_MS + PATIENCE_MS
    assert await desk.sweep(silent) == []
    assert [(row.id, row.state) for row in await desk.sweep(silent + 1)] == [(sent.id, "no_answer")]
    assert [(row.id, row.state) for row in await desk.sweep(APPROVAL_MS + 1)] == [(waiting.id, "expired")]
    assert await desk.sweep(10**12) == []
    assert (await audit(records, sent.id))[-1] == ("system", "command.give_up", "")
    late = await desk.hear("gw-1", said(sent.id, "done", 5, final=True), at=10**12)
    assert late is not None
    assert (late.state, late.shown) == ("ended", "done")


async def test_what_could_not_be_sent_says_why(desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    row = await desk.fail(row.id, "no connection to the broker", at=1100)
    assert (row.state, row.shown, row.message) == ("failed", "failed", "no connection to the broker")


async def test_strangers_are_told_apart(desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    for gateway, step in (
        ("gw-1", said("C-unknown", "done", 1, final=True)),
        ("gw-2", said(row.id, "done", 1, final=True)),
        ("gw-1", said(row.id, "done", 1, asset="PS-02", final=True)),
        ("gw-1", said(row.id, "done", 1, point="sys.run", final=True)),
        ("gw-1", said(f"{row.id}\0", "done", 1, final=True)),
        ("gw-1", said("C" * 500, "done", 1, final=True)),
    ):
        with pytest.raises(NotFoundError):
            await desk.hear(gateway, step, at=2000)
    for at in (-1, MAX_AT):
        with pytest.raises(ValueError, match="instant"):
            await desk.hear("gw-1", said(row.id, "done", at), at=2000)
    with pytest.raises(NotFoundError):
        await CommandDesk(desk._records, "s2").approve(row.id, actor="li", at=1)
    assert await desk.steps(row.id) == []


async def test_whatever_a_gateway_writes_can_be_kept(desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    wild = said(row.id, "x\0" * 100, 1, message="n\0" + "长" * 5000, value=10**30)
    assert await desk.hear("gw-1", wild, at=2000)
    (step,) = await desk.steps(row.id)
    assert (step.step, step.value) == ("x" * 56, str(10**30))
    assert len(step.message) == MAX_NOTE


async def test_a_reason_is_needed_and_not_endless(desk: CommandDesk) -> None:
    for reason in ("", "  ", "\0", "x" * (MAX_NOTE + 1)):
        with pytest.raises(ValueError, match=r"reason|characters"):
            await desk.ask(replace(WISH, reason=reason), actor="wang", at=1000)
    assert (await desk.commands()).items == ()


async def test_pages_newest_first_and_filtered(desk: CommandDesk) -> None:
    ids = [(await desk.ask(replace(WISH, asset=f"PS-0{n % 2}"), actor="wang", at=n)).id for n in range(7)]
    page = await desk.commands(limit=4)
    rest = await desk.commands(limit=4, after=page.next)
    assert [row.id for row in (*page.items, *rest.items)] == ids[::-1]
    assert rest.next is None
    assert {row.asset for row in (await desk.commands(asset="PS-01")).items} == {"PS-01"}
    assert len((await desk.commands(states=["sent"])).items) == 7
    assert (await desk.commands(states=["ended"])).items == ()
    with pytest.raises(NotFoundError):
        await desk.command("C-none")


async def test_steps_are_append_only(records: Records, desk: CommandDesk) -> None:
    row = await desk.ask(WISH, actor="wang", at=1000)
    await desk.hear("gw-1", said(row.id, "received", 2000), at=2000)
    for statement in (update(schema.command_steps).values(step="done"), delete(schema.command_steps)):
        with pytest.raises((DBAPIError, StoreError), match="append-only"):
            async with records.writing() as connection:
                await connection.execute(statement)
    assert [step.step for step in await desk.steps(row.id)] == ["received"]


AN_OLD_ALARM = {
    "id": "A1", "site": "s1", "rule": "pump.dry", "rule_index": 0, "asset": "P-01", "asset_class": "water_pump",
    "severity": 2, "raises": "ticket", "latch": False, "shelvable": True, "historical": False, "told": True,
    "live": True, "state": "unacknowledged", "suppression": "none", "raise_count": 1, "opened_at": 1000, "since": 900,
    "raised_at": 1000, "acknowledged_by": "", "changed_at": 1000, "version": 1, "title_zh": "干转",
    "title_en": "Dry run", "guidance_zh": "停泵", "guidance_en": "Stop it", "facts": {},
}  # fmt: skip
"""As the first release wrote it."""


async def test_records_from_before_there_were_commands_are_kept(settings: RecordsSettings, tmp_path: Path) -> None:
    def first(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0001")
        then = MetaData()
        then.reflect(connection, only=["alarms"])
        connection.execute(then.tables["alarms"].insert().values(**AN_OLD_ALARM))

    engine = new_engine(settings, tmp_path)
    async with engine.connect() as plain:
        connection = await plain.execution_options(caretaker_write=True)
        async with connection.begin():
            await connection.run_sync(first)
    await engine.dispose()
    async with open_records(settings, tmp_path) as records:
        assert (await records.counts()).alarms == 1
        assert (await CommandDesk(records, "s1").ask(WISH, actor="wang", at=1000)).state == "sent"
