"""`caretaker plan`: what is asked of each device, and how long that takes. `caretaker record`: a device as a table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

import typer

from facility.assets import Device, Line
from facility.catalog import Catalog, load_catalog
from facility.clock import SystemClock, from_ms
from facility.config import load_site
from facility.duration import seconds
from facility.errors import ConfigError, Problem
from facility.names import unknown
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


ADDRESS = re.compile(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?")
"""HOST, HOST:PORT, [IPV6]:PORT."""


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
        interval, length = _duration("--every", every), _duration("--for", for_) if for_ else None
        if device or Path(source).is_dir():
            found, catalog = _of_site(Path(source), device, profile)
        else:
            found, catalog = _at(source, profile, unit_id, folder)
        found = replace(found, points=_narrowed(points, found, catalog))
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


def _duration(option: str, text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError([Problem(option, 0, "", str(error))]) from error


def _of_site(folder: Path, name: str, profile: str) -> tuple[Device, Catalog]:
    """A polled device of a site; ConfigError when there is none of that name, or it is given a profile."""
    site, catalog = load_site(folder)
    known = {found.id: found for found in polled(site, catalog)}
    problems = []
    if name not in known:
        problems.append(Problem("--device", 0, "", unknown("polled device", name, known)))
    if profile:
        problems.append(Problem("--profile", 0, "", "is for an address; the devices of a site have theirs"))
    if problems:
        raise ConfigError(problems)
    return known[name], catalog


def _at(address: str, profile: str, unit: int, folder: Path | None) -> tuple[Device, Catalog]:
    """A device at an address; ConfigError when it or its profile is none."""
    catalog = load_catalog(folder)
    known = [key for key, found in catalog.profiles.items() if found.protocol == "modbus"]
    match = ADDRESS.fullmatch(address)
    port = int(match[2] or 502) if match else 0
    problems = []
    if match is None or not 0 < port < 65_536:
        problems.append(Problem(address, 0, "", "is no HOST or HOST:PORT; a site folder needs --device"))
    if profile not in known:
        problems.append(Problem("--profile", 0, "", unknown("profile of a Modbus device", profile, known)))
    if match is None or problems:
        raise ConfigError(problems)
    return Device(f"unit {unit}", "", profile, "", Line(match[1].strip("[]"), port), unit), catalog


def _narrowed(points: str, device: Device, catalog: Catalog) -> frozenset[str]:
    """The points to record: those that are named, else those of the device; ConfigError for unknown ones."""
    names = [name.strip() for name in points.split(",") if name.strip()]
    known = catalog.profiles[device.profile].points
    problems = [Problem("--points", 0, "", unknown("point", name, known)) for name in names if name not in known]
    if problems:
        raise ConfigError(problems)
    return frozenset(names) or device.points


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
