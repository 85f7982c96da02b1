"""`caretaker rules backtest`: beside the rules' own commands, for it needs the readings of ingest too."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from api.backtest import Tried, run_backtest, span_of, way_to
from caretaker_commands import fail
from caretaker_running import running
from caretaker_site import load_whole
from facility.errors import CaretakerError, ConfigError
from rules.cli import Language, app
from rules.trial.table import as_json, lines


@app.command()
def backtest(  # noqa: PLR0913 - each is an option of the command line
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the site folder / 站点目录", exists=True)],
    *,
    begin: Annotated[str, typer.Option("--from", help="local time, or a span ago / 开始时间")] = "7d",
    until: Annotated[str, typer.Option("--to", help="the same; now if not given / 结束时间")] = "",
    given: Annotated[
        Path | None,
        typer.Option("--rules", help="a file or folder to try over the site's / 待试规则", exists=True),
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="print JSON / 输出 JSON")] = False,
    url: Annotated[str, typer.Option("--api", help="the API of the running site / 运行中站点的 API 地址")] = "",
    api_from: Annotated[
        str, typer.Option("--token-env", help="environment variable with a token for it / API 令牌所在环境变量")
    ] = "CARETAKER_API_TOKEN",
    language: Annotated[Language | None, typer.Option(help="zh or en; the site's first / 语言")] = None,
) -> None:
    """Run changed rules over stored history, old against new / 用历史数据对比新旧规则."""
    try:
        whole = load_whole(folder)
        house = Tried(whole.site, whole.catalog, whole.rulebook)
        spoken = language.value if language else whole.site.languages[0]
        span = span_of(whole.site, begin, until)
        is_held = any("ingest" in process.roles for process in running(folder))
        way = way_to(whole.site, url, os.environ.get(api_from, "")) if is_held else None
        report = asyncio.run(run_backtest(house, given, span, way, spoken))
    except ConfigError as error:
        fail("\n".join([*map(str, error.problems), f"{len(error.problems)} problem(s); nothing was run"]))
    except (CaretakerError, ValueError) as error:
        fail(str(error))
    if as_json_:
        typer.echo(json.dumps(as_json(report), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(lines(report, spoken)))
