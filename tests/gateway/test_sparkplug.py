"""An edge node in virtual time: asking for births, gaps, deaths, a broker that was away, the host's state, garbage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from facility.bus import MemoryBus
from facility.errors import BusError
from facility.readings import Quality
from gateway.health import State
from gateway.service import Gateway
from gateway.sparkplug import SparkplugNode
from gateway.sparkplug_payload import decode
from gateway.sparkplug_points import NodePoints
from gateway.spool import MemorySpool
from tests.gateway.edge_node import NODE_PROFILE, PARAMS, EdgeNode
from tests.gateway.plant import POINTS, LoopClock, Recorder, a_catalog, a_device, a_site

GOOD, STALE = Quality.GOOD, Quality.STALE
NCMD = "spBv1.0/G/NCMD/N"
STATE = "spBv1.0/STATE/tower"


class Broker(MemoryBus):
    """A memory bus that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.there = True

    @property
    def connected(self) -> bool:
        return self.there

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if not self.there:
            raise BusError("no broker")
        await super().publish(topic, payload, retain=retain)


class Plant:
    """A broker, the driver, and an edge node that answers when `answers`."""

    def __init__(self, **params: str) -> None:
        self.bus, self.sink = Broker(), Recorder()
        self.node = EdgeNode(self.bus.publish)
        self.answers = True
        self.asked: list[float] = []
        points = NodePoints(a_device(profile="node", params=PARAMS | params), NODE_PROFILE, POINTS)
        self.driver = SparkplugNode(("G", "N"), [points], self.bus, LoopClock())

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.driver.counters()["d1"])

    @property
    def status(self) -> tuple[str, str]:
        found = self.driver.status()["d1"]
        return found.state, found.error

    def last(self, key: str) -> object:
        return self.sink.last("M-d1").get(key)

    async def obey(self) -> None:
        """Answer node commands."""
        async with self.bus.subscribe(NCMD) as commands:
            async for message in commands:
                self.asked.append(asyncio.get_running_loop().time())
                if self.answers:
                    await self.node.command(message.payload)


@asynccontextmanager
async def running(plant: Plant) -> AsyncIterator[Plant]:
    tasks = [asyncio.create_task(plant.obey()), asyncio.create_task(plant.driver.run(plant.sink))]
    await asyncio.sleep(0.01)
    try:
        yield plant
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)


@pytest.mark.looptime
async def test_asks_for_the_births_at_its_start_and_takes_them() -> None:
    async with running(Plant()) as plant:
        assert len(plant.asked) == 1
        assert plant.status == (State.UP, "")
        assert plant.sink.last("M-d1") == {
            "volts": (230.0, GOOD), "temp": (20, GOOD), "energy": (70_000, GOOD), "mode": (1, GOOD),
            "running": (True, GOOD), "alarm": (False, GOOD),
        }  # fmt: skip
        await plant.node.tell({"Inputs/Volts": 231.0, "Inputs/Temp": -4})
        await asyncio.sleep(0.01)
        assert (plant.last("volts"), plant.last("temp")) == ((231.0, GOOD), (-4, GOOD))
        assert (plant.counts["births"], plant.counts["gaps"], plant.counts["rebirths"]) == (1, 0, 1)


@pytest.mark.looptime
async def test_a_node_that_is_not_there_is_asked_ever_less_often_and_is_down() -> None:
    plant = Plant()
    plant.answers = False
    async with running(plant):
        await asyncio.sleep(31)
        assert plant.status[0] == State.DOWN
        assert "no birth seen yet" in plant.status[1]
        assert plant.sink.last("M-d1") == dict.fromkeys(POINTS, (None, STALE))
        await asyncio.sleep(3600)
        assert 10 < len(plant.asked) < 20
        await plant.node.birth()
        await asyncio.sleep(0.01)
        assert plant.last("volts") == (230.0, GOOD)


@pytest.mark.looptime
async def test_a_lost_message_is_mended_by_a_rebirth_and_no_wrong_name_is_told() -> None:
    async with running(Plant()) as plant:
        await asyncio.sleep(20)
        plant.node.lose = True
        await plant.node.tell({"Inputs/Volts": 400.0})
        await plant.node.tell({"Inputs/Temp": 30})
        await asyncio.sleep(0.1)
        assert (plant.counts["gaps"], plant.counts["rebirths"], plant.counts["births"]) == (1, 2, 2)
        assert (plant.last("volts"), plant.last("temp")) == ((400.0, GOOD), (30, GOOD))
        assert plant.status == (State.UP, "")
        assert not any(STALE in quality.values() for *_, quality in plant.sink.samples)


