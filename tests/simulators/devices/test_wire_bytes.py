"""Each fault on the wire as a bare socket sees it, in virtual time; the unit beside it goes on undisturbed."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

import pytest

from facility.catalog import Catalog
from simulators.devices.line import WAITING
from tests.simulators.devices.raw import LIFT, begin, connected, listening

pytestmark = pytest.mark.looptime

FLOOR = 10
"""The address of the car's floor, one register; its position is the two before it in the same table."""


def floor(transaction: int, unit: int = 1) -> bytes:
    """The honest answer to a read of the floor."""
    return struct.pack(">HHHBBBH", transaction, 0, 5, unit, 4, 2, 3)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_an_honest_device(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        raw.ask(FLOOR)
        assert await raw.frame() == floor(1)
        raw.ask(FLOOR, unit=2)
        assert await raw.frame() == floor(2, unit=2)
        raw.ask(17, 1, function=2)
        assert await raw.frame() == bytes.fromhex("0003 0000 0004 01 02 01 01")
        raw.ask(5000)
        assert await raw.frame() == bytes.fromhex("0004 0000 0003 01 84 02")
        served = units[0].served
        assert (served.requests, served.answers, served.registers, served.exceptions) == (3, 2, 2, 1)


@pytest.mark.parametrize(
    ("fault", "params", "expected"),
    [
        ("exception", {"code": 10}, "0001 0000 0003 01 84 0a"),
        ("busy", {}, "0001 0000 0003 01 84 06"),
        ("illegal_hole", {}, "0001 0000 0003 01 84 02"),
        ("wrong_transaction", {"shift": 256}, "0101 0000 0005 01 04 02 0003"),
        ("other_function", {}, "0001 0000 0005 01 03 02 0003"),
        ("truncated", {}, "0001 0000 0005 01 04 02"),
        ("truncated", {"bytes": 4}, "0001 0000"),
    ],
)
async def test_to_the_byte_and_over_when_it_ends(
    catalog: Catalog, fault: str, params: Mapping[str, float], expected: str
) -> None:
    wanted = bytes.fromhex(expected)
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], fault, **params)
        raw.ask(FLOOR)
        assert await raw.exactly(len(wanted)) == wanted
        assert await raw.silent()
        raw.ask(FLOOR, unit=2)
        assert await raw.frame() == floor(2, unit=2)
        units[0].wire.end(fault)
        raw.ask(FLOOR)
        assert await raw.frame() == floor(3)
        assert units[0].served.faulty == {fault: 1}
        assert units[1].served.faulty == {}


async def test_garbage(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "garbage", bytes=50)
        raw.ask(FLOOR)
        raw.ask(FLOOR)
        one, two = await raw.exactly(50), await raw.exactly(50)
        assert one != two
        assert floor(1)[2:] not in one + two
        assert await raw.silent()
        units[0].wire.end("garbage")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(3)


async def test_a_hole_has_edges(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "illegal_hole", first=11, last=12)
        raw.ask(FLOOR)
        assert await raw.frame() == floor(1)
        raw.ask(FLOOR, 2)
        assert (await raw.frame())[7:] == b"\x84\x02"
        raw.ask(13)
        assert (await raw.frame())[7] == 4
        raw.ask(11, 2, function=2)
        assert (await raw.frame())[7] == 2, "only in the table that the device uses most"


@pytest.mark.parametrize(("fault", "params"), [("delay", {"seconds": 5}), ("slow_device", {"seconds": 5, "spread": 0})])
async def test_late(catalog: Catalog, fault: str, params: Mapping[str, float]) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], fault, **params)
        raw.ask(FLOOR)
        raw.ask(FLOOR)
        raw.ask(FLOOR, unit=2)
        assert await raw.frame() == floor(3, unit=2), "the other unit does not wait for it"
        assert now() < 1
        assert await raw.frame() == floor(1)
        assert now() == pytest.approx(5, abs=0.1)
        assert await raw.frame() == floor(2), "under its own name"
        assert now() == pytest.approx(10, abs=0.1)
        units[0].wire.end(fault)
        raw.ask(FLOOR)
        assert await raw.frame() == floor(4)
        assert now() == pytest.approx(10, abs=0.1)


