"""`caretaker simulate`: the hardware of a site alone, for a gateway that runs elsewhere."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.errors import ConfigError
from facility.mqtt_bus import Broker, MqttBus
from simulators.scenario import Scenario, load_scenario
from simulators.service import Simulation, run_for

BROKER_SECONDS = 3.0
"""How long to wait for the broker before going on without the devices that need one."""


class Ports(StrEnum):
    """Where the devices listen."""

    CONFIG = "config"
    FREE = "free"


app = typer.Typer(no_args_is_help=True)


@app.command()
def simulate(  # noqa: PLR0917 - the command line names every one
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the site folder", exists=True, file_okay=False)],
    scenario: Annotated[Path | None, typer.Option(help="faults to play, a YAML file")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="how fast the simulated time runs")] = 1.0,
    ports: Annotated[Ports, typer.Option(help="those of devices.yaml, or free ones")] = Ports.CONFIG,
    duration: Annotated[float | None, typer.Option(min=0.1, help="seconds to run; until Ctrl-C if not given")] = None,
    seed: Annotated[int | None, typer.Option(help="of the models' noise; the scenario's, or 1, if not given")] = None,
) -> None:
    """Run the simulated hardware of a site alone, and print where it listens."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # the broker client's own reconnect messages would repeat what is said below
    logging.getLogger("facility.mqtt_bus").setLevel(logging.ERROR)
    try:
        asyncio.run(_simulate(folder, scenario, speed=speed, ports=ports, duration=duration, seed=seed))
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("stopped")


async def _simulate(
    folder: Path, scenario: Path | None, *, speed: float, ports: Ports, duration: float | None, seed: int | None
) -> None:
    site, catalog = load_site(folder)
    clock = SystemClock()
    played = _scenario(scenario, Simulation(site, catalog, bus=None, clock=clock))
    chosen = seed if seed is not None else played.seed if played else 1
    async with MqttBus(_broker(site), client_id=f"simulation-{site.id}") as bus:
        simulation = Simulation(site, catalog, bus=bus, clock=clock, seed=chosen, speed=speed)
        addresses = await simulation.start(ports=ports.value)
        for device, (host, port) in addresses.items():
            unit = next(item.unit for item in site.devices if item.id == device)
            typer.echo(f"{device}: {host}:{port} unit {unit}")
        await _look_for_broker(bus, site, len(site.devices) - len(addresses))
        player = asyncio.create_task(_play(simulation, played))
        try:
            await run_for(simulation, duration)
        finally:
            player.cancel()
            await asyncio.gather(player, return_exceptions=True)


def _scenario(path: Path | None, simulation: Simulation) -> Scenario | None:
    return load_scenario(path, simulation.subjects) if path else None


def _broker(site: Site) -> Broker:
    settings = site.settings.broker
    return Broker(settings.host, settings.port, settings.username, settings.password, settings.tls)


async def _look_for_broker(bus: MqttBus, site: Site, natives: int) -> None:
    """Say so when devices need a broker and there is none; they join as soon as one comes."""
    if not natives:
        return
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await bus.wait_connected()
    except TimeoutError:
        where = f"{site.settings.broker.host}:{site.settings.broker.port}"
        typer.echo(f"no MQTT broker at {where}: {natives} devices wait for it, the Modbus devices run", err=True)


async def _play(simulation: Simulation, scenario: Scenario | None) -> None:
    if scenario is None:
        return
    typer.echo(f"playing {scenario.name}: {len(scenario.actions)} actions in {scenario.duration:g} s")
    await simulation.play(scenario)
    typer.echo(f"{scenario.name} is over")
