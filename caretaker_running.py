"""How a running process of a site is found, asked to read its folder anew, and answers.

`caretaker run` keeps a file `data/run/PID.json` in the site folder while it runs. `caretaker reload` sends its process
SIGHUP (so does `kill -HUP PID`) and waits for `PID.answer.json` beside it, which says what was done or why nothing was.
A file whose process is gone (killed, or a number that another program has now) is swept away by whoever meets it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from caretaker_reload import Outcome
from caretaker_roles import RoleError
from caretaker_site import Whole, load_whole, stamp
from facility.clock import Clock
from facility.errors import ConfigError

log = logging.getLogger(__name__)

FOLDER = "data/run"
LOOK = 1.0
"""Seconds between two looks at the folder's files; a change is taken up once they have stayed the same for as long."""
PATIENCE = 60.0
"""Seconds that a process is given to answer."""
T = TypeVar("T", bound=msgspec.Struct)


class Running(msgspec.Struct):
    """A process of a site. `started`: its start as the system knows it, so that its number can't be mistaken."""

    pid: int
    started: float
    roles: list[str]


class Answer(msgspec.Struct):
    """`read_at`: ms UTC when it began to read the folder. `problems`: why nothing was changed; empty when it was."""

    read_at: int
    problems: list[str] = []
    outcome: Outcome = msgspec.field(default_factory=Outcome)


# --- in the process that runs


@contextmanager
def registered(folder: Path, roles: Sequence[str]) -> Iterator[None]:
    """Be found by `caretaker reload` meanwhile; a folder that can't be written to is no reason not to run."""
    pid = os.getpid()
    place = _place(folder, pid)
    try:
        _write(place, Running(pid, psutil.Process(pid).create_time(), list(roles)))
    except OSError as error:
        log.warning("`caretaker reload` will not find this process, only kill -HUP %d: %s", pid, error)
    try:
        yield
    finally:
        for file in (place, _answer(folder, pid)):
            with suppress(OSError):
                file.unlink(missing_ok=True)


@dataclass
class Reloader:
    """Reads the folder when it is asked to, or when a file changed, and hands a good one to `apply`."""

    folder: Path
    apply: Callable[[Whole], Awaitable[Outcome]]
    clock: Clock
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self) -> None:
        """Reload whenever `asked` is set, until cancelled; one at a time."""
        while True:
            await self.asked.wait()
            self.asked.clear()
            answer = await self.once()
            try:
                await asyncio.to_thread(_write, _answer(self.folder, os.getpid()), answer)
            except OSError as error:
                log.warning("the answer to `caretaker reload` can't be written: %s", error)

    async def watch(self) -> None:
        """Ask for a reload when a file of the folder has changed, and then stayed as it is for a moment."""
        taken = last = await asyncio.to_thread(stamp, self.folder)
        while True:
            await self.clock.sleep(LOOK)
            now = await asyncio.to_thread(stamp, self.folder)
            if now == last and now != taken:
                taken = now
                self.asked.set()
            last = now

    async def once(self) -> Answer:
        """Read, and apply what has no problem."""
        answer = Answer(self.clock.ms())
        try:
            answer.outcome = await self.apply(await asyncio.to_thread(load_whole, self.folder))
        except ConfigError as error:
            answer.problems = [*map(str, error.problems), f"{len(error.problems)} problem(s); nothing was changed"]
        except RoleError as error:
            answer.problems = [f"{error}; nothing was changed"]
        except Exception as error:
            log.exception("reload failed")
            answer.problems = [
                f"{type(error).__name__}: {error}; the change may be applied in part: restart to be sure"
            ]
        for line in answer.problems:
            log.error("reload: %s", line)
        return answer


def on_hangup(reload: Callable[[], None]) -> None:
    """Reload on SIGHUP; but when it comes because the terminal that we were started from is gone, end as by SIGTERM."""
    if not hasattr(signal, "SIGHUP"):
        return
    had_terminal = os.isatty(0)

    def hear() -> None:
        if had_terminal and not os.isatty(0):
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hear)


# --- in the process that asks


def running(folder: Path) -> list[Running]:
    """The processes of a site on this machine, in the order in which to ask them; files of those that are gone are
    swept away."""
    found: list[Running] = []
    for file in sorted((folder / FOLDER).glob("*.json")):
        if file.name.endswith(".answer.json"):
            continue
        known = _read(file, Running)
        if known and _is_alive(known):
            found.append(known)
            continue
        with suppress(OSError):
            file.unlink(missing_ok=True)
            file.with_suffix(".answer.json").unlink(missing_ok=True)
    return sorted(found, key=lambda item: (_rank(item), item.started))


def _rank(process: Running) -> int:
    """Who takes readings in first, who sends them last: nobody is sent what he does not know."""
    if "ingest" in process.roles:
        return 0
    return 1 if {"rules", "api"} & {*process.roles} else 2


async def ask(folder: Path, process: Running, clock: Clock, *, patience: float = PATIENCE) -> Answer:
    """Have a process reload, and wait for what it says; a silent or foreign one answers with a problem."""
    asked = clock.ms()
    try:
        os.kill(process.pid, signal.SIGHUP)
    except ProcessLookupError:
        return Answer(asked, ["it has just ended"])
    except PermissionError:
        return Answer(asked, ["it belongs to another user: ask as that user"])
    end = clock.monotonic() + patience
    while clock.monotonic() < end:
        answer = await asyncio.to_thread(_read, _answer(folder, process.pid), Answer)
        if answer and answer.read_at >= asked:
            return answer
        if not _is_alive(process):
            return Answer(asked, ["it ended before it answered"])
        await clock.sleep(0.05)
    return Answer(asked, [f"no answer within {patience:g} s; see its log"])


def _is_alive(known: Running) -> bool:
    try:
        process = psutil.Process(known.pid)
        return abs(process.create_time() - known.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _place(folder: Path, pid: int) -> Path:
    return folder / FOLDER / f"{pid}.json"


def _answer(folder: Path, pid: int) -> Path:
    return folder / FOLDER / f"{pid}.answer.json"


def _write(place: Path, what: msgspec.Struct) -> None:
    """Whole or not at all: somebody may be reading."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(what))
    fresh.replace(place)


def _read(place: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
