"""An esp-rfid board: payloads as in its own notes, strings for booleans; through the gateway's mapper too."""

from __future__ import annotations

import json
from random import Random

import pytest

from facility.bus import Message
from facility.catalog import Catalog
from facility.readings import Quality
from gateway.health import State
from simulators.devices.esp_rfid import EspRfid
from simulators.models.passage.access_control import NO_RIGHTS, SWIPE, AccessController, Event
from tests.simulators.devices.rig import reading

NOW = 1_605_991_375.0
GOOD = Quality.GOOD


def controller() -> AccessController:
    return AccessController(Random(4), doors=1, traffic=1e6, epoch=NOW)


def body(message: Message) -> dict[str, object]:
    assert message.topic == "/rfid/send"
    assert not message.retain
    found = json.loads(message.payload)
    assert isinstance(found, dict)
    return found


def test_it_boots_and_beats_every_three_minutes() -> None:
    board = EspRfid("/rfid", "door1", controller().events)
    (boot,) = board.hello({}, NOW - 999)
    assert body(boot)["type"] == "boot"
    assert board.update({}, NOW - 999 + 179) == []
    assert len(board.update({}, NOW - 999 + 180)) == 1
    (beat,) = board.update({}, NOW)
    assert body(beat) == {
        "type": "heartbeat", "time": 1605991375, "uptime": 999, "ip": "192.168.1.77", "hostname": "door1",
    }  # fmt: skip
    assert (board.bye(), board.asked(Message("/rfid/cmd", b'{"cmd":"opendoor"}'), {}, NOW)) == ([], [])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event(1, NOW, 1, SWIPE, True, 8165537),
         {"type": "access", "time": 1605991375, "isKnown": "true", "access": "Always", "username": "card 8165537",
          "uid": "007c98a1", "hostname": "door1"}),
        (Event(1, NOW, 1, NO_RIGHTS, False, 99),
         {"type": "access", "time": 1605991375, "isKnown": "false", "access": "Denied", "username": "Unknown",
          "uid": "00000063", "hostname": "door1"}),
        (Event(1, NOW, 1, 23, True),
         {"type": "INFO", "src": "door", "desc": "Door Open", "data": "", "time": 1605991375, "cmd": "event",
          "hostname": "door1"}),
        (Event(1, NOW, 1, 38, False),
         {"type": "WARN", "src": "tamper", "desc": "Door was tampered!", "data": "", "time": 1605991375, "cmd": "event",
          "hostname": "door1"}),
        (Event(1, NOW, 1, 37, False),
         {"type": "WARN", "src": "tamper", "desc": "Door wasn't closed within max open time!", "data": "",
          "time": 1605991375, "cmd": "event", "hostname": "door1"}),
    ],
)  # fmt: skip
def test_events_are_told_once_in_the_boards_own_words(event: Event, expected: dict[str, object]) -> None:
    model = controller()
    model.events.clear()
    board = EspRfid("/rfid", "door1", model.events)
    board.hello({}, NOW)
    model.events.append(event)
    (message,) = board.update({}, NOW)
    assert body(message) == expected
    assert board.update({}, NOW) == []


def test_events_of_other_doors_and_other_kinds_are_not_its_own() -> None:
    model = controller()
    board = EspRfid("/rfid", "door1", model.events)
    board.hello({}, NOW)
    model.events.append(Event(model.index + 1, NOW, 2, 23, True))
    model.events.append(Event(model.index + 2, NOW, 1, 39, True))
    assert board.update({}, NOW) == []


@pytest.mark.looptime
async def test_the_gateway_reads_a_forced_door_and_its_end(catalog: Catalog) -> None:
    model = controller()
    async with reading(catalog, "esp-rfid", model, {"topic": "rfid", "hostname": "door1"}) as rig:
        await rig.step(181)
        assert rig.seen("dev.epoch")[1] is GOOD
        assert rig.state is State.UP
        assert "door[1].contact" not in rig.sink.last("X-01"), "a door is unknown until it moves"
        model.inject("forced_open", door=1.0)
        await rig.step(2)
        assert rig.seen("door[1].forced") == (True, GOOD)
        assert rig.seen("door[1].last_reason") == (38, GOOD)
        model.end("forced_open")
        for _ in range(60):
            await rig.step(1)
        assert rig.seen("door[1].contact") == (False, GOOD)
        assert rig.seen("door[1].forced") == (False, GOOD)


@pytest.mark.looptime
async def test_the_gateway_reads_every_point(catalog: Catalog) -> None:
    model = controller()
    async with reading(catalog, "esp-rfid", model, {"topic": "rfid", "hostname": "door1"}) as rig:
        for number, reason in enumerate((SWIPE, 23, 37, 24, 23, 38, 24), 1):
            model.events.append(Event(model.index + number, NOW, 1, reason, True))
        await rig.step(181)
        known = rig.sink.last("X-01")
        assert set(known) == set(catalog.profiles["esp-rfid"].points)
        assert {quality for _, quality in known.values()} == {GOOD}
