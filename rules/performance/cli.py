"""`caretaker report`: a month's report on the alarm system, as a file that prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.errors import CaretakerError
from rules.performance.monthly import report_of
from rules.performance.months import Month
from rules.performance.report import page
from rules.records.looking import look_into


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the site folder")],
    month: Annotated[str, typer.Option(help="such as 2026-10; the last whole month if not given")] = "",
    language: Annotated[str, typer.Option(help="zh or en; the site's first if not given")] = "",
    out: Annotated[Path | None, typer.Option(help="the file to write; the terminal if not given")] = None,
) -> None:
    """Tell how good the alarm system was in a month, as HTML that prints / 报警系统月报."""
    if language not in ("", "zh", "en"):
        raise typer.BadParameter("the language is zh or en", param_hint="--language")
    try:
        site, _ = load_site(folder)
        now = SystemClock().ms()
        wanted = Month.read(month) if month else Month.of(now, ZoneInfo(site.time_zone)).before
        text = asyncio.run(_page(site, wanted, language or site.languages[0], now))
        if out is not None:
            out.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"{out}: can't be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    except (CaretakerError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(text if out is None else f"{out}: {wanted}")


async def _page(site: Site, month: Month, language: str, now: int) -> str:
    async with look_into(site.settings.records, site.folder) as records:
        return page(await report_of(records, site, month, now), language)
