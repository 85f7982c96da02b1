"""One connection against peers that misbehave: each fault has a name, and none costs more than its time-out."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence

import pytest

from facility.assets import Line
from facility.errors import DeviceError
from facility.points import Register, Table
from gateway.modbus import ModbusConnection
from gateway.planner import Read
from tests.gateway.plant import Box, good_reply, modbus_server, raw_server
from tests.services.ports import free_port

WORDS = Read(Table.HOLDING, 0, 5, (Register("p", Table.HOLDING, 0, "uint16"),))
BITS = Read(Table.DISCRETE, 0, 3, (Register("p", Table.DISCRETE, 0, "bool"),))


async def ask(port: int, read: Read = WORDS, *, unit: int = 1, timeout: float = 0.2) -> bytes:
    connection = ModbusConnection(Line("127.0.0.1", port))
    try:
        return await connection.read("d1", unit, read, timeout)
    finally:
        connection.close()


async def test_reads_words_and_bits_of_a_pymodbus_server() -> None:
    async with modbus_server(Box(volts=2301, temp=-5, energy=70_000, mode=1)) as port:
        assert await ask(port) == struct.pack(">HhIH", 2301, -5, 70_000, 1)
        assert await ask(port, BITS) == b"\x03"


async def test_reads_every_table() -> None:
    async with raw_server(lambda frame: [good_reply(frame, flags=5)]) as port:
        for table, size in [(Table.COIL, 1), (Table.DISCRETE, 1), (Table.HOLDING, 10), (Table.INPUT, 10)]:
            assert len(await ask(port, Read(table, 0, 5, ()))) == size


async def test_an_answer_in_pieces_is_put_together() -> None:
    async with raw_server(
        lambda frame: [good_reply(frame)[:5], good_reply(frame)[5:12], good_reply(frame)[12:]]
    ) as port:
        assert len(await ask(port)) == 10


def changed(**pieces: bytes) -> Callable[[bytes], Sequence[bytes]]:
    """A reply with some of its parts replaced: tid, pid, length, unit, function, count."""
    places = {"tid": 0, "pid": 2, "length": 4, "unit": 6, "function": 7, "count": 8}

    def reply(frame: bytes) -> Sequence[bytes]:
        answer = bytearray(good_reply(frame))
        for name, piece in pieces.items():
            answer[places[name] : places[name] + len(piece)] = piece
        return [bytes(answer)]

    return reply


def shorter(frame: bytes) -> Sequence[bytes]:
    return [good_reply(frame[:10] + b"\0\3")]


def half(frame: bytes) -> Sequence[bytes]:
    return [good_reply(frame)[:9]]


GARBAGE = [
    (changed(pid=b"\x12\x34"), "garbage", "no Modbus frame"),
    (changed(length=b"\0\0"), "garbage", "no Modbus frame"),
    (changed(length=b"\xff\xff"), "garbage", "no Modbus frame"),
    (changed(function=b"\4"), "garbage", "function 4"),
    (changed(function=b"\x2b"), "garbage", "function 43"),
    (changed(count=b"\x08"), "garbage", "10 asked"),
    (changed(count=b"\xfe"), "garbage", "10 asked"),
    (changed(tid=b"\xee\xee"), "timeout", "no answer"),
    (changed(unit=b"\x09"), "garbage", "no answer of unit 1 .*; unit 9 answered instead"),
    (shorter, "garbage", "6 bytes came for 10"),
    (half, "timeout", "no answer"),
    (lambda _: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "garbage", "no Modbus frame"),
    (lambda _: [b"\xff" * 300], "garbage", "no Modbus frame"),
    (lambda _: [], "timeout", "no answer"),
    (lambda _: None, "refused", "closed the connection"),
]


@pytest.mark.parametrize(("reply", "kind", "words"), GARBAGE)
async def test_garbage_has_a_name(reply: Callable[[bytes], Sequence[bytes] | None], kind: str, words: str) -> None:
    async with raw_server(reply) as port:
        with pytest.raises(DeviceError, match=words) as caught:
            await ask(port)
    assert (caught.value.device, caught.value.kind) == ("d1", kind)


@pytest.mark.parametrize(("code", "words"), [(2, "illegal data address"), (11, "failed to respond"), (99, "unknown")])
async def test_an_exception_keeps_its_code(code: int, words: str) -> None:
    def refuse(frame: bytes) -> Sequence[bytes]:
        return [frame[:4] + b"\0\3" + frame[6:7] + bytes([frame[7] | 0x80, code])]

    async with raw_server(refuse) as port:
        with pytest.raises(DeviceError, match=words) as caught:
            await ask(port)
    assert (caught.value.kind, caught.value.code) == ("exception", code)
    assert "holding 0..4" in str(caught.value)


async def test_nobody_there() -> None:
    with pytest.raises(DeviceError, match="no connection to") as caught:
        await ask(free_port())
    assert caught.value.kind == "refused"


async def test_a_name_that_does_not_resolve() -> None:
    connection = ModbusConnection(Line("no such host.invalid", 502))
    with pytest.raises(DeviceError) as caught:
        await connection.read("d1", 1, WORDS, 1.0)
    assert caught.value.kind == "refused"


async def test_connects_again_after_the_device_closed() -> None:
    calls = 0

    def moody(frame: bytes) -> Sequence[bytes] | None:
        nonlocal calls
        calls += 1
        return None if calls == 1 else [good_reply(frame)]

    async with raw_server(moody) as port:
        connection = ModbusConnection(Line("127.0.0.1", port))
        with pytest.raises(DeviceError):
            await connection.read("d1", 1, WORDS, 0.2)
        assert not connection.connected
        assert len(await connection.read("d1", 1, WORDS, 0.2)) == 10
        connection.close()


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    late: list[bytes] = []

    def slow(frame: bytes) -> Sequence[bytes]:
        if not late:
            late.append(good_reply(frame, (111,) * 5))
            return []
        return [late[0] + good_reply(frame, (222,) * 5)]

    async with raw_server(slow) as port:
        connection = ModbusConnection(Line("127.0.0.1", port))
        with pytest.raises(DeviceError):
            await connection.read("d1", 1, WORDS, 0.05)
        assert await connection.read("d1", 1, WORDS, 0.5) == struct.pack(">5H", *(222,) * 5)
        connection.close()


async def test_a_connection_that_stays_silent_is_opened_anew() -> None:
    async with raw_server(lambda _: []) as port:
        connection = ModbusConnection(Line("127.0.0.1", port))
        for connected in (True, True, False):
            with pytest.raises(DeviceError):
                await connection.read("d1", 1, WORDS, 0.02)
            assert connection.connected is connected


async def test_a_cancelled_read_ends() -> None:
    async with raw_server(lambda _: []) as port:
        task = asyncio.create_task(ask(port, timeout=5))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task], timeout=1)
        assert task.cancelled()
