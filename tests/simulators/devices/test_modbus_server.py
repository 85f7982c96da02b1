"""What is served, read back by pymodbus's own client and decoded by its own decoder."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes

from facility.catalog import Catalog
from facility.points import Profile, Register, Table
from facility.readings import Value
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.devices.registers import encode
from simulators.models.cabinet import Cabinet
from simulators.models.fire.fire_panel import FirePanel
from simulators.models.model import Model
from simulators.models.passage.access_control import AccessController
from simulators.models.passage.elevator import Elevator
from simulators.models.power.ats import Ats
from simulators.models.power.breakers import Board, Breaker
from simulators.models.power.generator import Generator
from simulators.models.power.power_meter import Meter
from simulators.models.power.supply import Supply
from simulators.models.power.transformer import Transformer
from simulators.models.power.ups import Ups
from simulators.models.rooms.air_handler import AirHandler
from simulators.models.rooms.camera_recorder import CameraRecorder
from simulators.models.rooms.chiller import Chiller
from simulators.models.rooms.environment import Environment
from simulators.models.rooms.lighting import Lighting
from simulators.models.water.drainage import Pit
from simulators.models.water.fire_water_set import FireWater
from simulators.models.water.sewage import Sewage
from simulators.models.water.water_pump import PumpSet

Client = AsyncModbusTcpClient


def model_for(asset_class: str) -> Model:
    """A model of the largest size that a profile may map."""
    random, supply = Random(1), Supply(Random(2))
    board = Board(random, Meter(random, supply, load=40.0), [Breaker() for _ in range(16)])
    ups = Ups(random, supply)
    models: dict[str, Model] = {
        "elevator": Elevator(random),
        "water_pump": Cabinet([Sewage(random), FireWater(random), PumpSet(random, pumps=6)]),
        "power": Cabinet([Ats(supply), Generator(supply), Transformer(random, supply), board.meter, board, ups]),
        "fire_alarm": FirePanel(random),
        "access_control": AccessController(random, doors=8),
        "hvac": Cabinet([Chiller(random), AirHandler(random)]),
        "cctv": CameraRecorder(random),
        "drainage": Pit(random, pumps=4),
        "lighting": Lighting(random),
        "environment": Environment(random, sensors=1),
    }
    return models[asset_class]


PLAYED = (
    "fw-lift-1", "grundfos-cim", "eastron-sdm630", "abb-ats022", "apc-smart-ups", "fw-fire-1", "fw-door-1",
    "daikin-microtech3", "fw-chiller-1", "fw-ahu-1", "fw-nvr-1", "fw-drain-1", "fw-light-1", "xy-md1", "eaton-tc50",
    "fw-gen-1", "fw-board-1", "fw-sump-1", "fw-firewater-1",
)  # fmt: skip
"""Profiles of which the models show every point; `test_encoded_back.py` has all of them."""


def played(catalog: Catalog) -> list[Profile]:
    return [catalog.profiles[name] for name in PLAYED]


@asynccontextmanager
async def serving(*units: ModbusUnit) -> AsyncIterator[AsyncModbusTcpClient]:
    host = ModbusHost("127.0.0.1", 0, units)
    address, port = await host.start()
    client = AsyncModbusTcpClient(address, port=port, retries=0, timeout=2)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()
        await host.stop()


async def fetch(client: AsyncModbusTcpClient, register: Register, unit: int = 1) -> list[int] | bool:
    if register.table is Table.DISCRETE:
        answer = await client.read_discrete_inputs(register.address, count=1, device_id=unit)
        assert not answer.isError(), register
        return bool(answer.bits[0])
    read = client.read_input_registers if register.table is Table.INPUT else client.read_holding_registers
    answer = await read(register.address, count=register.words, device_id=unit)
    assert not answer.isError(), register
    assert len(answer.registers) == register.words
    return list(answer.registers)


def decode(register: Register, found: list[int] | bool) -> float:
    """The canonical number, by pymodbus's decoder and the profile's own words."""
    if isinstance(found, bool):
        return float(found is not register.invert)
    if register.type in ("bit", "bits"):
        kind = {1: "UINT16", 2: "UINT32"}[register.words]
        whole = Client.convert_from_registers(found, Client.DATATYPE[kind])
        assert isinstance(whole, int)
        raw: float = whole >> register.bits[0] & (1 << register.bits[1] - register.bits[0] + 1) - 1
    else:
        decoded = Client.convert_from_registers(found, Client.DATATYPE[register.type.upper()])
        assert isinstance(decoded, int | float)
        raw = decoded
    if register.values is not None:
        return float(register.values[int(raw)])
    return raw * register.scale + register.offset


def test_every_register_of_every_played_profile_gets_a_value(catalog: Catalog) -> None:
    for profile in played(catalog):
        values = model_for(profile.asset_class).values()
        assert not set(profile.points) - values.keys(), profile.id
        empty = {key for key in profile.points if values[key] is None}
        assert empty <= {"door.car_b.state"}, profile.id


@pytest.mark.parametrize("name", PLAYED)
async def test_a_client_reads_back_what_the_model_shows(catalog: Catalog, name: str) -> None:
    profile = catalog.profiles[name]
    model = model_for(profile.asset_class)
    for fault in ("confirmed_fire", "forced_open", "vfd_trip", "pump_blocked", "camera_covered", "lamp_failures"):
        if fault in model.faults:
            model.inject(fault)
    for _ in range(60):
        model.step(0.5)
    unit = ModbusUnit(profile)
    values = model.values()
    unit.update(values)
    # of repeated points the first two and the last are enough: the rest follow the same rule
    registers = [item for item in profile.registers if "[" not in item.point or item.point.split("]")[0][-1] in "128"]
    async with serving(unit) as client:
        for register in registers:
            value = values[register.point]
            words = await fetch(client, register)
            if value is None:
                assert words == [0xFFFF]
                continue
            assert isinstance(value, int | float)
            close = register.scale / 2 + 1e-9 if not register.type.startswith("float") else abs(value) * 1e-6 + 1e-9
            assert decode(register, words) == pytest.approx(float(value), abs=close), register.point
    assert unit.served.requests == len(registers)


async def test_what_is_not_there_is_refused_and_nothing_can_be_written(catalog: Catalog) -> None:
    unit = ModbusUnit(catalog.profiles["grundfos-cim"])
    unit.update(model_for("water_pump").values())
    async with serving(unit) as client:
        lonely = await client.read_holding_registers(100, count=1, device_id=1)
        assert lonely.exception_code == ExcCodes.ILLEGAL_ADDRESS
        across = await client.read_holding_registers(206, count=100, device_id=1)
        assert across.exception_code == ExcCodes.ILLEGAL_ADDRESS
        other = await client.read_input_registers(300, count=1, device_id=1)
        assert other.isError()
        bits = await client.read_discrete_inputs(0, count=1, device_id=1)
        assert bits.isError()
        written = await client.write_register(300, 1, device_id=1)
        assert written.exception_code == ExcCodes.ILLEGAL_FUNCTION


async def test_units_behind_one_listener_and_renamed_points(catalog: Catalog) -> None:
    doors = catalog.profiles["fw-door-1"]
    first, second = ModbusUnit(doors, unit=1), ModbusUnit(
        doors, unit=2, rename={"door[1].open_count": "door[2].open_count"}
    )  # fmt: skip
    for unit in (first, second):
        unit.update({"door[1].open_count": 70_000, "door[2].open_count": 5})
    async with serving(first, second) as client:
        one = await client.read_input_registers(22, count=2, device_id=1)
        two = await client.read_input_registers(22, count=2, device_id=2)
        magic = await client.read_input_registers(0, count=1, device_id=1)
        assert (one.registers, two.registers, magic.registers) == ([1, 4464], [0, 5], [0x4431])
        nobody = await client.read_input_registers(22, count=2, device_id=3)
        assert nobody.exception_code == ExcCodes.GATEWAY_NO_RESPONSE


async def test_a_change_is_on_the_wire_at_once(catalog: Catalog) -> None:
    unit = ModbusUnit(catalog.profiles["fw-lift-1"])
    unit.update({"car.floor": 3, "pit.water": False})
    async with serving(unit) as client:
        assert (await client.read_input_registers(10, count=1, device_id=1)).registers == [3]
        unit.update({"car.floor": -2, "pit.water": True})
        assert (await client.read_input_registers(10, count=1, device_id=1)).registers == [0xFFFE]
        assert (await client.read_discrete_inputs(17, count=1, device_id=1)).bits[0] is True


async def test_a_port_that_is_taken_is_said_so(catalog: Catalog) -> None:
    first = ModbusHost("127.0.0.1", 0, [ModbusUnit(catalog.profiles["fw-lift-1"])])
    _, port = await first.start()
    with pytest.raises(OSError, match=f":{port} can't be listened on"):
        await ModbusHost("127.0.0.1", port, [ModbusUnit(catalog.profiles["fw-lift-1"])]).start()
    await first.stop()


@pytest.mark.parametrize(
    ("register", "value", "words"),
    [
        (Register("p", Table.INPUT, 0, "int32", 2, scale=0.1), -70_000.0, [0xFFF5, 0x51A0]),
        (Register("p", Table.INPUT, 0, "int32", 2, scale=0.1, word_order="little"), -70_000.0, [0x51A0, 0xFFF5]),
        (Register("p", Table.INPUT, 0, "float32", 2), 220.0, [0x435C, 0x0000]),
        (Register("p", Table.INPUT, 0, "float32", 2, word_order="little"), 220.0, [0x0000, 0x435C]),
        (Register("p", Table.INPUT, 0, "uint16", byte_order="little"), 0x0102, [0x0201]),
        (Register("p", Table.INPUT, 0, "uint16", scale=0.01, offset=-273.15), 20.0, [29315]),
        (Register("p", Table.INPUT, 0, "uint16", values={3: 0, 7: 1}), 1, [7]),
        (Register("p", Table.INPUT, 0, "uint16", sentinels=frozenset({32767.0})), None, [32767]),
        (Register("p", Table.INPUT, 0, "int16", sentinels=frozenset({0x8000})), None, [0x8000]),
        (Register("p", Table.INPUT, 0, "int16"), None, [0xFFFF]),
        (Register("p", Table.INPUT, 0, "uint32", 2), None, [0xFFFF, 0xFFFF]),
        (Register("p", Table.INPUT, 0, "bcd64", 4), 1234_5678_9012_3456, [0x1234, 0x5678, 0x9012, 0x3456]),
        (Register("p", Table.INPUT, 0, "bcd16"), 1234, [0x1234]),
        (Register("p", Table.INPUT, 0, "bcd32", 2), 12345678, [0x1234, 0x5678]),
        (Register("p", Table.INPUT, 0, "float16"), 1.5, [0x3E00]),
        (Register("p", Table.INPUT, 0, "int8"), -2, [0x00FE]),
        (Register("p", Table.INPUT, 0, "string", 3), "AB1", [0x4142, 0x3100, 0]),
        (Register("p", Table.INPUT, 0, "uint64", 4), 2**40, [0, 0x100, 0, 0]),
        (Register("p", Table.INPUT, 0, "uint16", invert=True), True, [0]),
    ],
)
def test_words(register: Register, value: Value, words: list[int]) -> None:
    assert encode(register, value) == words


def test_a_float_that_is_not_there_is_no_number() -> None:
    words = encode(Register("p", Table.INPUT, 0, "float32", 2), None)
    decoded = Client.convert_from_registers(words, Client.DATATYPE.FLOAT32)
    assert isinstance(decoded, float)
    assert math.isnan(decoded)


@pytest.mark.parametrize(
    ("register", "value"),
    [
        (Register("p", Table.INPUT, 0, "uint16"), 70_000),
        (Register("p", Table.INPUT, 0, "uint16"), "text"),
        (Register("p", Table.INPUT, 0, "uint16", values={0: 1}), 2),
    ],
)
def test_what_does_not_fit_is_an_error(register: Register, value: Value) -> None:
    with pytest.raises(ValueError, match=r"^p: "):
        encode(register, value)


def test_bits_share_a_word_without_disturbing_each_other(catalog: Catalog) -> None:
    unit = ModbusUnit(catalog.profiles["apc-smart-ups"])
    unit.update({"ups.mode": 0, "ups.input_bad": False, "ups.overload": True})
    assert unit.words(Table.HOLDING, 0, 2) == [0x0020, 0x0002]
    unit.update({"ups.mode": 1, "ups.input_bad": True, "ups.overload": True})
    assert unit.words(Table.HOLDING, 0, 2) == [0x0020, 0x0044]


@pytest.mark.slow
def test_a_step_of_an_unchanged_device_costs_little(catalog: Catalog) -> None:
    unit = ModbusUnit(catalog.profiles["grundfos-cim"])
    values = model_for("water_pump").values()
    unit.update(values)
    began = time.process_time()
    for _ in range(200):
        unit.update(values)
    assert (time.process_time() - began) / 200 < 0.002
