"""Simulated devices on lines of RTU: read by pymodbus and by a gateway; a serial port becomes a converter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerType

from caretaker_demo import DEMO_SITE as SITE
from facility.assets import Framing, Line
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.config import Site, load_site
from gateway.service import Gateway
from gateway.spool import MemorySpool
from simulators.service import Simulation

RTU = Line("127.0.0.1", 4001, Framing.RTU, baud=9600)
SERIAL = Line("", 0, Framing.RTU, serial="/dev/ttyS99", baud=9600)


MAGIC = [0x4C31, 0x0100]


def a_client(port: int, timeout: float = 1.0) -> AsyncModbusTcpClient:
    return AsyncModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, timeout=timeout, retries=0)


def on_lines(site: Site) -> Site:
    """Two lifts on one converter, one on a serial port."""
    places = {"EL-01-gw": (RTU, 1), "EL-02-gw": (RTU, 2), "EL-03-gw": (SERIAL, 7)}
    devices = tuple(
        replace(device, line=places[device.id][0], unit=places[device.id][1])
        for device in site.devices
        if device.id in places
    )
    return replace(site, devices=devices)


async def test_units_behind_a_converter_are_read_by_pymodbus_and_by_a_gateway() -> None:
    site, catalog = load_site(SITE)
    site = on_lines(site)
    simulation = Simulation(site, catalog, bus=None, clock=SystemClock())
    addresses = await simulation.start(ports="free")
    try:
        assert addresses["EL-01-gw"] == addresses["EL-02-gw"] != addresses["EL-03-gw"]
        client = a_client(addresses["EL-03-gw"][1])
        assert await client.connect()
        assert (await client.read_input_registers(0, count=2, device_id=7)).registers == MAGIC
        client.close()

        wired = tuple(
            replace(device, line=replace(device.line, serial="", host="127.0.0.1", port=addresses[device.id][1]))
            for device in site.devices
        )
        bus = MemoryBus()
        name = wired[0].gateway
        gateway = Gateway(
            replace(site, devices=wired), name, catalog, bus=bus, spool=MemorySpool(), clock=SystemClock(), version="t"
        )
        running = asyncio.create_task(gateway.run())
        async with asyncio.timeout(20):
            while not all(device.state == "up" for device in gateway.status().devices.values()):
                await asyncio.sleep(0.05)
        gateway.stop()
        with suppress(asyncio.CancelledError):
            await running
        assert {driver.name for driver in gateway.drivers} == {
            f"modbus 127.0.0.1:{addresses[device][1]} (RTU)" for device in ("EL-01-gw", "EL-03-gw")
        }
        assert all(not any(figures.errors.values()) for figures in gateway.figures().values())
    finally:
        await simulation.stop()


async def test_a_unit_that_is_not_there_is_silent_on_a_line_of_rtu() -> None:
    site, catalog = load_site(SITE)
    simulation = Simulation(on_lines(site), catalog, bus=None, clock=SystemClock())
    addresses = await simulation.start(ports="free")
    try:
        client = a_client(addresses["EL-03-gw"][1], timeout=0.2)
        assert await client.connect()
        with pytest.raises(ModbusIOException):
            await client.read_input_registers(0, count=2, device_id=3)
        assert (await client.read_input_registers(0, count=2, device_id=7)).registers == MAGIC
        client.close()
    finally:
        await simulation.stop()
