"""Faults of gateways, of native devices' links and of the broker (domain X03, X11, X12), and what must come of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from facility import wire
from facility.bus import MemoryBus, Message, Subscription
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.errors import BusError, ConfigError
from facility.hardware import BROKER, GATEWAY, SELF, On
from gateway.publisher import HISTORY, Publisher
from gateway.spool import MemorySpool
from simulators.devices.faulty_bus import NEIGHBOUR, FaultyBus
from simulators.devices.native_link import FAULTS, NativeLink
from simulators.faultfile import repertoire
from simulators.scenario import Action, load_scenario
from simulators.service import Simulation
from tests.gateway.plant import LoopClock
from tests.simulators.tower import Switch, part, tower

WILL = Message("fm/v1/s/gw/status", b"gone", retain=True)


async def settle() -> None:
    """Let every task go on until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def drain(messages: Subscription) -> list[bytes]:
    found = []
    while message := messages.take_nowait():
        found.append(message.payload)
    return found


@asynccontextmanager
async def gateway_line() -> AsyncIterator[tuple[FaultyBus, MemoryBus, Subscription, Subscription]]:
    """A line, its broker, what the gateway hears on `in`, and what others hear of it on `out` and its status."""
    broker = MemoryBus()
    line = FaultyBus(broker, will=WILL)
    async with line.subscribe("in") as heard, broker.subscribe("out", WILL.topic) as told:
        yield line, broker, heard, told


async def test_a_cut_line_is_told_by_the_broker_and_loses_what_is_said_meanwhile() -> None:
    """X03: offline. The gateway knows it, so that it keeps what it has."""
    async with gateway_line() as (line, broker, heard, told):
        line.begin("offline")
        await settle()
        assert not line.connected
        assert drain(told) == [b"gone"]
        with pytest.raises(BusError, match="the line to the broker is cut"):
            await line.publish("out", b"1")
        await broker.publish("in", b"lost")
        await broker.publish("in", b"kept", retain=True)
        back = asyncio.create_task(line.wait_connected())
        await settle()
        assert not back.done()
        line.end("offline")
        await asyncio.wait_for(back, 1)
        await settle()
        assert line.connected
        assert drain(heard) == [b"kept"], "who subscribes anew is given what is retained"
        await line.publish("out", b"2")
        await broker.publish("in", b"3")
        await settle()
        assert (drain(told), drain(heard)) == ([b"2"], [b"3"])


async def test_who_subscribes_while_the_line_is_cut_hears_when_it_is_back() -> None:
    broker = MemoryBus()
    line = FaultyBus(broker)
    line.begin("offline")
    async with line.subscribe("in") as heard:
        await broker.publish("in", b"1")
        line.end("offline")
        line.begin("offline")
        line.end("offline")
        await settle()
        await broker.publish("in", b"2")
        await settle()
        assert drain(heard) == [b"2"]
    await settle()
    assert not broker._subscriptions, "nothing is left behind"


async def test_a_frozen_gateway_seems_to_be_there_and_nothing_moves() -> None:
    """X11: connected, no last will, and neither side hears the other."""
    async with gateway_line() as (line, broker, heard, told):
        line.begin("frozen")
        await line.publish("out", b"1")
        await broker.publish("in", b"1")
        await settle()
        assert line.connected
        assert (drain(told), drain(heard)) == ([], [])
        assert line.lost == 2
        line.end("frozen")
        await line.publish("out", b"2")
        assert drain(told) == [b"2"]


@pytest.mark.looptime
async def test_every_message_comes_twice_and_neighbours_change_places() -> None:
    """X12."""
    async with gateway_line() as (line, _, _, told):
        line.begin("duplicates")
        await asyncio.gather(*(line.publish("out", str(number).encode()) for number in range(4)))
        arrived = drain(told)
        assert Counter(arrived) == dict.fromkeys([b"0", b"1", b"2", b"3"], 2)
        assert arrived.index(b"1") < arrived.index(b"0")
        assert arrived.index(b"3") < arrived.index(b"2")
        began = asyncio.get_running_loop().time()
        await line.publish("out", b"alone")
        assert asyncio.get_running_loop().time() - began == pytest.approx(NEIGHBOUR)
        assert drain(told) == [b"alone", b"alone"]
        line.end("duplicates")
        await line.publish("out", b"once")
        assert drain(told) == [b"once"]


