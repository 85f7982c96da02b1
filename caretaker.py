"""The command line: one program, each package's commands joined under it. Nothing imports this module.

A command's module is imported when the command is asked for, or by --help, which tells of all of them: a gateway on a
small machine starts without web server, database and simulators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS: Mapping[str, str] = {
    "init": "caretaker_commands:init",
    "check": "caretaker_commands:check",
    "plan": "gateway.cli:plan",
    "probe": "gateway.probe_cli:probe_device",
    "record": "gateway.cli:record",
    "run": "caretaker_commands:run",
    "reload": "caretaker_commands:reload",
    "demo": "caretaker_commands:demo",
    "simulate": "simulators.cli:simulate",
    "replay": "simulators.replay.cli:replay",
    "report": "rules.performance.cli:report",
    "schema": "caretaker_commands:schema",
    "import": "gateway.import_cli:app",
    "user": "api.cli:user_app",
    "token": "api.cli:token_app",
    "profile": "gateway.profile_cli:app",
    "rules": "caretaker_backtest:app",
    "dashboards": "dashboards.cli:app",
}
"""Command -> where its function, or the group of its commands, is."""


class Commands(TyperGroup):
    """The commands of COMMANDS, each imported when it is wanted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table."""
        _ = ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, if there is one."""
        _ = ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return _made(cmd_name, getattr(import_module(module), name))


def _made(name: str, found: typer.Typer | Callable[..., Any]) -> Any:
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False)
        found.command(name)(function)
    command = typer.main.get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    help="Caretaker 守护: watches over a building's equipment.",
)


@app.callback()
def _program() -> None:
    """Nothing comes before the commands."""


def main() -> None:
    """Entry point of the `caretaker` program."""
    app()


if __name__ == "__main__":
    main()
