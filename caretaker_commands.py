"""The commands that run a site: init, check, run, reload, demo, schema."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
import uvloop

from caretaker_reload import reload as apply_changes
from caretaker_roles import ROLES, House, check_roles, open_house
from caretaker_running import Reloader, Running, ask, on_hangup, registered, running
from caretaker_site import Whole, load_whole
from facility.clock import SystemClock
from facility.config import schema as site_schema
from facility.duration import seconds
from facility.errors import CaretakerError, ConfigError

if TYPE_CHECKING:
    from caretaker_demo import Demo, Options

STARTER = Path(__file__).parent / "facility" / "starter"
log = logging.getLogger("caretaker")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="the site folder")]


def init(folder: Folder) -> None:
    """Make a starter site folder, commented."""
    if folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; name a new folder")
    shutil.copytree(STARTER, folder, dirs_exist_ok=True)
    typer.echo(f"{folder} is ready. Next: edit its files, then `caretaker check {folder}`")


def check(folder: Folder) -> None:
    """Tell every problem of a site folder at once, with file and line; exit 1 if there is one."""
    whole = _load(folder)
    site, catalog, rulebook = whole.site, whole.catalog, whole.rulebook
    points = sum(len(catalog.profiles[device.profile].points) for device in site.devices)
    typer.echo(
        f"{folder}: no problems. {len(site.assets)} assets, {len(site.devices)} devices, {points} points, "
        f"{len(rulebook.rules)} rules, {len(site.channels)} channels"
    )


def run(
    folder: Folder,
    roles: Annotated[str, typer.Option(help=f"some of {', '.join(ROLES)}, gateway:ID; comma between")] = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="reload when a file of the folder changes / 目录变化时自动重新加载")
    ] = False,
) -> None:
    """Run the named roles of a site (all, if none are named) until Ctrl-C."""
    whole = _load(folder)
    names = [name.strip() for name in roles.split(",") if name.strip()] or list(ROLES)
    problems = check_roles(whole.site, names)
    if problems:
        fail("\n".join(problems))
    house = House(whole.site, whole.catalog, whole.rulebook, SystemClock())
    _until_stopped(lambda: _run(house, names, watch=watch))


async def _run(house: House, names: list[str], *, watch: bool) -> None:
    reloader = Reloader(house.site.folder, lambda whole: apply_changes(house, whole), house.clock)
    on_hangup(reloader.asked.set)
    async with open_house(house, names):
        house.spawn("reloader", reloader.serve())
        if watch:
            house.spawn("watcher", reloader.watch())
        with registered(house.site.folder, names):
            typer.echo(
                f"running {', '.join(names)} of {house.site.id}" + (f"; {house.address}" if house.address else "")
            )
            await house.wait()


def reload(folder: Folder) -> None:
    """Apply an edited site folder to its running processes, only what changed / 让运行中的进程应用修改后的站点目录."""
    if not hasattr(signal, "SIGHUP"):
        fail("this system has no SIGHUP: run with --watch instead")
    try:
        load_whole(folder)
    except ConfigError as error:
        told = [*map(str, error.problems), f"{len(error.problems)} problem(s); nothing was changed"]
        fail("\n".join(told))
    processes = running(folder)
    if not processes:
        fail(f"no process of {folder} runs on this machine; start it with `caretaker run {folder}`")
    if not asyncio.run(_ask_all(folder, processes)):
        raise typer.Exit(1)


async def _ask_all(folder: Path, processes: list[Running]) -> bool:
    """One after the other until one refuses; print what each says; whether all did it."""
    for process in processes:
        answer = await ask(folder, process, SystemClock())
        typer.echo(f"process {process.pid} ({', '.join(process.roles)}):", err=bool(answer.problems))
        for line in answer.problems or answer.outcome.lines():
            typer.echo(f"  {line}", err=bool(answer.problems))
        if answer.problems:
            return False
    return True


def demo(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    for_: Annotated[str, typer.Option("--for", help="how long, such as 60s or 5m; until Ctrl-C if not given")] = "",
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="how fast the simulated time runs")] = 1.0,
    scenario: Annotated[str, typer.Option(help="a shipped scenario (tour, drill, wires) or a file")] = "",
    site: Annotated[
        Path | None, typer.Option(help="a site folder of your own instead of the demonstration tower", exists=True)
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="of API and console; 0 takes a free one")] = 8000,
    report: Annotated[Path | None, typer.Option(help="write what the run proved as JSON")] = None,
    seed: Annotated[int | None, typer.Option(help="of the simulation; the scenario's, or 1, if not given")] = None,
) -> None:
    """Run a simulated building with all roles on this machine."""
    from caretaker_demo import DEMO_SITE, Options, scenario_file

    house = site or DEMO_SITE
    file = scenario_file(scenario, house) if scenario else None
    if file and not file.exists():
        fail(f"there is no scenario {scenario!r}: name a shipped one (tour, drill, wires) or a YAML file")
    folder = Path(tempfile.mkdtemp(prefix="caretaker-demo-"))
    options = Options(folder, file, _seconds(for_) if for_ else None, speed, port, seed, house)
    try:
        _until_stopped(lambda: _demo(options, report))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _demo(options: Options, report: Path | None) -> None:
    from caretaker_demo import conclude, open_demo, play

    async with open_demo(options, SystemClock(), typer.echo) as running:
        _welcome(running)
        stopped = False
        try:
            await play(running, options, typer.echo)
        except asyncio.CancelledError:
            stopped = True
            if report is None:
                raise
        if report is not None or options.seconds is not None:
            outcome = await conclude(running)
            text = json.dumps(outcome, indent=1)
            if report:
                await asyncio.to_thread(report.write_text, text + "\n")
            typer.echo(text)
        if stopped:
            raise asyncio.CancelledError


def _welcome(running: Demo) -> None:
    typer.echo(
        f"\n  Caretaker 守护 is running: {running.address}/\n"
        f"  user {'operator'}   password {running.password}   (made for this run)\n"
        f"  Ctrl-C stops it\n"
    )


def schema() -> None:
    """Print the JSON Schema of site.yaml, for editors."""
    typer.echo(json.dumps(site_schema(), indent=1, ensure_ascii=False))


def _load(folder: Path) -> Whole:
    """The whole site, or every problem of it on stderr and exit 1."""
    try:
        return load_whole(folder)
    except ConfigError as error:
        told = [*map(str, error.problems), f"{len(error.problems)} problem(s); nothing was started"]
        fail("\n".join(told))


def fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _seconds(text: str) -> float:
    """60s, 5m, 2h or plain seconds."""
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _until_stopped(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run to the end, or until SIGINT or SIGTERM; a second signal stops at once. Our own errors exit 1, in words."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    for noisy in ("httpx", "nicegui", "uvicorn.error", "alembic", "pymodbus.logging"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        uvloop.run(guarded())
    except CaretakerError as error:
        fail(str(error))
