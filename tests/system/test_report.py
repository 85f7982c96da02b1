"""`caretaker report` as a process of its own, over a starter site whose records have a month of alarms."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from caretaker_site import load_whole
from rules.desk.commands import Commands
from rules.effects import Judgement
from rules.notification.notify import Routing
from rules.performance.actors import open_tickets
from rules.performance.months import Month
from rules.records.records import open_records
from tests.api.site import starter

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Shanghai")
MONTH = Month(2026, 3)

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(180)]


def caretaker(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caretaker", "report", *map(str, arguments)]
    wide = {**os.environ, "COLUMNS": "300", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, cwd=ROOT, env=wide, capture_output=True, encoding="utf-8", timeout=110, check=False)


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A starter site: one alarm on the first of March, one twenty times in its middle, and what people did."""
    folder = starter(tmp_path_factory.mktemp("report") / "site")
    whole = load_whole(folder)
    items = {item.rule.id: item.rule for item in whole.rulebook.by_asset["EL-01"]}
    loud, rare = items["elevator.entrapment"], next(rule for rule in items.values() if rule.severity == 2)
    routing = Routing.of(whole.site)

    async def live() -> None:
        async with open_records(whole.site.settings.records, folder) as records:
            commands = Commands(records, routing)

            async def say(event: str, rule: object, instant: int) -> None:
                judgement = Judgement(rule, "EL-01", event, instant, instant)  # type: ignore[arg-type]
                await records.apply([judgement], routing, instant)

            await say("raise", rare, at("03-01 00:00"))
            await say("clear", rare, at("03-01 00:30"))
            for day in range(5, 25):
                await say("raise", loud, at(f"03-{day:02} 09:00"))
                (row,) = [row for row in await records.live_alarms(whole.site.id) if row.rule == loud.id]
                await commands.acknowledge(row.id, actor="<wang>", at=at(f"03-{day:02} 09:01"))
                await say("clear", loud, at(f"03-{day:02} 10:00"))
                if loud.latch:
                    await commands.reset(row.id, actor="<wang>", at=at(f"03-{day:02} 10:01"))
            await open_tickets(records, whole.site.id, MONTH, ZONE, at("04-01 00:05"))

    asyncio.run(live())
    return folder


class _Page(HTMLParser):
    """The texts of a page by element, to be sure that it is one and what stands in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.language = ""
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.headings: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag in ("meta", "link"):
            return
        self.open.append(tag)
        if tag == "html":
            self.language = dict(attrs)["lang"] or ""
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag or tag == "p"

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.cells[-1][-1] += data
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)

    def row(self, first: str) -> list[str]:
        return next(row for row in self.cells if row and row[0] == first)


@pytest.mark.parametrize(
    ("language", "lang", "title", "raises", "name", "second"),
    [
        ("zh", "zh-CN", "报警系统月报 2026-03", "共 21 条报警", "困人", "秒"),
        ("en", "en", "2026-03", "21 alarms", "trapped", "s"),
    ],
)
def test_a_month_is_written_in_the_language_asked_for(
    site: Path, tmp_path: Path, language: str, lang: str, title: str, raises: str, name: str, second: str
) -> None:
    file = tmp_path / "march.html"
    done = caretaker(site, "--month", "2026-03", "--language", language, "--out", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: 2026-03\n"
    text = file.read_text(encoding="utf-8")
    page = _Page(text)
    assert (page.language, page.open) == (lang, [])
    assert title in page.headings[0]
    assert raises in text
    loud = [row for row in page.cells if row and name in row[0]]
    assert {tuple(row[3:5]) for row in loud} == {("20", "95.2 %")}
    assert any(re.fullmatch(r"T[0-9a-f]+", row[-1]) for row in loud), "the bad actor has its ticket"
    assert page.row("<wang>")[1:4] == ["20", f"60 {second}", f"60 {second}"]
    shares = [row for row in page.cells if len(row) == 5 and row[1].endswith("%") and row[2]]
    assert shares
    assert all(row[2].endswith(" %") for row in shares), "a share has a share for its target"
    assert page.cells[1][1].startswith("0.005 "), "a few alarms in a month are not none"
    assert "<wang>" not in text
    assert not re.search(r"\{[a-z_]+[:}]", text.split("</style>")[1]), "a text was not filled in"


def test_without_a_file_the_page_goes_to_the_terminal_in_the_sites_first_language(site: Path) -> None:
    done = caretaker(site, "--month", "2026-03")
    assert done.returncode == 0
    assert _Page(done.stdout).language == "zh-CN"
    last = caretaker(site)
    assert last.returncode == 0
    assert str(Month.of(round(datetime.now(ZONE).timestamp() * 1000), ZONE).before) in last.stdout


def test_what_can_not_be_done_is_said_in_a_line(site: Path, tmp_path: Path) -> None:
    never = starter(tmp_path / "never")
    for arguments, word in (
        ((site, "--month", "2026-13"), "is no month"),
        ((site, "--month", "2150-01"), "has not begun"),
        ((site, "--month", "2026-03", "--out", tmp_path / "no" / "x.html"), "can't be written"),
        ((never,), "the rules never ran here"),
        ((tmp_path / "nothing",), "site.yaml"),
    ):
        done = caretaker(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    assert not (never / "data").exists(), "asking makes no records"
    assert caretaker(site, "--language", "fr").returncode == 2
