"""The small Shellies: frames as on the maker's page, silence between changes; through the gateway's mapper too."""

from __future__ import annotations

import json
from random import Random

import pytest

from facility.bus import Message
from facility.catalog import Catalog
from facility.readings import Quality, Value
from gateway.health import State
from simulators.devices.shelly_sensors import FLOOD, RELAY, SMOKE, Component, ShellySensor
from simulators.models.rooms.environment import Environment
from simulators.models.rooms.lighting import Lighting
from tests.simulators.devices.rig import reading

NOW = 1_631_186_545.04
GOOD = Quality.GOOD

LIT: dict[str, Value] = {
    "circuit[1].on": True, "circuit[1].power": 1.2, "circuit[1].voltage": 230.0, "circuit[1].current": 5.492,
    "circuit[1].energy": 4200.5, "circuit[1].relay_temp": 44.8,
}  # fmt: skip
DARK = {**LIT, "circuit[1].on": False, "circuit[1].power": 0.0, "circuit[1].current": 0.0}
ROOM: dict[str, Value] = {
    "leak[1].water": False, "smoke[1].alarm": False, "sensor[1].battery": 87.0, "sensor[1].voltage": 2950.0,
}  # fmt: skip


def test_a_relay_greets_with_its_whole_status() -> None:
    online, status = ShellySensor("shellyplus1pm-a1", RELAY, {}).hello(LIT, NOW)
    assert online == Message("shellyplus1pm-a1/online", b"true", retain=True)
    assert status.topic == "shellyplus1pm-a1/status/switch:0"
    assert json.loads(status.payload) == {
        "id": 0, "source": "init", "output": True, "apower": 1200.0, "voltage": 230.0, "current": 5.492,
        "aenergy": {"total": 4200500.0}, "temperature": {"tC": 44.8, "tF": 112.6},
    }  # fmt: skip


def test_what_changed_is_told_as_a_delta_in_the_makers_frame() -> None:
    device = ShellySensor("shellypro4pm-f008d1d8b8b8", RELAY, {})
    device.hello(LIT, NOW)
    assert device.update({**LIT, "circuit[1].voltage": 232.0, "circuit[1].power": 1.205}, NOW) == [], "too little"
    delta, whole = device.update(DARK, NOW)
    assert delta.topic == "shellypro4pm-f008d1d8b8b8/events/rpc"
    assert json.loads(delta.payload) == {
        "src": "shellypro4pm-f008d1d8b8b8",
        "dst": "shellypro4pm-f008d1d8b8b8/events",
        "method": "NotifyStatus",
        "params": {"ts": 1631186545.04, "switch:0": {"id": 0, "output": False, "apower": 0.0, "current": 0.0}},
    }
    assert json.loads(whole.payload)["output"] is False
    assert device.update(DARK, NOW + 5) == []


def test_it_answers_get_status_and_obeys_nothing() -> None:
    device = ShellySensor("s", RELAY, {})

    def ask(method: str) -> dict[str, object]:
        payload = json.dumps({"id": 1, "src": "mygw", "method": method, "params": {"id": 0}}).encode()
        (answer,) = device.asked(Message("s/rpc", payload), LIT, NOW)
        assert answer.topic == "mygw/rpc"
        found = json.loads(answer.payload)
        assert isinstance(found, dict)
        return found

    frame = ask("Switch.GetStatus")
    assert (frame["id"], frame["src"], frame["dst"]) == (1, "s", "mygw")
    assert isinstance(frame["result"], dict)
    assert frame["result"]["apower"] == 1200.0
    for method in ("Switch.Set", "Flood.GetStatus"):
        refused = ask(method)
        assert "result" not in refused
        assert refused["error"] == {"code": 404, "message": f"No handler for {method}"}
    assert device.asked(Message("s/rpc", b"[]"), LIT, NOW) == []
    assert device.bye() == [Message("s/online", b"false", retain=True)]


