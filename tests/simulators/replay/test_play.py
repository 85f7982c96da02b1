"""A table as a device: in virtual time, over real sockets to an independent client, and from the command line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from typer.testing import CliRunner

from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.points import Table as Cells
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.replay.cli import app
from simulators.replay.columns import Wishes
from simulators.replay.service import BURST, Replay, prepare
from simulators.replay.table import TableError

FLOW = 301
CURRENT = 308
"""Grundfos' registers of the flow (0.1 m3/h) and of the current."""
MISSING = 65_535


def device(path: Path, catalog: Catalog, *, speed: float = 1.0) -> tuple[ModbusUnit, Replay]:
    """A pump set whose flow and current are those of a table."""
    profile, points = catalog.profiles["grundfos-cim"], catalog.classes["water_pump"].points
    wishes = Wishes("t", ["f=sys.flow", *(["i=sys.current"] if ",i" in path.read_text()[:10] else [])])
    table, summary = prepare(path, wishes, profile, points, clock=SystemClock(), say=lambda _: None)
    unit = ModbusUnit(profile)
    return unit, Replay(path, table, summary, unit, clock=SystemClock(), speed=speed)


async def shown(unit: ModbusUnit, instants: Sequence[float], address: int = FLOW) -> list[int]:
    """What a register holds at each of the instants, seconds from now."""
    begin, found = asyncio.get_running_loop().time(), []
    for at in instants:
        await asyncio.sleep(begin + at - asyncio.get_running_loop().time())
        found += unit.words(Cells.HOLDING, address)
    return found


