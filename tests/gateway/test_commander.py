"""Commands in virtual time: every way that they end, overrides that outlive the gateway, devices that do not follow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility import wire
from facility.errors import BusError
from facility.points import Table
from facility.readings import Value
from facility.wire import CommandStep
from gateway import commander
from gateway.commander import PROBLEM, WAITING
from gateway.commands import Step
from gateway.mqtt import MqttDevice
from tests.gateway.plant import NATIVE, POINTS, LoopClock, a_device
from tests.gateway.press import ASSET, COIL, FLAGS, MODE, RATE, SETTING, Bench, a_bench

pytestmark = pytest.mark.looptime
WRITTEN = ["received", "checking", "writing", "reading_back"]


async def inline(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread lives in real time, the tests do not."""
    monkeypatch.setattr(asyncio, "to_thread", inline)


async def test_a_command_is_written_read_back_and_told_step_by_step() -> None:
    async with a_bench() as bench:
        end = await bench.do("setting", 60.04)
        assert (end.step, end.final, end.value) == ("done", True, 60.0)
        assert bench.of(end.id) == [*WRITTEN, "done"]
        assert [step.final for step in bench.steps] == [False] * 4 + [True]
        assert bench.press.holding[SETTING] == 600
        assert {read.address for _, _, read in bench.press.asked} == {SETTING}
        assert bench.commander.overrides == 0
        assert bench.commander.counts["done"] == bench.commander.counts["received"] == 1


async def test_conditions_and_feedback_are_read_from_the_device() -> None:
    async with a_bench() as bench:
        end = await bench.do("valve", True, ttl=100.0)
        assert end.step == "held"
        assert bench.of(end.id) == [*WRITTEN, "watching", "held"]
        assert "for 100 s, then false again" in end.message
        assert bench.press.runs
        bench.press.holding[MODE] = 0
        refused = await bench.do("valve", False, ttl=100.0)
        assert refused.message == "mode is off, but has to be on"
        assert bench.of(refused.id) == ["received", "checking", "refused"]
        bench.press.holding[MODE] = 9
        refused = await bench.do("valve", False, ttl=100.0)
        assert refused.message == "mode is not known (enum), but has to be on"
        assert bench.press.runs


async def test_a_bit_is_changed_among_its_neighbours() -> None:
    async with a_bench() as bench:
        assert (await bench.do("lamp", True, ttl=10.0)).step == "held"
        assert bench.press.holding[FLAGS] == 0xA5A8
        bench.press.holding[FLAGS] ^= 0x4001
        await asyncio.sleep(11)
        assert bench.press.holding[FLAGS] == 0xE5A1


async def test_two_people_and_a_function_for_several_cells() -> None:
    async with a_bench() as bench:
        for second in ("", "ann", " Ann"):
            assert "two people" in (await bench.do("rate", 20, second=second)).message
        assert not bench.press.asked
        assert (await bench.do("rate", 20, second="bob")).step == "done"
        assert bench.press.holding[RATE] == 20
        assert bench.press.writes[0].multiple


async def test_life_safety_is_never_commanded() -> None:
    async with a_bench(life_safety=True) as bench:
        for point, value in (("setting", 20.0), ("valve", True), ("rate", 20)):
            end = await bench.do(point, value, second="bob", ttl=10.0)
            assert end.step == "refused"
            assert "life safety" in end.message
        assert not bench.press.asked
        assert not bench.press.writes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"asset": "M-d9"}, "no device of this gateway serves an asset 'M-d9'"),
        ({"point": "nothing"}, "no device of this gateway has the point 'nothing'"),
        ({"point": "mode", "value": 1}, "mode can't be commanded"),
        ({"value": 95.0}, "outside"),
        ({"value": True}, "is a number"),
        ({"expires": 0}, "expired"),
        ({"ttl": -1.0}, "no duration"),
    ],
)
async def test_what_is_refused_is_told_why(changes: dict[str, object], words: str) -> None:
    async with a_bench() as bench:
        given: dict[str, Any] = {"point": "setting", "value": 50.0} | changes
        end = await bench.do(**given)
        assert (end.step, end.final) == ("refused", True)
        assert words in end.message
        assert bench.commander.counts["refused"] == 1
        assert not bench.press.writes
        assert bench.commander.problem == ""


