"""Payloads of the devices that speak MQTT themselves."""

from __future__ import annotations

import json
from random import Random

import pytest

from facility.bus import Message
from facility.readings import Value
from simulators.devices.shelly import Shelly3em
from simulators.devices.uhppoted import Uhppoted
from simulators.models.passage.access_control import AccessController
from simulators.models.power.power_meter import Meter
from simulators.models.power.supply import Supply

NOW = 1_700_000_000.0


def meter_values(volts: float = 230.0, watts: float = 4.0) -> dict[str, Value]:
    supply = Supply(Random(1))
    supply.bus = [volts] * 3
    meter = Meter(Random(2), supply, load=watts, epoch=36_000.0)  # ten in the morning
    meter.step(0.1)
    return meter.values()


def body(message: Message) -> dict[str, object]:
    found = json.loads(message.payload)
    assert isinstance(found, dict)
    return found


def test_a_shelly_greets_with_its_whole_status() -> None:
    shelly = Shelly3em("shellypro3em-1")
    online, status, counters = shelly.hello(meter_values(), NOW)
    assert (online.topic, online.payload, online.retain) == ("shellypro3em-1/online", b"true", True)
    assert status.topic == "shellypro3em-1/status/em:0"
    assert set(body(status)) == {
        "id", "n_current", "total_current", "total_act_power", "total_aprt_power",
        *(f"{phase}_{name}" for phase in "abc" for name in ("current", "voltage", "act_power", "aprt_power", "pf")),
        "a_freq", "b_freq", "c_freq",
    }  # fmt: skip
    em = body(status)
    assert em["id"] == 0
    assert em["n_current"] is None
    assert em["a_voltage"] == 230.0
    assert isinstance(em["a_act_power"], float)
    assert 800 < em["a_act_power"] < 2000, "watts, not kilowatts"
    assert counters.topic == "shellypro3em-1/status/emdata:0"
    assert isinstance(body(counters)["total_act"], float)
    assert shelly.bye()[0].payload == b"false"
    assert shelly.bye()[0].retain


def test_a_shelly_speaks_of_what_changed_and_is_silent_otherwise() -> None:
    shelly, values = Shelly3em("s"), meter_values()
    shelly.hello(values, NOW)
    assert shelly.update(values, NOW + 2) == []
    delta, status = shelly.update({**values, "u.l2n": 5.0}, NOW + 2.1)
    assert delta.topic == "s/events/rpc"
    assert status.topic == "s/status/em:0"
    frame = body(delta)
    assert (frame["src"], frame["method"]) == ("s", "NotifyStatus")
    assert frame["params"] == {"ts": NOW + 2.1, "em:0": {"id": 0, "b_voltage": 5.0}}
    assert shelly.update({**values, "u.l2n": 5.0}, NOW + 4) == []
    later = shelly.update({**values, "u.l2n": 5.0}, NOW + 61)
    assert [message.topic for message in later] == ["s/events/rpc", "s/status/emdata:0"]


def test_a_shelly_answers_get_status_and_obeys_nothing() -> None:
    shelly, values = Shelly3em("s"), meter_values()

    def ask(payload: bytes) -> list[Message]:
        return shelly.asked(Message("s/rpc", payload), values, NOW)

    (answer,) = ask(b'{"id":1,"src":"s/caretaker","method":"EM.GetStatus","params":{"id":0}}')
    assert answer.topic == "s/caretaker/rpc"
    frame = body(answer)
    assert frame["id"] == 1
    assert frame["dst"] == "s/caretaker"
    assert isinstance(frame["result"], dict)
    assert frame["result"]["a_voltage"] == 230.0
    (counters,) = ask(b'{"id":2,"src":"me","method":"EMData.GetStatus"}')
    assert "total_act" in str(body(counters)["result"])
    (refused,) = ask(b'{"id":3,"src":"me","method":"Switch.Set","params":{"on":false}}')
    assert "result" not in body(refused)
    assert "error" in body(refused)
    for nonsense in (b"{", b"[]", b'{"id":1}', b'{"src":7}', b"x" * 20_000):
        assert ask(nonsense) == []


def controller() -> AccessController:
    return AccessController(Random(4), doors=4, traffic=1e6, epoch=NOW)


def test_uhppoted_tells_each_event_once_on_both_feeds() -> None:
    model = controller()
    gateway = Uhppoted(405419896, model.events)
    assert gateway.hello(model.values(), NOW) == []
    assert gateway.update(model.values(), NOW) == []
    model.inject("forced_open", door=2.0)
    model.step(0.1)
    backlog, live = gateway.update(model.values(), NOW)
    assert (backlog.topic, live.topic) == ("uhppoted/gateway/events", "uhppoted/gateway/events/live")
    event = body(live)["message"]
    assert isinstance(event, dict)
    event = event["event"]
    assert (event["device-id"], event["door-id"], event["event-reason"]) == (405419896, 2, 38)
    assert event["event-reason-text"] == "forced open"
    assert event["event-type-text"] == "alarm"
    assert event["access-granted"] is False
    assert event["event-id"] == model.index
    assert event["timestamp"] == "2023-11-15 06:13:20 CST"
    assert gateway.update(model.values(), NOW) == []


def test_uhppoted_answers_get_status_to_the_topic_that_was_named() -> None:
    model = controller()
    gateway = Uhppoted(405419896, model.events)
    model.inject("held_open", door=3.0)
    model.step(0.5)
    request = {"request-id": "AH1", "client-id": "me", "reply-to": "uhppoted/reply/1", "device-id": 405419896}
    payload = json.dumps({"message": {"request": request}}).encode()
    (answer,) = gateway.asked(Message(gateway.topics[0], payload), model.values(), NOW)
    assert answer.topic == "uhppoted/reply/1"
    message = body(answer)["message"]
    assert isinstance(message, dict)
    reply = message["reply"]
    assert (reply["method"], reply["server-id"], reply["request-id"]) == ("get-status", "uhppoted", "AH1")
    status = reply["response"]["status"]
    assert reply["response"]["device-id"] == 405419896
    assert status["door-states"] == {"1": False, "2": False, "3": True, "4": False}
    assert status["relay-state"] == 0b100
    assert status["event"]["door-id"] == 3
    assert status["system-error"] == 0
    assert status["system-datetime"] == "2023-11-15 06:13:20 CST"


@pytest.mark.parametrize(
    "request_",
    [
        b"", b"nonsense", b"{}", b'{"message":{"request":{"device-id":1,"reply-to":"x"}}}',
        b'{"message":{"request":{"device-id":405419896}}}', b'{"message":[]}',
    ],
)  # fmt: skip
def test_uhppoted_is_silent_to_what_is_not_for_it(request_: bytes) -> None:
    model = controller()
    gateway = Uhppoted(405419896, model.events)
    assert gateway.asked(Message(gateway.topics[0], request_), model.values(), NOW) == []
