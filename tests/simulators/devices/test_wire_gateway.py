"""A real gateway over sockets, in virtual time: what a faulty device raises, and that the others are read as before."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from facility.assets import Line
from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import GATEWAY, On
from simulators.devices import wire
from simulators.devices.wire import LISTENER
from simulators.faultfile import repertoire
from tests.simulators.devices.stage import Stage, staged

pytestmark = [pytest.mark.looptime, pytest.mark.slow]

FAULTS = {name: fault for name, fault in repertoire().faults_of(On.DEVICE).items() if name in wire.FAULTS}
FAULTY, BESIDE, APART = "EL-01-gw", "EL-02-gw", "EL-03-gw"
"""One with the fault, one behind the same listener, one with its own."""
CHANCE = {"drop": {"gateway.device_down"}, "duplicate_unit": {"gateway.device_down"}}
"""Alarms that may come or not: whether so many polls fail in a row that the device seems down is chance."""


def shared(site: Site) -> Site:
    """The site with the second lift behind the first one's listener."""
    port = next(device.line.port for device in site.devices if device.id == FAULTY)
    devices = tuple(replace(item, line=Line(port=port), unit=2) if item.id == BESIDE else item for item in site.devices)
    return replace(site, devices=devices)


async def all_up(stage: Stage, *, within: float) -> None:
    await stage.until(
        lambda: all(item.state == "up" for item in stage.gateway.status().devices.values()), within=within
    )


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_what_it_raises_and_what_it_leaves_alone(demo: tuple[Site, Catalog], name: str) -> None:
    site, catalog = demo
    expected = [item for item in FAULTS[name].expect if not item.planned]
    seconds = max((item.last for item in expected), default=60.0)
    async with staged(shared(site), catalog, FAULTY, BESIDE, APART, judged=("EL-01", "gw-1")) as stage:
        await all_up(stage, within=5)
        await asyncio.sleep(5)
        assert not stage.raised
        before = {device: dict(counts) for device, counts in stage.gateway.counters().items()}
        stage.begin(FAULTY, name)
        await asyncio.sleep(seconds)
        after = stage.gateway.counters()

        raised = [(item.rule, item.severity, item.seconds) for item in stage.raised if item.asset == "gw-1"]
        raised = [item for item in raised if item[0] not in CHANCE.get(name, ())]
        assert [rule for rule, _, _ in raised] == [item.rule for item in expected]
        for (_, severity, at), item in zip(raised, expected, strict=True):
            assert item.of == GATEWAY
            assert severity == item.severity
            assert item.first <= at <= item.last
        if any(item.rule == "gateway.device_down" for item in expected):
            assert ("EL-01", "elevator.no_data") in {(item.asset, item.rule) for item in stage.raised}

        assert after[APART]["failures"] == before[APART]["failures"]
        assert after[APART]["requests"] - before[APART]["requests"] >= 2.4 * (seconds - 2)
        assert stage.simulation.served_by[APART].requests == after[APART]["requests"]
        if name in LISTENER:
            assert stage.status(BESIDE).state == "down"
        else:
            assert after[BESIDE]["failures"] == before[BESIDE]["failures"]

        stage.end(FAULTY, name)
        await all_up(stage, within=700)  # what was refused is asked for again within 10 min
