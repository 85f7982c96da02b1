"""`caretaker replay`: a table of measured values as a live Modbus device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from facility.catalog import Catalog, load_catalog
from facility.clock import SystemClock
from facility.duration import spoken
from facility.errors import CaretakerError, ConfigError, Problem
from facility.names import unknown
from facility.points import Profile
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.replay.check import Summary
from simulators.replay.columns import Wishes
from simulators.replay.service import Replay, instant, prepare, refusal
from simulators.replay.table import Table

GAP = 2
"""A wait between two rows that is so many times the average is worth a word."""

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """Recorded tables as live devices."""


@app.command()
def replay(  # noqa: PLR0913, PLR0917 - the command line names every one
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="the table, .csv or .csv.gz / 数据表文件")],
    profile: Annotated[str, typer.Option(help="device model to be / 扮演的设备型号")],
    time_column: Annotated[str, typer.Option(help="column of the time; A+B joins two / 时间列；A+B 合并两列")] = "time",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="column=point,column=point / 列与测点的对应，同名可省")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.001, max=1e6, help="times as fast as recorded / 播放倍速")] = 1.0,
    scale: Annotated[list[str] | None, typer.Option(help="column=factor / 列的倍率")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="column=unit that it is in, UCUM / 列的单位")] = None,
    time_format: Annotated[str, typer.Option(help="as strptime has it: %d/%m/%Y %H:%M / 时间格式")] = "",
    separator: Annotated[str, typer.Option(help="comma, semicolon, tab or pipe / 分隔符，默认自动识别")] = "",
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="site folder / 站点目录")] = None,
    host: Annotated[str, typer.Option(help="address to listen on / 监听地址")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one / 端口，0 为任选")] = 5020,
    unit_id: Annotated[int, typer.Option(min=1, max=247, help="Modbus unit / 从站地址")] = 1,
    loop: Annotated[bool, typer.Option("--loop", help="begin again at the end / 循环播放")] = False,
) -> None:
    """Play a table of measured values as a live Modbus device / 把历史数据表作为在线 Modbus 设备播放."""
    wishes = Wishes(time_column, map_ or (), scale or (), unit or (), time_format, separator)
    clock = SystemClock()
    try:
        found, catalog = _profile(profile, folder, refusal(host, port))
        points = catalog.classes[found.asset_class].points
        table, summary = prepare(file, wishes, found, points, clock=clock, say=_aside)
        typer.echo("\n".join(_about(table, summary, found, speed)))
        device = ModbusUnit(found, unit=unit_id)
        play = Replay(file, table, summary, device, clock=clock, speed=speed)
        asyncio.run(_serve(ModbusHost(host, port, [device]), play, loop=loop))
    except (CaretakerError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("stopped")


def _profile(name: str, folder: Path | None, taken: str) -> tuple[Profile, Catalog]:
    """The profile, if it is one of a Modbus device and nothing is in the way of listening; ConfigError else."""
    catalog = load_catalog(folder)
    problems = [Problem("--port", 0, "", taken)] if taken else []
    known = {key: found for key, found in catalog.profiles.items() if found.protocol == "modbus"}
    if name in catalog.profiles and name not in known:
        problems.append(Problem("--profile", 0, "", f"{name} is no Modbus device; known: {', '.join(known)}"))
    elif name not in known:
        problems.append(Problem("--profile", 0, "", unknown("profile", name, known)))
    if problems:
        raise ConfigError(problems)
    return known[name], catalog


def _aside(text: str) -> None:
    typer.echo(text, err=True)


def _about(table: Table, summary: Summary, profile: Profile, speed: float) -> Iterator[str]:
    span = summary.end - summary.start
    yield (
        f"{table.file}: {summary.rows:,} rows, {instant(summary.start)} to {instant(summary.end)}: "
        f"{spoken(span)}, played in {spoken(span / speed)} at speed {speed:g}"
    )
    yield "".join(f"  {column.name} -> {column.point}\n" for column in table.columns).rstrip()
    given = {column.point for column in table.columns}
    left = [register.point for register in profile.registers if not register.view and register.point not in given]
    if left:
        yield f"  points without a column, not available: {len(left)} of {len(left) + len(given)}"
    if summary.empty:
        yield f"  cells without a value, not available: {summary.empty:,}"
    if summary.backward:
        yield f"  rows earlier than one above them, played at once: {summary.backward:,}"
    if summary.gap > GAP * summary.interval:
        yield f"  longest time between two rows: {spoken(summary.gap)}; the last values stand"
    for key, count in summary.outside.items():
        yield f"  values outside the range of {key}: {count:,}; a gateway takes them for bad. Is the unit right?"


async def _serve(host: ModbusHost, play: Replay, *, loop: bool) -> None:
    address, port = await host.start()
    try:
        typer.echo(f"{address}:{port} unit {host.units[0].unit}")
        await play.run(typer.echo, loop=loop)
        typer.echo("the table is over")
    finally:
        await host.stop()
