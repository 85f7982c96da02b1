"""`caretaker simulate`: the hardware of a site alone, for a gateway that runs elsewhere."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facility.assets import Framing, Line
from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.duration import seconds
from facility.errors import ConfigError
from facility.hardware import Param
from facility.mqtt_bus import Broker, MqttBus
from facility.units import symbol
from simulators.fleet import Fleet, FleetError
from simulators.scenario import Scenario, load_scenario
from simulators.service import Simulation, run_for

BROKER_SECONDS = 3.0
"""How long to wait for the broker before going on without the devices that need one."""


STEP, FLEET_STEP = 0.1, 0.5
"""Seconds of a step: meters that are polled once a second need no finer one, and there are many."""
SHOWN = 40
"""Addresses that are printed."""


class Ports(StrEnum):
    """Where the devices listen."""

    CONFIG = "config"
    FREE = "free"


app = typer.Typer(no_args_is_help=True)


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - the command line names every one
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="the site folder / 站点目录", exists=True, file_okay=False)
    ] = None,
    scenario: Annotated[Path | None, typer.Option(help="what happens, a YAML file / 场景文件")] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1_000_000, help="how fast the simulated time runs / 时间倍速")
    ] = 1.0,
    ports: Annotated[Ports, typer.Option(help="those of devices.yaml, or free ones / 端口")] = Ports.CONFIG,
    for_: Annotated[str, typer.Option("--for", help="such as 60s, 5m; else until Ctrl-C / 时长")] = "",
    seed: Annotated[
        int | None, typer.Option(help="of the models' noise; the scenario's, or 1, if not given / 随机种子")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="only say what can happen to each device / 仅列出可用的故障与操作")
    ] = False,
    fleet: Annotated[
        str, typer.Option(help="instead of DIR: 500x20 for 500 meters of 20 points at 1 Hz / 批量设备")
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="of the fleet's first meter / 首个端口")] = 15_100,
    out: Annotated[Path | None, typer.Option(help="keep the fleet's site folder here / 保存生成的站点目录")] = None,
) -> None:
    """Run the simulated hardware of a site alone, and print where it listens / 仅运行站点的模拟设备."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # the broker client's own reconnect messages would repeat what is said below
    logging.getLogger("facility.mqtt_bus").setLevel(logging.ERROR)
    if bool(folder) == bool(fleet):
        raise typer.BadParameter("name a site folder, or the size of a fleet with --fleet")
    if list_ and folder:
        _list(folder)
        return
    if out and not fleet:
        raise typer.BadParameter("--out keeps the folder of a fleet; say --fleet 500x20")
    try:
        length = seconds(for_) if for_ else None
    except ValueError as error:
        raise typer.BadParameter(f"--for: {error}") from error
    with tempfile.TemporaryDirectory(prefix="caretaker-fleet-") as temporary:
        try:
            place = folder or write_fleet(Fleet.parse(fleet, port=port), out or Path(temporary))
            wish = _Wish(place, scenario, speed, ports, length, seed, FLEET_STEP if fleet else STEP)
            asyncio.run(_simulate(wish))
        except (ConfigError, FleetError, OSError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            typer.echo("stopped")


def _list(folder: Path) -> None:
    """Print everything that a scenario can name; exit 1 with every problem of the folder."""
    try:
        site, catalog = load_site(folder)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for subject in Simulation(site, catalog, bus=None, clock=SystemClock()).subjects.values():
        typer.echo(f"{subject.on} {subject.id}")
        for fault in subject.faults.values():
            whole = f"{fault.lasts:.9g} s"
            typer.echo(f"  fault {fault.name:24} {fault.id}  {whole:>10}  {fault.label.zh} / {fault.label.en}")
            _list_params(fault.params)
        for act in subject.acts.values():
            typer.echo(f"  act   {act.name:24} {act.label.zh} / {act.label.en}")
            _list_params(act.params)


def _list_params(params: Mapping[str, Param]) -> None:
    for name, one in params.items():
        span = f"{one.low:.9g} .. {one.high:.9g} {symbol(one.unit)}".strip()
        typer.echo(f"          {name} = {one.default:.9g}  ({span})  {one.label.zh} / {one.label.en}")


def write_fleet(fleet: Fleet, folder: Path) -> Path:
    """Write the site folder of a fleet; FleetError when there is something in it already."""
    if folder.exists() and any(folder.iterdir()):
        raise FleetError(f"{folder} is not empty; name a new folder")
    for name, text in fleet.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line."""

    folder: Path
    scenario: Path | None
    speed: float
    ports: Ports
    length: float | None
    seed: int | None
    step: float = STEP


async def _simulate(wish: _Wish) -> None:
    site, catalog = load_site(wish.folder)
    clock = SystemClock()
    played = _scenario(wish.scenario, Simulation(site, catalog, bus=None, clock=clock)) if wish.scenario else None
    seed = wish.seed if wish.seed is not None else played.seed if played else 1
    async with MqttBus(_broker(site), client_id=f"simulation-{site.id}") as bus:
        simulation = Simulation(site, catalog, bus=bus, clock=clock, seed=seed, speed=wish.speed, step=wish.step)
        addresses = await simulation.start(ports=wish.ports.value)
        devices = {device.id: device for device in site.devices}
        for number, (device, (host, port)) in enumerate(addresses.items()):
            if number < SHOWN:
                typer.echo(f"{device}: {host}:{port} unit {devices[device].unit}{_instead_of(devices[device].line)}")
        if len(addresses) > SHOWN:
            typer.echo(f"... and {len(addresses) - SHOWN} more; {len(addresses)} devices in all")
        await _look_for_broker(bus, site, len(site.devices) - len(addresses))
        player = asyncio.create_task(_play(simulation, played))
        try:
            await run_for(simulation, wish.length)
        finally:
            player.cancel()
            await asyncio.gather(player, return_exceptions=True)


def _scenario(path: Path, simulation: Simulation) -> Scenario:
    return load_scenario(path, simulation.subjects)


def _broker(site: Site) -> Broker:
    settings = site.settings.broker
    return Broker(settings.host, settings.port, settings.username, settings.password, settings.tls)


def _instead_of(line: Line) -> str:
    """What the address stands for where it is not that of the site."""
    if line.serial:
        return f", RTU over TCP, for the serial port {line.serial}"
    return ", RTU over TCP" if line.framing is Framing.RTU else ""


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
