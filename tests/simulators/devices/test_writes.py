"""Devices that can be written to: pymodbus's client and libmodbus command them, their models obey."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes

from facility.catalog import Catalog
from facility.points import Label, Profile, Register, Table, Writing
from facility.readings import Value
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.devices.writes import WriteError, Writes
from simulators.models.model import Model
from simulators.models.rooms.air_handler import AirHandler
from simulators.models.rooms.lighting import Lighting
from tests.services.require import require
from tests.simulators.models.test_lighting import lights

HALL, GARAGE = 1, 2
"""A circuit that goes by the hour, one that is always on."""


def unit_of(catalog: Catalog, name: str, model: Model) -> ModbusUnit:
    unit = ModbusUnit(catalog.profiles[name])
    unit.refresh = lambda: unit.update(model.values())
    unit.obey = model.obey
    return unit


@asynccontextmanager
async def served(unit: ModbusUnit) -> AsyncIterator[tuple[AsyncModbusTcpClient, tuple[str, int]]]:
    host = ModbusHost("127.0.0.1", 0, [unit])
    address = await host.start()
    client = AsyncModbusTcpClient(address[0], port=address[1], retries=0, timeout=2)
    assert await client.connect()
    try:
        yield client, address
    finally:
        client.close()
        await host.stop()


async def test_a_coil_switches_its_circuit(catalog: Catalog) -> None:
    model = lights(13.0)
    async with served(unit_of(catalog, "fw-light-1", model)) as (client, _):
        assert (await client.read_coils(0, count=8)).bits[:3] == [True, True, False]
        answer = await client.write_coil(1, False)
        assert not answer.isError()
        assert answer.bits[0] is False
        assert model.commands[:3] == [True, False, False]
        model.step(1.0)
        assert (await client.read_coils(0, count=8)).bits[:3] == [True, False, False]
        assert (await client.read_input_registers(48, count=1)).registers == [0]
        several = await client.write_coils(0, [False, True, True])
        assert not several.isError()
        model.step(1.0)
        assert (await client.read_coils(0, count=3)).bits[:3] == [False, True, True]


async def test_a_set_point_is_taken_within_its_bounds(catalog: Catalog) -> None:
    model = AirHandler(Random(1), setpoint=14.0)
    async with served(unit_of(catalog, "fw-ahu-1", model)) as (client, _):
        assert (await client.read_holding_registers(0, count=1)).registers == [140]
        assert not (await client.write_register(0, 165)).isError()
        assert model.setpoint == 16.5
        assert (await client.read_input_registers(10, count=1)).registers == [165]
        assert not (await client.write_registers(0, [150])).isError()
        assert model.setpoint == 15.0
        for refused in (99, 201, 0xFFFF):
            assert (await client.write_register(0, refused)).exception_code == ExcCodes.ILLEGAL_VALUE
        assert model.setpoint == 15.0


async def test_nothing_else_is_written(catalog: Catalog) -> None:
    model = lights()
    before = model.values()
    async with served(unit_of(catalog, "fw-light-1", model)) as (client, _):
        # the coils that exist are eight; the word they stand in has sixteen
        assert (await client.write_coil(8, True)).exception_code == ExcCodes.ILLEGAL_ADDRESS
        assert (await client.write_coils(6, [True] * 4)).exception_code == ExcCodes.ILLEGAL_ADDRESS
        assert (await client.write_coil(900, True)).exception_code == ExcCodes.ILLEGAL_ADDRESS
        assert (await client.write_register(5, 1)).isError()
    assert model.values() == before
    assert "circuit[9].command" not in model.settable
    with pytest.raises(ValueError, match="no point to command 'mode'"):
        model.obey("mode", 1)


async def test_a_model_that_does_not_obey_makes_the_device_refuse(catalog: Catalog) -> None:
    model = Lighting(Random(1), circuits=4)
    async with served(unit_of(catalog, "fw-light-1", model)) as (client, _):
        assert not (await client.write_coil(3, True)).isError()
        assert (await client.write_coil(4, True)).exception_code == ExcCodes.ILLEGAL_VALUE
    alone = ModbusUnit(catalog.profiles["fw-light-1"])
    async with served(alone) as (client, _):
        assert (await client.write_coil(0, True)).exception_code == ExcCodes.ILLEGAL_VALUE


def test_a_command_lasts_until_the_schedule_switches_next() -> None:
    model = lights(22.0)
    model.obey(f"circuit[{HALL}].command", value=False)
    model.leap(1800.0)
    assert model.values()[f"circuit[{HALL}].on"] is False
    model.leap(3600.0)
    model.obey(f"circuit[{HALL}].command", value=True)
    model.leap(3600.0)
    assert model.values()[f"circuit[{HALL}].on"] is True
    model.leap(24 * 3600.0)
    assert model.values()[f"circuit[{HALL}].on"] is False
    model.obey(f"circuit[{GARAGE}].command", value=False)
    model.leap(48 * 3600.0)
    assert model.values()[f"circuit[{GARAGE}].on"] is False


PLACES = Profile(
    "p", "c", Label("点", "p"), "test", "modbus",
    (
        Register("wide", Table.HOLDING, 0, "int32", 2, scale=0.1, writing=Writing(Table.HOLDING, 0, -9.0, 9.0)),
        Register("flag[1]", Table.HOLDING, 2, "bit", bits=(3, 3), writing=Writing(Table.HOLDING, 2)),
        Register("flag[2]", Table.HOLDING, 2, "bit", bits=(4, 4), invert=True, writing=Writing(Table.HOLDING, 2)),
        Register("state", Table.HOLDING, 3, "uint16", values={5: 0, 6: 1}, writing=Writing(Table.HOLDING, 3)),
        Register("real", Table.INPUT, 0, "float32", 2, word_order="little", writing=Writing(Table.HOLDING, 10)),
        Register("small", Table.HOLDING, 4, "uint16", byte_order="little", writing=Writing(Table.HOLDING, 4)),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "cells", "before", "meant"),
    [
        (0, [0xFFFF, 0xFFB5], [0, 0], {"wide": -7.5}),
        (2, [0x0008], [0], {"flag[1]": True}),
        (2, [0x0018], [0], {"flag[1]": True, "flag[2]": False}),
        (2, [0x0000], [0x0010], {"flag[2]": True}),
        (3, [6], [0], {"state": 1}),
        (10, [0x0000, 0x3FC0], [0, 0], {"real": 1.5}),
        (4, [0x3412], [0], {"small": 0x1234}),
        (2, [8, 5, 0x0100], [0, 0, 0], {"flag[1]": True, "state": 0, "small": 1}),
        (0, [1], [0], ExcCodes.ILLEGAL_ADDRESS),
        (1, [1, 0], [0, 0], ExcCodes.ILLEGAL_ADDRESS),
        (4, [1, 1], [0, 0], ExcCodes.ILLEGAL_ADDRESS),
        (3, [7], [0], ExcCodes.ILLEGAL_VALUE),
        (0, [0, 91], [0, 0], ExcCodes.ILLEGAL_VALUE),
    ],
)
def test_what_a_write_means(
    address: int, cells: list[int], before: list[int], meant: dict[str, Value] | ExcCodes
) -> None:
    decode = partial(Writes(PLACES, rename={"wide": "wide"}).meant, Table.HOLDING, address, cells, before)
    if isinstance(meant, dict):
        assert decode() == pytest.approx(meant)
        return
    with pytest.raises(WriteError) as caught:
        decode()
    assert caught.value.code == meant


def test_a_table_without_a_place_has_no_such_function() -> None:
    with pytest.raises(WriteError) as caught:
        Writes(PLACES).meant(Table.COIL, 0, [1], [0])
    assert caught.value.code == ExcCodes.ILLEGAL_FUNCTION


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libmodbus client that writes, compiled."""
    require("/usr/include/modbus/modbus.h", "libmodbus-dev")
    compiler, binary = require("cc", "gcc"), tmp_path_factory.mktemp("libmodbus") / "writer"
    source = Path(__file__).with_name("writer.c")
    subprocess.run([compiler, "-O1", "-Wall", "-Werror", "-o", binary, source, "-lmodbus"], check=True)
    return binary


@pytest.mark.service("libmodbus")
@pytest.mark.slow
async def test_libmodbus_commands_it_too(catalog: Catalog, writer: Path) -> None:
    async def said(address: tuple[str, int], *words: object) -> str:
        process = await asyncio.create_subprocess_exec(
            writer, *address[:1], str(address[1]), "1", *map(str, words), stdout=subprocess.PIPE
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().strip()

    lamps, air = lights(), AirHandler(Random(1))
    async with served(unit_of(catalog, "fw-light-1", lamps)) as (_, address):
        assert await said(address, "c", 2, 1) == "ok 1"
        assert lamps.commands[2] is True
        assert await said(address, "c", 8, 1) == "exception 2"
    async with served(unit_of(catalog, "fw-ahu-1", air)) as (_, address):
        assert await said(address, "h", 0, 180) == "ok 180"
        assert air.setpoint == 18.0
        assert await said(address, "h", 0, 500) == "exception 3"
