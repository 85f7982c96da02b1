"""Probing: a simulated device as a table, what is refused or silent, and each cause by its name."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facility.assets import Line
from facility.catalog import load_catalog
from facility.clock import SystemClock
from facility.errors import DeviceError
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality, Value
from gateway.modbus import ModbusConnection
from gateway.probe import PATIENCE, Probed, Row, cause, distinct, first_register, lines, probe
from gateway.probe_cli import app
from gateway.record import DeviceReader
from gateway.transport import UnreachableError
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from tests.gateway.plant import (
    MODES,
    POINTS,
    POLLED,
    Box,
    FakeLine,
    LoopClock,
    Reply,
    a_device,
    a_point,
    modbus_server,
    raw_server,
)
from tests.services.ports import free_port

CATALOG = load_catalog()


async def probed(
    connection: ModbusConnection, profile: Profile = POLLED, clock: Any = None, **device: object
) -> Probed:
    return await probe(DeviceReader(a_device(**device), profile, POINTS, connection, clock or LoopClock()), POINTS)  # type: ignore[arg-type]


def by_point(found: Probed) -> dict[str, tuple[object, Quality, str]]:
    return {row.register.point: (row.value, row.quality, row.words) for row in found.rows}


async def test_values_with_their_words() -> None:
    async with modbus_server(Box()) as port:
        connection = ModbusConnection(Line(port=port))
        found = await probed(connection, clock=SystemClock())
        connection.close()
    assert by_point(found) == {
        "volts": (230.1, Quality.GOOD, "08fd"), "temp": (-5, Quality.GOOD, "fffb"),
        "energy": (70_000, Quality.GOOD, "0001 1170"), "mode": (1, Quality.GOOD, "0001"),
        "running": (True, Quality.GOOD, "1"), "alarm": (False, Quality.GOOD, "1"),
    }  # fmt: skip
    assert (found.good, len(found.seconds), found.refused, found.errors) == (6, 2, 0, [])


@pytest.mark.looptime
async def test_bad_values_say_why() -> None:
    machine = FakeLine(1)
    machine.words = [20_000, 0x8000, 0, 0, 9]
    table = list(lines(await probed(machine), "en"))
    told = {line.split()[0]: line for line in table}
    assert "range: outside -1000 to 1000 V" in told["volts"]
    assert "sentinel: the device says it has none" in told["temp"]
    assert "enum: no state of this point" in told["mode"]
    assert told["volts"].split()[-3:] == ["holding", "0", "4e20"]
    assert table[0].split() == ["point", "label", "value", "quality", "register", "words"]
    assert table[-1].startswith("3 of 6 points good, 2 requests, 0 of them refused; 10.0 ms at least, 10.0 median")


@pytest.mark.looptime
async def test_a_refused_register_is_found_and_the_others_keep_their_values() -> None:
    machine = FakeLine(1)
    machine.forbidden = {3}
    found = await probed(machine)
    assert {key for key, (_, quality, _) in by_point(found).items() if quality is Quality.COMM} == {"energy"}
    assert len(found.errors) == 1
    assert found.refused == 3
    assert "comm: " in next(line for line in lines(found, "en") if line.startswith("energy"))


@pytest.mark.looptime
async def test_a_lacking_function_is_not_cut() -> None:
    machine = FakeLine(1)
    machine.code = 1
    found = await probed(machine)
    assert (len(found.seconds), found.answered, found.good, len(found.rows)) == (2, True, 0, 6)


@pytest.mark.looptime
async def test_a_silent_device_is_left_after_some_tries_and_one_without_connection_at_once() -> None:
    single = replace(POLLED, limits=Limits(single=True, timeout=0.2))
    found = await probed(FakeLine(), single)
    assert (len(found.seconds), found.answered) == (PATIENCE, False)
    machine = FakeLine()
    machine.open = False
    found = await probed(machine, single)
    assert (len(found.seconds), found.answered) == (1, False)


class HalfMute(FakeLine):
    """A device that says nothing at all where it has no register, and refuses in between."""

    async def read(self, device: str, unit: int, read: Any, timeout: float, **manner: Any) -> bytes:
        """Silent for address 0, busy for address 1."""
        if read.table is Table.HOLDING and read.address == 0:
            raise DeviceError(device, "timeout", "no answer")
        if read.table is Table.HOLDING and read.address == 1:
            raise DeviceError(device, "exception", "busy", code=6)
        return await super().read(device, unit, read, timeout, **manner)


@pytest.mark.looptime
async def test_one_silent_request_does_not_end_it() -> None:
    found = await probed(HalfMute(1), replace(POLLED, limits=Limits(single=True)))
    assert {key for key, (_, quality, _) in by_point(found).items() if quality is Quality.COMM} == {"volts", "temp"}
    assert [error.kind for error in distinct(found.errors)] == ["timeout", "exception"]


def test_states_bits_and_texts_in_both_languages() -> None:
    state = a_point("mode", Kind.ENUM, states=MODES)
    text = a_point("name", Kind.TEXT)
    bit = Register("running", Table.HOLDING, 7, "bit", bits=(3, 3))
    field = Register("mode", Table.HOLDING, 8, "bits", bits=(0, 2))
    found = Probed(
        [
            Row(field, state, 1, Quality.GOOD, "0001"),
            Row(bit, a_point("running", Kind.DISCRETE), True, Quality.GOOD, "0008"),
            Row(Register("name", Table.INPUT, 0, "string", words=2), text, "L\n1", Quality.GOOD, "4c0a 3100"),
        ]
    )
    zh = list(lines(found, "zh"))
    assert "点 (1)" in zh[1]
    assert "holding 8.0-2" in zh[1]
    assert "holding 7.3" in zh[2]
    assert " L 1 " in zh[3]
    assert "point (1)" in next(iter(list(lines(found, "en"))[1:]))


async def fails(reply: Reply | None, host: str) -> DeviceError:
    """The first error of a peer that answers like this, or that is not there."""

    async def ask(port: int) -> DeviceError:
        connection = ModbusConnection(Line(host, port))
        try:
            found = await probed(connection, clock=SystemClock(), unit=7)
        finally:
            connection.close()
        return found.errors[0]

    if reply is None:
        return await ask(free_port())
    async with raw_server(reply) as port:
        return await ask(port)


def exception(code: int) -> Reply:
    return lambda frame: [frame[:4] + bytes((0, 3, frame[6], frame[7] | 0x80, code))]


@pytest.mark.parametrize(
    ("reply", "host", "words"),
    [
        (None, "127.0.0.1", "refuses: nothing listens at this port"),
        (None, "no-such-host.invalid", "there is no such host"),
        (lambda _: [], "127.0.0.1", "connected, but unit 7 says nothing"),
        (lambda _: None, "127.0.0.1", "it hangs up"),
        (lambda _: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "127.0.0.1", "is no Modbus TCP"),
        (lambda frame: [frame[:7] + b"\x05\0\0\0\0"], "127.0.0.1", "answers another question"),
        (exception(11), "127.0.0.1", "reaches no unit 7"),
        (exception(1), "127.0.0.1", "knows no such function"),
        (exception(2), "127.0.0.1", "has no such registers"),
        (exception(3), "127.0.0.1", "does not give so many registers"),
        (exception(4), "127.0.0.1", "failure of its own"),
        (exception(6), "127.0.0.1", "it is busy"),
        (exception(9), "127.0.0.1", "a reason of its own"),
    ],
)
async def test_each_cause_has_its_name(reply: Reply | None, host: str, words: str) -> None:
    assert words in cause(await fails(reply, host), 7)


def test_a_host_that_drops_everything_and_a_network_that_is_not_there() -> None:
    dropped = DeviceError("d", "timeout", "1.2.3.4:502 accepts no connection")
    dropped.__cause__ = UnreachableError("timeout", "accepts no connection")
    assert "nothing answers at this address" in cause(dropped, 1)
    assert "no way to the host" in cause(DeviceError("d", "refused", "no connection: No route to host"), 1)


def test_a_unit_is_asked_for_a_short_word() -> None:
    long = Register("a", Table.HOLDING, 0, "float32", words=2)
    short = Register("b", Table.HOLDING, 9, "uint16")
    bit = Register("c", Table.COIL, 0, "bool")
    assert first_register([bit, long, short]) == short
    assert first_register([bit]) == bit


@contextmanager
def hardware(*units: ModbusUnit) -> Iterator[int]:
    """Simulated devices on an event loop of their own; yields their port."""
    ready: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        host, done = ModbusHost("127.0.0.1", 0, units), asyncio.Event()
        ready.set_result(((await host.start())[1], asyncio.get_running_loop(), done))
        await done.wait()
        await host.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    port, loop, done = ready.result(timeout=10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)


def unit(name: str, number: int, values: Mapping[str, Value]) -> ModbusUnit:
    """A simulated device that shows these values."""
    found = ModbusUnit(CATALOG.profiles[name], unit=number)
    found.update(values)
    return found


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["probe", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


CLIMATE = {"air.temp": 25.3, "air.humidity": 44.7}


@pytest.mark.slow
def test_the_command_prints_a_device_and_the_units_of_a_line() -> None:
    with hardware(unit("xy-md1", 3, CLIMATE), unit("xy-md1", 5, CLIMATE)) as port:
        address = f"127.0.0.1:{port}"
        code, output = command(address, "--profile", "xy-md1", "--unit-id", "3")
        assert code == 0, output
        told = {line.split("  ")[0]: line.split() for line in output.splitlines()}
        assert told["air.temp"] == ["air.temp", "Air", "temperature", "25.3", "°C", "good", "input", "1", "00fd"]
        assert told["air.humidity"] == ["air.humidity", "Air", "humidity", "44.7", "%", "good", "input", "2", "01bf"]
        assert "2 of 2 points good, 1 requests, 0 of them refused" in output
        one = ["--unit-id", "3", "--points", "air.temp", "--language", "zh"]
        code, output = command(address, "--profile", "xy-md1", *one)
        assert "环境温度" in output
        assert "air.humidity" not in output
        code, output = command(address, "--profile", "xy-md1", "--unit-id", "9", "--timeout", "100ms")
        assert code == 1
        assert "unit 9" in output
        assert "try --all-units 1-247" in output
        code, output = command(address, "--profile", "xy-md1", "--all-units", "1-6", "--timeout", "100ms")
        assert code == 0
        assert "unit   3 answers: input 1 is 00fd" in output
        assert "2 of 6 units answer" in output
        code, output = command(address, "--profile", "abb-ats022", "--all-units", "3", "--timeout", "100ms")
        assert code == 0
        assert "unit   3 is there, but has no holding" in output
        assert command(address, "--profile", "xy-md1", "--all-units", "8-9", "--timeout", "100ms")[0] == 1


@pytest.mark.slow
def test_a_device_of_another_map_is_told() -> None:
    with hardware(unit("fw-drain-1", 1, {}), unit("abb-ats022", 2, {})) as port:
        address = f"127.0.0.1:{port}"
        arguments = ["--profile", "fw-drain-1", "--points", "sump.level", "--timeout", "500ms"]
        code, output = command(address, *arguments)
        assert code == 0, output
        assert "identif" not in output
        assert "this is no" not in output
        profile = CATALOG.profiles["fw-drain-1"]
        code, output = command(address, *arguments, "--unit-id", "2")
        assert f"{profile.identity[0]:04x}" in output
        assert "no fw-drain-1" in output or "identifies fw-drain-1" in output


@pytest.mark.slow
def test_the_command_takes_a_device_of_a_site(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(Path(__file__).parents[2] / "facility" / "starter", site)
    (site / "assets.yaml").write_text("assets:\n  - {id: R, class: environment, labels: {zh: 室, en: Room}}\n")
    with hardware(unit("xy-md1", 2, CLIMATE)) as port:
        (site / "devices.yaml").write_text(
            f"devices:\n  - {{id: th, profile: xy-md1, asset: R, host: 127.0.0.1, port: {port}, unit: 2}}\n"
        )
        code, output = command(str(site), "--device", "th")
    assert code == 0, output
    assert "25.3 °C" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["127.0.0.1:PORT", "--profile", "xy-md1"], "nothing listens at this port"),
        (["127.0.0.1:PORT", "--profile", "xy-md1", "--all-units", "1-3"], "nothing listens at this port"),
        (["127.0.0.1", "--profile", "xy-md2"], "--profile: there is no profile of a Modbus device 'xy-md2'; did you"),
        (["127.0.0.1", "--profile", "xy-md1", "--points", "air.tmp"], "--points: there is no point 'air.tmp'; did"),
        (["127.0.0.1", "--profile", "xy-md1", "--all-units", "9-3"], "--all-units: '9-3' is no range of unit ids"),
        (["127.0.0.1", "--profile", "xy-md1", "--all-units", "1-999"], "--all-units: '1-999' is no range of unit ids"),
        (["127.0.0.1", "--profile", "xy-md1", "--timeout", "x"], "--timeout: 'x' is no duration"),
        (["a:b:c", "--profile", "xy-md1"], "a:b:c: is no HOST or HOST:PORT"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], told: str) -> None:
    port = str(free_port())
    code, output = command(*(word.replace("PORT", port) for word in arguments))
    assert code == 1
    assert told in output
