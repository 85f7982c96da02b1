"""The demo's lights and air handler, commanded: from a message on the broker over the wire into the model and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from facility import wire
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.hardware import On
from facility.wire import Command, CommandStep
from gateway.override_book import OverrideBook
from gateway.service import Gateway
from gateway.spool import MemorySpool
from simulators.scenario import Action
from simulators.service import Simulation
from tests.services.waiting import until
from tests.simulators.test_service import running, small


def of_profile(site: Site, profile: str) -> str:
    """The asset that a device of this profile serves."""
    return next(device.asset for device in site.devices if device.profile == profile)


def impatient(catalog: Catalog) -> Catalog:
    """The lighting controller with feedback that has to come in half a second."""
    profile = catalog.profiles["fw-light-1"]
    registers = tuple(
        replace(item, writing=replace(item.writing, feedback=replace(item.writing.feedback, within=0.5)))
        if item.writing and item.writing.feedback
        else item
        for item in profile.registers
    )
    profiles = {**catalog.profiles, profile.id: replace(profile, registers=registers)}
    return replace(catalog, profiles=profiles)


class House:
    """The hardware, its gateway, and somebody who commands."""

    def __init__(self, site: Site, simulation: Simulation, gateway: Gateway, bus: MemoryBus) -> None:
        self.site, self.simulation, self.gateway, self.bus = site, simulation, gateway, bus
        self.steps: list[CommandStep] = []

    async def listen(self) -> None:
        name = self.site.gateways[0]
        async with self.bus.subscribe(wire.results_topic(self.site.id, name)) as messages:
            async for message in messages:
                self.steps.append(wire.decode(CommandStep, message.payload))

    async def command(self, asset: str, point: str, value: float | bool, **changes: object) -> CommandStep:
        now, name = SystemClock().ms(), f"c{len(self.steps)}"
        given: dict[str, object] = {
            "id": name, "asset": asset, "point": point, "value": value, "by": "ann", "at": now, "expires": now + 9000,
        }  # fmt: skip
        command = Command(**given | changes)  # type: ignore[arg-type]
        await self.bus.publish(wire.commands_topic(self.site.id, self.site.gateways[0]), wire.encode(command))
        return await self.end(name, ("done", "held", "refused", "failed", "revert_failed"))

    async def end(self, name: str, ends: tuple[str, ...]) -> CommandStep:
        def found() -> list[CommandStep]:
            return [step for step in self.steps if step.id == name and step.step in ends]

        await until(lambda: bool(found()), limit=20)
        return found()[0]


@asynccontextmanager
async def a_house(site: Site, catalog: Catalog, file: Path, *profiles: str) -> AsyncIterator[House]:
    site = small(site, *(of_profile(site, profile) for profile in profiles))
    bus, clock = MemoryBus(), SystemClock()
    simulation = Simulation(site, catalog, bus=bus, clock=clock, step=0.05)
    addresses = await simulation.start()
    devices = [
        replace(device, gateway=site.gateways[0], line=replace(device.line, port=addresses[device.id][1]))
        for device in site.devices
        if device.profile in profiles
    ]
    site = replace(site, devices=tuple(devices))
    book = OverrideBook(file)
    book.open()
    gateway = Gateway(
        site, site.gateways[0], catalog, bus=bus, spool=MemorySpool(), clock=clock, version="1", overrides=book
    )
    house = House(site, simulation, gateway, bus)
    async with running(simulation):
        tasks = [asyncio.create_task(house.listen()), asyncio.create_task(gateway.run())]
        try:
            await until(lambda: all(state.state == "up" for state in gateway.status().devices.values()), limit=10)
            yield house
        finally:
            gateway.stop()
            async with asyncio.timeout(5):
                await tasks[1]
            tasks[0].cancel()
            await asyncio.wait(tasks)


@pytest.mark.slow
async def test_a_circuit_is_switched_and_switched_back(demo: tuple[Site, Catalog], tmp_path: Path) -> None:
    site, catalog = demo
    async with a_house(site, catalog, tmp_path / "gw.json", "fw-light-1") as house:
        asset = of_profile(site, "fw-light-1")
        key = "circuit[2].command"
        before = house.simulation.values_of(asset)["circuit[2].on"]
        assert (await house.command(asset, key, not before)).step == "refused"
        assert "say for how long" in house.steps[-1].message
        end = await house.command(asset, key, not before, ttl=0.5)
        assert end.step == "held"
        assert [step.step for step in house.steps if step.id == end.id][-2:] == ["watching", "held"]
        assert house.simulation.values_of(asset)["circuit[2].on"] is not before
        assert (await house.end(end.id, ("reverted", "revert_failed"))).step == "reverted"
        assert house.simulation.values_of(asset)["circuit[2].on"] is before


@pytest.mark.slow
@pytest.mark.timeout(30)
async def test_a_contactor_that_does_not_follow_makes_the_command_fail(
    demo: tuple[Site, Catalog], tmp_path: Path
) -> None:
    site, catalog = demo
    # circuit 2 has no schedule that could switch it between two looks
    asset, key = of_profile(site, "fw-light-1"), "circuit[2].command"
    async with a_house(site, impatient(catalog), tmp_path / "gw.json", "fw-light-1") as house:
        fault = Action(0.0, On.ASSET, asset, "circuit_not_following", params={"circuit": 2.0})
        house.simulation.begin(fault)
        value = not house.simulation.values_of(asset)[key]
        end = await house.command(asset, key, value, ttl=60.0)
        # it sticks in both directions: neither what is wanted comes, nor is what was before seen again
        assert end.step == "revert_failed"
        assert end.message.startswith(f"circuit[2].on shows {str(not value).lower()} after 0.5 s instead of")
        assert f"{asset} {key}: circuit[2].on" in house.gateway.status().command_problem
        await until(lambda: house.simulation.values_of(asset)[key] is not value, limit=5)
        house.simulation.end(fault)
        assert (await house.end(end.id, ("reverted",))).step == "reverted"
        assert house.gateway.status().command_problem == ""


@pytest.mark.slow
async def test_a_set_point_takes_two_people(demo: tuple[Site, Catalog], tmp_path: Path) -> None:
    site, catalog = demo
    asset = of_profile(site, "fw-ahu-1")
    async with a_house(site, catalog, tmp_path / "gw.json", "fw-ahu-1") as house:
        assert "two people" in (await house.command(asset, "ahu.setpoint", 16.0)).message
        assert (await house.command(asset, "ahu.setpoint", 25.0, second="bob")).step == "refused"
        end = await house.command(asset, "ahu.setpoint", 16.0, second="bob")
        assert (end.step, end.value) == ("done", 16.0)
        assert house.simulation.values_of(asset)["ahu.setpoint"] == 16.0
