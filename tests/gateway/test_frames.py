"""The answer among the bytes that came: whatever else is there is stepped over, and never taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from gateway.frames import Asked, Heard, crc, in_rtu, in_tcp, sound
from tests.gateway.lines import sealed

READ = Asked(1, 3, b"\x04", 5)
ANSWER = sealed(b"\x01\x03\x04\xaa\xbb\xcc\xdd")
WRITE = Asked(1, 6, b"\x00\x07", 4)


@given(st.binary(max_size=260))
def test_the_checksum_is_that_of_pymodbus(data: bytes) -> None:
    assert crc(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")
    assert sound(sealed(data))


OTHERS = {
    "another unit": (sealed(b"\x02\x03\x04\x01\x02\x03\x04"), "unit 2 answered instead"),
    "another function": (sealed(b"\x01\x04\x04\x01\x02\x03\x04"), "function 4 came as the answer to 3"),
    "another length": (sealed(b"\x01\x03\x06\x01\x02\x03\x04\x05\x06"), "6 bytes came for 4 asked"),
    "a write": (sealed(b"\x01\x06\x00\x07\x00\x01"), "function 6 came as the answer to 3"),
    "another exception": (sealed(b"\x01\x84\x02"), "function 132 came as the answer to 3"),
    "a wrong checksum": (ANSWER[:-1] + bytes([ANSWER[-1] ^ 1]), ""),
    "half an answer": (ANSWER[:5], ""),
    "the echo of the request": (sealed(b"\x01\x03\x00\x00\x00\x02"), ""),
    "noise": (b"\x00\x00\xff\x01", ""),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_answer_is_stepped_over(name: str) -> None:
    other, seen = OTHERS[name]
    assert in_rtu(other, READ) == Heard(seen=seen)
    assert in_rtu(other + ANSWER, READ).frame == ANSWER
    assert in_rtu(other + ANSWER + other, READ).frame == ANSWER
    refused = sealed(b"\x01\x83\x02")
    assert in_rtu(other + refused, READ).frame == refused


@given(st.binary(max_size=40))
def test_noise_before_an_answer(noise: bytes) -> None:
    if in_rtu(noise, READ).frame:
        return
    assert in_rtu(noise + ANSWER, READ).frame == ANSWER


@given(st.binary(max_size=300), st.integers(1, 247), st.sampled_from([1, 2, 3, 4]), st.integers(1, 250))
def test_garbage_is_never_an_answer_unless_it_is_one(data: bytes, unit: int, function: int, size: int) -> None:
    found = in_rtu(data, Asked(unit, function, bytes([size]), size + 1)).frame
    if found:
        assert sound(found)
        assert found[0] == unit
        assert found[1] in (function, function | 0x80)


def test_an_answer_in_pieces() -> None:
    for end in range(len(ANSWER)):
        assert in_rtu(ANSWER[:end], READ).frame == b""
    assert in_rtu(ANSWER, READ).frame == ANSWER


def test_a_write_is_confirmed_by_its_address() -> None:
    other, mine = sealed(b"\x01\x06\x00\x08\x00\x01"), sealed(b"\x01\x06\x00\x07\x00\x01")
    assert in_rtu(other, WRITE) == Heard(seen="the answer to another write came")
    assert in_rtu(other + mine, WRITE).frame == mine


def a_frame(transaction: int, pdu: bytes, unit: int = 1) -> bytes:
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


def test_over_tcp_late_frames_and_other_units_are_stepped_over() -> None:
    mine, late = a_frame(7, b"\x03\x04\xaa\xbb\xcc\xdd"), a_frame(6, b"\x2b\x0e")
    other = a_frame(7, b"\x03\x04\xaa\xbb\xcc\xdd", unit=9)
    assert in_tcp(late, 7, READ) == Heard()
    assert in_tcp(late + mine, 7, READ).frame == mine
    assert in_tcp(other, 7, READ) == Heard(seen="unit 9 answered instead")
    assert in_tcp(other + late + mine, 7, READ).frame == mine
    assert in_tcp(late[:-1], 7, READ) == Heard()
    assert in_tcp(a_frame(7, b"\x03\x04\0\0\0\0", unit=9), 7, Asked(0, 3, b"\x04", 5)).frame


@pytest.mark.parametrize(
    ("frame", "asked", "fault"),
    [
        (a_frame(7, b"\x04\x02\0\0"), READ, "function 4 came as the answer to 3"),
        (a_frame(7, b"\xab\x01"), READ, "function 171 came as the answer to 3"),
        (a_frame(7, b"\x06\0\7"), WRITE, "2 bytes came as the answer to a write, which has 4"),
        (b"\0\7\0\1\0\6\1\3", READ, "no Modbus frame"),
        (b"\0\7\0\0\0\2\1\3", READ, "no Modbus frame"),
        (b"HTTP/1.1 200", READ, "no Modbus frame"),
        (a_frame(6, b"\3\2\0\0") + b"HTTP/1.1", READ, "no Modbus frame"),
    ],
)
def test_over_tcp_what_can_t_become_an_answer_ends_the_request(frame: bytes, asked: Asked, fault: str) -> None:
    heard = in_tcp(frame, 7, asked)
    assert fault in heard.fault
    assert heard.frame == b""


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_over_tcp_no_bytes_break_it(data: bytes, transaction: int) -> None:
    heard = in_tcp(data, transaction, READ)
    assert not heard.frame or heard.frame[:2] == transaction.to_bytes(2, "big")
