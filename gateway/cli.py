"""`caretaker plan`: what is asked of each device, and how long that takes. `caretaker record`: a device as a table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

import typer

from facility.assets import Device
from facility.catalog import Catalog
from facility.clock import SystemClock, from_ms
from facility.config import load_site
from facility.errors import ConfigError
from gateway.arguments import device_at, device_of_site, duration, narrowed
from gateway.check import Planned, check, planned, polled
from gateway.lesson_book import LessonBook, open_book
from gateway.lessons import Lessons, fingerprint
from gateway.modbus import ModbusConnection
from gateway.planner import Cycle, Read, UnreadableError
from gateway.record import DeviceReader, Recorder

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """The edge: how devices are read."""


@app.command()
def plan(
    folder: Annotated[Path, typer.Argument(help="site folder / 站点目录")],
    device: Annotated[str, typer.Option(help="only this device / 仅此设备")] = "",
) -> None:
    """Print the reads of each device and the predicted cycle / 打印每台设备的读取计划与预计周期."""
    try:
        site, catalog = load_site(folder)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(1) from error
    devices = [found for found in polled(site, catalog) if device in ("", found.id)]
    if device and not devices:
        known = ", ".join(found.id for found in polled(site, catalog))
        typer.echo(f"there is no polled device {device!r}; known: {known}", err=True)
        raise typer.Exit(1)
    books: dict[str, LessonBook] = {}
    for found in devices:
        try:
            if found.gateway not in books:
                books[found.gateway] = open_book(site, found.gateway)
            lessons = books[found.gateway].of(found.id, fingerprint(found, catalog.profiles[found.profile]))
            typer.echo("\n".join(_table(planned(found, catalog, lessons))))
        except UnreadableError as error:
            typer.echo(f"{found.id}: {error}", err=True)
    problems = check(site, catalog)
    for line in problems:
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(1)


def _table(plan_: Planned) -> Iterator[str]:
    device = plan_.device
    yield f"{device.id}  {plan_.profile.id}  {device.line.name} unit {device.unit}"
    for cycle in plan_.cycles:
        yield from _cycle(plan_, cycle)
    points = sum(len(read.registers) for cycle in plan_.cycles for read in cycle.reads)
    reads = sum(len(cycle.reads) for cycle in plan_.cycles)
    alone = points + len(plan_.lessons.refused)
    yield f"  {points} points in {reads} reads (one by one: {alone}), {plan_.share:.1%} of the connection's time"
    yield from _learnt(plan_.lessons)
    yield ""


def _learnt(lessons: Lessons) -> Iterator[str]:
    """What the device was found to refuse."""
    for point, refusal in sorted(lessons.refused.items()):
        last = f"last {from_ms(refusal.at):%Y-%m-%d %H:%M} UTC" if refusal.at else "to be asked for again"
        yield f"  refused: {point}, {last}: {refusal.error}"
    if lessons.cuts:
        places = ", ".join(f"{table} {address}" for table, address in sorted(lessons.cuts))
        yield f"  not read across: {places}"
    if lessons.firmware:
        yield f"  firmware: {lessons.firmware}"


def _cycle(plan_: Planned, cycle: Cycle) -> Iterator[str]:
    seconds = plan_.seconds(cycle)
    yield f"  every {cycle.interval:g} s: {len(cycle.reads)} reads, about {seconds * 1000:.0f} ms"
    for read in cycle.reads:
        yield f"    {read.table:<9}{_range(read):<14}{read.count:>5} cells {len(read.registers):>5} points"


def _range(read: Read) -> str:
    return f"{read.address}..{read.end - 1}"


@app.command()
def record(  # noqa: PLR0913, PLR0917 - the command line names every one
    source: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]|DIR", help="device or site folder / 设备地址或站点目录")
    ],
    out: Annotated[Path, typer.Option(help="table to write / 输出数据表", dir_okay=False)],
    profile: Annotated[str, typer.Option(help="its model, for an address / 设备型号")] = "",
    device: Annotated[str, typer.Option(help="device of the site folder / 站点中的设备")] = "",
    unit_id: Annotated[int, typer.Option(min=0, max=255, help="Modbus unit / 从站地址")] = 1,
    every: Annotated[str, typer.Option(help="time between rows / 采样间隔")] = "1s",
    for_: Annotated[str, typer.Option("--for", help="such as 60s, 5m; else until Ctrl-C / 时长")] = "",
    points: Annotated[str, typer.Option(help="only these, comma between / 仅这些测点")] = "",
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="site folder / 站点目录")] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite the table / 覆盖已有文件")] = False,
) -> None:
    """Read a real device and write a table that `caretaker replay` plays / 读取实际设备并写成可播放的数据表."""
    try:
        interval, length = duration("--every", every), duration("--for", for_) if for_ else None
        if device or Path(source).is_dir():
            found, catalog = device_of_site(Path(source), device, profile)
        else:
            found, catalog = device_at(source, profile, unit_id, folder)
        found = replace(found, points=narrowed(points, found, catalog))
        with out.open("w" if force else "x", encoding="utf-8", newline="") as table:
            rows = asyncio.run(_record(found, catalog, table, every=interval, length=length))
        if not rows:
            raise typer.Exit(1)
    except FileExistsError as error:
        typer.echo(f"{out} is there already; --force overwrites it", err=True)
        raise typer.Exit(1) from error
    except (ConfigError, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; {out} is complete up to here")


async def _record(device: Device, catalog: Catalog, table: TextIO, *, every: float, length: float | None) -> int:
    """Record; how many rows there are."""
    profile, clock = catalog.profiles[device.profile], SystemClock()
    connection = ModbusConnection(device.line)
    try:
        reader = DeviceReader(device, profile, catalog.classes[profile.asset_class].points, connection, clock)
        recorder = Recorder(reader, table, clock, lambda text: typer.echo(text, err=True))
        typer.echo(f"{device.line.name} unit {device.unit}: {len(reader.keys)} points every {every:g} s")
        await recorder.run(every, length)
        typer.echo(f"{recorder.rows} rows")
        return recorder.rows
    finally:
        connection.close()