@pytest.mark.looptime
async def test_rows_come_at_their_times_early_ones_at_once_and_a_gap_keeps_the_last(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("t,f\n100,1\n110,2\n105,3\n160,4\n161,\n162,5\n")
    unit, play = device(path, catalog)
    assert unit.words(Cells.HOLDING, FLOW) == [10]  # before it is played
    assert unit.words(Cells.HOLDING, CURRENT) == [MISSING]  # no column gives it
    running = asyncio.create_task(play.run(lambda _: None))
    assert await shown(unit, [1, 9.9, 10.1, 59.9, 60.1, 61.1, 62.1]) == [10, 10, 30, 30, 40, MISSING, 50]
    assert not running.done()
    await running  # the last row stands as long as the others do on average
    assert asyncio.get_running_loop().time() == pytest.approx(62 + 62 / 5)


@pytest.mark.looptime
async def test_faster_and_again_from_the_beginning(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("t,f\n2020-01-01,1\n2020-01-02,2\n")
    unit, play = device(path, catalog, speed=8640.0)  # a day in 10 s
    said: list[str] = []
    running = asyncio.create_task(play.run(said.append, loop=True))
    assert await shown(unit, [1, 11, 21, 31]) == [10, 20, 10, 20]
    running.cancel()
    assert said[:3] == [
        "1 of 2 rows, next 2020-01-02 00:00:00, in 10 s", "from the beginning again", said[0],
    ]  # fmt: skip


@pytest.mark.looptime
async def test_long_plays_and_long_gaps_are_told(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("t,f\n" + "".join(f"{n},1\n" for n in range(30)) + "7229,1\n")
    _, play = device(path, catalog)
    said: list[str] = []
    await play.run(said.append)
    assert said[0] == "11 of 31 rows, next 1970-01-01 00:00:11"
    assert len(said) == 3
    assert said[-1] == "30 of 31 rows, next 1970-01-01 02:00:29, in 2 h"


@pytest.mark.looptime
async def test_many_rows_at_once_leave_clients_their_turn(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("t,f\n100,1\n" + "".join(f"50,{n}\n" for n in range(10 * BURST)))
    unit, play = device(path, catalog)
    seen = set()
    running = asyncio.create_task(play.run(lambda _: None))
    for _ in range(20):
        await asyncio.sleep(0)
        seen.add(unit.words(Cells.HOLDING, FLOW)[0])
    assert len(seen) >= 10
    await running


@pytest.mark.looptime
async def test_a_file_that_is_changed_while_it_plays(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("t,f\n1,1\n2,2\n")
    _, play = device(path, catalog)
    path.write_text("t,f\n1,1\n2,two\n")
    with pytest.raises(TableError, match=r"table\.csv:3: f: 'two' is no number"):
        await play.run(lambda _: None)


async def test_an_independent_client_reads_the_table(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("time,u.l1n,p.total,e.import\n2020-01-01 00:00:00,230.5,12.25,1000000\n2020-01-01 00:00:01,0,,1\n")
    profile, points = catalog.profiles["eastron-sdm630"], catalog.classes["power"].points
    table, summary = prepare(path, Wishes("time"), profile, points, clock=SystemClock(), say=lambda _: None)
    unit = ModbusUnit(profile, unit=7)
    play = Replay(path, table, summary, unit, clock=SystemClock(), speed=20.0)
    host = ModbusHost("127.0.0.1", 0, [unit])
    address, port = await host.start()
    client = AsyncModbusTcpClient(address, port=port, retries=0, timeout=2)

    async def floats(register: int, count: int = 1) -> list[float]:
        answer = await client.read_input_registers(register, count=2 * count, device_id=7)
        assert not answer.isError()
        found = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
        return [float(item) for item in (found if isinstance(found, list) else [found])]  # type: ignore[arg-type]

    try:
        assert await client.connect()
        before = [await floats(0x0000), await floats(0x0034), await floats(0x0048), await floats(0x0006)]
        running = asyncio.create_task(play.run(lambda _: None))
        async with asyncio.timeout(5):
            while (await floats(0x0000)) != [0.0]:
                await asyncio.sleep(0.002)
        after = [await floats(0x0034), await floats(0x0048)]
        await running
    finally:
        client.close()
        await host.stop()
    assert before[:3] == [[230.5], [12250.0], [1_000_000.0]]
    assert str(before[3]) == "[nan]"  # the current has no column
    assert (str(after[0]), after[1]) == ("[nan]", [1.0])


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.mark.slow
def test_the_command_plays_a_table_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "time;f;x\n2020-01-01 00:00:00;3,2;\n2020-01-01 00:00:28;900;\n2020-01-01 00:00:20;;\n2020-01-01 00:00:30;0;\n"
    )
    code, output = command(str(path), "--profile", "grundfos-cim", "--time-column", "time", "--map", "f=sys.flow",
                           "--unit", "f=L/s", "--speed", "1000", "--port", "0")  # fmt: skip
    assert code == 0, output
    for words in (
        "table.csv: 4 rows, 2020-01-01 00:00:00 to 2020-01-01 00:00:30: 30 s, played in 0.03 s at speed 1000",
        "f -> sys.flow",
        "points without a column, not available: 103 of 104", "cells without a value, not available: 1\n",
        "rows earlier than one above them, played at once: 1\n", "longest time between two rows: 28 s",
        "values outside the range of sys.flow: 1; ", "127.0.0.1:", " unit 1\n", "the table is over",
    ):  # fmt: skip
        assert words in output, output


def test_everything_that_stands_in_the_way_is_told_before_the_file_is_read(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = command(str(tmp_path / "no.csv"), "--profile", "grundfoss-cim", "--port", port)
    assert code == 1
    assert output.splitlines() == [
        f"--port: 127.0.0.1:{port} can't be listened on: Address already in use",
        "--profile: there is no profile 'grundfoss-cim'; did you mean grundfos-cim?",
    ]
    code, output = command(str(tmp_path / "no.csv"), "--profile", "uhppoted", "--port", "0")
    assert "uhppoted is no Modbus device; known: abb-acs580, abb-ats022" in output
    code, output = command(str(tmp_path / "no.csv"), "--profile", "grundfos-cim", "--port", "0")
    assert (code, output) == (1, f"{tmp_path / 'no.csv'}: can't be opened: No such file or directory\n")


@pytest.mark.slow
def test_a_profile_of_the_site_itself(tmp_path: Path) -> None:
    site = Path(__file__).parents[3] / "simulators" / "demo"
    path = tmp_path / "table.csv"
    path.write_text("time,tank.level,room.flood\n0,55.5,off\n0.1,54,on\n")
    arguments = [str(path), "--profile", "pump-room-io", "--port", "0"]
    assert command(*arguments, "--folder", str(site))[0] == 0
    assert "no profile 'pump-room-io'" in command(*arguments)[1]