@pytest.mark.parametrize(
    ("components", "name", "key"), [(FLOOD, "flood:0", "leak[1].water"), (SMOKE, "smoke:0", "smoke[1].alarm")]
)
def test_an_alarm_is_told_at_once_and_the_battery_by_the_percent(
    components: tuple[Component, ...], name: str, key: str
) -> None:
    device = ShellySensor("s", components, {})
    _, alarm, power = device.hello(ROOM, NOW)
    assert (alarm.topic, json.loads(alarm.payload)) == (f"s/status/{name}", {"id": 0, "alarm": False, "mute": False})
    assert json.loads(power.payload) == {
        "id": 0, "battery": {"V": 2.95, "percent": 87}, "external": {"present": False},
    }  # fmt: skip
    delta, whole = device.update({**ROOM, key: True}, NOW)
    assert json.loads(delta.payload)["params"] == {"ts": NOW, name: {"id": 0, "alarm": True}}
    assert json.loads(whole.payload)["alarm"] is True
    delta, _ = device.update({**ROOM, key: True, "sensor[1].battery": 86.0}, NOW + 1)
    assert json.loads(delta.payload)["params"]["devicepower:0"]["battery"]["percent"] == 86


@pytest.mark.slow
@pytest.mark.looptime
async def test_the_gateway_reads_every_point_and_hears_it_go(catalog: Catalog) -> None:
    profile = "shelly-1pm"
    async with reading(catalog, profile, Lighting(Random(1)), {"prefix": "s-1"}) as rig:
        known = rig.sink.last("X-01")
        assert set(known) == set(catalog.profiles[profile].points)
        assert {quality for _, quality in known.values()} == {GOOD}
        # silent for hours, but it answers what the gateway asks
        await rig.step(2 * 3600, by=60)
        assert rig.state is State.UP
        await rig.leave()
        assert rig.state is State.DOWN
        assert {quality for _, quality in rig.sink.last("X-01").values()} == {Quality.COMM}
        await rig.greet()
        assert rig.state is State.UP


@pytest.mark.looptime
async def test_a_second_relay_of_an_asset_tells_its_own_circuit(catalog: Catalog) -> None:
    model = Lighting(Random(1))
    names = ("on", "power", "voltage", "current", "energy", "relay_temp")
    rename = {f"circuit[1].{name}": f"circuit[2].{name}" for name in names}
    async with reading(catalog, "shelly-1pm", model, {"prefix": "s-2"}, rename) as rig:
        assert rig.seen("circuit[2].power") == (pytest.approx(1.2), GOOD)
        model.inject("circuit_not_following", circuit=2.0)
        await rig.step(2)
        assert rig.seen("circuit[2].on") == (False, GOOD)
        assert rig.seen("circuit[2].power") == (0, GOOD)


@pytest.mark.slow
@pytest.mark.looptime
@pytest.mark.parametrize("profile", ["shelly-flood", "shelly-smoke"])
async def test_a_device_that_sleeps_is_there_until_it_misses_its_day(catalog: Catalog, profile: str) -> None:
    async with reading(catalog, profile, Environment(Random(1)), {"prefix": "s-1"}) as rig:
        known = rig.sink.last("X-01")
        assert set(known) == set(catalog.profiles[profile].points)
        assert {quality for _, quality in known.values()} == {GOOD}
        await rig.bus.publish("s-1/online", b"false", retain=True)  # off the network, as most of its life
        await rig.step(50 * 3600, by=600)
        assert rig.state is State.UP
        frames = [json.loads(message.payload) for message in rig.said if message.topic == "s-1/events/rpc"]
        assert [frame["method"] for frame in frames].count("NotifyFullStatus") == 2


@pytest.mark.slow
@pytest.mark.looptime
async def test_a_lost_sensor_is_stale_after_its_day_and_greets_when_it_is_back(catalog: Catalog) -> None:
    model = Environment(Random(1))
    async with reading(catalog, "shelly-smoke", model, {"prefix": "m-1"}) as rig:
        model.inject("sensor_lost")
        await rig.step(24 * 3600, by=600)
        assert rig.state is State.UP
        assert [message.payload for message in rig.said if message.topic == "m-1/online"] == [b"true", b"false"]
        await rig.step(2 * 3600, by=600)
        assert rig.state is State.DOWN
        assert rig.seen("sensor[1].battery") == (None, Quality.STALE)
        model.end("sensor_lost")
        await rig.step(1)
        assert rig.state is State.UP
        assert rig.seen("sensor[1].battery") == (100, GOOD)


@pytest.mark.looptime
async def test_a_leak_reaches_the_gateway_at_once(catalog: Catalog) -> None:
    model = Environment(Random(1))
    async with reading(catalog, "shelly-flood", model, {"prefix": "f-1"}) as rig:
        model.inject("leak")
        await rig.step(1)
        assert rig.seen("leak[1].water") == (True, GOOD)
        model.act("dry_up")
        await rig.step(1)
        assert rig.seen("leak[1].water") == (False, GOOD)