@pytest.mark.looptime
@pytest.mark.slow
async def test_forty_minutes_offline_come_back_within_a_minute_as_history() -> None:
    """X03: a gap of 40 min, then 40 min of records with the hist flag in 60 s; the newest minute is still live."""
    fault = repertoire().faults_of(On.GATEWAY)["offline"]
    assert fault.lasts == 40 * 60
    broker, clock, spool = MemoryBus(), LoopClock(), MemorySpool()
    line = FaultyBus(broker)
    publisher = Publisher("s", "gw", "b", bus=line, spool=spool, clock=clock)
    heard: list[tuple[float, wire.Batch]] = []

    async def ingest() -> None:
        async with broker.subscribe(wire.readings_topic("s", "gw")) as batches:
            async for message in batches:
                batch = wire.decode(wire.Batch, message.payload)
                heard.append((clock.monotonic(), batch))
                stored = wire.Stored(batch.boot, [(batch.seq, batch.seq)])
                await broker.publish(wire.stored_topic("s", "gw"), wire.encode(stored))

    tasks = [asyncio.create_task(ingest()), asyncio.create_task(publisher.run())]
    await settle()
    began = clock.ms()
    line.begin("offline")
    for number in range(round(fault.lasts)):
        publisher.add("A", clock.ms(), {"p": number}, {})
        await clock.sleep(1.0)
    assert not heard
    assert spool.batches == 2400
    line.end("offline")
    back = clock.monotonic()
    while spool.batches:
        await clock.sleep(0.1)
    assert clock.monotonic() - back < 60
    assert [batch.seq for _, batch in heard] == list(range(1, 2401)), "each once, in order"
    ages = {batch.seq: (at * 1000 + LoopClock.start - began) / 1000 - batch.seq + 1 for at, batch in heard}
    assert all(batch.hist == (ages[batch.seq] > HISTORY + 0.2) for _, batch in heard if abs(ages[batch.seq] - 60) > 1)
    assert sum(batch.hist for _, batch in heard) > 2300
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


MESSAGES = [Message("t/a", b'{"a":1}', retain=True), Message("t/b", b'{"b":2}')]


def linked(fault: str, **params: float) -> NativeLink:
    link = NativeLink()
    link.begin(fault, repertoire().faults_of(On.DEVICE)[fault].filled(params))
    return link


def test_a_link_without_a_fault_changes_nothing() -> None:
    assert NativeLink().carry(MESSAGES) == MESSAGES


@pytest.mark.parametrize("fault", ["link_lost", "silent"])
def test_nothing_comes_of_a_device_that_is_lost_or_silent(fault: str) -> None:
    link = linked(fault)
    assert link.is_up is (fault == "silent")
    assert link.carry(MESSAGES) == []
    link.end(fault)
    assert link.carry(MESSAGES) == MESSAGES


def test_a_garbled_payload_is_no_json() -> None:
    garbled = linked("garbled").carry(MESSAGES)
    assert [(message.topic, message.retain) for message in garbled] == [("t/a", True), ("t/b", False)]
    for message in garbled:
        with pytest.raises(ValueError, match=r"codec|utf-8|JSON|Expecting"):
            message.payload.decode()


def test_repeated_messages_follow_each_other() -> None:
    assert [message.topic for message in linked("repeats").carry(MESSAGES)] == ["t/a", "t/a", "t/b", "t/b"]


def test_late_messages_keep_their_order_and_arrive_at_once_when_the_line_is_free() -> None:
    link = linked("late", seconds=5)
    assert link.carry(MESSAGES[:1]) == []
    assert link.step(4.0) == []
    assert link.carry(MESSAGES[1:]) == []
    assert link.step(1.0) == MESSAGES[:1]
    link.end("late")
    assert link.step(0.1) == MESSAGES[1:]


@pytest.mark.looptime
async def test_a_lost_device_leaves_its_will_and_greets_when_it_is_back(demo: tuple[Site, Catalog]) -> None:
    prefix = "shellypro3em-34987a46fc30"
    async with tower(demo, "PM-04") as found, found.bus.subscribe(f"{prefix}/online", f"{prefix}/status/#") as heard:
        drain(heard)
        await found.play(Action(0, On.DEVICE, "PM-04-meter", "link_lost", 30))
        assert drain(heard) == [b"false"]
        await asyncio.sleep(2)
        assert drain(heard)[0] == b"true"
        assert not found.standing


