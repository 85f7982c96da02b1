"""Recording: rows of one instant, what is not good stays empty, a device that is silent or refuses, the command."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymodbus.constants import ExcCodes
from typer.testing import CliRunner

from facility.assets import Line
from facility.clock import SystemClock
from facility.points import Kind, Limits, Profile
from gateway.cli import app
from gateway.modbus import ModbusConnection
from gateway.record import RETRY_REFUSED, DeviceReader, Recorder
from tests.gateway.plant import (
    POINTS,
    POLLED,
    Box,
    FakeLine,
    LoopClock,
    a_device,
    a_point,
    modbus_server,
)
from tests.services.ports import free_port

KEYS = ["time", "volts", "temp", "energy", "mode", "running", "alarm"]


class Table:
    """What a recorder writes, and says."""

    def __init__(self, connection: ModbusConnection, clock: Any, profile: Profile = POLLED, **device: object) -> None:
        self.text, self.said = io.StringIO(), list[str]()
        reader = DeviceReader(a_device(**device), profile, POINTS, connection, clock)  # type: ignore[arg-type]
        self.recorder = Recorder(reader, self.text, clock, self.said.append)

    @property
    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.text.getvalue())))


def line(**words: int) -> FakeLine:
    """A machine with volts, temp, two words of energy, mode."""
    found = FakeLine(1, takes=0.01)
    found.words = [2301, 0xFFFB, 1, 4464, 1, *range(20)]
    return found


@pytest.mark.looptime
async def test_every_round_is_a_row() -> None:
    table = Table(line(), LoopClock())
    await table.recorder.run(0.5, 1.5)
    assert table.rows == [
        KEYS,
        ["2023-11-14T22:13:20.000Z", "230.1", "-5", "70000", "1", "0", "1"],
        ["2023-11-14T22:13:20.500Z", "230.1", "-5", "70000", "1", "0", "1"],
        ["2023-11-14T22:13:21.000Z", "230.1", "-5", "70000", "1", "0", "1"],
    ]
    assert (table.recorder.rows, table.said) == (3, [])


@pytest.mark.looptime
async def test_what_is_not_good_is_empty_and_only_some_points_are_read_when_some_are_named() -> None:
    machine = line()
    machine.words = [20_000, 0x8000, 0, 0, 9]  # out of range, not available, no state
    table = Table(machine, LoopClock(), points=frozenset({"volts", "temp", "mode"}))
    await table.recorder.run(1, 1)
    assert table.rows == [["time", "volts", "temp", "mode"], ["2023-11-14T22:13:20.000Z", "", "", ""]]


@pytest.mark.looptime
async def test_the_columns_are_the_profiles_own_points_whatever_the_site_calls_them() -> None:
    table = Table(line(), LoopClock(), rename={"volts": "temp", "temp": "volts"})
    await table.recorder.run(1, 1)
    assert table.rows[1][1:3] == ["230.1", "-5"]


@pytest.mark.looptime
async def test_a_silent_device_is_told_once_tried_again_and_leaves_one_empty_row() -> None:
    machine = line()
    table = Table(machine, LoopClock())
    running = asyncio.create_task(table.recorder.run(0.5, 20))
    await asyncio.sleep(1.2)
    machine.open = False
    await asyncio.sleep(5)
    machine.open = True
    await running
    assert table.said == ["device d1: no connection; tried again", "all is answered again"]
    filled = [bool(row[1]) for row in table.rows[1:]]
    assert filled[:4] == [True, True, True, False]  # 0, 0.5, 1 s; then nothing until it is back
    assert all(filled[4:])
    assert len(filled) == 3 + 1 + 27  # 6.5 to 19.5 s
    silent = [at for at, _, _ in machine.asked if 1.4 < at < 6.2]
    assert all(later - before >= 1.0 for before, later in pairwise(silent))


@pytest.mark.looptime
async def test_a_device_that_never_answers_leaves_no_row() -> None:
    table = Table(FakeLine(), LoopClock())
    await table.recorder.run(0.1, 5)
    assert (table.rows, table.recorder.rows) == ([KEYS], 0)
    assert table.said == ["device d1: no answer; tried again"]


@pytest.mark.looptime
async def test_registers_that_a_device_lacks_are_left_out_and_tried_again() -> None:
    machine = line()
    machine.forbidden = {3}
    table = Table(machine, LoopClock())
    running = asyncio.create_task(table.recorder.run(1, RETRY_REFUSED + 20))
    await asyncio.sleep(5)
    assert table.rows[1][1:5] == ["230.1", "-5", "", "1"]
    assert [words.partition(":")[0] for words in table.said] == ["no value for energy"]
    assert "illegal data address" in table.said[0]
    asked = len(machine.asked)
    await asyncio.sleep(5)
    later = machine.asked[asked:]
    assert not any(read.address <= 3 < read.end for _, _, read in later)
    machine.forbidden = set()
    await running
    assert table.rows[-1][1:5] == ["230.1", "-5", "70000", "1"]
    assert table.said[-1] == "all is answered again"
    assert len(table.said) == 2


@pytest.mark.looptime
@pytest.mark.parametrize(("code", "reads"), [(1, 2), (2, 10)])
async def test_a_device_of_another_kind(code: int, reads: int) -> None:
    """Illegal function: the table as a whole is not there, so that no half of the read is either."""
    machine = line()
    machine.code = code
    table = Table(machine, LoopClock())
    await table.recorder.run(1, 1)
    assert table.rows[1][1:] == [""] * 6
    assert len(machine.asked) == reads
    assert all(words.startswith("no value for ") for words in table.said)


@pytest.mark.looptime
async def test_a_busy_device_is_asked_again_in_the_next_round() -> None:
    machine = line()
    machine.code = 6
    table = Table(machine, LoopClock())
    running = asyncio.create_task(table.recorder.run(1, 3))
    await asyncio.sleep(0.5)
    machine.code = 0
    await running
    assert [bool(row[1]) for row in table.rows[1:]] == [False, True, True]
    assert table.said == ["device d1: exception; tried again", "all is answered again"]


@pytest.mark.looptime
async def test_a_router_that_gets_no_answer_itself_is_silence() -> None:
    machine = line()
    machine.code = 11
    table = Table(machine, LoopClock())
    await table.recorder.run(1, 3)
    assert table.recorder.rows == 0


@pytest.mark.looptime
async def test_rounds_that_take_longer_than_their_time_are_left_out_and_pauses_are_kept() -> None:
    machine = line()
    machine.takes = 0.8
    table = Table(machine, LoopClock(), replace(POLLED, limits=Limits(delay=0.1)))
    await table.recorder.run(1, 8)
    times = [row[0][17:19] for row in table.rows[1:]]
    assert times == ["20", "22", "24", "26"]  # two reads of 0.9 s each


@pytest.mark.looptime
async def test_a_text_stays_on_its_line() -> None:
    register = replace(POLLED.registers[0], point="name", type="string", words=2, scale=1.0)
    machine = line()
    machine.words = [0x4C0A, 0x3122]
    clock = LoopClock()
    reader = DeviceReader(
        a_device(), replace(POLLED, registers=(register,)), {"name": a_point("name", Kind.TEXT)}, machine, clock
    )
    text = io.StringIO()
    await Recorder(reader, text, clock, lambda _: None).run(1, 1)
    assert text.getvalue().splitlines()[1].endswith(',"L 1"""')


