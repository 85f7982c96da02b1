"""What each fault of the wire makes of an honest answer: bytes in, a plan out; no sockets."""

from __future__ import annotations

import struct
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.hardware import On
from simulators.devices import native_link
from simulators.devices.wire import FAULTS, LISTENER, PLAYS, Ask, Fate, Reply, Served, Wire, honest, refusal, total
from simulators.faultfile import repertoire

ASK = Ask(transaction=7, unit=3, function=3, address=10, count=4)
GOOD = struct.pack(">HHHBBB4H", 7, 0, 11, 3, 3, 8, 100, 200, 300, 400)
BEFORE = struct.pack(">HHHBBB1H", 6, 0, 5, 3, 3, 2, 55)
DEVICE = repertoire().faults_of(On.DEVICE)

asks = st.builds(
    Ask, st.integers(0, 0xFFFF), st.integers(1, 247), st.sampled_from([1, 2, 3, 4]), st.integers(0, 0xFF00),
    st.integers(1, 125),
)  # fmt: skip


def defaults(fault: str, **params: float) -> dict[str, float]:
    return {name: param.default for name, param in DEVICE[fault].params.items()} | params


def wire(*faults: str, seed: int = 1, **params: float) -> Wire:
    found = Wire(Random(seed), home=3)
    for fault in faults:
        found.begin(fault, {**defaults(fault), **params})
    return found


def reply(fault: str, ask: Ask = ASK, frame: bytes = GOOD, **params: float) -> Reply:
    return wire(fault, **params).reply(ask, frame, BEFORE)