@pytest.mark.looptime
async def test_a_birth_that_was_lost_does_not_put_values_under_old_names() -> None:
    async with running(Plant()) as plant:
        await asyncio.sleep(20)
        plant.answers = False
        await plant.node.tell({"Energy": 70_001})
        plant.node.say, heard = _nobody, plant.node.say
        await plant.node.birth()  # other aliases from now on
        plant.node.say = heard
        for number in range(9):
            await plant.node.tell({"Inputs/Volts": 100.0 + number})  # its alias was that of the temperature
        await asyncio.sleep(0.1)
        assert (plant.last("volts"), plant.last("temp")) == ((230.0, GOOD), (20, GOOD))
        assert plant.status[0] == State.FAILING
        assert "a message is missing" in plant.status[1]
        await asyncio.sleep(31)
        assert plant.status[0] == State.DOWN
        assert plant.last("volts") == (None, STALE)


async def _nobody(_topic: str, _payload: bytes) -> None:
    """Nobody hears it."""


@pytest.mark.looptime
async def test_a_last_will_makes_everything_stale_once_and_a_new_birth_brings_it_back() -> None:
    async with running(Plant()) as plant:
        await asyncio.sleep(5)
        will = plant.node.will()
        await plant.bus.publish("spBv1.0/G/NDEATH/N", will)
        await asyncio.sleep(0.01)
        assert plant.status == (State.DOWN, "the node's last will came")
        assert plant.sink.last("M-d1") == dict.fromkeys(POINTS, (None, STALE))
        plant.node.bdseq += 1
        await plant.node.birth()
        await plant.bus.publish("spBv1.0/G/NDEATH/N", will)  # late
        await asyncio.sleep(0.01)
        assert plant.status == (State.UP, "")
        assert plant.last("volts") == (230.0, GOOD)
        assert plant.counts["late_wills"] == 1
        assert plant.sink.count("M-d1", "volts") == 3


@pytest.mark.looptime
async def test_a_device_of_the_node_that_parts_takes_only_its_own_points() -> None:
    async with running(Plant()) as plant:
        await plant.node.part()
        await asyncio.sleep(0.01)
        assert plant.status == (State.DOWN, "not born: M1")
        assert (plant.last("volts"), plant.last("alarm")) == ((None, STALE), (False, GOOD))
        plant.driver.again(plant.sink)
        assert plant.sink.count("M-d1", "alarm") == 2
        assert plant.sink.count("M-d1", "volts") == 3
        await plant.node.birth_device()
        await asyncio.sleep(0.01)
        assert plant.status == (State.UP, "")


@pytest.mark.looptime
async def test_a_node_whose_device_is_not_born_in_time() -> None:
    plant = Plant()
    plant.answers = False
    async with running(plant):
        await plant.node.birth_node()
        await asyncio.sleep(0.01)
        assert plant.status == (State.FAILING, "not born: M1")
        assert plant.last("volts") is None
        await asyncio.sleep(11)
        assert plant.status == (State.DOWN, "not born: M1")
        assert plant.last("volts") == (None, STALE)


@pytest.mark.looptime
async def test_a_quiet_node_is_asked_and_its_values_are_told_again() -> None:
    async with running(Plant()) as plant:
        await asyncio.sleep(3_000)
        assert plant.status == (State.UP, "")
        assert {plant.sink.count("M-d1", key) for key in POINTS} == {11}  # once a heartbeat of 300 s
        assert 24 <= len(plant.asked) <= 26  # once in 120 s of silence
        plant.answers = False
        await asyncio.sleep(200)
        assert plant.status[0] == State.DOWN
        assert "silent for 120 s; a rebirth request was not answered" in plant.status[1]


@pytest.mark.looptime
async def test_a_death_that_fell_into_an_absence_of_the_broker_is_found_out() -> None:
    async with running(Plant()) as plant:
        plant.bus.there = plant.answers = False
        await asyncio.sleep(20)
        assert plant.status == (State.UP, "")
        plant.bus.there = True
        await asyncio.sleep(2)
        assert len(plant.asked) == 2
        await asyncio.sleep(31)
        assert plant.status[0] == State.DOWN
        assert plant.last("volts") == (None, STALE)


@pytest.mark.looptime
async def test_a_request_that_can_t_be_published_is_tried_again() -> None:
    plant = Plant()
    plant.bus.there = False
    async with running(plant):
        await asyncio.sleep(10)
        assert (plant.asked, plant.counts["rebirths"]) == ([], 0)
        plant.bus.there = True
        await asyncio.sleep(1.1)
        assert plant.status == (State.UP, "")


