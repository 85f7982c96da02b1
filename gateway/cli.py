"""`caretaker plan`: what will be asked of each device, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from facility.config import load_site
from facility.errors import ConfigError
from gateway.check import Planned, check, planned, polled
from gateway.planner import Cycle, Read, UnreadableError

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
    for found in devices:
        try:
            typer.echo("\n".join(_table(planned(found, catalog))))
        except UnreadableError as error:
            typer.echo(f"{found.id}: {error}", err=True)
    problems = check(site, catalog)
    for line in problems:
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(1)


def _table(plan_: Planned) -> Iterator[str]:
    device = plan_.device
    yield f"{device.id}  {plan_.profile.id}  {device.host}:{device.port} unit {device.unit}"
    for cycle in plan_.cycles:
        yield from _cycle(plan_, cycle)
    points = sum(len(read.registers) for cycle in plan_.cycles for read in cycle.reads)
    reads = sum(len(cycle.reads) for cycle in plan_.cycles)
    yield f"  {points} points in {reads} reads, {plan_.share:.1%} of the connection's time"
    yield ""


def _cycle(plan_: Planned, cycle: Cycle) -> Iterator[str]:
    seconds = plan_.seconds(cycle)
    yield f"  every {cycle.interval:g} s: {len(cycle.reads)} reads, about {seconds * 1000:.0f} ms"
    for read in cycle.reads:
        yield f"    {read.table:<9}{_range(read):<14}{read.count:>5} cells {len(read.registers):>5} points"


def _range(read: Read) -> str:
    return f"{read.address}..{read.end - 1}"
