"""The same faults as two independent clients see them, pymodbus and libmodbus, and what each of them counts."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from facility.catalog import Catalog
from simulators.devices.modbus_server import ModbusHost
from tests.services.require import require
from tests.simulators.devices.raw import begin, connected, listening

FLOOR = 10
Params = Mapping[str, float]


@asynccontextmanager
async def client_of(host: ModbusHost) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient(host.host, port=host.port, retries=0, timeout=1, reconnect_delay=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def outcome(client: AsyncModbusTcpClient, unit: int = 1, count: int = 1) -> str:
    """What came of a read: its words, its exception, or nothing."""
    try:
        if not client.connected:
            await client.connect()
        answer = await client.read_input_registers(FLOOR, count=count, device_id=unit)
    except ModbusException:
        return "nothing"
    if answer.isError():
        return f"exception {answer.exception_code}"
    return "ok " + " ".join(map(str, answer.registers))


async def listens(host: ModbusHost) -> None:
    """Wait until it does again."""
    async with asyncio.timeout(5):
        while not host.listening:
            await asyncio.sleep(0)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("fault", "params", "seen"),
    [
        ("delay", {"seconds": 0.5}, "ok 3"),
        ("delay", {"seconds": 2}, "nothing"),
        ("slow_device", {"spread": 0}, "ok 3"),
        ("slow_bytes", {"ms": 20}, "ok 3"),
        ("slow_bytes", {"ms": 200}, "nothing"),
        ("exception", {}, "exception 4"),
        ("busy", {}, "exception 6"),
        ("illegal_hole", {}, "exception 2"),
        ("wrong_transaction", {}, "nothing"),
        ("late_answer", {}, "nothing"),
        ("truncated", {}, "nothing"),
        ("garbage", {}, "nothing"),
        ("reset", {}, "nothing"),
        ("dead", {}, "nothing"),
        ("drop", {"share": 1}, "nothing"),
        ("duplicate_unit", {"corrupt": 1}, "nothing"),
        # it does not compare the functions, and takes a holding register for an input register
        ("other_function", {}, "ok 3"),
    ],
)
async def test_pymodbus(catalog: Catalog, fault: str, params: Params, seen: str) -> None:
    async with listening(catalog) as (host, units), client_of(host) as client, client_of(host) as other:
        begin(units[0], fault, **params)
        assert [await outcome(client) for _ in range(3)] == [seen] * 3
        if fault != "reset":
            assert await outcome(other, unit=2) == "ok 3"
        units[0].wire.end(fault)
        await asyncio.sleep(10)
        assert await outcome(client) == "ok 3"


@pytest.mark.looptime
async def test_pymodbus_is_refused(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), client_of(host) as client:
        begin(units[0], "refuse")
        host.settle()
        await asyncio.sleep(0.1)
        assert not client.connected
        assert not await client.connect()
        units[0].wire.end("refuse")
        host.settle()
        await listens(host)
        assert await outcome(client) == "ok 3"


@pytest.mark.looptime
@pytest.mark.slow
async def test_what_was_served_is_what_a_client_counted(catalog: Catalog) -> None:
    phases: list[dict[str, Params]] = [
        {}, {"drop": {}}, {"exception": {}}, {"busy": {}, "drop": {"share": 0.5}}, {"illegal_hole": {"last": 10}},
        {"wrong_transaction": {}}, {"late_answer": {}}, {"truncated": {}}, {"garbage": {}}, {"dead": {}},
        {"duplicate_unit": {}}, {"delay": {"seconds": 0.2}}, {"slow_bytes": {"ms": 5}}, {"swapped_words": {}}, {},
    ]  # fmt: skip
    counted: Counter[str] = Counter()
    async with listening(catalog) as (host, units), client_of(host) as client:
        for phase in phases:
            for fault, params in phase.items():
                begin(units[0], fault, **params)
            for turn in range(30):
                result = await outcome(client, count=1 + turn % 5)
                counted[result.split()[0]] += 1
                counted["registers"] += len(result.split()) - 1 if result.startswith("ok") else 0
            for fault in phase:
                units[0].wire.end(fault)
            await asyncio.sleep(10)
        served = units[0].served
        assert served.requests == 30 * len(phases) == counted["ok"] + counted["exception"] + counted["nothing"]
        assert (served.answers, served.registers) == (counted["ok"], counted["registers"])
        assert served.exceptions == counted["exception"]
        assert served.spoilt + served.dropped == counted["nothing"]
        assert served.faulty["dead"] == served.faulty["truncated"] == 30
        assert units[1].served.requests == 0


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libmodbus client, compiled."""
    require("/usr/include/modbus/modbus.h", "libmodbus-dev")
    compiler, binary = require("cc", "gcc"), tmp_path_factory.mktemp("libmodbus") / "reader"
    source = Path(__file__).with_name("reader.c")
    subprocess.run([compiler, "-O1", "-Wall", "-Werror", "-o", binary, source, "-lmodbus"], check=True)
    return binary


