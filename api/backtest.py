"""The back-test of `caretaker rules backtest`: changed rules over the stored history of a site.

Where the history comes from: an InfluxDB is asked itself. A DuckDB file belongs to the process that runs the site, so
while one does its API is asked, a day at a time; else the file is opened (and the site can't start meanwhile). Nothing
is written anywhere.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import typer

from facility.assets import GATEWAY_CLASS
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.duration import seconds as seconds_of
from facility.errors import StoreError
from facility.points import Label
from facility.readings import Sample
from ingest.open import open_store
from rules.book.compiled import Rulebook
from rules.book.mapped import mapped_points
from rules.book.rulebook import PACKS, Definition, read_rules
from rules.language.grammar import ExpressionError
from rules.records.looking import look_into
from rules.records.rule_texts import VersionRow, running_versions
from rules.trial.backtest import Backtest, Sides, run, sides
from rules.trial.compare import compare
from rules.trial.table import Report
from rules.versions import rule_of

DAY_MS = 86_400_000
SPOKEN_EVERY = 2.0
"""Seconds between two words of progress."""
ENDED = b'"end"'


@dataclass(frozen=True, slots=True)
class Tried:
    """A site whose rules are tried; `rulebook` are those of its folder."""

    site: Site
    catalog: Catalog
    rulebook: Rulebook


@dataclass(frozen=True, slots=True)
class Source:
    """Where samples come from: its name for people, and (start, end, assets) -> samples, oldest first."""

    name: str
    samples: Callable[[int, int, list[str]], AsyncIterator[Sample]]


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the API of a running site."""

    url: str
    token: str
    certificate: Path | None = None


async def run_backtest(
    house: Tried, given: Path | None, span: tuple[int, int], way: Way | None, language: str
) -> Report:
    """Run it. `given`: rules to try over the site's, None for what changed in its folder since its rules ran last.

    `way` None: no process of the site holds the store. ConfigError, StoreError.
    """
    site, catalog = house.site, house.catalog
    notes: list[Label] = []
    both = await _both(house, given, notes)
    start, end = span
    work = Backtest(
        both,
        site.assets,
        mapped_points(site, catalog),
        catalog,
        time_zone=site.time_zone,
        locations=site.locations,
        start=start,
        end=end,
    )
    _note_unheard(both, work, notes)
    begun = time.monotonic()
    source = ""
    if both.ids and work.assets:
        async with AsyncExitStack() as stack:
            found = await _source(house, way, stack)
            source = found.name
            await run(work, found.samples(work.warm_from, end, work.assets), _progress(start, end, language))
    if work.old.overflown or work.new.overflown:
        notes.append(
            Label("报警过多，只比较了前面的部分", "there were too many alarms: only the first ones are compared")
        )
    return Report(
        site=site.id,
        start=start,
        end=end,
        time_zone=site.time_zone,
        rules=tuple(both.ids),
        samples=work.samples,
        seconds=time.monotonic() - begun,
        source=source,
        comparison=compare(work.old.episodes, work.new.episodes, time_zone=site.time_zone),
        notes=tuple(notes),
    )


async def _both(house: Tried, given: Path | None, notes: list[Label]) -> Sides:
    """The rules that ran last (or stand in the folder) against those of the folder (or those given over them)."""
    site, catalog = house.site, house.catalog
    own = read_rules([PACKS, site.folder / "rules"], catalog, assets=site.assets)
    if given is not None:
        return sides(own, read_rules([PACKS, site.folder / "rules", given], catalog, assets=site.assets))
    unused = {item.rule for item in house.rulebook.unused}  # they are not recorded either
    own = [item for item in own if item.rule.id not in unused]
    recorded = await _recorded(site)
    if not recorded:
        notes.append(
            Label("规则从未运行过：与随附规则对比", "the rules never ran here: compared with the shipped ones")
        )
        return sides(read_rules([PACKS], catalog, assets=None), own)
    notes.append(Label("与最近一次运行的规则对比", "compared with the rules that ran last"))
    old = []
    for row in recorded.values():
        try:
            rule = rule_of(row.text, origin=row.origin)
            definition = Definition(rule, catalog.classes[rule.asset_class], catalog.classes)
            definition.compile(1 if definition.is_indexed else 0)
            old.append(definition)
        except (ValueError, KeyError, ExpressionError) as error:
            notes.append(Label(f"旧规则 {row.rule} 无法读取：{error}", f"the old {row.rule} can't be read: {error}"))
    return sides(old, own)


async def _recorded(site: Site) -> dict[str, VersionRow]:
    """The rules that ran last, from the records; none where there are no records, or older ones. Writes nothing."""
    try:
        async with look_into(site.settings.records, site.folder) as records:
            return await running_versions(records, site.id)
    except StoreError:
        return {}


