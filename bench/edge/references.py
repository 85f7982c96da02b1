"""What the gateway is measured against: a bare client with the same plan, and the client that one writes first."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence

import msgspec
from pymodbus.client import AsyncModbusTcpClient

from bench.edge.maps import contiguous
from facility.points import Profile
from gateway.planner import plan


class Count:
    """The points that clients have got, and whether they shall go on.

    They are not cancelled: `asyncio.wait_for`, which pymodbus uses, can forget a cancellation before Python 3.12.
    """

    def __init__(self) -> None:
        self.points = 0
        self.going = True


Work = Callable[[int, Count], Coroutine[None, None, None]]
"""Poll the device at a port while the count is going."""


async def bare(ports: Sequence[int], profile: Profile, seconds: float) -> dict[str, float]:
    """rate and cpu_us of a client that makes the gateway's requests, unpacks the answers and throws them away."""
    reads = [(read.address, read.count, len(read.registers)) for read in plan(profile.registers, profile.limits)]
    return await _count(ports, lambda port, count: _ask(port, reads, count), seconds)


async def per_tag(ports: Sequence[int], seconds: float, tags: int = 100) -> dict[str, float]:
    """rate and cpu_us of a pymodbus client with one request per tag, scaling, and one JSON message a cycle.

    No plan, no quality, no report by exception, no spool: what is left is the price of a request for each value.
    """
    scales = [(register.address, register.point, register.scale) for register in contiguous(tags).registers]
    return await _count(ports, lambda port, count: _tags(port, scales, count), seconds)


async def _count(ports: Iterable[int], work: Work, seconds: float) -> dict[str, float]:
    count = Count()
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(work(port, count)) for port in ports]
        await asyncio.sleep(0.3 + len(clients) / 200)
        points, cpu, began = count.points, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        done, spent, took = count.points - points, time.process_time() - cpu, time.perf_counter() - began
        count.going = False
    return {"rate": done / took, "cpu_us": spent / done * 1e6}


async def _ask(port: int, reads: Sequence[tuple[int, int, int]], count: Count) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while count.going:
            for address, words, points in reads:
                writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, address, words))
                head = await reader.readexactly(9)
                struct.unpack(f">{head[8] // 2}H", await reader.readexactly(head[8]))
                count.points += points
    finally:
        writer.close()


async def _tags(port: int, tags: Sequence[tuple[int, str, float]], count: Count) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    try:
        while count.going:
            values = {}
            for address, key, scale in tags:
                answer = await client.read_holding_registers(address)
                values[key] = answer.registers[0] * scale
                count.points += 1
            msgspec.json.encode({"ts": time.time_ns() // 1_000_000, "values": values})
    finally:
        client.close()
