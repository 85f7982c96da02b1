"""Bad input, end to end through a real broker: each gets a clear word, is kept and counted, and stops nothing else.

What single parts do with it is proven beside them: decoding and bounds in tests/facility/test_wire.py, admission and
quarantine in tests/ingest, words and sentinels in tests/gateway/test_codec.py, every mistake of a site folder in
tests/facility/test_config.py and tests/rules/test_rulebook.py, and the whole folder at once in test_cli.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from facility.clock import SystemClock
from facility.readings import Quality, Value
from facility.wire import MAX_PAYLOAD, Batch, encode, readings_topic
from gateway import publisher, service
from gateway.spool import NEAR
from tests.services.waiting import until
from tests.system.small_house import GATEWAY, PEER, SITE, SmallHouse, confirmations, confirmed, small_house

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(60)]
CLOCK = SystemClock()


@pytest.fixture
async def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallHouse]:
    """The house at work: its first readings are stored."""
    monkeypatch.setattr(service, "STATUS", 0.5)
    monkeypatch.setattr(publisher, "RESEND", 1.0)
    async with small_house(tmp_path) as running:
        await until(lambda: bool(running.stored), limit=15)
        yield running


def batch(seq: int, *samples: str, boot: str = "peer") -> bytes:
    """A batch as text; samples are JSON."""
    return f'{{"boot":"{boot}","seq":{seq},"samples":[{",".join(samples)}]}}'.encode()


def sample(at: int, values: str, asset: str = "EL-01") -> str:
    """A sample as text."""
    return f'["{asset}",{at},{values}]'


async def eventually(condition: Callable[[], bool], *, limit: float = 15.0) -> None:
    """`until`, with the patience of a whole house."""
    await until(condition, limit=limit)


async def test_what_is_no_batch_is_kept_whole_and_stops_nothing(small: SmallHouse) -> None:
    topic = readings_topic(SITE, PEER)
    at = CLOCK.ms()
    bad = {
        b"{no json": "malformed",
        bytes(range(256)): "",
        b'{"boot":"b","seq":"one","samples":[]}': "Expected `int`",
        batch(1, sample(at, '{"car.load":NaN}')): "invalid",
        batch(2, sample(at, '{"car.load":-Infinity}')): "invalid",
        batch(3, sample(at, '{"car.load":1e999}')): "",
        batch(4, sample(at, '{"car.load":[1,2]}')): "Expected",
        b" " * (MAX_PAYLOAD + 1): f"the limit is {MAX_PAYLOAD}",
    }
    async with confirmations(small) as told:
        for payload in bad:
            await small.say(topic, payload)
        await small.say(topic, batch(5, sample(at, '{"car.floor":7}')))
        await confirmed(told, "peer", 5)
    await eventually(lambda: len(small.letters()) == len(bad))
    for letter, (payload, reason) in zip(small.letters(), bad.items(), strict=True):
        assert (letter.kind, letter.topic, letter.size) == ("payload", topic, len(payload))
        assert letter.payload == payload[: len(letter.payload)]
        assert len(letter.payload) >= min(len(payload), 65_536)
        assert letter.reason
        assert reason in letter.reason, letter.reason
    assert small.ingest_metrics()["dead_letters"] == len(bad)
    assert small.rules_metrics()["undecodable"] == len(bad)
    floor = await small.latest("car.floor")
    assert floor
    assert floor.value == 7


async def test_readings_that_do_not_fit_are_kept_apart_and_the_rest_is_stored(small: SmallHouse) -> None:
    at = CLOCK.ms()
    samples = (
        sample(at, '{"car.load":55.5}', asset="EL-99"),
        sample(at, '{"car.flor":3,"car.floor":4}'),
        sample(at, '{"mode.fire_service":"yes","cnt.trips":12,"pit.water":1}'),
    )
    async with confirmations(small) as told:
        await small.say(readings_topic(SITE, PEER), batch(1, *samples))
        await confirmed(told, "peer", 1)
    readings = [letter for letter in small.letters() if letter.kind == "reading"]
    kept = {letter.payload.decode().rpartition(" @")[0]: letter.reason for letter in readings}
    assert set(kept) == {"EL-99 car.load", "EL-01 car.flor", "EL-01 mode.fire_service", "EL-01 pit.water"}
    assert kept["EL-99 car.load"] == "there is no such asset in this site"
    assert "no such point" in kept["EL-01 car.flor"]
    assert "int" in kept["EL-01 pit.water"]
    assert small.ingest_metrics()["readings_quarantined"] == 4
    found = {point: await small.latest(point) for point in ("car.floor", "cnt.trips", "pit.water")}
    assert {key: reading and reading.value for key, reading in found.items()} == {
        "car.floor": 4,
        "cnt.trips": 12,
        "pit.water": None,
    }


async def test_a_gateway_that_nobody_knows_is_quarantined_and_told_to_stop(small: SmallHouse) -> None:
    payload = batch(1, sample(CLOCK.ms(), '{"alarm.car_button":true}'))
    async with confirmations(small, "gw-9") as told:
        await small.say(readings_topic(SITE, "gw-9"), payload)
        await confirmed(told, "peer", 1)
    (letter,) = small.letters()
    assert (letter.payload, letter.reason) == (payload, "there is no gateway 'gw-9' in this site")
    await eventually(lambda: small.rules_metrics().get("unknown_gateway", 0) == 1)
    assert small.pushed("own.button") == []


async def test_a_reading_from_the_future_is_marked_and_pages_nobody(small: SmallHouse) -> None:
    topic, later = readings_topic(SITE, PEER), CLOCK.ms() + 3_600_000
    async with confirmations(small) as told:
        await small.say(topic, batch(1, sample(later, '{"alarm.car_button":true}')))
        await confirmed(told, "peer", 1)
        (reading,) = await small.store.between("EL-01", ["alarm.car_button"], later, later + 1)
        assert (reading.value, reading.quality) == (None, Quality.CLOCK)
        assert small.ingest_metrics()["readings_future"] == 1
        newest = await small.latest("alarm.car_button")
        assert newest
        assert (newest.value, newest.at < later) == (False, True)
        await eventually(lambda: small.rules_metrics()["engine_future"] == 1)
        # the same at its time rings: the one before has shut nothing out
        await small.say(topic, batch(2, sample(CLOCK.ms(), '{"alarm.car_button":true}')))
        await eventually(lambda: bool(small.pushed("own.button")))
    row = (await small.alarms())["own.button"]
    assert row.raised_at
    assert row.raised_at < later


async def test_words_that_mean_nothing_become_bad_readings_without_a_number(small: SmallHouse) -> None:
    async def seen(point: str, value: Value, quality: Quality) -> None:
        async with asyncio.timeout(15):
            while True:
                reading = await small.latest(point)
                if reading and (reading.value, reading.quality) == (value, quality):
                    return
                await asyncio.sleep(0.02)

    await seen("car.load", 0.0, Quality.GOOD)
    small.box.words[1] = 0xFFFF  # not available
    small.box.words[2] = 0x7FFF  # 3276.7 degrees
    small.box.words[3] = 77  # no such mode
    await seen("car.load", None, Quality.SENTINEL)
    await seen("mr.temp", None, Quality.RANGE)
    await seen("mode.service", None, Quality.ENUM)
    small.box.words[1:4] = [500, 210, 1]
    await seen("car.load", 50.0, Quality.GOOD)
    await seen("mr.temp", 21.0, Quality.GOOD)
    await seen("mode.service", 1, Quality.GOOD)
    assert small.letters() == []


async def settle(small: SmallHouse) -> None:
    """Wait until nearly everything is stored, stop the words, and wait for the rest."""
    await eventually(lambda: small.spool.batches <= 5, limit=20)
    small.box.moves = False
    polls = small.box.polls
    await eventually(lambda: small.box.polls > polls + 4)
    await eventually(lambda: small.spool.batches == 0, limit=20)


async def test_a_full_spool_gives_up_the_oldest_and_rings_all_the_same(small: SmallHouse) -> None:
    await settle(small)
    before = len(small.stored)
    await small.stop("ingest")
    small.spool.limit = 18_000
    small.box.moves = True
    await eventually(lambda: small.gateway.status().shed > 0, limit=30)
    assert small.spool.bytes <= small.spool.limit
    # nobody has confirmed for long, and still an emergency leaves the house
    small.box.button = True
    await eventually(lambda: bool(small.pushed("own.button")))
    await eventually(lambda: bool(small.pushed("gateway.spool_filling") and small.pushed("gateway.shedding")))
    alarm = (await small.alarms())["gateway.shedding"]
    assert (alarm.asset, alarm.severity) == (GATEWAY, 2)
    assert alarm.ticket_id
    assert isinstance(alarm.facts["gw.shed"], int)
    await small.start("ingest")
    await settle(small)
    shed = small.gateway.status().shed
    totals = await small.store.totals()
    assert shed > 0
    assert (totals.readings, totals.duplicated) == (await small.ledger() - shed, 0)
    newest = await small.latest("alarm.car_button")
    assert newest
    assert newest.value is True
    seqs = [item.seq for item in small.stored[before:]]
    assert seqs[0] > before + 1, "the oldest went"
    assert sorted(set(seqs)) == list(range(min(seqs), max(seqs) + 1)), "and nothing after them"
    assert max(seqs) == small.gateway.status().last_seq
    assert small.spool.bytes < small.spool.limit * NEAR


async def test_a_full_disk_is_told_and_what_memory_holds_is_stored_afterwards(small: SmallHouse) -> None:
    async def pages(number: int) -> None:
        """Let SQLite say "disk is full" beyond so many pages."""
        await small.spool._call(lambda: small.spool._sql.execute(f"PRAGMA max_page_count={number}").fetchall())

    await settle(small)
    await small.stop("ingest")
    await pages(1)  # as many as there are
    small.box.moves = True
    await eventually(lambda: "disk" in small.gateway.status().problem, limit=30)
    await eventually(lambda: bool(small.pushed("gateway.storage")))
    small.box.button = True
    await eventually(lambda: bool(small.pushed("own.button")))
    facts = (await small.alarms())["gateway.storage"].facts
    assert facts["gw.storage_ok"] is False
    assert "full" in str(facts["gw.problem"])
    await pages(1_000_000)
    await small.start("ingest")
    await eventually(lambda: small.pushed("gateway.storage") == ["raise", "clear"])
    await settle(small)
    totals = await small.store.totals()
    assert (totals.readings, totals.duplicated) == (small.gateway.sent, 0)
    assert small.gateway.status().shed == 0


async def test_a_store_that_is_down_gets_everything_in_order_when_it_is_back(small: SmallHouse) -> None:
    await settle(small)
    before = len(small.stored)
    small.store.away = True
    small.box.moves = True
    await eventually(lambda: small.spool.batches >= 35, limit=30)
    small.box.button = True
    await eventually(lambda: bool(small.pushed("own.button")))
    assert small.store.refused > 0
    assert len(small.stored) == before
    assert small.ingest_metrics()["store_up"] == 0
    small.store.away = False
    await eventually(lambda: small.ingest_metrics()["store_up"] == 1)
    await settle(small)
    totals = await small.store.totals()
    assert (totals.readings, totals.duplicated) == (await small.ledger(), 0)
    assert totals.readings == small.gateway.sent
    seqs = [item.seq for item in small.stored]
    assert seqs == sorted(set(seqs)) == list(range(1, small.gateway.status().last_seq + 1))
    assert small.gateway.status().shed == 0


async def test_a_gateway_that_goes_is_missed_and_its_return_is_noticed(small: SmallHouse) -> None:
    await eventually(lambda: small.rules_metrics().get("statuses", 0) >= 1)
    await small.stop(GATEWAY)
    await eventually(lambda: small.pushed("gateway.offline") == ["raise"])
    await small.start(GATEWAY)
    await eventually(lambda: small.pushed("gateway.offline") == ["raise", "clear"], limit=20)
    assert (await small.alarms())["gateway.offline"].asset == GATEWAY


async def test_a_status_that_is_none_is_counted_and_stops_nothing(small: SmallHouse) -> None:
    status = readings_topic(SITE, PEER).replace("/readings", "/status")
    await small.say(status, b'{"online":"perhaps"}')
    await small.say(status, b'{"online":true,"boot":"x","shed":9007199254740993,"spool_bytes":1e3}')
    await small.say(readings_topic(SITE, PEER), encode(Batch("peer", 1, [])))
    await eventually(lambda: small.rules_metrics().get("undecodable", 0) >= 1)
    small.box.button = True
    await eventually(lambda: bool(small.pushed("own.button")))