def _note_unheard(both: Sides, work: Backtest, notes: list[Label]) -> None:
    """What can't be tried: rules that run nowhere, and those of gateways, whose words are not stored."""
    for rule, reason in work.unused.items():
        notes.append(Label(f"{rule} 未在任何设备上运行：{reason}", f"{rule} runs nowhere: {reason}"))
    if any(item.asset_class.id == GATEWAY_CLASS for item in (*both.old, *both.new)):
        text = (
            "网关自身的状态不入库，网关规则无法回放",
            "what gateways say of themselves is not stored: their rules see none",
        )
        notes.append(Label(*text))


# --- where readings come from


async def _source(house: Tried, way: Way | None, stack: AsyncExitStack) -> Source:
    """The store itself, or the API of the process that holds it; StoreError says what to do."""
    site = house.site
    settings = site.settings.readings
    if settings.kind == "duckdb":
        if way is not None:
            return await _of_api(way, stack)
        if not site.path(settings.path).exists():
            raise StoreError("readings", f"{site.path(settings.path)}: nothing was ever stored here")
    store = await open_store(settings, site=site, catalog=house.catalog)
    stack.push_async_callback(store.close)
    name = f"InfluxDB {settings.url}" if settings.kind == "influxdb" else str(site.path(settings.path))
    return Source(name, lambda start, end, assets: store.samples(start, end, assets=assets))


async def _of_api(way: Way, stack: AsyncExitStack) -> Source:
    if not way.token:
        raise StoreError(
            "readings",
            "the site is running and holds its DuckDB file, so its API is asked: make a token with "
            "`caretaker token add` and put it into CARETAKER_API_TOKEN",
        )
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(way.certificate)) if way.certificate else True
    headers = {"authorization": f"Bearer {way.token}"}
    client = await stack.enter_async_context(
        httpx.AsyncClient(base_url=way.url, headers=headers, timeout=60, verify=verify, trust_env=False)
    )

    async def samples(start: int, end: int, assets: list[str]) -> AsyncIterator[Sample]:
        for first in range(start, end, DAY_MS):
            async for sample in _day(client, first, min(end, first + DAY_MS), assets):
                yield sample

    return Source(f"API {way.url}", samples)


async def _day(client: httpx.AsyncClient, start: int, end: int, assets: list[str]) -> AsyncIterator[Sample]:
    decoder = msgspec.json.Decoder(Sample)
    query: list[tuple[str, str | int | float | bool | None]] = [("start", str(start)), ("end", str(end))]
    query += [("asset", name) for name in assets]
    try:
        async with client.stream("GET", "/api/v1/samples", params=query) as answer:
            if answer.status_code != 200:
                text = (await answer.aread())[:300].decode(errors="replace")
                raise StoreError("readings", f"{client.base_url} says {answer.status_code}: {text}")
            async for line in answer.aiter_lines():
                if line.encode() == ENDED:
                    return
                yield decoder.decode(line)
    except (httpx.HTTPError, msgspec.MsgspecError) as error:
        raise StoreError("readings", f"{client.base_url}: {type(error).__name__} {error}") from error
    raise StoreError("readings", f"{client.base_url}: the answer ended too early")


def way_to(site: Site, url: str, token: str) -> Way:
    """The way to a site's API: `url`, or as its settings say."""
    return Way(url or _address(site), token, _certificate(site))


def _address(site: Site) -> str:
    api = site.settings.api
    host = "127.0.0.1" if api.host in ("", "0.0.0.0", "::") else api.host  # noqa: S104 - where to ask, not to listen
    return f"{'https' if api.tls_certificate else 'http'}://{host}:{api.port}"


def _certificate(site: Site) -> Path | None:
    name = site.settings.api.tls_certificate
    return site.path(name) if name else None


# --- what was asked


def span_of(site: Site, begin: str, until: str) -> tuple[int, int]:
    """What `--from` and `--to` ask for, ms UTC; ValueError."""
    now = SystemClock().ms()
    start, end = _instant(site, begin, now), _instant(site, until, now) if until else now
    if not start < end:
        raise ValueError("--from must be before --to")
    return start, end


def _instant(site: Site, text: str, now: int) -> int:
    """ms UTC of `7d` (ago), `2026-03-01`, `2026-03-01 22:00` (the site's time) or ISO 8601 with a zone."""
    try:
        return now - round(seconds_of(text) * 1000)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 7d, 2026-03-01 or '2026-03-01 22:00'") from None
    return round((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(site.time_zone))).timestamp() * 1000)


def _progress(start: int, end: int, language: str) -> Callable[[int], None]:
    last = time.monotonic()

    def tell(at: int) -> None:
        nonlocal last
        if time.monotonic() - last < SPOKEN_EVERY:
            return
        last = time.monotonic()
        share = max(0.0, (at - start) / (end - start))
        typer.echo(Label(f"已完成 {share:.0%}", f"{share:.0%} done").to(language), err=True)

    return tell
