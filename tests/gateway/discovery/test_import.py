"""From retained configs on a real broker to a site that checks, and on to readings; dumps, bad ones, the command."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.mqtt_bus import Broker, MqttBus
from facility.readings import Quality
from gateway.check import check
from gateway.discovery import collect
from gateway.discovery.collect import MAX_CONFIGS, Configs, listen, read_dump
from gateway.import_cli import app
from gateway.mapping import MAX_PAYLOAD
from gateway.mqtt import MqttDevice
from tests.gateway.discovery.configs import ALL, ESPHOME, TASMOTA, ZIGBEE, Config, payload
from tests.gateway.plant import Recorder
from tests.services.ports import free_port
from tests.services.waiting import until

GOOD, COMM = Quality.GOOD, Quality.COMM
STARTER = Path(__file__).parents[3] / "facility" / "starter"


def command(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(app, ["ha-discovery", *arguments], env={"COLUMNS": "200", **env})


def dump(folder: Path, configs: Mapping[str, Config]) -> Path:
    path = folder / "dump.json"
    path.write_bytes(json.dumps(dict(configs), ensure_ascii=False).encode())
    return path


def site_of(out: Path, folder: Path) -> tuple[Site, Catalog]:
    """A starter site with what was written into `out`."""
    shutil.copytree(STARTER, folder)
    shutil.rmtree(folder / "rules")
    for name in ("devices.yaml", "assets.yaml"):
        shutil.copy(out / name, folder / name)
    shutil.copytree(out / "profiles", folder / "profiles")
    site, catalog = load_site(folder)
    assert check(site, catalog) == []
    return site, catalog


async def publish_all(broker: Broker, prefix: str, configs: Mapping[str, Config]) -> None:
    async with MqttBus(broker, client_id=f"test-{prefix}") as bus:
        await bus.wait_connected()
        for topic, config in configs.items():
            await bus.publish(topic.replace("homeassistant", prefix, 1), payload(config), retain=True)
        gone = f"{prefix}/sensor/gone/config"
        await bus.publish(gone, b'{"state_topic":"x"}', retain=True)
        await bus.publish(gone, b"", retain=True)
        await bus.publish(f"{prefix}/sensor/broken/config", b'{"state_topic":', retain=True)


@asynccontextmanager
async def reading(site: Site, catalog: Catalog, broker: Broker) -> AsyncIterator[tuple[MqttBus, Recorder]]:
    """Every device of a site, on a broker."""
    sink = Recorder()
    async with MqttBus(broker, client_id=f"test-{site.folder.name}-{os.getpid()}") as bus:
        await bus.wait_connected()
        drivers = []
        for device in site.devices:
            profile = catalog.profiles[device.profile]
            points = catalog.classes[profile.asset_class].points
            drivers.append(MqttDevice(device, profile, points, bus, SystemClock()))
        tasks = [asyncio.create_task(driver.run(sink)) for driver in drivers]
        try:
            await asyncio.sleep(0)
            async with bus.subscribe(f"test/{site.folder.name}"):  # answered after those of the devices
                yield bus, sink
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


SAID: list[tuple[str, bytes]] = [
    (
        "zigbee2mqtt/b2/pump room",
        b'{"water_leak":true,"battery":97,"voltage":3005,"linkquality":120,"battery_low":false}',
    ),
    ("tasmota_A1B2C3/tele/STATE", b'{"Time":"2026-01-01T00:00:00","POWER":"ON"}'),
    ("tasmota_A1B2C3/tele/SENSOR", b'{"ENERGY":{"Total":3.185,"Power":150,"Voltage":221}}'),
    ("riser-3/sensor/air/state", b"68.9"),
    ("riser-3/sensor/humidity/state", b"nan"),
    ("riser-3/binary_sensor/hatch/state", b"OFF"),
    ("acme/meter-7/state", b'{"p":1500,"u":"231.5","e":0.25}'),
]  # fmt: skip
READ = {
    "b2-pump-room": {
        "leak[1].water": (True, GOOD), "sensor[1].battery": (97, GOOD), "sensor[1].battery_low": (False, GOOD),
        "sensor[1].voltage": (3005, GOOD), "sensor[1].link_quality": (120, GOOD),
    },
    "tea-kitchen": {
        "circuit[1].on": (True, GOOD), "circuit[1].power": (0.15, GOOD), "circuit[1].voltage": (221, GOOD),
        "circuit[1].energy": (3.185, GOOD),
    },
    "riser-3": {
        "air.temp": (pytest.approx(20.5), GOOD), "air.humidity": (None, Quality.SENTINEL),
        "door[1].contact": (False, GOOD),
    },
    "roof-meter": {"p.total": (1.5, GOOD), "u.l1n": (231.5, GOOD), "e.import": (250, GOOD)},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.service("mosquitto")
@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_from_a_real_broker_to_readings(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    broker: Broker = request.getfixturevalue(kind)
    prefix, out = f"ha-{kind}", tmp_path / "out"
    asyncio.run(publish_all(broker, prefix, ALL))
    result = command(
        "--broker", f"{broker.host}:{broker.port}", "--username", str(broker.username),
        "--password-env", "SECRET_OF_IT", "--prefix", prefix, "--for", "1s", "--out", str(out),
        SECRET_OF_IT=str(broker.password),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "4 devices, 16 points, 4 profiles" in result.output
    assert "sensor/broken/config: payload is broken JSON" in result.output
    assert "gone" not in result.output
    site, catalog = site_of(out, tmp_path / f"site-{kind}")

    async def play() -> None:
        async with reading(site, catalog, broker) as (bus, sink):
            for topic, said in SAID:
                await bus.publish(topic, said)
            await until(lambda: {name: sink.last(name) for name in READ} == READ)
            await bus.publish("zigbee2mqtt/bridge/state", b'{"state":"offline"}')
            await bus.publish("tasmota_A1B2C3/tele/LWT", b"Offline")
            await bus.publish("acme/meter-7/online", b"0")
            await until(lambda: sink.last("b2-pump-room").get("leak[1].water") == (None, COMM))
            await until(lambda: sink.last("tea-kitchen")["circuit[1].on"] == (None, COMM))
            await until(lambda: sink.last("roof-meter")["p.total"] == (None, COMM))
            await bus.publish("zigbee2mqtt/bridge/state", b"online")  # the old form
            await bus.publish(*SAID[0])
            await until(lambda: sink.last("b2-pump-room")["leak[1].water"] == (True, GOOD))

    asyncio.run(play())


def test_a_dump_as_mosquitto_sub_prints_it(tmp_path: Path) -> None:
    lines = [f"{topic} {payload(config).decode()}" for topic, config in ZIGBEE.items()]
    lines += ["homeassistant/sensor/x/config {broken", "homeassistant/sensor/x/state 12", "", "other/topic {}"]
    lines += [next(line for line in lines if "linkquality/config" in line).split(" ")[0]]  # and then it was deleted
    (tmp_path / "dump.txt").write_text("\n".join(lines), encoding="utf-8")
    result = command("--file", str(tmp_path / "dump.txt"), "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert "1 devices, 5 points, 1 profiles" in result.output
    assert "homeassistant/sensor/x/config: payload is broken JSON" in result.output


def test_devices_of_one_model_share_a_profile_and_another_shape_has_its_own(tmp_path: Path) -> None:
    text = json.dumps(ZIGBEE).replace("0x00158d0000aa0001", "0x2").replace("b2/pump room", "b3/riser")
    second = json.loads(text)
    third = {
        topic.replace("0x2", "0x3"): json.loads(json.dumps(config).replace("0x2", "0x3"))
        for topic, config in second.items()
        if "voltage" not in topic
    }
    result = command("--file", str(dump(tmp_path, {**ZIGBEE, **second, **third})), "--out", str(tmp_path / "out"))
    assert "3 devices, 17 points, 2 profiles" in result.output
    site, _ = site_of(tmp_path / "out", tmp_path / "site")
    assert {device.id: (device.profile[-2:], device.params["state"]) for device in site.devices} == {
        "b2-pump-room": ("lm", "zigbee2mqtt/b2/pump room"),
        "b3-riser": ("lm", "zigbee2mqtt/b3/riser"),
        "b3-riser-2": ("-2", "zigbee2mqtt/b3/riser"),
    }


EVIL = [
    'x"\n  - {id: evil, profile: xy-md1, asset: e}', "${HOME}", "[[[[[{{{{{", "\x00\x1b[31m", "'; #",
    "守护 🔥", ": - ?", "x" * 5_000, "é" * 300, "\u2028", "---\n...", "!!python/object:os.system", "&a *a", "",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", EVIL)
def test_foreign_texts_stay_texts(name: str, tmp_path: Path) -> None:
    configs = {
        f"homeassistant/sensor/d{number}/config": {
            "name": name, "unique_id": name, "state_topic": f"d/{number}", "device_class": "humidity",
            "unit_of_measurement": "%", "value_template": "{{ value_json['" + name.replace("'", "") + "'] }}",
            "device": {"identifiers": [f"{name}{number}"], "name": name, "model": name, "manufacturer": name},
        }
        for number in range(40)
    }  # fmt: skip
    plain = {
        topic.replace("/d", "/e"): {**config, "value_template": "{{ value }}", "device_class": "humidity"}
        for topic, config in configs.items()
    }
    result = command("--file", str(dump(tmp_path, {**configs, **plain})), "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert all(letter.isprintable() or letter == "\n" for letter in result.output)
    site, _ = site_of(tmp_path / "out", tmp_path / "site")
    assert len(site.devices) == 40
    assert "evil" not in {device.id for device in site.devices}


def test_files_are_never_overwritten_unless_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--file", str(dump(tmp_path, ESPHOME)), "--out", str(out)]
    assert command(*arguments).exit_code == 0
    before = (out / "devices.yaml").read_text()
    (out / "report.txt").unlink()
    (out / "devices.yaml").write_text("mine")
    result = command(*arguments)
    assert result.exit_code == 1
    assert "has profiles/ha-espressif-esp32dev.yaml, devices.yaml, assets.yaml already" in result.output
    assert (out / "devices.yaml").read_text() == "mine"
    assert not (out / "report.txt").exists()
    assert command(*arguments, "--force").exit_code == 0
    assert (out / "devices.yaml").read_text() == before


def test_nothing_mapped_is_a_failure_with_a_report(tmp_path: Path) -> None:
    told: dict[str, Config] = {"homeassistant/lock/x/config": {"state_topic": "x"}}
    result = command("--file", str(dump(tmp_path, told)), "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "no point is known for a lock" in (tmp_path / "out" / "report.txt").read_text()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.txt"]
    result = command("--file", str(dump(tmp_path, {})), "--out", str(tmp_path / "empty"))
    assert result.exit_code == 1
    assert "no config topic under homeassistant/" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--broker: name a broker, a --file, or a site --folder"),
        (["--broker", "a:b"], "--broker: 'a:b' is no HOST or HOST:PORT"),
        (["--broker", "a", "--password-env", "NOT_SET_HERE"], "the environment variable NOT_SET_HERE is not set"),
        (["--broker", "a", "--for", "soon"], "--for: 'soon' is no duration"),
        (["--broker", "a", "--stale-after", "0"], "--stale-after: '0' is no duration"),
        (
            ["--broker", "a", "--class", "powr"],
            "--class: there is no class of the importer 'powr'; did you mean power?",
        ),
        (["--folder", str(STARTER)], "site.yaml: broker: is embedded; name one by --broker"),
    ],
)
def test_bad_options_are_named(arguments: list[str], told: str, tmp_path: Path) -> None:
    result = command(*arguments, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert told in result.output
    assert not (tmp_path / "out").exists()


def test_a_broker_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "CONNECT", 0.05)
    address = f"127.0.0.1:{free_port()}"
    result = command("--broker", address, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert f"broker {address}: there is no connection after 0.05 s" in result.output


def test_dumps_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    for raw in (b'{"a":', b"{" + b"[" * 100_000, b'{"\xff":1}'):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="is no JSON object of topic and payload"):
            read_dump(path, "homeassistant")
    path.write_bytes(b"\xff\xfe x\n[1]\n")
    assert read_dump(path, "homeassistant").payloads == {}


def test_a_dump_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_FILE", 10)
    with pytest.raises(ValueError, match="the limit is 10"):
        read_dump(dump(tmp_path, TASMOTA), "homeassistant")


def test_configs_are_bounded() -> None:
    configs = Configs("h")
    configs.add("h/sensor/long/config", b"x" * (MAX_PAYLOAD + 1))
    for number in range(MAX_CONFIGS + 5):
        configs.add(f"h/sensor/{number}/config", b"{}")
    configs.add("h/sensor/0/config", b'{"name":"again"}')
    configs.add("h/sensor/1/config", b"")
    assert len(configs.payloads) == MAX_CONFIGS - 1
    assert set(configs.refused) == {"h/sensor/long/config", "h/..."}


@pytest.mark.looptime
async def test_what_is_published_while_it_listens_counts_too() -> None:
    bus = MemoryBus()
    await bus.publish("h/sensor/a/config", b"{}", retain=True)
    task = asyncio.create_task(listen(bus, "h", 5.0))
    await asyncio.sleep(1)
    await bus.publish("h/sensor/n/b/config", b"{}")
    await bus.publish("h/sensor/a/config", b"", retain=True)
    assert set((await task).payloads) == {"h/sensor/n/b/config"}
