"""Ingest, measured: readings from MQTT (QoS 1) into DuckDB and into InfluxDB, confirmed to the gateways; one history.

`rate` is readings per second, `cpu_us` the CPU of this process (all threads) per reading. The sender is a process of
its own that keeps a bounded number of batches unconfirmed, as gateways do; broker and InfluxDB are others, all on the
same machine. `history_bucket` is 24 h of one point at 1 Hz as 300 steps out of DuckDB, among 20 such series.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from bench.ingest_sender import ASSETS, GATEWAYS, POINTS, send
from facility.assets import Asset
from facility.broker import embedded_broker
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.clock import SystemClock
from facility.config import Site
from facility.mqtt_bus import Broker, MqttBus
from facility.points import Kind, Label, Point
from facility.readings import Sample
from facility.settings import ReadingsSettings, Settings
from facility.wire import Batch
from ingest.deadletters import DeadLetters
from ingest.duckdb_store import DuckDBStore
from ingest.influx_store import InfluxStore
from ingest.service import Ingest
from ingest.store import Delivery, ReadingStore
from tests.services.influx import start_influx
from tests.services.require import find

SECONDS = 3.0
LABEL = Label("点", "point")
KINDS = (Kind.ANALOG, Kind.ANALOG, Kind.ANALOG, Kind.DISCRETE, Kind.ENUM)
DAY = 86_400
Work = Callable[[], Coroutine[None, None, dict[str, float]]]
spawn = multiprocessing.get_context("spawn")


def run(seconds: float = SECONDS) -> dict[str, float]:
    """Every measurement of this file; InfluxDB is left out where it is not installed."""
    found = _measure("ingest_duckdb", lambda: _into_duckdb(seconds))
    if find("influxd"):
        with _influx() as (url, token, bucket):
            settings = ReadingsSettings(kind="influxdb", url=url, token=token, bucket=bucket)
            found |= _measure("ingest_influx", lambda: _into_influx(settings, seconds))
    return found | _measure("history_bucket", _history)


def _measure(name: str, work: Work) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return {f"{name}.{key}": value for key, value in runner.run(work()).items()}


def catalog() -> Catalog:
    """One class of `POINTS` points of all numeric kinds."""
    points = {f"p[{n}]": Point(f"p[{n}]", KINDS[n % len(KINDS)], LABEL) for n in range(POINTS)}
    return Catalog({"bench": AssetClass("bench", LABEL, points)}, {})


def site(folder: Path) -> Site:
    """The site that the sender speaks for."""
    gateways = tuple(f"gw-{n}" for n in range(GATEWAYS))
    assets = {name: Asset(name, "bench", LABEL) for gateway in gateways for name in ASSETS(gateway)}
    return Site("bench", LABEL, folder, "UTC", ("en",), gateways, {}, assets, (), Settings())


async def _into_duckdb(seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await DuckDBStore.open(Path(folder) / "readings.duckdb", catalog=catalog())
        return await _through(store, Path(folder), seconds)


async def _into_influx(settings: ReadingsSettings, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        held = site(Path(folder))
        store = InfluxStore(settings, site=held.id, assets=held.assets, catalog=catalog())
        return await _through(store, Path(folder), seconds)


async def _through(store: ReadingStore, folder: Path, seconds: float) -> dict[str, float]:
    letters = DeadLetters(folder / "letters.sqlite")
    async with embedded_broker(folder / "broker") as broker, MqttBus(broker, client_id="ingest") as bus:
        ingest = Ingest(site(folder), catalog(), bus=bus, store=store, dead_letters=letters, clock=SystemClock())
        task = asyncio.create_task(ingest.run())
        try:
            with _sender(broker):
                return await _watch(ingest, seconds)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await store.close()
            letters.close()


async def _watch(ingest: Ingest, seconds: float) -> dict[str, float]:
    deadline = time.monotonic() + 20
    # a measurement watches from outside, there is no event to wait for
    while ingest.metrics()["batches_confirmed"] < 200 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    before, cpu, began = ingest.metrics(), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    after, used, took = ingest.metrics(), time.process_time() - cpu, time.monotonic() - began
    count = after["readings_stored"] - before["readings_stored"]
    if not count or after["dead_letters"] or after["store_errors"]:
        raise RuntimeError(f"the run is worth nothing: {after}, {ingest.error}")
    return {"rate": count / took, "cpu_us": used / count * 1e6}


@contextmanager
def _sender(broker: Broker) -> Iterator[None]:
    arguments = (broker.host, broker.port, broker.username, broker.password)
    process = spawn.Process(target=send, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(5)


@contextmanager
def _influx() -> Iterator[tuple[str, str, str]]:
    """InfluxDB and the proxy in front of it, in a process of their own: (url, token, bucket)."""
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve_influx, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join(10)


def _serve_influx(pipe: Connection[Any, Any]) -> None:
    binary = find("influxd")
    assert binary is not None
    with tempfile.TemporaryDirectory() as folder:
        server = start_influx(binary, Path(folder))
        pipe.send((server.url, server.token, server.bucket))
        pipe.recv()
        server.close()


async def _history() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await DuckDBStore.open(Path(folder) / "readings.duckdb", catalog=catalog())
        start = 1_790_000_000_000
        points = [f"p[{n}]" for n in range(POINTS) if KINDS[n % len(KINDS)] is Kind.ANALOG][:10]
        for hour in range(24):
            samples = [
                Sample(f"A{n}", start + second * 1000, dict.fromkeys(points, round(math.sin(second / 900) * 40, 1)))
                for second in range(hour * 3600, hour * 3600 + 3600)
                for n in range(2)
            ]
            classes = {"A0": "bench", "A1": "bench"}
            await store.write([Delivery("gw", Batch("b", hour + 1, samples), classes)])
        took: list[float] = []
        for turn in range(100):
            began = time.perf_counter()
            found = await store.buckets(
                f"A{turn % 2}", points[turn % len(points)], start, start + DAY * 1000, count=300
            )
            took.append((time.perf_counter() - began) * 1000)
            if sum(bucket.count for bucket in found) != DAY:
                raise RuntimeError("the history is not whole")
        await store.close()
    took.sort()
    return {"p50_ms": took[50], "p99_ms": took[98]}
