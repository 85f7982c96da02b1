"""`caretaker rules ...`: rules tried before they go live."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.config import load_site
from facility.errors import ConfigError
from facility.points import Label
from rules.book.rulebook import PACKS, Definition, read_rules
from rules.trial.junit import junit
from rules.trial.testfile import SHIPPED, Ground, read_tests
from rules.trial.verdict import Outcome, Verdict, judge

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Rules, tried before they go live.")
SITE_TESTS = Path("rules") / "tests"


class Language(StrEnum):
    """What a person reads."""

    ZH = "zh"
    EN = "en"


@app.callback()
def _commands() -> None:
    """Rules, tried before they go live / 规则上线前的测试与回放."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the tests of a site (or of the shipped packs alone) run on.

    `shipped`: the rules with shipped ids, as the site has them; shipped tests know nothing of what it adds.
    """

    catalog: Catalog
    definitions: list[Definition]
    shipped: list[Definition]
    own: frozenset[str]
    ground: Ground
    language: str


@app.command("test")
def run_tests(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="the site folder; shipped rules alone without it / 站点目录", exists=True),
    ] = None,
    *,
    report: Annotated[Path | None, typer.Option("--junit", help="write JUnit XML / 输出 JUnit 报告")] = None,
    language: Annotated[Language | None, typer.Option(help="zh or en; the site's first / 语言")] = None,
) -> None:
    """Run the tests of the shipped rules and of the site's own `rules/tests`; exit 1 if one fails / 运行规则测试."""
    try:
        bench = _of_site(folder) if folder else _of_packs()
        folders = [(SHIPPED, True)] + ([(folder / SITE_TESTS, False)] if folder else [])
        stories = read_tests(folders, bench.ground)
    except ConfigError as error:
        told = [*map(str, error.problems), f"{len(error.problems)} problem(s); no test was run"]
        _fail("\n".join(told))
    spoken = language.value if language else bench.language
    verdicts = []
    for story in stories:
        begun = time.perf_counter()
        rules = bench.shipped if story.shipped else bench.definitions
        verdict = judge(story, rules, bench.catalog, own=bench.own, time_zone=bench.ground.time_zone)
        verdicts.append(replace(verdict, seconds=time.perf_counter() - begun))
        if verdict.outcome is not Outcome.PASSED:
            _tell(verdict, spoken)
    if report:
        report.write_bytes(junit(verdicts, spoken))
    typer.echo(_summary(verdicts).to(spoken))
    if any(verdict.outcome is Outcome.FAILED for verdict in verdicts):
        raise typer.Exit(1)


def _of_site(folder: Path) -> _Bench:
    """The site's own rules over the shipped ones; ConfigError."""
    site, catalog = load_site(folder)
    shipped = read_rules([PACKS], catalog, assets=None)
    definitions = read_rules([PACKS, folder / "rules"], catalog, assets=site.assets)
    before = {item.rule.id: item.rule for item in shipped}
    after = {item.rule.id: item.rule for item in definitions}
    own = {name for name in before | after if before.get(name) != after.get(name)}
    ground = _ground(catalog, [*shipped, *definitions], site.assets, site.time_zone)
    kept = [item for item in definitions if item.rule.id in before]
    return _Bench(catalog, definitions, kept, frozenset(own), ground, site.languages[0])


def _of_packs() -> _Bench:
    catalog = load_catalog()
    definitions = read_rules([PACKS], catalog, assets=None)
    return _Bench(
        catalog, definitions, definitions, frozenset(), _ground(catalog, definitions, {}, "Asia/Shanghai"), "en"
    )


def _ground(catalog: Catalog, definitions: Iterable[Definition], assets: Mapping[str, Asset], time_zone: str) -> Ground:
    classes = {item.rule.id: item.rule.asset_class for item in definitions}
    return Ground(catalog, classes, assets, time_zone)


def _tell(verdict: Verdict, language: str) -> None:
    words = {
        Outcome.FAILED: Label("失败", "FAILED"),
        Outcome.CHANGED: Label("因本站自有规则而不同", "DIFFERS by the site's own rule"),
    }
    typer.echo(f"{words[verdict.outcome].to(language)}  {verdict.story.title}")
    for line in verdict.lines:
        typer.echo(f"  {line.to(language)}")
    typer.echo("")


def _summary(verdicts: list[Verdict]) -> Label:
    outcomes = [verdict.outcome for verdict in verdicts]
    failed, changed = outcomes.count(Outcome.FAILED), outcomes.count(Outcome.CHANGED)
    passed = len(outcomes) - failed - changed
    seconds = sum(verdict.seconds for verdict in verdicts)
    zh = f"{len(outcomes)} 项测试：{passed} 通过，{failed} 失败，{changed} 因本站自有规则而不同；{seconds:.1f} s"
    en = f"{len(outcomes)} tests: {passed} passed, {failed} failed, {changed} differ by own rules; {seconds:.1f} s"
    return Label(zh, en)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