CASES = [
    *((On.GATEWAY, "gw-2", name) for name in ("offline", "frozen", "duplicates")),
    (On.BROKER, BROKER, "broker_away"),
    *((On.DEVICE, "PM-04-meter", name) for name in sorted(FAULTS)),
    (On.DEVICE, "AC-02-controller", "link_lost"),  # has no last will
]


@pytest.mark.looptime
@pytest.mark.slow
@pytest.mark.parametrize(("on", "subject", "name"), CASES)
async def test_what_must_be_raised_is_raised_in_time_and_goes_again(
    demo: tuple[Site, Catalog], on: On, subject: str, name: str
) -> None:
    fault = repertoire().faults_of(on)[name]
    seconds = min(fault.lasts, max((one.last for one in fault.expect), default=120) + 10)
    async with tower(demo, "PM-04", "AC-02") as found:
        await found.play(Action(0.0, on, subject, name, seconds))
        await asyncio.sleep(60)
        raised = {(item.rule, item.asset): item for item in found.raised}
        assert len(raised) == len(found.raised), "each once"
        assert not found.standing
    for one in fault.expect:
        assert one.of == (SELF if on is On.GATEWAY else GATEWAY)
        for asset in demo[0].gateways if on is On.BROKER else ["gw-2"]:
            item = raised.pop((one.rule, asset))
            assert item.severity == one.severity
            assert one.first <= item.seconds <= one.last
    assert {rule.partition(".")[2] for rule, _ in raised} <= {"no_data"}, "and nothing else but stale equipment"


def test_what_can_be_acted_upon(demo: tuple[Site, Catalog], tmp_path: Path) -> None:
    """Gateways and the broker only where somebody lends them; of devices on the broker only the faults of a link."""
    site, catalog = part(demo[0], "PM-04", "EL-01"), demo[1]
    alone = Simulation(site, catalog, bus=None, clock=SystemClock())
    assert {on for on, _ in alone.subjects} == {On.ASSET, On.DEVICE}
    assert alone.subjects[On.DEVICE, "PM-04-meter"].faults.keys() == FAULTS
    lines: dict[str, FaultyBus] = {}
    whole = Simulation(site, catalog, bus=None, clock=SystemClock(), gateways=lines, broker=Switch())
    lines["gw-1"] = FaultyBus(MemoryBus())
    assert whole.subjects[On.GATEWAY, "gw-1"].faults.keys() == {"offline", "frozen", "duplicates"}
    assert whole.subjects[On.BROKER, BROKER].faults.keys() == {"broker_away"}
    scenario = tmp_path / "s.yaml"
    scenario.write_text("duration: 900\nsteps: [{at: 1, fault: broker_away}, {at: 2, fault: frozen, gateway: gw-1}]")
    assert [action.lasts for action in load_scenario(scenario, whole.subjects).actions] == [300, 600]
    with pytest.raises(ConfigError, match="no broker that can be disturbed here"):
        load_scenario(scenario, alone.subjects)


@pytest.mark.parametrize(
    ("on", "subject", "name", "message"),
    [
        (On.GATEWAY, "gw-9", "offline", "no simulated gateway 'gw-9'; known: none here"),
        (On.BROKER, BROKER, "broker_away", "no simulated broker 'broker'; known: none here"),
        (On.DEVICE, "PM-09", "late", "no simulated device 'PM-09'; known: PM-04-meter"),
        (On.DEVICE, "PM-04-meter", "melted", "PM-04-meter has no fault 'melted'; known: garbled, "),
    ],
)
def test_unknown_names_are_refused(demo: tuple[Site, Catalog], on: On, subject: str, name: str, message: str) -> None:
    simulation = Simulation(part(demo[0], "PM-04"), demo[1], bus=None, clock=SystemClock())
    for do in (simulation.begin, simulation.end):
        with pytest.raises(ValueError, match=r".") as caught:
            do(Action(0.0, on, subject, name))
        assert message in str(caught.value)