async def test_a_native_device_can_not_be_commanded() -> None:
    async with a_bench() as bench:
        device = a_device("d2", profile="native", params={"base": "b", "id": "1"})
        bench.drivers.append(MqttDevice(device, NATIVE, POINTS, bench.bus, LoopClock()))
        end = await bench.do("volts", 1.0, asset="M-d2")
        assert (end.step, end.message) == ("refused", "volts of M-d2 can't be commanded: d2 speaks MQTT")


async def test_a_device_that_is_down_is_not_commanded() -> None:
    async with a_bench() as bench:
        for at in (1.0, 2.0, 3.0):
            bench.unit.failed(at, "no answer", 0.0)
        end = await bench.do("setting", 50.0)
        assert (end.step, end.message) == ("refused", "the device d1 is down: no answer")


async def test_what_waited_too_long_is_refused_when_its_turn_comes() -> None:
    async with a_bench() as bench:
        bench.press.stuck = True
        first = await bench.send("valve", True, ttl=60.0)
        second = await bench.send("setting", 50.0, expires=bench.clock.ms() + 2000)
        assert (await bench.final(second)).message.startswith("expired")
        assert bench.of(second) == ["received", "checking", "refused"]
        assert bench.of(first)[-1] == "failed"


async def test_one_command_of_a_device_at_a_time_and_no_more_than_so_many_wait() -> None:
    async with a_bench() as bench:
        ids = [await bench.send("setting", 20.0 + number / 10) for number in range(WAITING + 3)]
        await asyncio.sleep(20)
        ends = [bench.of(command)[-1] for command in ids]
        assert ends == ["done"] * WAITING + ["refused"] * 3
        assert f"{WAITING} commands wait already" in bench.steps[-1].message or any(
            step.message == f"{WAITING} commands wait already" for step in bench.steps
        )
        assert bench.press.most_busy == 1
        # the last one that was let in is the one that stands
        assert bench.press.holding[SETTING] == 200 + WAITING - 1


async def test_the_same_command_is_carried_out_once() -> None:
    async with a_bench() as bench:
        end = await bench.do("setting", 60.0)
        bench.press.holding[SETTING] = 333
        assert await bench.do("setting", 60.0, id=end.id) == end
        assert bench.press.holding[SETTING] == 333
        assert (bench.commander.counts["received"], bench.commander.counts["again"]) == (1, 1)
        refused = await bench.do("setting", 5000.0)
        assert await bench.do("setting", 50.0, id=refused.id) == refused


async def test_garbage_is_counted_and_stops_nothing() -> None:
    async with a_bench() as bench:
        for payload in (b"", b"{no json", b'{"id": 3}', b"[]", b"\xff"):
            await bench.bus.publish(wire.commands_topic("s", "gw"), payload)
        assert (await bench.do("setting", 60.0)).step == "done"
        assert bench.commander.counts["undecodable"] == 5


async def test_a_device_that_ignores_the_write_is_told_so() -> None:
    async with a_bench() as bench:
        bench.press.stubborn = True
        end = await bench.do("setting", 60.0)
        assert (end.step, bench.of(end.id)) == ("failed", [*WRITTEN, "failed"])
        assert end.message == "read back: 50 instead of 60, as before: the device ignores it"
        assert len(bench.press.writes) == 1
        assert bench.commander.problem == f"{ASSET} setting: {end.message}"
        assert [entry.command.id for entry in bench.commander.book] == []


async def test_a_problem_stands_for_a_while_or_until_the_point_is_commanded_well() -> None:
    async with a_bench() as bench:
        bench.press.stubborn = True
        await bench.do("setting", 60.0)
        await bench.do("lamp", True)
        assert bench.commander.problem.startswith(f"{ASSET} lamp: ")
        assert f"; {ASSET} setting: " in bench.commander.problem
        bench.press.stubborn = False
        await bench.do("lamp", True)
        assert bench.commander.problem.startswith(f"{ASSET} setting: ")
        await asyncio.sleep(PROBLEM)
        assert bench.commander.problem == ""


async def test_feedback_that_never_comes_takes_the_command_back() -> None:
    async with a_bench() as bench:
        bench.press.stuck = True
        began = bench.clock.monotonic()
        end = await bench.do("valve", True, ttl=100.0)
        assert bench.of(end.id) == [*WRITTEN, "watching", "undoing", "failed"]
        assert end.message == "running shows false after 5 s instead of true; the value from before (false) is back"
        assert bench.press.coil is False
        assert 5.0 <= bench.clock.monotonic() - began < 6.0
        asked = [at for at, _, read in bench.press.asked if read.table is Table.DISCRETE]
        assert 15 <= len(asked) <= 25
        assert bench.commander.overrides == 0