async def test_byte_by_byte(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "slow_bytes", ms=200)
        raw.ask(FLOOR)
        whole = floor(1)
        for place in range(len(whole)):
            assert await raw.exactly(1) == whole[place : place + 1]
            assert now() == pytest.approx(0.2 * place, abs=0.05)
        raw.ask(FLOOR)
        assert await raw.exactly(2) == floor(2)[:2]
        raw.ask(FLOOR, unit=2)
        assert await raw.frame() == floor(3, unit=2), "what drips makes way"
        assert now() < 3
        assert await raw.silent()
        assert (units[0].served.answers, units[0].served.spoilt) == (1, 1)


async def test_dead_and_alive_again(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "dead")
        raw.ask(FLOOR)
        raw.send(bytes.fromhex("0009 0000 0002 01 65"))
        assert await raw.silent()
        async with connected(host) as second:
            second.ask(FLOOR, unit=2)
            assert await second.frame() == floor(1, unit=2)
        units[0].wire.end("dead")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(2)
        assert (units[0].served.requests, units[0].served.dropped) == (3, 2)


async def test_a_silent_unit_is_dead_too(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        units[0].silent = True
        raw.ask(FLOOR)
        assert await raw.silent()
        units[0].silent = False
        raw.ask(FLOOR)
        assert await raw.frame() == floor(2)
        assert units[0].served.dropped == 1


async def test_some_answers_are_lost(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "drop", share=0.5)
        heard = []
        for _ in range(40):
            raw.ask(FLOOR)
            raw.ask(FLOOR, unit=2)
            frame = await raw.frame()
            if frame[6] == 1:
                heard.append(frame)
                frame = await raw.frame()
            assert frame == floor(raw.transaction, unit=2)
        assert 10 < len(heard) < 30
        assert units[0].served.dropped == 40 - len(heard)


async def test_the_answer_before(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        raw.ask(FLOOR)
        assert await raw.frame() == floor(1)
        begin(units[0], "late_answer")
        raw.ask(5, 2)
        assert await raw.frame() == floor(1)
        raw.ask(FLOOR)
        assert (await raw.frame())[:9] == bytes.fromhex("0002 0000 0007 01 04 04"), "of the two registers before"
        async with connected(host) as second:
            second.ask(FLOOR)
            assert await second.silent(), "nothing was asked before on this one"
        units[0].wire.end("late_answer")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(4)


async def test_reset_is_the_listeners(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units):
        begin(units[0], "reset")
        for number in (1, 2):
            async with connected(host) as raw:
                raw.ask(FLOOR, unit=number)
                with pytest.raises(ConnectionResetError):
                    await raw.over()
        units[0].wire.end("reset")
        async with connected(host) as raw:
            raw.ask(FLOOR)
            assert await raw.frame() == floor(1)
        assert [unit.served.faulty for unit in units] == [{"reset": 1}, {"reset": 1}]


async def test_refused_and_back_on_the_same_port(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        port = host.port
        raw.ask(FLOOR)
        assert await raw.frame() == floor(1)
        for unit in units:
            begin(unit, "refuse")
            host.settle()
        assert await raw.over()
        for unit in units:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host.host, port)
            unit.wire.end("refuse")
            host.settle()
        await asyncio.sleep(0.1)
        assert host.listening
        assert host.port == port
        async with connected(host) as again:
            again.ask(FLOOR)
            assert await again.frame() == floor(1)


async def test_refused_again_before_it_listens(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units):
        for _ in range(3):
            begin(units[0], "refuse")
            host.settle()
            units[0].wire.end("refuse")
            host.settle()
        begin(units[0], "refuse")
        host.settle()
        await asyncio.sleep(1)
        assert not host.listening
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host.host, host.port)


async def test_words_exchanged_in_every_value_of_32_bits(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        raw.ask(3, 2)
        right = (await raw.frame())[9:]
        assert right == (1_000_000).to_bytes(4, "big")
        begin(units[0], "swapped_words")
        raw.ask(3, 2)
        assert (await raw.frame())[9:] == right[2:] + right[:2]
        raw.ask(4)
        assert (await raw.frame())[9:] == right[:2], "also when only one half is asked for"
        raw.ask(FLOOR)
        assert await raw.frame() == floor(4), "a value of one word has no order"
        units[0].wire.end("swapped_words")
        raw.ask(3, 2)
        assert (await raw.frame())[9:] == right


async def test_two_devices_answer_to_one_unit(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        units[0].update({**LIFT, "car.floor": 10})
        begin(units[0], "duplicate_unit", corrupt=0.3)
        floors, corrupt = [], 0
        for _ in range(60):
            raw.ask(FLOOR)
            frame = await raw.frame()
            if len(frame) == 11:
                floors.append(int.from_bytes(frame[9:], "big"))
            else:
                corrupt += 1
        assert set(floors) == {10, 8}
        assert 10 < floors.count(8) < 35
        assert 8 < corrupt < 30
        units[0].wire.end("duplicate_unit")
        raw.ask(FLOOR)
        assert int.from_bytes((await raw.frame())[9:], "big") == 10


async def test_two_faults_at_once_end_one_after_the_other(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "delay", seconds=3)
        begin(units[0], "wrong_transaction")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(2)
        assert now() == pytest.approx(3, abs=0.1)
        units[0].wire.end("wrong_transaction")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(2)
        assert now() == pytest.approx(6, abs=0.1)
        units[0].wire.end("delay")
        raw.ask(FLOOR)
        assert await raw.frame() == floor(3)
        assert now() == pytest.approx(6, abs=0.1)


async def test_its_own_clock(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        begin(units[0], "clock_drift")
        units[0].update(LIFT)
        raw.ask(3, 2)
        assert (await raw.frame())[9:] == (1_028_800).to_bytes(4, "big")
        units[0].wire.end("clock_drift")
        units[0].update(LIFT)
        raw.ask(3, 2)
        assert (await raw.frame())[9:] == (1_000_000).to_bytes(4, "big")


async def test_requests_in_one_piece_are_answered_in_order_and_a_flood_is_bounded(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units), connected(host) as raw:
        request = struct.pack(">HHBBHH", 0, 6, 1, 4, FLOOR, 1)
        raw.send(b"".join(struct.pack(">H", number) + request for number in range(1, 6)))
        for number in range(1, 6):
            assert await raw.frame() == floor(number)
        begin(units[0], "delay", seconds=0.1)
        for _ in range(WAITING + 8):
            raw.ask(FLOOR)
            await asyncio.sleep(0.001)
        await asyncio.sleep(60)
        served = units[0].served
        assert served.requests == 5 + WAITING + 8
        assert served.dropped == 8
        assert served.answers == 5 + WAITING


async def test_a_client_that_hangs_up_gets_no_answer_and_that_is_counted(catalog: Catalog) -> None:
    async with listening(catalog) as (host, units):
        begin(units[0], "delay", seconds=5)
        async with connected(host) as raw:
            raw.ask(FLOOR)
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        served = units[0].served
        assert (served.requests, served.answers, served.dropped) == (1, 0, 1)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("0001 0000 0006 01 04 0000 007e", "0001 0000 0003 01 84 03"),
        ("0001 0000 0006 01 03 0000 0000", "0001 0000 0003 01 83 03"),
        ("0001 0000 0002 01 65", "0001 0000 0003 01 e5 01"),
        ("0001 0000 0006 01 06 000a 0001", "0001 0000 0003 01 86 02"),
        ("0001 0000 0006 09 04 000a 0001", "0001 0000 0003 09 84 0b"),
    ],
)
async def test_what_no_device_does_is_refused_by_the_right_name(catalog: Catalog, request_: str, answer: str) -> None:
    async with listening(catalog) as (host, _), connected(host) as raw:
        raw.send(bytes.fromhex(request_))
        assert await raw.frame() == bytes.fromhex(answer)
        raw.ask(FLOOR)
        assert await raw.frame() == floor(1)


@pytest.mark.parametrize("nonsense", [b"\0\1\0\0\0\0", b"\0\1\0\0\0\1\1", b"GET / HTTP/1.1\r\n\r\n" * 40, b"\0" * 600])
async def test_nonsense_harms_nobody(catalog: Catalog, nonsense: bytes) -> None:
    async with listening(catalog) as (host, _), connected(host) as raw, connected(host) as other:
        raw.send(nonsense)
        await asyncio.sleep(0.01)
        other.ask(FLOOR)
        assert await other.frame() == floor(1)
