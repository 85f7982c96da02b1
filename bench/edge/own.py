"""The gateway that is measured, the whole way: decode, report by exception, a spool file, publish, confirmation."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from facility import wire
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.points import Profile
from gateway.file_spool import FileSpool
from gateway.planner import plan
from gateway.poller import ModbusPoller
from gateway.service import Gateway

WARM = 0.3
"""Seconds after the first whole cycle until it counts."""
PATIENCE = 60.0
"""Seconds in which every device must have been polled once."""


@asynccontextmanager
async def running(
    site: Site, catalog: Catalog, gateway_id: str = "gw", *, bus: MemoryBus | None = None
) -> AsyncIterator[Gateway]:
    """A gateway at work on a bus in memory; RuntimeError when it ends with a crash or with unconfirmed batches."""
    bus = bus or MemoryBus()
    with tempfile.TemporaryDirectory() as folder:
        spool = FileSpool(Path(folder) / "spool.sqlite")
        gateway = Gateway(site, gateway_id, catalog, bus=bus, spool=spool, clock=SystemClock(), version="bench")
        async with asyncio.TaskGroup() as group:
            storing = group.create_task(_confirm(bus, site.id, gateway_id))
            work = group.create_task(gateway.run())
            yield gateway
            gateway.stop()
            await work
            storing.cancel()
        if gateway.crashes or spool.batches:
            raise RuntimeError(f"{gateway.crashes} crashes, {spool.batches} batches unconfirmed: {gateway.status()}")


async def throughput(site: Site, catalog: Catalog, profile: Profile, seconds: float) -> dict[str, float]:
    """rate, cpu_us (this process, all threads, per point), sent_share and late_ms of `seconds`."""
    reads, points = len(plan(profile.registers, profile.limits)), len(profile.registers)
    async with running(site, catalog) as gateway:
        await _warmed(gateway, reads)
        clear_late(gateway)
        requests, cpu, began, sent = requests_of(gateway), time.process_time(), time.perf_counter(), gateway.sent
        await asyncio.sleep(seconds)
        done = (requests_of(gateway) - requests) * points / reads
        spent, took = time.process_time() - cpu, time.perf_counter() - began
        if any(device.state != "up" for device in gateway.status().devices.values()):
            raise RuntimeError(f"not every device answers: {gateway.status().devices}")
        return {
            "rate": done / took,
            "cpu_us": spent / done * 1e6,
            "sent_share": (gateway.sent - sent) / done,
            "late_ms": late(gateway) * 1000,
        }


async def _warmed(gateway: Gateway, reads: int) -> None:
    """Wait until every device has been read once."""
    async with asyncio.timeout(PATIENCE):
        while any(counts.get("requests", reads) < reads for counts in gateway.counters().values()):
            await asyncio.sleep(0.05)
    await asyncio.sleep(WARM)


def requests_of(gateway: Gateway) -> int:
    """Requests of all its devices since it started."""
    return sum(counts.get("requests", 0) for counts in gateway.counters().values())


def clear_late(gateway: Gateway) -> None:
    """Forget how late polls have begun."""
    for driver in gateway.drivers:
        if isinstance(driver, ModbusPoller):
            driver.late = 0.0


def late(gateway: Gateway) -> float:
    """Seconds, the most that a poll of any device began after its time."""
    return max(driver.late for driver in gateway.drivers if isinstance(driver, ModbusPoller))


async def _confirm(bus: MemoryBus, site: str, gateway: str) -> None:
    """Confirm every batch as ingest would, without decoding its samples."""
    async with bus.subscribe(wire.readings_topic(site, gateway)) as batches:
        async for message in batches:
            head = message.payload[:64].split(b'"')
            seq = int(head[6].strip(b":,"))
            stored = wire.Stored(head[3].decode(), [(seq, seq)])
            await bus.publish(wire.stored_topic(site, gateway), wire.encode(stored))
