"""The edge: 20 devices polled flat out, through decode, report by exception, spool (a file), publish and confirmation.

`edge_contiguous`: 1000 registers in one piece a device, a tenth of them changing between two reads.
`edge_scattered`: 1000 two-word values a device in groups of 8 with holes too wide to bridge.
`edge_bare`: a bare asyncio client that makes the same requests as `edge_contiguous` and throws the answers away.
`edge_paced`: the contiguous map at 5 Hz, that is 100,000 points/s: how late polls begin.

`rate` is points per second, `cpu_us` the CPU of this process (all threads) per point.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import uvloop

from bench.modbus_plant import plant
from facility import wire
from facility.assets import Asset, Device, Line
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.clock import SystemClock
from facility.config import Site
from facility.points import Kind, Label, Limits, Point, Profile, Register, Table
from facility.settings import Settings
from gateway.file_spool import FileSpool
from gateway.poller import ModbusPoller
from gateway.service import Gateway

DEVICES = 20
POINTS = 1000
CHANGING = 10
"""Every tenth register."""
SECONDS = 1.0
LABEL = Label("点", "point")


def run(seconds: float = SECONDS) -> dict[str, float]:
    """Every measurement of this file; about ten seconds by default."""
    found: dict[str, float] = {}
    contiguous, scattered = _contiguous(), _scattered()
    with plant(DEVICES, POINTS, CHANGING) as ports:
        found |= _named("edge_bare", _measure(lambda: _bare(ports, seconds)))
        found |= _named("edge_contiguous", _measure(lambda: _gateway(ports, contiguous, seconds, 0.001)))
        found |= _named("edge_paced", _measure(lambda: _gateway(ports, contiguous, seconds, 0.2)))
    with plant(DEVICES, POINTS, 1) as ports:
        found |= _named("edge_all_changing", _measure(lambda: _gateway(ports, contiguous, seconds, 0.001)))
    with plant(DEVICES, 40_000, CHANGING) as ports:
        found |= _named("edge_scattered", _measure(lambda: _gateway(ports, scattered, seconds, 0.001)))
    return found


def _named(name: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{name}.{key}": value for key, value in values.items()}


def _measure(work: Callable[[], Coroutine[None, None, dict[str, float]]]) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def _contiguous() -> Profile:
    registers = tuple(Register(f"p[{n}]", Table.HOLDING, n, "uint16", scale=0.1) for n in range(POINTS))
    return Profile("bench", "bench", LABEL, "bench", "modbus", registers, Limits())


def _scattered() -> Profile:
    registers = tuple(
        Register(f"p[{n}]", Table.HOLDING, (n // 8) * 40 + (n % 8) * 2, "uint32", words=2, scale=0.1)
        for n in range(POINTS)
    )
    return Profile("bench", "bench", LABEL, "bench", "modbus", registers, Limits())


def _site(ports: Sequence[int], profile: Profile, interval: float) -> tuple[Site, Catalog]:
    points = {
        register.point: Point(register.point, Kind.ANALOG, LABEL, "V", 0.0, 1e9, 0.1, interval)
        for register in profile.registers
    }
    devices = tuple(Device(f"d{n}", "gw", "bench", f"A{n}", line=Line(port=port)) for n, port in enumerate(ports))
    assets = {device.asset: Asset(device.asset, "bench", LABEL) for device in devices}
    site = Site("bench", LABEL, Path(), "UTC", ("en",), ("gw",), {}, assets, devices, Settings())
    return site, Catalog({"bench": AssetClass("bench", LABEL, points)}, {"bench": profile})


async def _gateway(ports: Sequence[int], profile: Profile, seconds: float, interval: float) -> dict[str, float]:
    site, catalog = _site(ports, profile, interval)
    bus = MemoryBus()
    with tempfile.TemporaryDirectory() as folder:
        spool = FileSpool(Path(folder) / "spool.sqlite")
        gateway = Gateway(site, "gw", catalog, bus=bus, spool=spool, clock=SystemClock(), version="bench")
        async with asyncio.TaskGroup() as group:
            storing = group.create_task(confirm(bus, "bench", "gw"))
            running = group.create_task(gateway.run())
            await asyncio.sleep(0.8)
            result = await _watch(gateway, len(profile.registers), seconds)
            gateway.stop()
            await running
            storing.cancel()
        if gateway.crashes or spool.batches:
            raise RuntimeError(f"{gateway.crashes} crashes, {spool.batches} batches unconfirmed: {gateway.status()}")
    return result


async def _watch(gateway: Gateway, points: int, seconds: float) -> dict[str, float]:
    """Points per second and CPU per point of `seconds` from now."""
    pollers = [driver for driver in gateway.drivers if isinstance(driver, ModbusPoller)]
    reads = sum(len(job.blocks) for job in pollers[0].units[0].jobs)
    for poller in pollers:
        poller.late = 0.0
    requests, cpu, began, sent = requests_of(gateway), time.process_time(), time.perf_counter(), gateway.sent
    await asyncio.sleep(seconds)
    done = (requests_of(gateway) - requests) * points / reads
    spent, took = time.process_time() - cpu, time.perf_counter() - began
    return {
        "rate": done / took,
        "cpu_us": spent / done * 1e6,
        "sent_share": (gateway.sent - sent) / done,
        "late_ms": max(poller.late for poller in pollers) * 1000,
    }


def requests_of(gateway: Gateway) -> int:
    """Requests of all its devices since it started."""
    return sum(counts.get("requests", 0) for counts in gateway.counters().values())


async def confirm(bus: MemoryBus, site: str, gateway: str) -> None:
    """Confirm every batch as ingest would, without decoding its samples."""
    async with bus.subscribe(wire.readings_topic(site, gateway)) as batches:
        async for message in batches:
            head = message.payload[:64].split(b'"')
            seq = int(head[6].strip(b":,"))
            stored = wire.Stored(head[3].decode(), [(seq, seq)])
            await bus.publish(wire.stored_topic(site, gateway), wire.encode(stored))


async def _bare(ports: Sequence[int], seconds: float) -> dict[str, float]:
    counts = [0]
    tasks = [asyncio.create_task(_ask(port, counts)) for port in ports]
    await asyncio.sleep(0.3)
    points, cpu, began = counts[0], time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    done, spent, took = counts[0] - points, time.process_time() - cpu, time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"rate": done / took, "cpu_us": spent / done * 1e6}


async def _ask(port: int, counts: list[int]) -> None:
    """1000 registers in 8 requests, over and over, each answer unpacked and thrown away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            for block in range(8):
                writer.write(struct.pack(">HHHBBHH", block, 0, 6, 1, 3, block * 125, 125))
                head = await reader.readexactly(9)
                struct.unpack(f">{head[8] // 2}H", await reader.readexactly(head[8]))
                counts[0] += 125
    finally:
        writer.close()


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<32} {value:12.3f}")
