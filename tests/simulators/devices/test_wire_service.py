"""Devices of a running simulation: faults by name and by scenario, silence, and simulations that break down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import On
from facility.readings import Value
from simulators.devices import native_link
from simulators.models.passage.elevator import Elevator
from simulators.scenario import Action, load_scenario
from simulators.service import Simulation
from tests.gateway.plant import LoopClock
from tests.simulators.devices.raw import Raw
from tests.simulators.devices.stage import only

pytestmark = pytest.mark.looptime


@asynccontextmanager
async def running(
    site: Site, catalog: Catalog, *devices: str, bus: MemoryBus | None = None
) -> AsyncIterator[Simulation]:
    simulation = Simulation(only(site, *devices), catalog, bus=bus, clock=LoopClock())
    await simulation.start()
    task = asyncio.create_task(simulation.run())
    try:
        yield simulation
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await simulation.stop()


async def answers(simulation: Simulation, device: str, unit: int = 1, *, address: int = 10) -> bool:
    """Whether a device answers within a second."""
    raw = Raw(*await asyncio.open_connection(*simulation.addresses[device]))
    raw.ask(address, unit=unit)
    try:
        async with asyncio.timeout(1):
            return bool(await raw.frame())
    except TimeoutError:
        return False
    finally:
        await raw.close()


def on_device(device: str, name: str, **params: float) -> Action:
    return Action(0.0, On.DEVICE, device, name, params=params)


@pytest.mark.slow
async def test_a_scenario_disturbs_a_device_in_time(demo: tuple[Site, Catalog], tmp_path: Path) -> None:
    path = tmp_path / "dead.yaml"
    path.write_text("duration: 30\nsteps: [{at: 5, fault: dead, device: EL-01-gw, for: 10}]", encoding="utf-8")
    async with running(*demo, "EL-01-gw", "EL-02-gw") as simulation:
        playing = asyncio.create_task(simulation.play(load_scenario(path, simulation.subjects)))
        seen = []
        for _ in range(10):
            await asyncio.sleep(2)
            seen.append(await answers(simulation, "EL-01-gw"))
            assert await answers(simulation, "EL-02-gw")
        assert seen[:2] == [True, True]
        assert False in seen
        assert seen[-2:] == [True, True]
        await playing
        again = asyncio.create_task(simulation.play(load_scenario(path, simulation.subjects)))
        await asyncio.sleep(8)
        assert not await answers(simulation, "EL-01-gw")
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        assert await answers(simulation, "EL-01-gw")


async def test_what_can_be_done_to_a_device(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    simulation = Simulation(
        only(site, "EL-01-gw", "PM-01-ats", "AC-02-controller"), catalog, bus=None, clock=LoopClock()
    )
    devices = {id_: set(item.faults) for (on, id_), item in simulation.subjects.items() if on is On.DEVICE}
    assert set(devices) == {"EL-01-gw", "PM-01-ats", "AC-02-controller"}
    assert devices["AC-02-controller"] == native_link.FAULTS, "those on the broker have no such wire"
    assert devices["EL-01-gw"] - devices["PM-01-ats"] == {"clock_drift", "swapped_words"}, "it has none of these"
    assert {"delay", "reset", "refuse", "dead"} <= devices["PM-01-ats"]
    with pytest.raises(ValueError, match="no simulated device 'EL-09-gw'; known: AC-02-controller, EL-01"):
        simulation.begin(on_device("EL-09-gw", "dead"))
    with pytest.raises(ValueError, match="PM-01-ats has no fault 'clock_drift'; known: busy"):
        simulation.begin(on_device("PM-01-ats", "clock_drift"))
    with pytest.raises(ValueError, match="no fault 'pit_water'"):
        simulation.end(on_device("EL-01-gw", "pit_water"))


async def test_params_that_are_not_given_are_those_of_the_repertoire(demo: tuple[Site, Catalog]) -> None:
    async with running(*demo, "EL-01-gw") as simulation:
        simulation.begin(on_device("EL-01-gw", "delay"))
        assert not await answers(simulation, "EL-01-gw")
        simulation.begin(on_device("EL-01-gw", "delay", seconds=0.5))
        assert await answers(simulation, "EL-01-gw")
        assert simulation.served_by["EL-01-gw"].faulty == {"delay": 1}


@pytest.mark.slow
async def test_a_clock_that_gains_shows_in_its_register(demo: tuple[Site, Catalog]) -> None:
    async with running(*demo, "EL-01-gw") as simulation:
        raw = Raw(*await asyncio.open_connection(*simulation.addresses["EL-01-gw"]))

        async def ahead() -> float:
            raw.ask(3, 2)
            return int.from_bytes((await raw.frame())[9:], "big") - LoopClock().ms() / 1000

        await asyncio.sleep(1)
        assert await ahead() == pytest.approx(0, abs=1.5)
        simulation.begin(on_device("EL-01-gw", "clock_drift", offset=100, rate=100_000))
        await asyncio.sleep(1)
        assert await ahead() == pytest.approx(100, abs=1.5)
        await asyncio.sleep(100)
        assert await ahead() == pytest.approx(110, abs=1.5)
        simulation.end(on_device("EL-01-gw", "clock_drift"))
        await asyncio.sleep(1)
        assert await ahead() == pytest.approx(0, abs=1.5)
        await raw.close()


async def test_a_silent_model_answers_nobody(demo: tuple[Site, Catalog], monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = [True]
    monkeypatch.setattr(Elevator, "silent", property(lambda _: quiet[0]))
    async with running(*demo, "EL-01-gw", "PM-01-ats") as simulation:
        await asyncio.sleep(1)
        assert not await answers(simulation, "EL-01-gw")
        assert await answers(simulation, "PM-01-ats", address=2000)
        quiet[0] = False
        await asyncio.sleep(1)
        assert await answers(simulation, "EL-01-gw")
        assert simulation.crashed == {}


async def test_a_silent_device_on_the_broker_says_goodbye_and_greets_again(
    demo: tuple[Site, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, online = MemoryBus(), "shellypro3em-34987a46fc30/online"
    async with bus.subscribe(online) as heard, running(*demo, "PM-04-meter", bus=bus) as simulation:
        async with asyncio.timeout(60):
            assert (await anext(heard)).payload == b"true"
            model = type(simulation.building.models["PM-04"])
            monkeypatch.setattr(model, "silent", property(lambda _: True))
            assert (await anext(heard)).payload == b"false"
            monkeypatch.undo()
            assert (await anext(heard)).payload == b"true"


async def test_a_model_that_raises_takes_only_its_own_devices_along(
    demo: tuple[Site, Catalog], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(*demo, "WP-01-cim", "WP-01-io", "EL-01-gw") as simulation:
        await asyncio.sleep(1)
        pumps, lift = simulation.building.models["WP-01"], simulation.building.models["EL-01"]

        def broken(dt: float) -> None:
            raise ZeroDivisionError("on purpose")

        pumps.advance = broken  # type: ignore[method-assign]
        seconds = lift.seconds
        await asyncio.sleep(10)
        reason = "ZeroDivisionError: on purpose"
        assert simulation.crashed == {"WP-01-cim": reason, "WP-01-io": reason}
        assert lift.seconds - seconds == pytest.approx(10, abs=0.5)
        assert await answers(simulation, "EL-01-gw")
        assert not await answers(simulation, "WP-01-cim", address=300)
        assert not await answers(simulation, "WP-01-io", 2, address=0)
        told = [record for record in caplog.records if "crashed" in record.getMessage()]
        assert len(told) == 1
        assert told[0].exc_info is not None
        assert "WP-01-cim, WP-01-io: crashed" in told[0].getMessage()
        assert "a step of the simulated hardware failed" not in caplog.text


async def test_values_that_can_not_be_shown_end_only_the_device_that_shows_them(demo: tuple[Site, Catalog]) -> None:
    async with running(*demo, "WP-01-cim", "WP-01-io", "EL-01-gw") as simulation:
        await asyncio.sleep(1)
        pumps = simulation.building.models["WP-01"]
        real = pumps.values

        def values() -> dict[str, Value]:
            return {**real(), "sys.flow": 1e12}

        pumps.values = values  # type: ignore[method-assign]
        await asyncio.sleep(1)
        assert not await answers(simulation, "WP-01-cim", address=300)
        assert set(simulation.crashed) == {"WP-01-cim"}
        assert simulation.crashed["WP-01-cim"].startswith("ValueError: sys.flow")
        assert await answers(simulation, "WP-01-io", 2, address=0)
        assert await answers(simulation, "EL-01-gw")


@pytest.mark.slow
async def test_a_crash_on_the_broker_ends_only_that_device(demo: tuple[Site, Catalog]) -> None:
    bus = MemoryBus()
    async with running(*demo, "PM-04-meter", "AC-02-controller", bus=bus) as simulation:
        await asyncio.sleep(1)
        native = simulation._natives.devices["AC-02-controller"]

        def asked(*_: object) -> list[object]:
            raise RuntimeError("on purpose")

        native.device.asked = asked  # type: ignore[assignment,method-assign]
        await bus.publish(native.device.topics[0], b"{}")
        await asyncio.sleep(1)
        assert simulation.crashed == {"AC-02-controller": "RuntimeError: on purpose"}
        told = simulation.published
        await asyncio.sleep(120)
        assert simulation.published > told, "the meter goes on"


async def test_an_asset_that_no_device_reads_can_crash_too(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    both = only(site, "EL-01-gw", "EL-02-gw")
    lonely = replace(both, devices=tuple(item for item in both.devices if item.id == "EL-01-gw"))
    simulation = Simulation(lonely, catalog, bus=None, clock=LoopClock())

    def broken(dt: float) -> None:
        raise KeyError("on purpose")

    simulation.building.models["EL-02"].drift = broken  # type: ignore[method-assign]
    simulation.tick(1.0)
    assert simulation.crashed == {"EL-02": "KeyError: 'on purpose'"}
    assert simulation.building.models["EL-01"].seconds == pytest.approx(1.0)
