"""The records, over SQLite and PostgreSQL alike: transactions, uniqueness, paging, append-only journals, migrations."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from facility.errors import StoreError, TransitionError
from facility.settings import RecordsSettings
from rules.desk.commands import Commands
from rules.language.summaries import Hour
from rules.life.rows import Cursor, NotFoundError
from rules.life.tickets import TicketEvent
from rules.records import schema, schema_drills, schema_linkage
from rules.records.records import Records, open_records
from rules.records.rule_texts import note_versions, versions
from rules.records.shadow import live_episodes, open_shadows, shadow_episodes
from rules.records.summaries import KEPT_MS, SeriesHour, load_hours, save_hours
from rules.versions import stamped
from tests.rules.builders import a_judgement, a_routing, a_rule, an_emergency

ROUTING = a_routing()


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


async def test_migrations_make_the_schema(records: Records) -> None:
    def differences(connection: Connection) -> list[object]:
        assert schema_linkage.linkage_runs.metadata is schema.metadata
        assert schema_drills.drills.metadata is schema.metadata
        return list(compare_metadata(MigrationContext.configure(connection), schema.metadata))

    async with records.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_processes_that_start_at_once_wait_for_each_other(settings: RecordsSettings, tmp_path: Path) -> None:
    async def start() -> int:
        async with open_records(settings, tmp_path) as opened:
            return (await opened.counts()).alarms

    assert await asyncio.gather(*(start() for _ in range(4))) == [0] * 4


async def test_a_raise_is_one_transaction(records: Records) -> None:
    done = await records.apply([a_judgement()], ROUTING, 1005)
    assert (done.opened, done.tickets, done.queued) == (1, 1, 2)
    (row,) = (await records.alarms()).items
    assert (row.rule, row.asset, row.state, row.version, row.live, row.told) == (
        "pump.dry",
        "P-01",
        "unacknowledged",
        1,
        True,
        True,
    )
    assert (row.title.zh, row.title.en, row.facts) == ("水泵干转", "Pump runs dry", {"pump[1].flow": 0.0})
    (ticket,) = (await records.tickets()).items
    assert (ticket.id, ticket.alarm_id, ticket.priority, ticket.state) == (row.ticket_id, row.id, 2, "open")
    assert [entry.event for entry in await records.ticket_journal(ticket.id)] == ["open"]
    (entry,) = await records.journal(row.id)
    assert (entry.event, entry.actor, entry.reason, entry.at, entry.recorded_at) == (
        "raise",
        "engine",
        "routed",
        1000,
        1005,
    )
    sent = (await records.outbox()).items
    assert {(item.kind, item.channel, item.state) for item in sent} == {
        ("message", "duty", "pending"),
        ("notice", "", "pending"),
    }
    counts = await records.counts()
    assert (counts.active_by_severity[2], counts.open_tickets, counts.outbox_pending, counts.by_class) == (
        1,
        1,
        2,
        {"water_pump": 1},
    )


async def test_a_second_raise_is_nothing_new(records: Records) -> None:
    await records.apply([a_judgement(at=1000)], ROUTING, 1000)
    done = await records.apply([a_judgement(at=2000), a_judgement(at=3000)], ROUTING, 3000)
    assert (done.opened, done.moved, done.unchanged, done.queued) == (0, 0, 2, 0)
    assert (await records.counts()).tickets == 1


async def test_the_same_judgement_again_is_recognised(records: Records) -> None:
    judgements = [a_judgement(at=1000), a_judgement("clear", at=2000)]
    await records.apply(judgements, ROUTING, 2000)
    done = await records.apply(judgements, ROUTING, 2001)
    assert (done.duplicates, done.opened, done.moved, done.queued) == (2, 0, 0, 0)
    assert (await records.alarm((await records.alarms()).items[0].id)).state == "returned"


async def test_an_alarm_that_is_over_stays_and_the_next_raise_is_a_new_one(records: Records) -> None:
    commands = Commands(records, ROUTING)
    await records.apply([a_judgement(at=1000)], ROUTING, 1000)
    first = (await records.alarms()).items[0].id
    await commands.acknowledge(first, actor="wang", at=1500)
    await records.apply([a_judgement("clear", at=2000), a_judgement(at=3000)], ROUTING, 3000)
    rows = (await records.alarms()).items
    assert [(row.state, row.live) for row in rows] == [("unacknowledged", True), ("normal", False)]
    assert len((await records.tickets()).items) == 2
    assert (await records.alarms(active=True)).items == rows[:1]
    assert (await records.alarms(active=False)).items == rows[1:]


async def test_one_live_row_for_each_rule_index_and_asset(records: Records) -> None:
    judgements = [
        a_judgement(rule=a_rule(index=1)),
        a_judgement(rule=a_rule(index=2)),
        a_judgement(rule=a_rule(index=2), asset="P-02"),
    ]
    await records.apply(judgements, ROUTING, 1000)
    async with records.reading() as connection:
        row = dict((await connection.execute(select(schema.alarms).limit(1))).mappings().one())
    with pytest.raises(IntegrityError):
        async with records.writing() as connection:
            await connection.execute(insert(schema.alarms), [row | {"id": "copy"}])
    assert (await records.counts()).live == 3


async def test_two_rules_processes_open_an_alarm_once(settings: RecordsSettings, tmp_path: Path) -> None:
    async with open_records(settings, tmp_path) as one, open_records(settings, tmp_path) as two:
        await asyncio.gather(
            *(side.apply([a_judgement(at=at)], ROUTING, at) for at in (1000, 1001) for side in (one, two))
        )
        counts = await one.counts()
    assert (counts.alarms, counts.tickets) == (1, 1)


async def test_paging_by_key_sees_every_row_once(records: Records) -> None:
    await records.apply([a_judgement(asset=f"P-{n:02}") for n in range(7)], ROUTING, 1000)
    await records.apply([a_judgement(asset="NEW", at=2000)], ROUTING, 2000)
    seen, after = [], None
    while True:
        page = await records.alarms(after=after, limit=3)
        seen += [row.asset for row in page.items]
        after = page.next
        if after is None:
            break
    assert seen[0] == "NEW"
    assert sorted(seen[1:]) == [f"P-{n:02}" for n in range(7)]
    first = await records.outbox(limit=10)
    second = await records.outbox(after=first.next, limit=10)
    assert [item.id for item in (*first.items, *second.items)] == list(range(16, 0, -1))
    assert second.next is None


async def test_filters(records: Records) -> None:
    judgements = [a_judgement(), a_judgement(rule=an_emergency(), asset="EL-01"), a_judgement("clear", at=1100)]
    await records.apply(judgements, ROUTING, 1000)
    assert [row.asset for row in (await records.alarms(severity=1)).items] == ["EL-01"]
    assert [row.asset for row in (await records.alarms(asset="P-01")).items] == ["P-01"]
    assert [row.asset for row in (await records.alarms(states=["returned"])).items] == ["P-01"]
    assert len((await records.tickets(open_=True, states=["open"])).items) == 2
    assert (await records.tickets(open_=False)).items == ()
    assert (await records.tickets(assignee="wang", asset="P-01")).items == ()


@pytest.mark.parametrize("table", [schema.journal, schema.ticket_journal, schema.audit], ids=lambda table: table.name)
async def test_journals_can_only_grow(records: Records, table: schema.Table) -> None:
    await records.apply([a_judgement()], ROUTING, 1000)
    await Commands(records, ROUTING).acknowledge((await records.alarms()).items[0].id, actor="wang", at=1001)
    for change in (update(table).values(actor="nobody"), delete(table)):
        with pytest.raises((DBAPIError, StoreError), match="append-only"):
            async with records.writing() as connection:
                await connection.execute(change)
    async with records.reading() as connection:
        query = select(func.count()).select_from(table).where(table.c.actor == "nobody")
        assert (await connection.execute(query)).scalar() == 0


async def test_hours_of_a_series_are_written_with_the_judgements_and_thrown_away_when_old(records: Records) -> None:
    now = KEPT_MS + 10_000
    old, young = Hour(9_000, 0, 0.0, 0.0, 0.0), Hour(20_000, 500, 1.5, 1.0, 2.0, array("d", (1.0, 2.0)))
    for hours in ([old], [young], [young._replace(mean=1.25)]):
        rows = [SeriesHour("P-01", "flow", hour) for hour in hours]
        beside = partial(save_hours, site="s1", hours=rows, now=now)
        await records.apply([], ROUTING, 1000, beside=beside)
    assert await load_hours(records, "s1", 0) == {("P-01", "flow"): [young._replace(mean=1.25)]}
    assert await load_hours(records, "s1", 20_001) == {}
    assert await load_hours(records, "other", 0) == {}
    assert await load_hours(records, "s1", 0, before=20_000, assets=["P-01"]) == {}
    assert set(await load_hours(records, "s1", 0, before=20_001, assets=["P-01", "P-02"])) == {("P-01", "flow")}
    assert await load_hours(records, "s1", 0, assets=["P-02"]) == {}


async def test_cursors_are_written_with_the_judgements(records: Records) -> None:
    cursor = Cursor(gateway="g1", boot="b", seq=7, at=1000, assets={"P-01": 1000})
    await records.apply([a_judgement()], ROUTING, 1000, cursors=[cursor])
    assert await records.cursors("s1") == {"g1": cursor}
    newer = Cursor(gateway="g1", boot="c", seq=1, at=2000, assets={"P-01": 2000})
    await records.apply([], ROUTING, 2000, cursors=[newer])
    assert await records.cursors("s1") == {"g1": newer}
    assert await records.cursors("other") == {}


async def test_what_is_not_there(records: Records) -> None:
    commands = Commands(records, ROUTING)
    with pytest.raises(NotFoundError):
        await records.alarm("A0")
    with pytest.raises(NotFoundError):
        await records.ticket("T0")
    with pytest.raises(NotFoundError):
        await commands.acknowledge("A0", actor="wang", at=1)
    with pytest.raises(NotFoundError):
        await commands.move_ticket("T0", TicketEvent.ACCEPT, actor="wang", at=1)


async def test_of_two_who_acknowledge_at_once_one_is_refused(settings: RecordsSettings, tmp_path: Path) -> None:
    async with open_records(settings, tmp_path) as one, open_records(settings, tmp_path) as two:
        await one.apply([a_judgement()], ROUTING, 1000)
        (row,) = (await one.alarms()).items
        sides = [Commands(side, ROUTING) for side in (one, two)]
        results = await asyncio.gather(
            *(side.acknowledge(row.id, actor=name, at=1001) for side, name in zip(sides, ("wang", "li"), strict=True)),
            return_exceptions=True,
        )
        assert sorted(isinstance(result, TransitionError) for result in results) == [False, True]
        assert len(await one.journal(row.id)) == 2


async def test_of_two_who_take_a_ticket_at_once_each_move_is_judged_by_what_it_finds(
    settings: RecordsSettings, tmp_path: Path
) -> None:
    async with open_records(settings, tmp_path) as one, open_records(settings, tmp_path) as two:
        await one.apply([a_judgement()], ROUTING, 1000)
        (ticket,) = (await one.tickets()).items
        results = await asyncio.gather(
            Commands(one, ROUTING).move_ticket(ticket.id, TicketEvent.ACCEPT, actor="wang", at=1001),
            Commands(two, ROUTING).move_ticket(ticket.id, TicketEvent.ACCEPT, actor="li", at=1001),
            return_exceptions=True,
        )
        assert sorted(isinstance(result, TransitionError) for result in results) == [False, True]
        assert (await one.ticket(ticket.id)).version == 2


async def test_a_database_that_is_not_there_is_a_store_error(tmp_path: Path, settings: RecordsSettings) -> None:
    if settings.kind == "sqlite":
        (tmp_path / "records.sqlite").write_bytes(b"this is no database, whatever it is called" * 100)
        broken = settings
    else:
        broken = RecordsSettings(kind="postgresql", url="postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(StoreError) as caught:
        async with open_records(broken, tmp_path):
            pass
    assert caught.value.store == "records"


@pytest.mark.slow
async def test_a_storm_is_durable_at_once_and_opens_one_ticket_an_alarm(records: Records) -> None:
    rule = a_rule()
    storm = [a_judgement(rule=rule, asset=f"P-{n}", at=n) for n in range(10_000)]
    again = [a_judgement(rule=rule, asset=f"P-{n}", at=20_000 + n) for n in range(0, 10_000, 2)]
    started = time.process_time()
    for start in range(0, len(storm), 1000):
        await records.apply(storm[start : start + 1000], ROUTING, 1000)
    took = time.process_time() - started
    await records.apply(again, ROUTING, 30_000)
    counts = await records.counts()
    assert (counts.alarms, counts.tickets, counts.outbox_pending) == (10_000, 10_000, 20_000)
    assert took < 10, f"10,000 transitions took {took:.1f} s of CPU"


async def test_shadow_alarms_and_texts_are_kept_once(records: Records) -> None:
    rule = stamped(replace(a_rule("pump.dry.shadow"), shadow=True, shadow_of="pump.dry"))
    await note_versions(records, "s1", [rule], 500)
    await note_versions(records, "s1", [rule], 500)
    assert [row.version for row in await versions(records, "s1", rule.id)] == [rule.version]
    for _ in range(2):  # a commit whose answer was lost
        done = await records.apply([a_judgement(rule=rule), a_judgement()], ROUTING, 1005)
    assert (done.opened, done.duplicates) == (0, 1)
    async with records.reading() as connection:
        assert await open_shadows(connection, "s1") == [("pump.dry.shadow", 0, "P-01")]
        found = await shadow_episodes(connection, "s1", 0)
        live = await live_episodes(connection, "s1", "pump.dry", 0)
    assert [(item.raised, item.cleared) for item in found[rule.id]] == [(1000, None)]
    assert [(item.raised, item.cleared) for item in live] == [(1000, None)]
    await records.apply([a_judgement("clear", rule=rule, at=2000)], ROUTING, 2000)
    async with records.reading() as connection:
        assert await open_shadows(connection, "s1") == []
