"""The running hardware: real sockets, the broker, a scenario, the log of what changed, a clean end."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from typer.testing import CliRunner

import simulators.cli
from facility.assets import Line
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.hardware import On
from simulators.scenario import Action, Scenario
from simulators.service import Simulation
from tests.simulators.conftest import DEMO


def small(site: Site, *assets: str) -> Site:
    """The demo site with only some assets and their devices."""
    return dataclasses.replace(
        site,
        assets={key: dataclasses.replace(site.assets[key], parents=()) for key in assets},
        devices=tuple(device for device in site.devices if device.asset in assets),
    )


@asynccontextmanager
async def running(simulation: Simulation) -> AsyncIterator[None]:
    task = asyncio.create_task(simulation.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await simulation.stop()


async def eventually(seen: Callable[[], bool]) -> None:
    """Wait until `seen` holds; the test's own deadline ends a wait for ever."""
    async with asyncio.timeout(5):
        while not seen():
            await asyncio.sleep(0.005)


async def test_faults_reach_the_registers_and_the_log(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    simulation = Simulation(small(site, "EL-01", "WP-01"), catalog, bus=None, clock=SystemClock(), step=0.02, speed=5)
    addresses = await simulation.start()
    assert set(addresses) == {"EL-01-gw", "WP-01-cim", "WP-01-io"}
    assert addresses["WP-01-cim"] == addresses["WP-01-io"] != addresses["EL-01-gw"]
    async with running(simulation):
        simulation.inject("EL-01", "pit_water")
        await eventually(lambda: any(change.point == "pit.water" for change in simulation.changes))
        host, port = addresses["EL-01-gw"]
        client = AsyncModbusTcpClient(host, port=port, retries=0)
        assert await client.connect()
        assert (await client.read_discrete_inputs(17, count=1, device_id=1)).bits[0] is True
        assert (await client.read_input_registers(0, count=1, device_id=1)).registers == [0x4C31]
        client.close()
        change = next(change for change in simulation.changes if change.point == "pit.water")
        assert (change.asset, change.value) == ("EL-01", True)
        assert 0 <= SystemClock().ms() - change.at_ms < 5000
        assert (simulation.served.requests, simulation.served.registers) == (2, 2)
        assert simulation.served_by["EL-01-gw"].answers == 2
    assert simulation.addresses == {}


async def test_devices_on_the_broker(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    bus = MemoryBus()
    simulation = Simulation(
        small(site, "PM-04", "AC-02"), catalog, bus=bus, clock=SystemClock(), step=0.02, speed=2
    )  # fmt: skip
    assert await simulation.start() == {}
    prefix = "shellypro3em-34987a46fc30"
    async with bus.subscribe(f"{prefix}/#", "uhppoted/#") as heard, asyncio.timeout(5):
        async with running(simulation):
            assert (await anext(heard)).payload == b"true"
            await bus.publish(f"{prefix}/rpc", b'{"id":1,"src":"me","method":"EM.GetStatus"}')
            simulation.inject("AC-02", "forced_open", door=4.0)
            while (message := await anext(heard)).topic != "uhppoted/gateway/events/live":
                pass
            assert json.loads(message.payload)["message"]["event"]["door-id"] == 4
            points = {change.point for change in simulation.changes}
            assert {"door[4].forced", "door[4].contact", "door[4].last_reason"} <= points
            reply = {"request-id": "1", "reply-to": "uhppoted/reply/x", "device-id": 405419896}
            await bus.publish(
                "uhppoted/gateway/requests/device/status:get", json.dumps({"message": {"request": reply}}).encode()
            )
            while (message := await anext(heard)).topic != "uhppoted/reply/x":
                pass
        while (message := await anext(heard)).payload != b"false":
            pass
    assert simulation.published > 4
    assert simulation.unpublished == 0


@pytest.mark.looptime
async def test_a_scenario_is_played_on_time_and_cleaned_up_when_cancelled(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    simulation = Simulation(small(site, "EL-01"), catalog, bus=None, clock=SystemClock(), speed=2.0)
    lift = simulation.building.models["EL-01"]
    scenario = Scenario("s", 40.0, 1, (Action(10.0, On.ASSET, "EL-01", "pit_water", 12.0),))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(simulation):
        playing = asyncio.create_task(simulation.play(scenario))
        await asyncio.sleep(4.9)
        assert not lift.active
        await asyncio.sleep(0.25)
        assert lift.active == {"pit_water"}
        await asyncio.sleep(6.0)
        assert not lift.active
        await playing
        assert loop.time() - began == pytest.approx(20.0, abs=0.15)
        again = asyncio.create_task(simulation.play(scenario))
        await asyncio.sleep(6.0)
        assert lift.active == {"pit_water"}
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        assert not lift.active


async def test_one_taken_port_leaves_nothing_listening(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    first = Simulation(small(site, "EL-01"), catalog, bus=None, clock=SystemClock())
    port = (await first.start())["EL-01-gw"][1]
    taken = small(site, "EL-01", "EL-02")
    devices = tuple(
        dataclasses.replace(device, line=Line(port=port + (device.asset != "EL-02"))) for device in taken.devices
    )
    second = Simulation(dataclasses.replace(taken, devices=devices), catalog, bus=None, clock=SystemClock())
    with pytest.raises(OSError, match="is the port taken"):
        await second.start(ports="config")
    assert second.addresses == {}
    await first.stop()


async def test_a_failing_step_stops_nothing(demo: tuple[Site, Catalog], caplog: pytest.LogCaptureFixture) -> None:
    site, catalog = demo
    simulation = Simulation(small(site, "EL-01"), catalog, bus=None, clock=SystemClock(), step=0.01)
    await simulation.start()
    lift, real = simulation.building.models["EL-01"], simulation.building.set_epoch
    broken = [True]

    def set_epoch(epoch: float) -> None:
        if broken.pop() if broken else False:
            raise ZeroDivisionError("on purpose")
        real(epoch)

    simulation.building.set_epoch = set_epoch  # type: ignore[method-assign]
    async with running(simulation):
        await eventually(lambda: lift.seconds > 0.1)
    assert "a step of the simulated hardware failed" in caplog.text


def test_unknown_names_are_refused(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    simulation = Simulation(small(site, "EL-01"), catalog, bus=None, clock=SystemClock())
    with pytest.raises(ValueError, match="no simulated asset 'EL-99'; known: EL-01"):
        simulation.inject("EL-99", "pit_water")
    with pytest.raises(ValueError, match="no fault 'dry_run'"):
        simulation.end(Action(0.0, On.ASSET, "EL-01", "dry_run"))


@pytest.mark.slow
async def test_the_command_prints_addresses_and_goes_on_without_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulators.cli, "BROKER_SECONDS", 0.2)
    for name in ("assets.yaml", "people.yaml"):
        (tmp_path / name).write_text((DEMO / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "site.yaml").write_text(
        (DEMO / "site.yaml").read_text(encoding="utf-8").replace("port: 1883", "port: 1"), encoding="utf-8"
    )
    (tmp_path / "profiles").mkdir()
    profile = "profiles/pump-room-io.yaml"
    (tmp_path / profile).write_text((DEMO / profile).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "devices.yaml").write_text((DEMO / "devices.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    scenario = tmp_path / "short.yaml"
    scenario.write_text("duration: 1\nsteps: [{at: 0.1, fault: pit_water, asset: EL-01, for: 0.2}]", encoding="utf-8")
    command = [str(tmp_path), "--ports", "free", "--for", "1s", "--scenario", str(scenario), "--speed", "2"]
    # in a thread: the command has an event loop of its own
    result = await asyncio.to_thread(CliRunner().invoke, simulators.cli.app, command)
    assert result.exit_code == 0, result.output
    assert "EL-01-gw: 127.0.0.1:" in result.output
    assert "WP-01-io: 127.0.0.1:" in result.output
    assert "no MQTT broker at 127.0.0.1:1: 3 devices wait for it" in result.output
    scenario.write_text("duration: 1\nsteps: [{at: 0, fault: nonsense, asset: EL-01, for: 1}]", encoding="utf-8")
    refused = await asyncio.to_thread(CliRunner().invoke, simulators.cli.app, command)
    assert refused.exit_code == 1
    assert "short.yaml:2" in refused.output
    assert "nonsense" in refused.output
