"""What dead devices cost those that live: the period of a live unit with 0, 1 and 5 of 10 dead.

`edge_fairness`: ten devices with a connection each, the dead ones accept and never answer. `edge_fairness_mixed`: of
five dead ones each is dead in its own way: silent, resetting, late with an old transaction id, garbling, not listening.
`edge_fairness_line`: ten units behind one connection, the dead ones never answer. Each unit is asked for 100 registers
in one request five times a second. Plain names are of 5 of 10 dead, `_0` and `_1` say another number.
`edge_fairness_naive`: a client that asks the ten units of the line one after the other, with the same time-out and
nothing else.

`period_ms`, `period_p99_ms`, `period_max_ms`: between two polls of a live unit as the unit sees them. `slowdown_pct`:
by how much the mean has grown against the same plant with nobody dead.

All these gateways run at the same time, at some 300 requests/s together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from bench.edge import maps, own
from bench.edge.periods import by_unit, intervals, percentile
from bench.modbus_plant import Plant, plant
from facility.assets import Device
from gateway.service import Gateway

UNITS = 10
POINTS = 100
PERIOD = 0.2
TIMEOUT = 1.0
SETTLED = 30.0
"""Seconds in which every dead unit must be known as down."""
MIXED = ("silent", "resets", "late", "garbage")
NOBODY = 1
"""The port of a device that does not listen: tcpmux, which nobody serves."""


async def measure(seconds: float) -> dict[str, float]:
    """Every case at once, for `seconds` from the moment on that the dead are known."""
    async with asyncio.TaskGroup() as group:
        own_ones = {
            **{f"edge_fairness_{dead}": group.create_task(_apart(["silent"] * dead, seconds)) for dead in (0, 1, 5)},
            "edge_fairness_mixed": group.create_task(_apart(MIXED, seconds, [NOBODY])),
            **{f"edge_fairness_line_{dead}": group.create_task(_line(dead, seconds)) for dead in (0, 1, 5)},
        }
        naive = {dead: group.create_task(_naive(dead, seconds)) for dead in (0, 5)}
    periods = {name: task.result() for name, task in own_ones.items()}
    found: dict[str, float] = {}
    for name, gaps in periods.items():
        base = periods["edge_fairness_line_0" if "line" in name else "edge_fairness_0"]
        found |= {f"{name.removesuffix('_5')}.{key}": value for key, value in _figures(gaps, base).items()}
    found |= {
        f"edge_fairness_naive.{key}": value for key, value in _figures(naive[5].result(), naive[0].result()).items()
    }
    return found


def _figures(gaps: Sequence[float], base: Sequence[float]) -> dict[str, float]:
    mean = sum(gaps) / len(gaps)
    return {
        "period_ms": mean * 1000,
        "period_p99_ms": percentile(sorted(gaps), 99) * 1000,
        "period_max_ms": max(gaps) * 1000,
        "slowdown_pct": (mean * len(base) / sum(base) - 1) * 100,
    }


async def _apart(dead: Sequence[str], seconds: float, more: Sequence[int] = ()) -> list[float]:
    """Periods of the live ones among ten devices with a connection each."""
    live = UNITS - len(dead) - len(more)
    with plant(live, POINTS, 10, dead) as served:
        polls = await _watch(served, maps.devices_at([*served.ports, *more]), len(dead) + len(more), seconds)
    return intervals([at for _, at in device] for device in polls[:live])


async def _line(dead: int, seconds: float) -> list[float]:
    """Periods of the live ones among ten units behind one connection."""
    with plant(0, POINTS, 10, [f"line:{UNITS - dead}"]) as served:
        devices = [replace(device, unit=n + 1) for n, device in enumerate(maps.devices_at(served.ports * UNITS))]
        (polls,) = await _watch(served, devices, dead, seconds)
    return intervals(by_unit(polls, UNITS - dead))


async def _watch(served: Plant, devices: Sequence[Device], dead: int, seconds: float) -> list[list[tuple[int, float]]]:
    site, catalog = maps.site_of(devices, maps.contiguous(POINTS), PERIOD)
    async with own.running(site, catalog) as gateway:
        await _settled(gateway, dead)
        served.watch()
        await asyncio.sleep(seconds)
        return served.seen().polls


async def _settled(gateway: Gateway, dead: int) -> None:
    async with asyncio.timeout(SETTLED):
        await asyncio.sleep(1.0)
        while sum(device.state == "down" for device in gateway.status().devices.values()) != dead:
            await asyncio.sleep(0.1)


async def _naive(dead: int, seconds: float) -> list[float]:
    with plant(0, POINTS, 10, [f"line:{UNITS - dead}"]) as served:
        served.watch()
        client = AsyncModbusTcpClient("127.0.0.1", port=served.ports[0], retries=0, timeout=TIMEOUT)
        await client.connect()
        ends = time.monotonic() + seconds
        while (now := time.monotonic()) < ends:
            for unit in range(1, UNITS + 1):
                try:
                    await client.read_holding_registers(0, count=POINTS, device_id=unit)
                except ModbusException:
                    await client.connect()  # it hangs up after a few time-outs
            await asyncio.sleep(max(0.0, PERIOD - (time.monotonic() - now)))
        client.close()
        (polls,) = served.seen().polls
    return intervals(by_unit(polls, UNITS - dead))
