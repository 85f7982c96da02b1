"""`caretaker dashboards`: boards as files for provisioning, or pushed to a Grafana."""

from __future__ import annotations

import dataclasses
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from dashboards import build as building
from dashboards.push import Grafana, PushError
from dashboards.push import push as push_all
from dashboards.sources import Access, sources
from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.errors import ConfigError
from facility.settings import ReadingsSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Grafana boards as code.")
Folder = Annotated[Path, typer.Argument(help="site folder / 站点目录")]
Languages = Annotated[
    list[str] | None, typer.Option("--language", help="zh, en; all of the site's if not given / 语言")
]


class Source(StrEnum):
    """Where panels of readings ask."""

    INFLUX = "influx"
    API = "api"


From = Annotated[
    Source | None,
    typer.Option("--readings", help="influx or api; as `readings` of site.yaml says if not given / 读数来源"),
]


@app.callback()
def _commands() -> None:
    """Grafana boards as code / Grafana 看板."""


@app.command()
def build(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="where to write / 输出目录")],
    language: Languages = None,
    readings: From = None,
) -> None:
    """Write boards and provisioning files / 生成看板与预置文件."""
    site, catalog = _site(folder, readings)
    written = building.write(site, catalog, _languages(site, language), out)
    typer.echo(f"{len(written)} files in {out} / 已写入 {len(written)} 个文件")


@app.command()
def push(  # noqa: PLR0913 - each is an option of the command line
    folder: Folder,
    *,
    url: Annotated[str, typer.Option(help="Grafana's address / Grafana 地址")],
    grafana_from: Annotated[
        str, typer.Option("--token-env", help="environment variable with its token / 令牌所在环境变量")
    ] = "GRAFANA_TOKEN",
    api_url: Annotated[str, typer.Option(help="the API as Grafana reaches it / Grafana 访问 API 的地址")] = "",
    api_from: Annotated[
        str,
        typer.Option("--api-token-env", help="environment variable with a token for the API / API 令牌所在环境变量"),
    ] = "CARETAKER_API_TOKEN",
    language: Languages = None,
    readings: From = None,
) -> None:
    """Set up folders, data sources and boards; doing it twice changes nothing / 推送到 Grafana，可重复执行."""
    site, catalog = _site(folder, readings)
    languages = _languages(site, language)
    settings = site.settings
    scheme = "https" if settings.api.tls_certificate else "http"
    access = Access(
        api_url or f"{scheme}://{settings.api.host}:{settings.api.port}",
        _secret(api_from),
        settings.readings.token,
    )
    try:
        done = push_all(
            Grafana(url, _secret(grafana_from)),
            site.id,
            building.boards(site, catalog, languages),
            folders={name: building.folder_title(site, name) for name in languages},
            sources=sources(settings.readings, access),
        )
    except PushError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for item in done:
        typer.echo(f"{item.how:<10}{item.what}: {item.name}")


def _site(folder: Path, readings: Source | None) -> tuple[Site, Catalog]:
    try:
        site, catalog = load_site(folder)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(1) from error
    return (_asking(site, readings) if readings else site), catalog


def _asking(site: Site, readings: Source) -> Site:
    """The site as if its settings named this source of readings."""
    kind = "influxdb" if readings is Source.INFLUX else "duckdb"
    try:
        wanted = ReadingsSettings.model_validate(site.settings.readings.model_dump() | {"kind": kind})
    except ValidationError as error:
        typer.echo(
            "--readings influx needs `url`, `bucket` and `token` of an InfluxDB under `readings` in site.yaml"
            " / 请在 site.yaml 的 readings 中填写 InfluxDB 的 url、bucket 和 token",
            err=True,
        )
        raise typer.Exit(2) from error
    return dataclasses.replace(site, settings=site.settings.model_copy(update={"readings": wanted}))


def _languages(site: Site, wanted: list[str] | None) -> tuple[str, ...]:
    unknown = sorted(set(wanted or ()) - {"zh", "en"})
    if unknown:
        typer.echo(f"there is no language {unknown[0]!r}; known: zh, en / 未知语言", err=True)
        raise typer.Exit(2)
    return tuple(dict.fromkeys(wanted)) if wanted else site.languages


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        typer.echo(f"the environment variable {name} is not set / 未设置环境变量 {name}", err=True)
        raise typer.Exit(2)
    return value