async def test_feedback_may_take_its_time() -> None:
    async with a_bench() as bench:
        bench.press.stuck = True
        command = await bench.send("valve", True, ttl=100.0)
        await asyncio.sleep(3)
        bench.press.runs = True
        assert (await bench.final(command)).step == "held"


async def test_a_device_that_refuses_is_quoted() -> None:
    async with a_bench() as bench:
        bench.press.refuses = [3]
        end = await bench.do("setting", 60.0)
        assert bench.of(end.id) == ["received", "checking", "writing", "failed"]
        assert end.message == "the device refuses it: writing: exception 3"


async def test_a_confirmation_that_is_lost_leaves_nothing_behind() -> None:
    async with a_bench() as bench:
        bench.press.unconfirmed = 1
        end = await bench.do("setting", 60.0)
        assert bench.of(end.id) == ["received", "checking", "writing", "undoing", "failed"]
        assert end.message == "no answer of unit 1; the value from before (50) is back"
        assert bench.press.holding[SETTING] == 500


async def test_a_device_that_goes_away_before_is_not_written() -> None:
    async with a_bench() as bench:
        bench.press.deaf = True
        end = await bench.do("setting", 60.0)
        assert (end.step, end.message) == ("failed", "nothing was written: no answer of unit 1")


async def test_a_device_that_goes_away_in_the_middle_is_put_right_when_it_is_back() -> None:
    async with a_bench() as bench:
        bench.press.stuck = True
        command = await bench.send("valve", True, ttl=100.0)
        await asyncio.sleep(1)
        bench.press.deaf = True
        end = await bench.final(command)
        assert bench.of(command) == [*WRITTEN, "watching", "undoing", "revert_failed"]
        assert "running shows nothing (no answer of unit 1) after 5 s" in end.message
        assert end.message.endswith("the value from before (false) is not back: no answer of unit 1")
        assert bench.press.coil is True
        await asyncio.sleep(1000)
        assert bench.of(command)[-1] == "revert_failed"
        assert bench.commander.problem
        bench.press.deaf = bench.press.stuck = False
        assert (await bench.final(command, within=70)).step == "reverted"
        assert bench.press.coil is False
        assert bench.commander.problem == ""
        assert bench.commander.counts["revert_failed"] == bench.commander.counts["reverted"] == 1


async def test_a_device_that_is_down_is_not_bothered_until_it_is_back() -> None:
    async with a_bench() as bench:
        end = await bench.do("setting", 60.0, ttl=10.0)
        for at in (1.0, 2.0, 3.0):
            bench.unit.failed(at, "no answer", 0.0)
        asked = len(bench.press.asked)
        assert "the device d1 is down: no answer" in (await bench.final(end.id)).message
        await asyncio.sleep(500)
        assert len(bench.press.asked) == asked
        for _ in range(2):
            bench.unit.succeeded(bench.unit.jobs[0], bench.clock.ms())
        assert (await bench.final(end.id, within=70)).step == "reverted"


async def test_an_override_ends() -> None:
    async with a_bench() as bench:
        end = await bench.do("valve", True, ttl=1800.0)
        assert bench.commander.overrides == 1
        await asyncio.sleep(1795)
        assert bench.press.coil
        reverted = await bench.final(end.id)
        assert (reverted.step, reverted.value, reverted.final) == ("reverted", False, True)
        assert bench.of(end.id)[-3:] == ["held", "reverting", "reverted"]
        assert not bench.press.coil
        assert not bench.press.runs
        assert bench.commander.overrides == 0
        assert reverted.at - end.at == pytest.approx(1_800_000, abs=1000)


async def test_an_override_ends_although_its_condition_does_not_hold_any_more() -> None:
    async with a_bench() as bench:
        end = await bench.do("valve", True, ttl=10.0)
        bench.press.holding[MODE] = 0
        assert (await bench.final(end.id)).step == "reverted"


async def test_a_revert_that_is_not_followed_is_told_and_tried_again() -> None:
    async with a_bench() as bench:
        end = await bench.do("valve", True, ttl=10.0)
        bench.press.stuck = True
        failed = await bench.final(end.id)
        assert failed.step == "revert_failed"
        assert failed.message == "the value from before (false) is not back: running shows true after 5 s"
        assert failed.message in bench.commander.problem
        bench.press.stuck = False
        assert (await bench.final(end.id, within=70)).step == "reverted"