async def read(reader: Path, host: ModbusHost, *, unit: int = 1, times: int = 2, patience: int = 60) -> list[str]:
    """What libmodbus says of so many reads, `patience` being its time-out in ms."""
    words = (host.host, host.port, unit, FLOOR, 1, patience, times)
    process = await asyncio.create_subprocess_exec(reader, *map(str, words), stdout=subprocess.PIPE)
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().splitlines()


@pytest.mark.service("libmodbus")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "params", "seen"),
    [
        ("delay", {"seconds": 0.005}, "ok 3"),
        ("delay", {"seconds": 5}, "timeout"),
        ("slow_bytes", {"ms": 1}, "ok 3"),
        ("slow_bytes", {"ms": 5000}, "timeout"),
        ("exception", {}, "exception 4"),
        ("busy", {}, "exception 6"),
        ("illegal_hole", {}, "exception 2"),
        ("wrong_transaction", {}, "bad"),
        ("late_answer", {}, "bad"),
        ("other_function", {}, "bad"),
        ("duplicate_unit", {"corrupt": 1}, "timeout"),
        ("truncated", {}, "timeout"),
        ("garbage", {}, "bad"),
        ("reset", {}, "reset"),
        ("dead", {}, "timeout"),
    ],
)
async def test_libmodbus(catalog: Catalog, reader: Path, fault: str, params: Params, seen: str) -> None:
    async with listening(catalog) as (host, units):
        begin(units[0], fault, **params)
        # after nonsense libmodbus waits that long before it empties the line
        patience = {"timeout": 60, "bad": 400}.get(seen, 5000)
        heard = await read(reader, host, patience=patience)
        assert heard == ["timeout" if fault == "late_answer" else seen, seen]
        served = units[0].served
        assert served.requests == 2
        assert served.answers + served.exceptions + served.spoilt + served.dropped == 2
        if fault != "reset":
            assert await read(reader, host, unit=2, patience=5000) == ["ok 3", "ok 3"]
        units[0].wire.end(fault)
        assert await read(reader, host, patience=5000) == ["ok 3", "ok 3"]


@pytest.mark.service("libmodbus")
@pytest.mark.slow
async def test_libmodbus_is_refused(catalog: Catalog, reader: Path) -> None:
    async with listening(catalog) as (host, units):
        begin(units[0], "refuse")
        host.settle()
        assert await read(reader, host) == ["refused", "refused"]
        units[0].wire.end("refuse")
        host.settle()
        await listens(host)
        assert await read(reader, host, patience=5000) == ["ok 3", "ok 3"]


def test_the_sockets_do_the_same_under_uvloop(catalog: Catalog) -> None:
    """The loop that `caretaker` runs with has sockets of its own."""

    async def play() -> None:
        async with listening(catalog) as (host, units):
            begin(units[0], "reset")
            async with connected(host) as raw:
                raw.ask(FLOOR)
                with pytest.raises(ConnectionResetError):
                    await raw.over()
            units[0].wire.end("reset")
            begin(units[0], "refuse")
            host.settle()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host.host, host.port)
            units[0].wire.end("refuse")
            host.settle()
            await listens(host)
            begin(units[0], "slow_bytes", ms=1)
            async with connected(host) as raw:
                raw.ask(FLOOR)
                assert (await raw.frame())[9:] == b"\0\3"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
