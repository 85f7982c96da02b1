"""InfluxDB at its worst: away, refusing, half accepting, in other people's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.errors import StoreError
from facility.settings import ReadingsSettings
from facility.wire import encode
from ingest.batch import Limits
from ingest.deadletters import DeadLetters
from ingest.duckdb_store import DuckDBStore
from ingest.influx_store import InfluxStore
from ingest.influxql import name, where
from ingest.lineprotocol import escape_name
from ingest.open import open_store
from ingest.service import Ingest
from tests.ingest.building import ASSETS, LIFT, T0, a_batch, a_delivery, a_notice, a_sample, a_site, catalog
from tests.services.influx import InfluxServer
from tests.services.waiting import until

pytestmark = pytest.mark.service("influxd")


def settings(server: InfluxServer, **more: str) -> ReadingsSettings:
    base = {"url": server.url, "bucket": "faults", "token": server.token}
    return ReadingsSettings(kind="influxdb", **(base | more))  # type: ignore[arg-type]


def a_store(held: ReadingsSettings, site: str = "tower") -> InfluxStore:
    return InfluxStore(held, site=site, assets=ASSETS, catalog=catalog())


@pytest_asyncio.fixture
async def store(influx: InfluxServer) -> AsyncIterator[InfluxStore]:
    influx.fresh("faults")
    found = a_store(settings(influx))
    yield found
    await found.close()


async def test_a_line_in_conflict_is_found_and_all_others_are_stored(influx: InfluxServer, store: InfluxStore) -> None:
    # somebody else wrote a text where the class has a number
    other = a_store(settings(influx))
    await other._post(f'elevator,asset=EL-02,site=tower car.floor="three" {T0 + 3}')
    await other.close()
    samples = [a_sample(at=T0 + n, car__floor=float(n), car__speed=0.5) for n in range(7)]
    samples[3] = a_sample("EL-02", T0 + 3, car__speed=1.0)
    samples.append(a_sample(at=T0 + 50, car__direction=1))
    result = await store.write([a_delivery(1, *samples)])
    assert result.readings + len(result.refused) * 2 == 6 * 2 + 1 + 1
    assert all("field type conflict" in held.reason for held in result.refused)
    assert all("car.floor=" in held.what for held in result.refused)
    assert (await store.totals()).readings == result.readings + 1
    # written again, the same lines are refused and nothing else changes
    again = await store.write([a_delivery(1, *samples)])
    assert again == result


async def test_one_bad_line_among_many_costs_few_requests(influx: InfluxServer, store: InfluxStore) -> None:
    asked = 0
    post = store._post

    async def counting(body: str) -> str:
        nonlocal asked
        asked += 1
        return await post(body)

    store._post = counting  # type: ignore[method-assign]
    good = [f"elevator,asset=EL-01,site=tower car.floor={n} {T0 + n}" for n in range(200)]
    lines = [*good[:77], "elevator,asset=EL-01 this is no line", *good[77:]]
    found = await store._write_lines(lines, 0, len(lines))
    assert [index for index, _ in found] == [77]
    assert "unable to parse" in found[0][1]
    assert asked < 20
    assert (await store.totals()).readings == 200


async def test_a_wrong_token_says_whose_fault_it_is_and_what_to_do(influx: InfluxServer) -> None:
    store = a_store(settings(influx, token="caretaker:wrong-word"))
    for call in (store.write([a_delivery(1)]), store.latest(), store.totals()):
        with pytest.raises(StoreError, match=r"refuses the token \(readings\.token\)") as raised:
            await call
        assert not raised.value.retry
        assert "wrong-word" not in str(raised.value)
    await store.close()


async def test_a_missing_bucket_is_named(influx: InfluxServer) -> None:
    store = a_store(settings(influx, bucket="nowhere"))
    for call in (store.write([a_delivery(1)]), store.between(LIFT, [], T0, T0 + 5000)):
        with pytest.raises(StoreError, match=r"no bucket 'nowhere'; create it") as raised:
            await call
        assert not raised.value.retry
    await store.close()


async def test_a_server_that_is_away_is_worth_trying_again(influx: InfluxServer) -> None:
    store = a_store(settings(influx, url="http://127.0.0.1:1"))
    for call in (store.write([a_delivery(1)]), store.latest(), store.write_alarm(a_notice())):
        with pytest.raises(StoreError, match="can't be reached") as raised:
            await call
        assert raised.value.retry
    await store.close()


async def test_an_answer_that_is_none_of_influxdb_is_an_error_not_data(store: InfluxStore) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/query":
            return web.Response(text="<html>a proxy's own page</html>")
        return web.json_response({"message": "organization name is required"}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    strange = a_store(store._settings.model_copy(update={"url": f"http://127.0.0.1:{port}"}))
    with pytest.raises(StoreError, match="does not answer as InfluxDB does"):
        await strange.between(LIFT, [], T0, T0 + 1)
    # a 400 that blames the request may not put every reading into quarantine
    with pytest.raises(StoreError, match="organization name is required"):
        await strange.write([a_delivery(1)])
    await strange.close()
    await runner.cleanup()


async def test_sites_in_one_bucket_do_not_see_each_other(influx: InfluxServer, store: InfluxStore) -> None:
    other = a_store(settings(influx), site="annex")
    await other.write([a_delivery(1, a_sample(car__floor=9.0))])
    assert (await store.totals()).readings == 0
    assert await store.latest() == []
    assert await store.between(LIFT, [], T0, T0 + 1) == []
    assert [sample async for sample in store.samples(T0, T0 + 1)] == []
    await other.close()


async def test_latest_follows_what_another_process_writes(influx: InfluxServer, store: InfluxStore) -> None:
    now = SystemClock().ms()
    assert await store.latest() == []
    other = a_store(settings(influx))
    await other.write([a_delivery(1, a_sample(at=now, car__floor=5.0))])
    store._latest._read_at = float("-inf")  # half a second later
    assert [held.value for held in await store.latest()] == [5.0]
    await other.close()


@pytest.mark.slow
async def test_a_store_killed_and_restarted_under_a_stream_loses_nothing(influx: InfluxServer, tmp_path: Path) -> None:
    influx.fresh("faults")
    held = settings(influx)
    store = await open_store(held, site=a_site(tmp_path), catalog=catalog())
    bus, letters = MemoryBus(), DeadLetters(":memory:")
    site = a_site(tmp_path)
    ingest = Ingest(
        site, catalog(), bus=bus, store=store, dead_letters=letters, clock=SystemClock(), limits=Limits(age=0.01)
    )
    task = asyncio.create_task(ingest.run())
    await asyncio.sleep(0)
    now = SystemClock().ms() - 100_000
    for seq in range(1, 61):
        await bus.publish("fm/v1/tower/gw-1/readings", encode(a_batch(seq, a_sample(at=now + seq, car__floor=1.0))))
        if seq == 20:
            await until(lambda: ingest.metrics()["batches_confirmed"] >= 20)
            await asyncio.to_thread(influx.stop, kill=True)
        if seq == 40:
            await until(lambda: ingest.metrics()["store_errors"] >= 1)
            assert ingest.metrics()["batches_confirmed"] == 20
            await asyncio.to_thread(influx.start)
    await until(lambda: ingest.metrics()["batches_confirmed"] == 60, limit=15)
    assert (await store.totals()).readings == 60
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await store.close()
    letters.close()


async def test_the_settings_choose_the_store(influx: InfluxServer, tmp_path: Path) -> None:
    embedded = await open_store(ReadingsSettings(path="data/r.duckdb"), site=a_site(tmp_path), catalog=catalog())
    assert isinstance(embedded, DuckDBStore)
    assert (tmp_path / "data" / "r.duckdb").exists()
    await embedded.close()
    remote = await open_store(settings(influx), site=a_site(tmp_path), catalog=catalog())
    assert isinstance(remote, InfluxStore)
    await remote.close()


@pytest.mark.parametrize("given", ["plain", 'a"b', "a'b", "a\\b", "升降机", "a,b = c", "x' OR '1'='1"])
async def test_any_name_and_text_survive_the_way_through_a_statement(given: str, store: InfluxStore) -> None:
    await store._post(f"elevator,asset={escape_name(given)},site=s {escape_name(given)}=1 {T0}")
    await store._post(f"elevator,asset=other,site=s {escape_name(given)}=2 {T0}")
    query = f"SELECT {name(given)} FROM elevator WHERE {where('s', T0, T0 + 1, [given])}"
    (series,) = await store._ask(query)
    assert series.values == [[T0, 1]]


@pytest.mark.parametrize("given", ["a\\", "a\nb", "';", '"'])
async def test_no_text_leaves_its_quotes(given: str, store: InfluxStore) -> None:
    assert await store._ask(f"SELECT {name(given)} FROM {name(given)} WHERE {where(given, 0, 1, [given])}") == []