async def test_a_newer_command_takes_an_override_over_and_keeps_the_value_from_before() -> None:
    async with a_bench() as bench:
        first = await bench.do("setting", 60.0, ttl=100.0)
        await asyncio.sleep(50)
        second = await bench.do("setting", 70.0, ttl=100.0)
        assert bench.of(first.id)[-1] == "replaced"
        assert second.message == "for 100 s, then 50 again"
        await asyncio.sleep(60)
        assert bench.press.holding[SETTING] == 700
        assert (await bench.final(second.id)).step == "reverted"
        assert bench.press.holding[SETTING] == 500
        assert bench.commander.counts["replaced"] == 1


async def test_a_newer_command_without_an_end_stays() -> None:
    async with a_bench() as bench:
        first = await bench.do("setting", 60.0, ttl=100.0)
        await bench.do("setting", 70.0)
        await asyncio.sleep(500)
        assert bench.press.holding[SETTING] == 700
        assert bench.of(first.id)[-1] == "replaced"
        assert bench.commander.overrides == 0


async def test_a_newer_command_that_fails_leaves_the_older_override_alone() -> None:
    async with a_bench() as bench:
        first = await bench.do("setting", 60.0, ttl=100.0)
        bench.press.refuses = [4]
        assert (await bench.do("setting", 70.0, ttl=100.0)).step == "failed"
        assert bench.press.holding[SETTING] == 600
        assert (await bench.final(first.id, within=120)).step == "reverted"
        assert bench.press.holding[SETTING] == 500