async def test_a_real_device_and_one_that_refuses_in_part() -> None:
    def answer(function: int, address: int, count: int) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_ADDRESS if function == 3 and address <= 4 < address + count else None

    async with modbus_server(Box(), Box(answer=answer)) as port:
        for unit, mode in ((1, "1"), (2, "")):
            connection = ModbusConnection(Line("127.0.0.1", port))
            table = Table(connection, SystemClock(), unit=unit)
            await table.recorder.run(0.02, 0.05)
            connection.close()
            assert [row[1:] for row in table.rows[1:]] == [
                ["230.1", "-5", "70000", mode, "1", "0"]
            ] * table.recorder.rows
            assert table.recorder.rows


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["record", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.mark.slow
def test_a_device_that_is_not_there_is_told_and_an_existing_table_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    address = f"127.0.0.1:{free_port()}"
    arguments = [address, "--profile", "abb-ats022", "--for", "0.01s", "--points", "ats.position", "--out", str(out)]
    code, output = command(*arguments)
    assert code == 1
    assert f"{address} unit 1: 1 points every 1 s" in output
    assert "device unit 1: no connection to" in output
    assert "0 rows" in output
    assert out.read_text() == "time,ats.position\n"
    out.write_text("precious")
    assert command(*arguments) == (1, f"{out} is there already; --force overwrites it\n")
    assert out.read_text() == "precious"
    assert "0 rows" in command(*arguments, "--force")[1]
    assert out.read_text() == "time,ats.position\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["plc", "--profile", "abb-ats02"],
            "--profile: there is no profile of a Modbus device 'abb-ats02'; did you mean",
        ),
        (["plc"], "--profile: there is no profile of a Modbus device ''; known: abb-acs580, "),
        (["plc", "--profile", "uhppoted"], "there is no profile of a Modbus device 'uhppoted'"),
        (["plc:port", "--profile", "abb-ats022"], "plc:port: is no HOST or HOST:PORT"),
        (["plc:99999", "--profile", "abb-ats022"], "plc:99999: is no HOST or HOST:PORT"),
        (
            ["plc", "--profile", "abb-ats022", "--points", "ats.positon"],
            "--points: there is no point 'ats.positon'; did",
        ),
        (["plc", "--profile", "abb-ats022", "--every", "soon"], "--every: 'soon' is no duration, such as 60s or 5m"),
        (["plc", "--profile", "abb-ats022", "--for", "0s"], "--for: '0s' is no duration"),
        (["DEMO", "--device", "WP-01-cin"], "--device: there is no polled device 'WP-01-cin'; did you mean WP-01-cim"),
        (["DEMO"], "--device: there is no polled device ''; known: EL-01-gw"),
        (["DEMO", "--device", "WP-01-cim", "--profile", "grundfos-cim"], "--profile: is for an address; the devices"),
        (["nowhere", "--device", "WP-01-cim"], "nowhere/site.yaml"),
    ],
)
def test_what_is_wrong_is_told_before_a_table_is_begun(arguments: list[str], told: str, tmp_path: Path) -> None:
    demo = str(Path(__file__).parents[2] / "simulators" / "demo")
    out = tmp_path / "table.csv"
    code, output = command(*(demo if word == "DEMO" else word for word in arguments), "--out", str(out))
    assert code == 1
    assert told in output
    assert not out.exists()
