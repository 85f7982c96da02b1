"""`caretaker probe`: read a live Modbus device once by a profile, and print what came, or why nothing did."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facility.assets import Device
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.errors import ConfigError, DeviceError, Problem
from gateway.arguments import device_at, device_of_site, duration, narrowed
from gateway.modbus import ModbusConnection
from gateway.planner import wanted
from gateway.probe import cause, distinct, first_register, lines, probe, scan, strange
from gateway.record import DeviceReader

app = typer.Typer(no_args_is_help=True)
_UNITS = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")


@app.callback()
def _commands() -> None:
    """The edge: one device, read once."""


@app.command("probe")
def probe_device(  # noqa: PLR0913, PLR0917 - the command line names every one
    source: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]|DIR", help="device or site folder / 设备地址或站点目录")
    ],
    profile: Annotated[str, typer.Option(help="its model, for an address / 设备型号")] = "",
    device: Annotated[str, typer.Option(help="device of the site folder / 站点中的设备")] = "",
    unit_id: Annotated[int, typer.Option(min=0, max=255, help="Modbus unit / 从站地址")] = 1,
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="site folder / 站点目录")] = None,
    points: Annotated[str, typer.Option(help="only these, comma between / 仅这些测点")] = "",
    all_units: Annotated[str, typer.Option(help="A-B: which unit ids answer / 扫描从站地址")] = "",
    timeout: Annotated[str, typer.Option(help="for an answer, such as 2s / 应答超时")] = "",
    language: Annotated[str, typer.Option(help="of labels and states, en or zh / 标签语言")] = "en",
) -> None:
    """Read a live device once and print every point with its raw words / 读取一次设备并打印各测点与原始字."""
    try:
        if device or Path(source).is_dir():
            found, catalog = device_of_site(Path(source), device, profile)
        else:
            found, catalog = device_at(source, profile, unit_id, folder)
        found = replace(found, points=narrowed(points, found, catalog))
        seconds = duration("--timeout", timeout) if timeout else 0.0
        if all_units:
            worked = asyncio.run(_scan(found, catalog, _range(all_units), seconds or 0.5))
        else:
            worked = asyncio.run(_probe(found, catalog, seconds, language))
    except (ConfigError, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if not worked:
        raise typer.Exit(1)


def _range(text: str) -> range:
    """The unit ids of A-B; ConfigError when it is none."""
    match = _UNITS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last <= 255:
        raise ConfigError([Problem("--all-units", 0, "", f"{text!r} is no range of unit ids, such as 1-247")])
    return range(first, last + 1)


async def _probe(device: Device, catalog: Catalog, timeout: float, language: str) -> bool:
    """Read and print; whether the device answered at all."""
    profile = catalog.profiles[device.profile]
    if timeout:
        profile = replace(profile, limits=replace(profile.limits, timeout=timeout))
    points = catalog.classes[profile.asset_class].points
    connection = ModbusConnection(device.line)
    typer.echo(f"{device.line.name} unit {device.unit}, {profile.id}")
    try:
        found = await probe(DeviceReader(device, profile, points, connection, SystemClock()), points)
        doubts = [line async for line in strange(connection, device, profile)] if found.answered else []
    finally:
        connection.close()
    if found.answered:
        for line in lines(found, language):
            typer.echo(line)
    for doubt in doubts:
        typer.echo(doubt, err=True)
    for error in distinct(found.errors):
        typer.echo(f"{error}\n  {cause(error, device.unit)}", err=True)
    return found.answered


async def _scan(device: Device, catalog: Catalog, units: range, timeout: float) -> bool:
    """Print the unit ids that answer; whether any did."""
    register = first_register(wanted(catalog.profiles[device.profile], device))
    connection = ModbusConnection(device.line)
    place = f"{device.line.name}"
    typer.echo(f"{place} units {units[0]} to {units[-1]}, {timeout:g} s each for {register.table} {register.address}")
    count = 0
    try:
        async for unit, said in scan(connection, register, units, timeout):
            count += 1
            typer.echo(f"unit {unit:>3} {said}")
    except DeviceError as error:
        typer.echo(f"{error}\n  {cause(error, device.unit)}", err=True)
    finally:
        connection.close()
    typer.echo(f"{count} of {len(units)} units answer")
    return count > 0
