"""What every readings store promises: in memory, in a DuckDB file, in InfluxDB."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from facility.assets import Asset
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.points import Kind, Label, Point
from facility.readings import Quality, Reading
from facility.settings import ReadingsSettings
from ingest.duckdb_store import DuckDBStore
from ingest.influx_store import InfluxStore
from ingest.memory_store import MemoryStore
from ingest.store import Bucket, Delivery, ReadingStore, Totals
from tests.ingest.building import (
    ASSETS,
    CLASSES,
    LIFT,
    METER,
    PUMPS,
    T0,
    a_batch,
    a_delivery,
    a_notice,
    a_sample,
    catalog,
)
from tests.services.influx import InfluxServer


@pytest_asyncio.fixture(
    params=["memory", "duckdb", "duckdb-sealing", pytest.param("influxdb", marks=pytest.mark.service("influxd"))]
)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReadingStore]:
    """An empty store of each kind."""
    found: ReadingStore
    if request.param == "memory":
        found = MemoryStore(catalog())
    elif request.param == "influxdb":
        server: InfluxServer = request.getfixturevalue("influx")
        settings = ReadingsSettings(
            kind="influxdb", url=server.url, bucket=server.fresh("contract"), token=server.token
        )
        found = InfluxStore(settings, site="tower", assets=ASSETS, catalog=catalog())
    else:
        rows = 3 if request.param == "duckdb-sealing" else 1_000_000
        found = await DuckDBStore.open(tmp_path / "readings.duckdb", catalog=catalog(), seal_rows=rows)
    yield found
    await found.close()


def reading(point: str, at: int, value: object, quality: Quality = Quality.GOOD, *, asset: str = LIFT) -> Reading:
    return Reading(asset, point, at, value, quality)  # type: ignore[arg-type]


async def test_values_come_back_in_the_type_of_their_kind(store: ReadingStore) -> None:
    sample = a_sample(car__floor=7, car__speed=1.75, car__moving=True, car__direction=2, dev__heartbeat=41)
    result = await store.write([a_delivery(1, sample)])
    assert (result.readings, result.replayed, result.refused) == (5, 0, ())
    found = {held.point: held.value for held in await store.between(LIFT, [], T0, T0 + 1)}
    assert found == {
        "car.floor": 7.0,
        "car.speed": 1.75,
        "car.moving": True,
        "car.direction": 2,
        "dev.heartbeat": 41.0,
    }
    assert {point: type(value) for point, value in found.items()} == {
        "car.floor": float,
        "car.speed": float,
        "car.moving": bool,
        "car.direction": int,
        "dev.heartbeat": float,
    }


async def test_a_value_that_is_not_good_is_kept_as_its_quality_and_never_as_a_number(store: ReadingStore) -> None:
    bad = {"car.floor": Quality.SENTINEL, "car.speed": Quality.COMM}
    await store.write([a_delivery(1, a_sample(bad=bad, car__floor=65_535.0, car__speed=None, car__moving=False))])
    assert await store.between(LIFT, [], T0, T0 + 1) == [
        reading("car.floor", T0, None, Quality.SENTINEL),
        reading("car.moving", T0, False),
        reading("car.speed", T0, None, Quality.COMM),
    ]
    buckets = await store.buckets(LIFT, "car.floor", T0, T0 + 2000, count=2)
    assert [bucket.count for bucket in buckets] == [0, 0]


async def test_a_batch_that_comes_again_changes_nothing(store: ReadingStore) -> None:
    delivery = a_delivery(1, a_sample(at=T0, car__floor=1.0), a_sample(at=T0 + 1000, car__floor=2.0))
    await store.write([delivery])
    again = await store.write([delivery])
    assert again.readings + again.replayed == 2
    assert await store.totals() == Totals(2, 0, {"elevator": 2})
    assert len(await store.between(LIFT, [], T0, T0 + 5000)) == 2


async def test_a_batch_twice_in_one_write_is_stored_once(store: ReadingStore) -> None:
    delivery = a_delivery(1, a_sample(at=T0, car__floor=1.0))
    result = await store.write([delivery, a_delivery(2, a_sample(at=T0 + 1000, car__floor=5.0)), delivery])
    assert result.readings + result.replayed == 3
    assert (await store.totals()).readings == 2


async def test_the_same_number_of_another_boot_or_gateway_is_another_batch(store: ReadingStore) -> None:
    await store.write([a_delivery(1, a_sample(at=T0, car__floor=1.0))])
    await store.write([a_delivery(1, a_sample(at=T0 + 1000, car__floor=2.0), boot="b2")])
    await store.write([a_delivery(1, a_sample(at=T0 + 2000, car__floor=3.0), gateway="gw-2")])
    assert [held.value for held in await store.between(LIFT, ["car.floor"], T0, T0 + 5000)] == [1.0, 2.0, 3.0]


async def test_the_last_write_of_a_point_and_instant_wins(store: ReadingStore) -> None:
    for seq, floor in enumerate([4.0, 5.0, 6.0, 7.0], 1):
        await store.write([a_delivery(seq, a_sample(at=T0, car__floor=floor))])
    await store.write([a_delivery(9, a_sample(at=T0 + 900, car__floor=1.0))])
    assert [held.value for held in await store.between(LIFT, ["car.floor"], T0, T0 + 1000)] == [7.0, 1.0]
    assert await store.buckets(LIFT, "car.floor", T0, T0 + 1000) == [Bucket(T0, 2, 4.0, 1.0, 7.0)]
    assert (await store.totals()).readings == 2
    samples = [sample async for sample in store.samples(T0, T0 + 1000)]
    assert [sample.values for sample in samples] == [{"car.floor": 7.0}, {"car.floor": 1.0}]


async def test_latest_is_the_newest_of_each_point_whatever_comes_later(store: ReadingStore) -> None:
    now = time.time_ns() // 1_000_000
    await store.write(
        [
            a_delivery(1, a_sample(at=now - 3000, car__floor=3.0, car__moving=True)),
            a_delivery(2, a_sample(at=now - 1000, bad={"car.speed": Quality.COMM}, car__floor=4.0, car__speed=None)),
            a_delivery(3, a_sample(PUMPS, now - 2000, tank__level=1.5)),
        ]
    )
    await store.write([a_delivery(4, a_sample(at=now - 2000, car__floor=99.0, car__moving=False))])
    assert await store.latest([LIFT]) == [
        reading("car.floor", now - 1000, 4.0),
        reading("car.moving", now - 2000, False),
        reading("car.speed", now - 1000, None, Quality.COMM),
    ]
    assert {held.asset for held in await store.latest()} == {LIFT, PUMPS}
    assert await store.latest(["nobody"]) == []


async def test_a_reading_whose_instant_is_not_trusted_never_stands_for_the_present(store: ReadingStore) -> None:
    now = time.time_ns() // 1_000_000
    await store.write([a_delivery(1, a_sample(at=now, car__floor=3.0))])
    clock = {"car.floor": Quality.CLOCK}
    await store.write([a_delivery(2, a_sample(at=now + 86_400_000, bad=clock, car__floor=None))])
    await store.write([a_delivery(3, a_sample(at=now + 5, car__floor=4.0))])
    assert await store.latest() == [reading("car.floor", now + 5, 4.0)]
    held = await store.between(LIFT, ["car.floor"], now + 10, now + 90_000_000)
    assert held == [reading("car.floor", now + 86_400_000, None, Quality.CLOCK)]


async def test_a_good_reading_after_a_bad_one_is_good_again(store: ReadingStore) -> None:
    now = time.time_ns() // 1_000_000
    await store.write([a_delivery(1, a_sample(at=now, bad={"car.floor": Quality.COMM}, car__floor=None))])
    assert await store.latest() == [reading("car.floor", now, None, Quality.COMM)]
    await store.write([a_delivery(2, a_sample(at=now + 1000, car__floor=2.0))])
    assert await store.latest() == [reading("car.floor", now + 1000, 2.0)]


async def test_between_takes_the_newest_of_the_wanted_points_oldest_first(store: ReadingStore) -> None:
    samples = [a_sample(at=T0 + n * 1000, car__floor=float(n), car__speed=0.5) for n in range(10)]
    await store.write([a_delivery(1, *samples)])
    found = await store.between(LIFT, ["car.floor"], T0 + 1000, T0 + 9000, limit=3)
    assert [held.at - T0 for held in found] == [6000, 7000, 8000]
    assert await store.between(LIFT, ["car.floor"], T0, T0 + 9000, limit=0) == []
    assert await store.between("nobody", [], T0, T0 + 9000) == []
    assert await store.between(LIFT, ["no.such"], T0, T0 + 9000) == []


async def test_buckets_are_equal_steps_with_the_good_readings_of_each(store: ReadingStore) -> None:
    samples = [a_sample(at=T0 + n * 1000, car__floor=float(n), car__direction=n % 3) for n in range(6)]
    bad = a_sample(at=T0 + 6000, bad={"car.floor": Quality.RANGE}, car__floor=None)
    await store.write([a_delivery(1, *samples, bad)])
    assert await store.buckets(LIFT, "car.floor", T0, T0 + 12_000, count=4) == [
        Bucket(T0, 3, 1.0, 0.0, 2.0),
        Bucket(T0 + 3000, 3, 4.0, 3.0, 5.0),
        Bucket(T0 + 6000, 0, None, None, None),
        Bucket(T0 + 9000, 0, None, None, None),
    ]
    # steps under a second are made longer, so that there are fewer
    shorter = await store.buckets(LIFT, "car.direction", T0 + 500, T0 + 3500, count=300)
    assert [(bucket.at - T0, bucket.count, bucket.mean) for bucket in shorter] == [
        (500, 1, 1.0),
        (1500, 1, 2.0),
        (2500, 1, 0.0),
    ]
    assert await store.buckets(LIFT, "no.such", T0, T0 + 1000) == []
    assert await store.buckets(LIFT, "car.floor", T0, T0) == []


async def test_samples_come_oldest_first_with_every_asset(store: ReadingStore) -> None:
    await store.write(
        [
            a_delivery(1, a_sample("EL-02", T0 + 2000, car__floor=1.0), a_sample(METER, T0, u__ln_avg=231.0)),
            a_delivery(2, a_sample(at=T0 + 1000, bad={"car.speed": Quality.COMM}, car__floor=2.0, car__speed=None)),
            a_delivery(3, a_sample(at=T0 + 90_000, car__floor=3.0)),
        ]
    )
    found = [sample async for sample in store.samples(T0, T0 + 90_001)]
    assert [(sample.asset, sample.at - T0) for sample in found] == [
        (METER, 0),
        (LIFT, 1000),
        ("EL-02", 2000),
        (LIFT, 90_000),
    ]
    assert found[1].values == {"car.floor": 2.0, "car.speed": None}
    assert found[1].quality == {"car.speed": Quality.COMM}
    only = [sample.at - T0 async for sample in store.samples(T0, T0 + 90_000, assets=[LIFT])]
    assert only == [1000]
    assert [sample async for sample in store.samples(T0, T0 + 90_000, assets=["nobody"])] == []


async def test_a_point_outside_the_class_is_refused_and_the_rest_is_stored(store: ReadingStore) -> None:
    result = await store.write([a_delivery(1, a_sample(car__floor=1.0, car__wings=2.0))])
    assert result.readings == 1
    assert len(result.refused) == 1
    assert "car.wings" in result.refused[0].what
    assert "elevator" in result.refused[0].reason


async def test_totals_count_good_and_bad_by_class(store: ReadingStore) -> None:
    assert await store.totals() == Totals(0, 0, {})
    lift = a_sample(bad={"car.speed": Quality.COMM}, car__floor=1.0, car__speed=None)
    await store.write([a_delivery(1, lift, a_sample(METER, T0, u__ln_avg=230.0))])
    assert await store.totals() == Totals(3, 0, {"elevator": 2, "power": 1})


async def test_alarm_transitions_come_back_as_they_were_and_once(store: ReadingStore) -> None:
    raised, cleared = a_notice(1, T0), a_notice(2, T0 + 5000, event="clear")
    await store.write_alarm(raised)
    await store.write_alarms([cleared, raised])
    await store.write_alarms([])
    assert await store.alarms(T0, T0 + 6000) == [raised, cleared]
    assert await store.alarms(T0, T0 + 6000, limit=1) == [cleared]
    assert await store.alarms(T0 + 6000, T0 + 7000) == []
    assert (await store.totals()).readings == 0


async def test_text_that_looks_like_a_statement_is_only_text(store: ReadingStore) -> None:
    await store.write([a_delivery(1)])
    evil = "x' OR '1'='1"
    assert await store.between(evil, [], 0, T0 * 2) == []
    assert await store.latest([evil, 'y"; DROP MEASUREMENT "elevator']) == []
    assert await store.buckets(LIFT, 'car.floor") FROM elevator --', T0, T0 + 1000) == []
    assert [sample async for sample in store.samples(T0, T0 + 5000, assets=[evil])] == []
    assert (await store.totals()).readings == 1


async def test_nothing_written_is_nothing_stored(store: ReadingStore) -> None:
    result = await store.write([])
    assert (result.readings, result.replayed, result.refused) == (0, 0, ())
    assert await store.latest() == []


async def test_expiry_forgets_what_is_older(store: ReadingStore) -> None:
    if isinstance(store, InfluxStore):
        assert await store.expire(T0) == 0  # the bucket's own retention does it
        return
    samples = [a_sample(at=T0 + n * 1000, car__floor=float(n)) for n in range(5)]
    await store.write([a_delivery(1, *samples)])
    assert await store.expire(T0 + 3000) == 3
    assert [held.value for held in await store.between(LIFT, [], T0, T0 + 9000)] == [3.0, 4.0]
    assert await store.expire(T0 + 30_000) == 2
    assert await store.latest() == []


async def test_an_asset_of_a_class_that_comes_later_is_stored_and_found_like_any_other(store: ReadingStore) -> None:
    await store.write([a_delivery(1, a_sample())])
    assert len(await store.latest()) == 1
    label = Label("锅炉", "Boiler")
    points = {"lit": Point("lit", Kind.DISCRETE, label), "mode": Point("mode", Kind.TEXT, label)}
    known = catalog()
    later = Catalog({**known.classes, "boiler": AssetClass("boiler", label, points)}, known.profiles)
    store.adopt({**ASSETS, "BO-01": Asset("BO-01", "boiler", label)}, later)
    sample = a_sample("BO-01", T0 + 5000, lit=True, mode="eco")
    classes = {**CLASSES, "BO-01": "boiler"}
    result = await store.write([Delivery("gw-1", a_batch(2, sample), classes)])
    assert (result.readings, result.refused) == (2, ())
    newest = {(found.asset, found.point): found.value for found in await store.latest()}
    assert newest == {(LIFT, "car.floor"): 3.0, ("BO-01", "lit"): True, ("BO-01", "mode"): "eco"}
    assert type(newest["BO-01", "lit"]) is bool
    assert [found.value for found in await store.between("BO-01", ["mode"], T0, T0 + 9000)] == ["eco"]
