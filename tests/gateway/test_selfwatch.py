"""What a gateway tells about its devices and itself: percentiles, rates, numbers that stay, by exception."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caretaker_demo import DEMO_SITE
from facility.assets import Line
from facility.bus import MemoryBus
from facility.catalog import Catalog, load_catalog
from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.readings import Value
from facility.selfwatch import MEASURED, OF_DEVICE, device_point, points_of_gateways
from facility.wire import Batch, DeviceStatus, decode, readings_topic
from gateway.meter import KEPT, KINDS, Figures, Meter
from gateway.selfwatch import Process, SelfWatch
from gateway.service import Gateway
from gateway.spool import MemorySpool
from tests.gateway.plant import Box, a_catalog, a_device, a_site, modbus_server

POINTS = load_catalog().classes["gateway"].points
UP = DeviceStatus("up")
IDLE = Process(uptime=12.6, cpu=3.04, memory=50_000_000, disk_free=71.5, late=0.0004)


def looked(watch: SelfWatch, at: float, **figures: Figures) -> dict[str, Value]:
    change = watch.look(round(at * 1000), at, dict.fromkeys(figures, UP), figures, IDLE)
    return change[0] if change else {}


def test_the_class_has_every_point_that_is_told() -> None:
    for key in (*MEASURED, *(device_point(1, name) for name in OF_DEVICE)):
        assert key in POINTS


@given(st.lists(st.floats(0, 10), min_size=1, max_size=600))
def test_percentiles_are_of_the_last_round_trips(trips: list[float]) -> None:
    meter = Meter()
    for trip in trips:
        meter.answered(trip)
    kept = sorted(trips[-KEPT:])
    p50, p99 = meter.percentiles()
    assert p50 is not None
    assert p99 is not None
    assert sum(trip <= p50 for trip in kept) * 2 >= len(kept)
    assert sum(trip <= p99 for trip in kept) * 100 >= 99 * len(kept)
    assert p50 <= p99 <= kept[-1]


def test_errors_are_counted_by_kind() -> None:
    meter = Meter()
    for kind in ("timeout", "timeout", "refused", "exception", "garbage"):
        meter.failed(kind)
    assert meter.errors == {"timeouts": 2, "unreachable": 1, "exceptions": 1, "garbage": 1}
    assert set(KINDS.values()) <= set(OF_DEVICE)


def test_a_device_in_figures() -> None:
    watch = SelfWatch(POINTS)
    first = looked(watch, 100, d1=Figures(requests=40, rtt_p50=0.0021, rtt_p99=0.01, cycle_predicted=0.03, cycle=0.024))
    assert first["device[1].id"] == "d1"
    assert first["device[1].state"] == 2
    assert first["device[1].rtt_p50"] == 2.1
    assert first["device[1].cycle"] == 24.0
    assert "device[1].requests" not in first
    assert first["gw.memory"] == 50.0
    then = looked(watch, 110, d1=Figures(requests=65, errors={"timeouts": 2}, overruns=1, bad_points=3))
    assert then["device[1].requests"] == 2.5
    assert then["gw.requests"] == 2.5
    assert then["device[1].timeouts"] == 2
    assert then["device[1].overruns"] == 1
    assert then["device[1].bad_points"] == 3
    assert "device[1].id" not in then


def test_what_did_not_change_is_not_told_again_until_somebody_asks() -> None:
    watch = SelfWatch(POINTS)
    figures = Figures(requests=10, rtt_p50=0.002)
    looked(watch, 100, d1=figures)
    assert set(looked(watch, 110, d1=figures)) == {"device[1].requests", "gw.requests"}
    assert looked(watch, 120, d1=figures) == {}
    watch.again()
    assert "device[1].id" in looked(watch, 130, d1=figures)


def test_a_number_stays_with_its_device_and_a_free_one_is_used_again() -> None:
    watch = SelfWatch(POINTS)
    looked(watch, 1, a=Figures(), b=Figures(), c=Figures())
    told = looked(watch, 2, a=Figures(), c=Figures(), d=Figures())
    assert told["device[2].id"] == "d"
    assert "device[1].id" not in told
    assert "device[3].id" not in told


def test_a_number_that_can_not_be_is_left_out() -> None:
    assert "device[1].rtt_p50" not in looked(SelfWatch(POINTS), 1, a=Figures(rtt_p50=float("inf")))


def test_a_site_has_the_points_of_its_largest_gateway(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    keys = {point.key for point in points_of_gateways(site, catalog)}
    most = max(len(site.devices_of(name)) for name in site.gateways)
    assert device_point(most, "cycle") in keys
    assert device_point(most + 1, "cycle") not in keys
    assert "gw.cpu" in keys


@pytest.fixture(name="demo")
def demo_site() -> tuple[Site, Catalog]:
    return load_site(DEMO_SITE)


async def test_a_gateway_tells_them_as_readings_of_its_own_asset() -> None:
    catalog = a_catalog()
    own = Catalog({**catalog.classes, "gateway": load_catalog().classes["gateway"]}, catalog.profiles)
    async with modbus_server(Box()) as port:
        bus, site = MemoryBus(), a_site(a_device(line=Line(port=port)))
        gateway = Gateway(site, "gw", own, bus=bus, spool=MemorySpool(), clock=SystemClock(), version="1")
        async with bus.subscribe(readings_topic("s", "gw")) as batches:
            running = asyncio.create_task(gateway.run())
            told: dict[str, Value] = {}
            async with asyncio.timeout(10):
                while "device[1].id" not in told:
                    batch = decode(Batch, (await anext(batches)).payload)
                    for sample in batch.samples:
                        told |= sample.values if sample.asset == "gw" else {}
            gateway.stop()
            with suppress(asyncio.CancelledError):
                await running
    assert told["device[1].id"] == "d1"
    assert isinstance(told["gw.memory"], float)
    assert gateway.figures()["d1"].requests > 0