@pytest.mark.looptime
async def test_history_goes_to_history() -> None:
    async with running(Plant()) as plant:
        at = LoopClock().ms() - 3_600_000
        await plant.node.tell({"Inputs/Volts": 180.0}, is_historical=True, timestamp=at)
        await asyncio.sleep(0.01)
        assert plant.last("volts") == (230.0, GOOD)
        assert plant.sink.history == [("M-d1", at, {"volts": 180.0}, {})]
        assert plant.counts["historical"] == 1


@pytest.mark.looptime
async def test_garbage_is_named_counted_and_shows_as_the_gap_that_it_is() -> None:
    async with running(Plant()) as plant:
        await asyncio.sleep(20)
        await plant.bus.publish("spBv1.0/G/DDATA/N/M1", b"not protobuf")
        await asyncio.sleep(0.01)
        assert plant.status[0] == State.FAILING
        assert "spBv1.0/G/DDATA/N/M1: payload is no Sparkplug B" in plant.status[1]
        plant.node.seq += 1
        await plant.node.tell({"Inputs/Volts": 20.0})
        await asyncio.sleep(0.1)
        assert (plant.counts["garbage"], plant.counts["gaps"], plant.counts["births"]) == (1, 1, 2)
        assert plant.status == (State.UP, "")
        assert plant.last("volts") == (20.0, GOOD)


@pytest.mark.looptime
async def test_retained_and_foreign_topics_are_left_alone() -> None:
    plant = Plant()
    plant.answers = False
    kept = EdgeNode(lambda topic, payload: plant.bus.publish(topic, payload, retain=True))
    await kept.birth()
    async with running(plant):
        assert (plant.counts["retained"], plant.counts["births"]) == (2, 0)
        for topic in ("DCMD/N/M1", "NDATA/N/M1", "DDATA/N", "DDATA/N/M1/x", "DBIRTH/N/", "XDATA/N", "NDATA/Other"):
            await plant.bus.publish(f"spBv1.0/G/{topic}", kept.will())
        await asyncio.sleep(0.1)
        assert (plant.counts["messages"], plant.status[0]) == (0, State.FAILING)


@pytest.mark.looptime
async def test_a_host_is_announced_where_a_device_names_it() -> None:
    plant = Plant(host="tower")
    async with plant.bus.subscribe(STATE) as states:
        async with running(plant):
            assert json.loads((await anext(states)).payload) == {"online": True, "timestamp": LoopClock().ms() - 10}
            # its own last life, told late, or another who stands for the same host
            await plant.bus.publish(STATE, b'{"online":false,"timestamp":1}', retain=True)
            await plant.bus.publish(STATE, b"OFFLINE", retain=True)
            await asyncio.sleep(2)
            assert json.loads((await anext(states)).payload) == {"online": False, "timestamp": 1}
            assert json.loads((await anext(states)).payload)["online"] is True
            assert (await anext(states)).payload == b"OFFLINE"
            plant.bus.there = False
            await asyncio.sleep(2)
            plant.bus.there = True
            await asyncio.sleep(2)
            assert json.loads((await anext(states)).payload)["online"] is True
        assert json.loads((await anext(states)).payload)["online"] is False
        assert states.waiting() == 0


@pytest.mark.looptime
async def test_a_gateway_has_one_driver_a_node_and_names_a_device_without_an_address() -> None:
    devices = [
        a_device("d1", profile="node", params=PARAMS),
        a_device("d2", profile="node", params=PARAMS | {"device": "M2"}),
        a_device("d3", profile="node", params=PARAMS | {"node": "Other"}),
        a_device("d4", profile="node", params=PARAMS | {"node": "a/b"}),
    ]
    bus = MemoryBus()
    spool = MemorySpool(limit=1_000_000)
    gateway = Gateway(
        a_site(*devices), "gw", a_catalog(NODE_PROFILE), bus=bus, spool=spool, clock=LoopClock(), version="t"
    )
    assert [driver.name for driver in gateway.drivers] == ["sparkplug G/N", "sparkplug G/Other"]
    status = gateway.status().devices
    assert {name for name, found in status.items() if found.state == State.FAILING} == {"d1", "d2", "d3"}
    assert "profile node: the param 'node' is 'a/b'" in status["d4"].error


@pytest.mark.looptime
async def test_what_is_asked_is_a_command_that_a_node_understands() -> None:
    plant = Plant()
    async with plant.bus.subscribe(NCMD) as commands, running(plant):
        payload = decode((await anext(commands)).payload)
        assert [(item.name, item.value, item.datatype) for item in payload.metrics] == [
            ("Node Control/Rebirth", True, 11)
        ]
