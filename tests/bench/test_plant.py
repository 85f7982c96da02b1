"""The plant of the benchmarks: its live devices, its dead ones, what it notes; and the clients on it."""

from __future__ import annotations

import asyncio
import struct

import pytest
from pymodbus.client import AsyncModbusTcpClient

from bench.edge import maps, own, references
from bench.modbus_plant import plant

pytestmark = [pytest.mark.slow, pytest.mark.system]


async def ask(port: int, unit: int = 1, transaction: int = 7, count: int = 2) -> bytes:
    """The first answer to a read of `count` registers; TimeoutError when none comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(struct.pack(">HHHBBHH", transaction, 0, 6, unit, 3, 0, count))
        async with asyncio.timeout(0.2):
            return await reader.read(300)
    finally:
        writer.close()


async def test_live_and_dead() -> None:
    with plant(1, 10, 0, ["silent", "resets", "garbage", "line:2"]) as served:
        live, silent, resets, garbage, line = served.ports
        answer = struct.pack(">HHHBBBHH", 7, 0, 7, 1, 3, 4, 0, 1)
        assert await ask(live) == answer
        with pytest.raises(TimeoutError):
            await ask(silent)
        with pytest.raises(ConnectionResetError):
            await ask(resets)
        assert (await ask(garbage))[2:4] != b"\0\0"
        assert (await ask(line, unit=2))[6] == 2
        with pytest.raises(TimeoutError):
            await ask(line, unit=3)
        seen = served.seen()
        assert seen.requests == 3
        assert [[unit for unit, _ in polls] for polls in seen.polls] == [[1], [], [], [], [2, 3]]
        assert served.seen().requests == 0


async def test_what_is_written_stays() -> None:
    with plant(1, 20, 1) as served:
        client = AsyncModbusTcpClient("127.0.0.1", port=served.ports[0])
        await client.connect()
        assert not (await client.write_register(15, 4321)).isError()
        assert not (await client.write_registers(17, [1, 65535])).isError()
        first = (await client.read_holding_registers(0, count=20)).registers
        second = (await client.read_holding_registers(0, count=20)).registers
        client.close()
    assert first[:10] != second[:10], "the others change"
    assert first[15:] == second[15:] == [4321, 16, 1, 65535, 19]


async def test_late_with_the_old_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import dead_peers

    monkeypatch.setattr(dead_peers, "LATE", 0.05)
    server = await asyncio.get_running_loop().create_server(dead_peers.Late, "127.0.0.1", 0)
    async with server:
        answer = await ask(server.sockets[0].getsockname()[1], transaction=9)
    assert answer == struct.pack(">HHHBBB", 9, 0, 7, 1, 3, 4) + bytes(4)


@pytest.mark.parametrize("profile", [maps.contiguous(), maps.scattered(40), maps.single(5)])
async def test_gateway_and_references_find_their_points(profile: maps.Profile) -> None:
    with plant(2, 1000, 10) as served:
        site, catalog = maps.site_of(maps.devices_at(served.ports), profile, 0.01)
        figures = await own.throughput(site, catalog, profile, 0.1)
        assert figures["rate"] > 0
        assert figures["cpu_us"] > 0
        assert (await references.bare(served.ports, profile, 0.05))["rate"] > 0
        assert (await references.per_tag(served.ports, 0.05, tags=3))["rate"] > 0
