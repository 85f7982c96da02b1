"""The error tree: each class says whose fault it is and carries its facts as attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a configuration: where it is and what to do.

    `file` is the path as the user gave it, `line` is 1-based (0 if unknown), `path` is the place
    inside the document (`devices[2].profile`). `column` is 1-based in characters, 0 where the line says enough.
    """

    file: str
    line: int
    path: str
    message: str
    column: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{where}:{self.column}" if self.line and self.column else where
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class CaretakerError(Exception):
    """Root of every error that Caretaker raises on purpose."""


class ConfigError(CaretakerError):
    """The site folder, a class, a profile or a rule is wrong. Holds every problem at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def attempt(problems: list[Problem], work: Callable[[], T]) -> T | None:
    """What `work` gives; None when it can't, and its problems are noted."""
    try:
        return work()
    except ConfigError as error:
        problems += error.problems
        return None


class DeviceError(CaretakerError):
    """A device did not answer as its profile says: `device` id, `kind` (timeout, refused, exception, garbage)."""

    def __init__(self, device: str, kind: str, message: str, *, code: int | None = None) -> None:
        self.device = device
        self.kind = kind
        self.code = code
        super().__init__(f"device {device}: {message}")


class DecodeError(CaretakerError):
    """A payload or a register block can't be understood: `reason` is short enough for a table."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TransitionError(CaretakerError):
    """A command is illegal in this state: the caller's fault, HTTP 409."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        self.machine = machine
        self.state = state
        self.event = event
        super().__init__(f"{machine}: {event!r} is not allowed in state {state!r}")


class StoreError(CaretakerError):
    """A store can't take or give data now. `retry` says whether the same call may work later."""

    def __init__(self, store: str, message: str, *, retry: bool = True) -> None:
        self.store = store
        self.retry = retry
        super().__init__(f"{store}: {message}")


class BusError(CaretakerError):
    """The broker can't be reached or refused; the same publish may work after it is back."""
