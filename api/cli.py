"""`caretaker user ...` and `caretaker token ...`: who may come in. The site folder comes first, as everywhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from api.accounts import AccountError, Accounts
from api.auth import Passwords, Role
from facility.clock import SystemClock, from_ms
from facility.config import load_site
from facility.errors import ConfigError, StoreError
from rules.records.records import open_records

T = TypeVar("T")

user_app = typer.Typer(add_completion=False, help="People who may log in, and in which role.", no_args_is_help=True)
token_app = typer.Typer(
    add_completion=False, help="Tokens: for Grafana, scripts and other services.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="the site folder", exists=True, file_okay=False)]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="the user's name")]
ACTOR = "command line"
DAY_MS = 86_400_000


@user_app.command("add")
def add_user(
    folder: Folder,
    name: UserName,
    *,
    role: Annotated[Role, typer.Option(help="what the user may do")] = Role.VIEWER,
    language: Annotated[str, typer.Option(help="zh or en")] = "zh",
    password_stdin: Annotated[bool, typer.Option(help="read the password from standard input")] = False,
) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    if not 1 <= len(name) <= 64 or not name.isprintable():
        _fail("a name has 1 to 64 printable characters")
    if language not in ("zh", "en"):
        _fail("the language is zh or en")
    digest = _hash(_password(password_stdin))

    async def add(accounts: Accounts, at: int) -> None:
        await accounts.add(name, role, language=language, password_hash=digest, at=at, actor=ACTOR)

    _with_accounts(folder, add)
    typer.echo(f"added {name} ({role.value})")


@user_app.command("list")
def list_users(folder: Folder) -> None:
    """Every user with its role."""

    async def rows(accounts: Accounts, _at: int) -> list[str]:
        return [
            f"{item.user.name:<24} {item.user.role.value:<9} {item.user.language}"
            + ("  disabled" if item.disabled else "")
            for item in await accounts.all()
        ]

    for line in _with_accounts(folder, rows):
        typer.echo(line)


@user_app.command("disable")
def disable_user(folder: Folder, name: UserName) -> None:
    """Shut a user out: no login, and its tokens are no good any more."""

    async def disable(accounts: Accounts, at: int) -> None:
        await accounts.change(name, {"disabled": True}, at=at, actor=ACTOR, action="user.disable")

    _with_accounts(folder, disable)
    typer.echo(f"disabled {name}; sessions end within seconds")


@user_app.command("password")
def set_password(
    folder: Folder,
    name: UserName,
    *,
    password_stdin: Annotated[bool, typer.Option(help="read the password from standard input")] = False,
) -> None:
    """Give a user a new password, and let it in again if it was disabled."""
    digest = _hash(_password(password_stdin))

    async def change(accounts: Accounts, at: int) -> None:
        values: dict[str, object] = {"password_hash": digest, "disabled": False}
        await accounts.change(name, values, at=at, actor=ACTOR, action="user.password")

    _with_accounts(folder, change)
    typer.echo(f"new password for {name}")


@token_app.command("add")
def add_token(
    folder: Folder,
    user: Annotated[str, typer.Argument(metavar="USER", help="whose rights it has")],
    *,
    name: Annotated[str, typer.Option(help="what it is for, such as grafana")] = "service",
    days: Annotated[int, typer.Option(min=1, max=3650, help="how long it is good")] = 365,
) -> None:
    """Make a token and print it: this once, it is kept nowhere."""

    async def add(accounts: Accounts, at: int) -> str:
        account = await accounts.by_name(user)
        if account is None:
            raise AccountError(f"there is no user {user!r}")
        return await accounts.add_token(account.user, name[:64], at, expires=at + days * DAY_MS, actor=ACTOR)

    typer.echo(_with_accounts(folder, add))


@token_app.command("list")
def list_tokens(folder: Folder) -> None:
    """Every token: number, user, what for, until when."""

    async def rows(accounts: Accounts, at: int) -> list[str]:
        lines = []
        for row in await accounts.token_rows():
            over = row.expires_at is not None and row.expires_at <= at
            state = "revoked" if row.revoked_at else "expired" if over else "good"
            lines.append(f"{row.id:>6} {row.user:<24} {row.name:<16} {state:<8} until {_day(row.expires_at)}")
        return lines

    for line in _with_accounts(folder, rows):
        typer.echo(line)


@token_app.command("revoke")
def revoke_token(folder: Folder, number: Annotated[int, typer.Argument(help="the number that `list` shows")]) -> None:
    """End a token; it is refused within seconds."""

    async def revoke(accounts: Accounts, at: int) -> None:
        await accounts.revoke(number, at=at, actor=ACTOR)

    _with_accounts(folder, revoke)
    typer.echo(f"revoked {number}")


def _with_accounts(folder: Path, work: Callable[[Accounts, int], Awaitable[T]]) -> T:
    """Run `work` with the site's accounts and the instant; errors become one line and exit 1."""

    async def run() -> T:
        site, _ = load_site(folder)
        async with open_records(site.settings.records, site.folder) as records:
            return await work(Accounts(records), SystemClock().ms())

    try:
        return asyncio.run(run())
    except (ConfigError, StoreError, AccountError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _hash(password: str) -> str:
    try:
        return Passwords().hash_now(password)
    except ValueError as error:
        _fail(str(error))


def _day(ms: int | None) -> str:
    return from_ms(ms).astimezone(datetime.now().astimezone().tzinfo).strftime("%Y-%m-%d") if ms else "for ever"
