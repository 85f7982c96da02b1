"""Pure: the answer to one request among the bytes that came, with the frames of Modbus TCP and of RTU.

Over TCP the transaction id says whose answer a frame is: frames with another one are late and are skipped. With RTU
frames there is none, only unit, function and what the answer must begin with: the number of bytes of a read, the
address of a write. Whatever else lies on the line (noise before the frame, the echo of an adapter, the late answer of
another unit, or of the same one to a request of another length) is stepped over, and the answer behind it is found.
What was stepped over is kept in words: when no answer comes, it tells why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_WRITES = frozenset({5, 6, 15, 16})
_HEADER = 6
"""Bytes of a Modbus TCP header before the unit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as its answer depends on it. `head` is what a good answer has after its function, `size` how
    many bytes come after the function."""

    unit: int = 0
    function: int = 0
    head: bytes = b""
    size: int = 0


class Heard(NamedTuple):
    """`frame` is the answer, or its beginning; `fault` why none can come any more; `seen` what came instead of it."""

    frame: bytes = b""
    fault: str = ""
    seen: str = ""


def in_tcp(data: bytes, transaction: int, asked: Asked) -> Heard:
    """Look through what came over TCP since the request."""
    seen = ""
    while len(data) >= _HEADER + 2:
        length, unit, function = int.from_bytes(data[4:6], "big"), data[6], data[7]
        if data[2:4] != b"\0\0" or not 3 <= length <= 254:
            return Heard(fault="what came is no Modbus frame")
        if int.from_bytes(data[:2], "big") == transaction:
            if not asked.unit or unit == asked.unit:
                fault = _fault(function, length - 2, asked)
                return Heard(fault=fault) if fault else Heard(data)
            seen = f"unit {unit} answered instead"
        data = data[_HEADER + length :]
    return Heard(seen=seen)


def in_rtu(data: bytes, asked: Asked) -> Heard:
    """Look through what came on a line of RTU frames since the request."""
    seen, start = "", 0
    while start + 5 <= len(data):
        length = _length(data, start)
        if not length or start + length > len(data) or not sound(data[start : start + length]):
            start += 1
            continue
        frame = data[start : start + length]
        strange = _strange(frame, asked)
        if not strange:
            return Heard(frame, seen=seen)
        seen = strange
        start += length
    return Heard(seen=seen)


def _crc_of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0xA001 * (value & 1)
    return value


_CRC = tuple(_crc_of_byte(byte) for byte in range(256))


def crc(data: bytes) -> int:
    """The checksum of an RTU frame; its low byte is sent first."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value


def sound(frame: bytes) -> bool:
    """Whether the checksum at the end of a frame is that of the frame."""
    return crc(frame[:-2]) == int.from_bytes(frame[-2:], "little")


def _length(data: bytes, start: int) -> int:
    """How long an answer that begins here would be; 0 if none can begin here."""
    function = data[start + 1]
    if function & 0x80:
        return 5
    if 1 <= function <= 4:
        return 5 + data[start + 2]
    return 8 if function in _WRITES else 0


def _strange(frame: bytes, asked: Asked) -> str:
    """Why a sound frame is not the answer; empty if it is."""
    if asked.unit and frame[0] != asked.unit:
        return f"unit {frame[0]} answered instead"
    return _fault(frame[1], len(frame) - 4, asked) or _late(frame, asked)


def _late(frame: bytes, asked: Asked) -> str:
    if frame[1] & 0x80 or frame[2:].startswith(asked.head):
        return ""
    if frame[1] in _WRITES:
        return "the answer to another write came"
    return f"{frame[2]} bytes came for {asked.size - 1} asked"


def _fault(function: int, size: int, asked: Asked) -> str:
    """What is wrong with an answer of `size` bytes after its function; empty if nothing is."""
    if function & 0x7F != asked.function:
        return f"function {function} came as the answer to {asked.function}"
    if function in _WRITES and size != asked.size:
        return f"{size} bytes came as the answer to a write, which has {asked.size}"
    return ""