async def test_an_override_is_not_forgotten_by_a_kill(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        end = await bench.do("valve", True, ttl=100.0)
        await asyncio.sleep(50)
        await bench.kill()
        await asyncio.sleep(20)
        await bench.start()
        await asyncio.sleep(25)
        assert bench.press.coil
        assert (await bench.final(end.id)).step == "reverted"
        assert not bench.press.coil
        await bench.kill()
        assert json.loads((tmp_path / "gw.json").read_bytes())["overrides"] == []


async def test_an_override_that_is_overdue_at_the_start_is_put_back_at_once(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        end = await bench.do("valve", True, ttl=100.0)
        await bench.kill()
        await asyncio.sleep(5000)
        assert bench.press.coil
        began = bench.clock.monotonic()
        await bench.start()
        assert (await bench.final(end.id)).step == "reverted"
        assert bench.clock.monotonic() - began < 1


async def test_a_command_that_a_kill_interrupts_is_undone(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        bench.press.stuck = True
        command = await bench.send("valve", True, ttl=100.0)
        await asyncio.sleep(2)
        assert bench.of(command)[-1] == "watching"
        await bench.kill()
        assert bench.press.coil
        bench.press.stuck = False
        await bench.start()
        end = await bench.final(command)
        assert end.step == "failed"
        assert end.message.startswith("the gateway was stopped while it was carried out; the value from before (false)")
        assert not bench.press.coil


async def test_the_same_command_is_carried_out_once_over_a_kill(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        end = await bench.do("setting", 60.0)
        await bench.kill()
        bench.press.holding[SETTING] = 333
        await bench.start()
        again = await bench.do("setting", 60.0, id=end.id)
        assert again == end
        assert bench.press.holding[SETTING] == 333


async def test_a_clock_that_is_put_back_does_not_prolong_an_override(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        end = await bench.do("setting", 60.0, ttl=100.0)
        await bench.kill()
        bench.clock.start -= 86_400_000
        await bench.start()
        assert (await bench.final(end.id, within=110)).step == "reverted"


async def test_an_override_that_can_not_be_remembered_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    async with a_bench(tmp_path / "file" / "gw.json") as bench:
        refused = await bench.do("setting", 60.0, ttl=10.0)
        assert refused.step == "refused"
        assert "an override that can't be remembered is none: overrides can't be written to" in refused.message
        assert bench.press.holding[SETTING] == 500
        assert (await bench.do("setting", 60.0)).step == "done"
        assert "can't be written" in bench.commander.book.problem


async def test_a_damaged_file_is_put_aside_and_told(tmp_path: Path) -> None:
    (tmp_path / "gw.json").write_text('{"overrides": [{"command"')
    async with a_bench(tmp_path / "gw.json") as bench:
        assert "gw.json was damaged" in bench.commander.book.problem
        assert (tmp_path / "gw.json.damaged1").exists()
        assert (await bench.do("setting", 60.0)).step == "done"


async def test_an_override_whose_device_is_gone_is_told(tmp_path: Path) -> None:
    async with a_bench(tmp_path / "gw.json") as bench:
        end = await bench.do("setting", 60.0, ttl=10.0)
        await bench.kill()
        bench.drivers.clear()
        await bench.start()
        failed = await bench.final(end.id)
        assert failed.step == "revert_failed"
        assert "no device of this gateway serves" in failed.message
        assert bench.commander.overrides == 1


async def test_a_place_that_can_not_be_read_is_judged_by_the_point_itself() -> None:
    async with a_bench() as bench:
        bench.press.secret = {Table.COIL}
        end = await bench.do("valve", True, ttl=10.0)
        assert end.step == "held"
        assert bench.press.coil
        assert (await bench.final(end.id)).step == "reverted"
        assert not bench.press.coil
        assert bench.press.writes[0].address == COIL


async def test_steps_wait_for_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_bench() as bench:
        publish, away = bench.bus.publish, True

        async def moody(topic: str, payload: bytes, *, retain: bool = False) -> None:
            if away and topic.endswith("results"):
                raise BusError("no broker")
            await publish(topic, payload, retain=retain)

        monkeypatch.setattr(bench.bus, "publish", moody)
        command = await bench.send("setting", 60.0)
        await asyncio.sleep(10)
        assert bench.press.holding[SETTING] == 600
        assert bench.of(command) == []
        away = False
        await asyncio.sleep(2)
        assert bench.of(command) == [*WRITTEN, "done"]
        monkeypatch.setattr(commander, "UNTOLD", 3)
        away = True
        await bench.send("setting", 70.0)
        await asyncio.sleep(2)
        away = False
        await asyncio.sleep(2)
        assert bench.of("c2") == ["writing", "reading_back", "done"]
        assert bench.commander.counts["untold"] == 2


Deed = tuple[str, float]
DEEDS = ("deaf", "hears", "stubborn", "obeys", "stuck", "free", "kill", "set", "override", "valve", "mode")
deeds = st.lists(st.tuples(st.sampled_from(DEEDS), st.floats(0.0, 40.0)), max_size=14)


async def happen(bench: Bench, deed: str) -> None:
    press = bench.press
    if deed == "kill":
        await bench.kill()
        await bench.start()
    elif deed == "set":
        await bench.send("setting", 20.0 + len(bench.steps) % 50)
    elif deed == "override":
        await bench.send("setting", 80.0, ttl=30.0)
    elif deed == "valve":
        await bench.send("valve", not press.coil, ttl=20.0)
    elif deed == "mode":
        press.holding[MODE] ^= 1
    else:
        attribute, value = {
            "deaf": ("deaf", True), "hears": ("deaf", False), "stubborn": ("stubborn", True),
            "obeys": ("stubborn", False), "stuck": ("stuck", True), "free": ("stuck", False),
        }[deed]  # fmt: skip
        setattr(press, attribute, value)


async def live(story: list[Deed], file: Path, *, recovers: bool) -> None:
    """Whatever happens, each override ends reverted or replaced, or is told as one that could not be put back."""
    async with a_bench(file) as bench:
        for deed, wait in story:
            await happen(bench, deed)
            await asyncio.sleep(wait)
        if recovers:
            bench.press.deaf = bench.press.stubborn = bench.press.stuck = False
        await asyncio.sleep(600)
        by_id: dict[str, list[CommandStep]] = {}
        for step in bench.steps:
            by_id.setdefault(step.id, []).append(step)
        for steps in by_id.values():
            told = [step.step for step in steps]
            assert steps[-1].final, told
            assert told[-1] != Step.HELD, told
            if recovers:
                assert told[-1] != Step.REVERT_FAILED, told
            if "held" in told and told[-1] != "replaced":
                assert told[-1] in ("reverted", "revert_failed")
        if recovers:
            assert bench.commander.overrides == 0
            stays: list[Value] = [step.value for step in bench.steps if step.step == "done"]
            assert bench.press.coil is False
            assert bench.press.holding[SETTING] == (round(float(stays[-1] or 0) * 10) if stays else 500)


@given(deeds, st.booleans())
@settings(max_examples=60)
@pytest.mark.slow
def test_whatever_happens_an_override_ends(
    tmp_path_factory: pytest.TempPathFactory, story: list[Deed], recovers: bool
) -> None:
    file = tmp_path_factory.mktemp("book") / "gw.json"
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(live(story, file, recovers=recovers))
