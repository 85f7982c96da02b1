"""kill -9 of a gateway while a command stands and while one is under way: both are put back after the next start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from facility import wire
from facility.bus import Bus
from facility.catalog import load_catalog
from facility.clock import SystemClock
from facility.mqtt_bus import Broker, MqttBus
from facility.wire import Command, CommandStep
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.models.rooms.lighting import Lighting
from tests.services.waiting import until
from tests.simulators.models.test_lighting import lights
from tests.system.crew import Role

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(120)]
SITE, GATEWAY = "kill-site", "gw-1"
FILES = {
    "site.yaml": """\
site: kill-site
labels: {{zh: 楼, en: House}}
gateways: [gw-1]
broker: {{host: 127.0.0.1, port: {broker.port}, username: {broker.username}, password: '{broker.password}'}}
api: {{port: 0}}
""",
    "assets.yaml": "assets:\n  - {{id: LT-01, class: lighting, labels: {{zh: 照明, en: Lighting}}}}\n",
    "devices.yaml": """\
devices:
  - {{id: light, profile: fw-light-1, asset: LT-01, gateway: gw-1, host: 127.0.0.1, port: {port}, speedup: 10}}
""",
    "people.yaml": "channels: []\nroutes: []\n",
}


@asynccontextmanager
async def a_controller() -> AsyncIterator[tuple[Lighting, int]]:
    """The lighting controller as it is served, and its port."""
    model = lights()
    unit = ModbusUnit(load_catalog().profiles["fw-light-1"])
    unit.refresh = lambda: unit.update(model.values())
    unit.obey = model.obey
    host = ModbusHost("127.0.0.1", 0, [unit])
    _, port = await host.start()
    try:
        yield model, port
    finally:
        await host.stop()


async def send(bus: Bus, name: str, point: str, *, ttl: float) -> None:
    now = SystemClock().ms()
    command = Command(name, "LT-01", point, False, "ann", now, now + 60_000, ttl=ttl)
    await bus.publish(wire.commands_topic(SITE, GATEWAY), wire.encode(command))


async def test_an_override_outlives_its_gateway(tmp_path: Path, mosquitto: Broker) -> None:
    steps: list[CommandStep] = []

    def told(name: str, step: str) -> bool:
        return any((item.id, item.step) == (name, step) for item in steps)

    async def listen(bus: Bus) -> None:
        async with bus.subscribe(wire.results_topic(SITE, GATEWAY)) as messages:
            async for message in messages:
                steps.append(wire.decode(CommandStep, message.payload))

    async with a_controller() as (model, port), MqttBus(mosquitto, client_id="kill-commands") as bus:
        folder = tmp_path / "site"
        folder.mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text.format(broker=mosquitto, port=port))
        await bus.wait_connected()
        listening = asyncio.create_task(listen(bus))
        gateway = Role(["run", str(folder), "--roles", "gateway"], tmp_path / "gateway.log")
        try:
            await gateway.start(until="running gateway")
            # a garage circuit, always lit; said again until somebody listens
            while not told("held", "received"):
                await send(bus, "held", "circuit[2].command", ttl=4.0)
                with suppress(TimeoutError):
                    await until(lambda: told("held", "received"), limit=0.5)
            await until(lambda: told("held", "held"), limit=20)
            assert model.commands[1] is False
            # and one that waits for its feedback, which does not come
            model.inject("circuit_not_following", circuit=5.0)
            await send(bus, "caught", "circuit[5].command", ttl=60.0)
            await until(lambda: told("caught", "watching"), limit=20)
            await gateway.kill()
            assert (model.commands[1], model.commands[4]) == (False, False)
            model.end("circuit_not_following")
            await gateway.start(until="running gateway")
            await until(lambda: told("held", "reverted") and told("caught", "failed"), limit=30)
            assert (model.commands[1], model.commands[4]) == (True, True)
            last = next(item for item in reversed(steps) if item.id == "caught")
            assert "the gateway was stopped while it was carried out" in last.message
        finally:
            await gateway.stop()
            listening.cancel()
            await asyncio.wait([listening])
