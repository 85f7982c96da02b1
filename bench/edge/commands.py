"""How long a command takes while every device is polled: from its message to the step that ends it.

`p50_ms`, `p99_ms`, `max_ms`: from publishing the command (MQTT topic, a bus in memory) until the gateway tells `done`:
the value from before read and brought to the disk, the new one written and read back. `write_p99_ms`: until the step
that says that the device has confirmed the write. `poll_rate`: points per second read meanwhile. One after the other,
each to the next of 20 devices.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from bench.edge import maps, own
from bench.edge.periods import percentile
from bench.modbus_plant import STILL, plant
from facility import wire
from facility.bus import MemoryBus, Subscription
from facility.clock import SystemClock
from facility.points import Profile, Writing

DEVICES = 20
REGISTERS = 1000
COMMANDS = 300
POINT = REGISTERS - STILL
"""A register that stays as it was written."""


def _profile() -> Profile:
    """The contiguous map, one of whose registers can be commanded."""
    found = maps.contiguous(REGISTERS)
    registers = list(found.registers)
    register = registers[POINT]
    registers[POINT] = replace(register, writing=Writing(register.table, register.address, 0.0, 6000.0))
    return replace(found, registers=tuple(registers))


async def measure(interval: float, commands: int = COMMANDS) -> dict[str, float]:
    """Give so many commands while every point is wanted every `interval` seconds."""
    bus, profile = MemoryBus(), _profile()
    with plant(DEVICES, REGISTERS, 10) as served:
        site, catalog = maps.site_of(maps.devices_at(served.ports), profile, interval)
        async with (
            own.running(site, catalog, bus=bus) as gateway,
            bus.subscribe(wire.results_topic(site.id, "gw")) as results,
        ):
            await asyncio.sleep(1.0)
            requests, began = own.requests_of(gateway), time.perf_counter()
            whole, written = [], []
            for number in range(commands):
                start = time.perf_counter()
                await _command(bus, site.id, number)
                async with aclosing(_steps(results, f"c{number}")) as steps:
                    async for step in steps:
                        passed = time.perf_counter() - start
                        if step.step == "reading_back":
                            written.append(passed)
                        if step.final and step.step != "done":
                            raise RuntimeError(f"{step.step}: {step.message}")
                whole.append(passed)
            took = time.perf_counter() - began
            reads = len(own.plan(profile.registers, profile.limits))
            polled = (own.requests_of(gateway) - requests - 3 * commands) * REGISTERS / reads / took
    whole.sort()
    written.sort()
    return {
        "p50_ms": percentile(whole, 50) * 1000,
        "p99_ms": percentile(whole, 99) * 1000,
        "max_ms": whole[-1] * 1000,
        "write_p99_ms": percentile(written, 99) * 1000,
        "poll_rate": polled,
    }


async def _command(bus: MemoryBus, site: str, number: int) -> None:
    now = SystemClock().ms()
    command = wire.Command(
        id=f"c{number}", asset=f"A{number % DEVICES}", point=f"p[{POINT}]", value=float(number % 500 + 1), by="bench",
        at=now, expires=now + 30_000,
    )  # fmt: skip
    await bus.publish(wire.commands_topic(site, "gw"), wire.encode(command))


async def _steps(results: Subscription, command: str) -> AsyncIterator[wire.CommandStep]:
    """The steps of a command, to the last."""
    async for message in results:
        step = wire.decode(wire.CommandStep, message.payload)
        if step.id == command:
            yield step
            if step.final:
                return