def answer(ask: Ask) -> bytes:
    """The honest answer to a read: zeros."""
    size = ask.count * 2 if ask.function in (3, 4) else -(-ask.count // 8)
    return struct.pack(">HHHBBB", ask.transaction, 0, size + 3, ask.unit, ask.function, size) + bytes(size)


def test_the_repertoire_names_every_fault_with_the_params_that_it_reads() -> None:
    assert set(DEVICE) == FAULTS | native_link.FAULTS
    for fault in PLAYS:
        for params in (defaults(fault), {name: item.low for name, item in DEVICE[fault].params.items()}):
            item = Wire(Random(1))
            item.begin(fault, params)
            assert item.reply(ASK, GOOD, BEFORE).faults in ((fault,), ())
    with pytest.raises(ValueError, match="no fault 'nonsense' of a device; known: busy, clock_drift"):
        wire().begin("nonsense", {})
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        wire().end("nonsense")


def test_without_a_fault_the_frame_goes_out_as_it_is() -> None:
    assert wire().reply(ASK, GOOD) == Reply(GOOD, Fate.ANSWER)
    assert wire().reply(ASK, refusal(ASK, 2)) == Reply(bytes.fromhex("000700000003038302"), Fate.EXCEPTION)
    assert honest(b"").fate is Fate.DROPPED


@pytest.mark.parametrize(
    ("fault", "frame"),
    [
        ("exception", "0007 0000 0003 03 83 04"),
        ("busy", "0007 0000 0003 03 83 06"),
        ("illegal_hole", "0007 0000 0003 03 83 02"),
        ("other_function", "0007 0000 000b 03 04 08 0064 00c8 012c 0190"),
        ("wrong_transaction", "0008 0000 000b 03 03 08 0064 00c8 012c 0190"),
        ("late_answer", "0006 0000 0005 03 03 02 0037"),
        ("truncated", "0007 0000 000b 03 03 08"),
        ("dead", ""),
    ],
)
def test_frames_to_the_byte(fault: str, frame: str) -> None:
    found = reply(fault)
    assert found.frame.hex() == frame.replace(" ", "")
    assert found.faults == (fault,)
    exceptions = ("exception", "busy", "illegal_hole")
    fate = Fate.EXCEPTION if fault in exceptions else Fate.DROPPED if fault == "dead" else Fate.SPOILT
    assert found.fate is fate


@pytest.mark.parametrize(
    ("first", "last", "address", "count", "refused"),
    [
        (10, 19, 10, 1, True), (10, 19, 19, 1, True), (10, 19, 9, 1, False), (10, 19, 20, 1, False),
        (10, 19, 0, 10, False), (10, 19, 0, 11, True), (10, 19, 19, 50, True), (12, 12, 10, 4, True),
    ],
)  # fmt: skip
def test_a_hole_is_refused_where_a_read_touches_it(
    first: int, last: int, address: int, count: int, refused: bool
) -> None:
    ask = Ask(1, 1, 3, address, count)
    found = reply("illegal_hole", ask, answer(ask), first=first, last=last)
    assert found.fate is (Fate.EXCEPTION if refused else Fate.ANSWER)
    elsewhere = Ask(1, 1, 4, address, count)
    assert reply("illegal_hole", elsewhere, answer(elsewhere), first=first, last=last).fate is Fate.ANSWER


def test_times() -> None:
    assert reply("delay") == Reply(GOOD, Fate.ANSWER, wait=2.0, faults=("delay",))
    assert reply("slow_bytes") == Reply(GOOD, Fate.ANSWER, each=0.1, faults=("slow_bytes",))


def test_a_slow_device_takes_900_ms_and_one_answer_in_twenty_more_than_a_second() -> None:
    item = wire("slow_device")
    waits = [item.reply(ASK, GOOD).wait for _ in range(5000)]
    assert mean(waits) == pytest.approx(0.9, abs=0.005)
    assert sum(wait > 1.0 for wait in waits) / len(waits) == pytest.approx(0.05, abs=0.01)
    assert min(waits) > 0


def test_three_answers_in_ten_are_lost() -> None:
    item = wire("drop")
    fates = [item.reply(ASK, GOOD).fate for _ in range(5000)]
    assert fates.count(Fate.DROPPED) / len(fates) == pytest.approx(0.3, abs=0.02)
    assert fates.count(Fate.ANSWER) + fates.count(Fate.DROPPED) == len(fates)


def test_of_a_duplicate_unit_both_speak_and_two_frames_in_five_are_corrupt() -> None:
    item = wire("duplicate_unit")
    spoken, corrupt = [], 0
    for _ in range(5000):
        spoken.append(item.twin())
        found = item.reply(ASK, GOOD)
        if found.fate is Fate.SPOILT:
            corrupt += 1
            assert len(found.frame) == int.from_bytes(found.frame[4:6], "big") + 6 < len(GOOD), "well framed, too short"
            assert found.frame[:4] + found.frame[6:8] == GOOD[:4] + GOOD[6:8]
        else:
            assert (found.frame, found.faults) == (GOOD, ("duplicate_unit",) if spoken[-1] else ())
    assert corrupt / 5000 == pytest.approx(0.4, abs=0.02), "between 20 and 60 %"
    assert mean(spoken) == pytest.approx(0.5, abs=0.02)
    assert item.level() == 0.8


def test_the_answer_before_is_nobodys_when_there_was_none() -> None:
    assert wire("late_answer").reply(ASK, GOOD).fate is Fate.DROPPED


def test_garbage_is_of_the_length_that_was_asked_and_never_the_same() -> None:
    item = wire("garbage", bytes=40)
    frames = {item.reply(ASK, GOOD).frame for _ in range(50)}
    assert len(frames) == 50
    assert {len(frame) for frame in frames} == {40}


def test_two_faults_at_once_and_their_ends() -> None:
    item = wire("delay", "wrong_transaction", seconds=0.5, shift=2)
    both = item.reply(ASK, GOOD)
    assert (both.frame[:2], both.wait, both.faults) == (b"\0\x09", 0.5, ("wrong_transaction", "delay"))
    item.end("delay")
    assert item.reply(ASK, GOOD).wait == 0
    item.end("wrong_transaction")
    item.end("wrong_transaction")
    assert item.reply(ASK, GOOD) == honest(GOOD)
    assert item.on == frozenset()


def test_begun_again_a_fault_has_its_new_params() -> None:
    item = wire("delay", seconds=1.0)
    item.begin("delay", {"seconds": 3.0})
    assert item.reply(ASK, GOOD).wait == 3.0


def test_the_same_seed_spoils_the_same_answers() -> None:
    def record(seed: int) -> list[Reply]:
        item = wire("drop", "garbage", "slow_device", seed=seed)
        return [item.reply(ASK, GOOD) for _ in range(40)]

    assert record(1) == record(1) != record(2)


def test_a_clock_is_in_another_zone_or_gains() -> None:
    item = wire("clock_drift")
    item.seconds += 1000
    assert item.clock() == 28_800
    item.begin("clock_drift", defaults("clock_drift", offset=5, rate=50_000))
    assert item.clock() == 5
    item.seconds += 600
    assert item.clock() == pytest.approx(35)
    item.end("clock_drift")
    assert item.clock() == 0


@given(asks, st.sampled_from(sorted(PLAYS)), st.integers(0, 999))
def test_no_fault_breaks_on_any_read_and_each_is_counted_once(ask: Ask, fault: str, seed: int) -> None:
    item, served = wire(fault, seed=seed), Served()
    for frame in (answer(ask), refusal(ask, 2)):
        served.requests += 1
        found = item.reply(ask, frame, answer(ask))
        assert (found.frame == b"") == (found.fate is Fate.DROPPED)
        assert len(found.frame) <= max(260, len(frame))
        served.count(ask, found)
    assert served.requests == served.answers + served.exceptions + served.spoilt + served.dropped
    assert served.registers in (0, ask.registers)


@given(asks, st.integers(1, 65_534))
def test_a_wrong_transaction_id_is_never_the_right_one_and_never_zero(ask: Ask, shift: int) -> None:
    found = int.from_bytes(reply("wrong_transaction", ask, answer(ask), shift=shift).frame[:2], "big")
    assert found not in (0, ask.transaction)


@given(st.lists(st.sampled_from(sorted(PLAYS)), unique=True), st.integers(0, 99))
def test_any_faults_together_leave_a_plan(faults: list[str], seed: int) -> None:
    item = wire(*faults, seed=seed) if faults else wire()
    found = item.reply(ASK, GOOD, BEFORE)
    assert set(found.faults) <= set(faults)
    assert found.wait >= 0
    if "dead" in faults:
        assert found.frame == b""


def test_sums() -> None:
    one, two = Served(), Served()
    for item, fault in ((one, "exception"), (two, "dead"), (two, "swapped_words")):
        item.requests += 1
        item.count(ASK, reply(fault))
    whole = total([one, two])
    assert (whole.requests, whole.answers, whole.registers, whole.exceptions, whole.dropped) == (3, 1, 4, 1, 1)
    assert whole.faulty == {"exception": 1, "dead": 1, "swapped_words": 1}
    assert LISTENER.isdisjoint(whole.faulty)
    assert Ask(1, 1, 1, 0, 17).registers == 2
