"""Takes the pictures of the documentation from a running demonstration: `python scripts/pictures.py [--out FOLDER]`.

It starts the demonstration on a free port, plays the tour, and some 35 s into it takes the console's pages in both
languages and draws two boards of `dashboards/` from what the API then gives. Needs Debian's Chromium and Noto CJK.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import httpx
from playwright.async_api import Browser, Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api.accounts import Accounts
from api.auth import Passwords, Role
from api.deps import COOKIE
from caretaker_demo import DEMO_SITE, Demo, Options, open_demo, play, scenario_file
from dashboards.board import laid_out
from dashboards.build import boards
from dashboards.panels import Json
from facility.clock import SystemClock
from scripts.panel_drawing import View, page

BEFORE_S, INTO_TOUR_S = 20.0, 30.0
"""How long the building runs undisturbed, and how far the tour is when the pictures are taken."""
WIDE, PHONE = (1440, 900), (412, 915)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--autoplay-policy=no-user-gesture-required")
"""No picture shows a console that waits for a click to be allowed its sound."""
log = logging.getLogger("pictures")


class Shot(NamedTuple):
    """A page of the console, in a window of (width, height)."""

    name: str
    path: str
    size: tuple[int, int]
    languages: tuple[str, ...]


class Drawing(NamedTuple):
    """A board, one of its assets, the rows to open, and how many grid lines to show."""

    name: str
    board: str
    asset: str
    language: str
    opened: tuple[str, ...]
    lines: int


SHOTS = (
    Shot("wall", "/console/", (1440, 1080), ("zh", "en")),
    Shot("hardware", "/console/hardware?on=asset&subject=EL-02", WIDE, ("zh", "en")),
    Shot("alarms", "/console/alarms", WIDE, ("zh", "en")),
    Shot("tickets", "/console/tickets", PHONE, ("zh", "en")),
    Shot("asset", "/console/assets/PM-01?point=p.total", WIDE, ("zh", "en")),
)
DRAWINGS = (
    Drawing("power-en", "power", "PM-01", "en", ("Voltage", "Active power", "Transfer switch"), 37),
    Drawing("elevator-zh", "elevator", "EL-02", "zh", ("轿厢", "门"), 44),
)


async def take(out: Path) -> None:
    """Everything, into `out`."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="caretaker-pictures-") as folder:
        options = Options(Path(folder), port=0)
        tour = Options(Path(folder), scenario_file("tour"), port=0)
        async with open_demo(options, clock, log.info) as demo:
            start = clock.ms()
            await clock.sleep(BEFORE_S)
            playing = asyncio.create_task(play(demo, tour, log.info))
            await clock.sleep(INTO_TOUR_S)
            tokens = {language: await _token(demo, language) for language in ("zh", "en")}
            async with _open_browser() as browser:
                await _console(demo, browser, tokens, out)
                await _boards(demo, browser, tokens["en"], out, start)
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing


async def _token(demo: Demo, language: str) -> str:
    """A token of a fresh manager who reads this language."""
    accounts = Accounts(await demo.house.records())
    at = demo.house.clock.ms()
    digest = Passwords().hash_now(demo.password)
    name = {"zh": "wang.li", "en": "alice"}[language]
    user = await accounts.add(name, Role.MANAGER, language=language, password_hash=digest, at=at, actor="pictures")
    return await accounts.add_token(user, "pictures", at, expires=None, actor="pictures")


@asynccontextmanager
async def _open_browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, headless; RuntimeError where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("the pictures need chromium: scripts/services.sh says how to install it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def _window(browser: Browser, demo: Demo, size: tuple[int, int], token: str = "") -> AsyncIterator[Page]:
    """A window of its own in the building's time zone, logged in by `token` if there is one."""
    page = await browser.new_page(
        viewport={"width": size[0], "height": size[1]}, is_mobile=size == PHONE, timezone_id=demo.house.site.time_zone
    )
    try:
        if token:
            await page.context.add_cookies([{"name": COOKIE, "value": token, "url": demo.address}])
        yield page
    finally:
        await page.close()


async def _console(demo: Demo, browser: Browser, tokens: dict[str, str], out: Path) -> None:
    for shot in SHOTS:
        for language in shot.languages:
            async with _window(browser, demo, shot.size, tokens[language]) as window:
                await window.goto(demo.address + shot.path)
                await asyncio.sleep(2.5)  # the page fills itself over its web socket, plots move into place
                await _keep(window, out / f"{shot.name}-{language}.png")


async def _boards(demo: Demo, browser: Browser, token: str, out: Path, start: int) -> None:
    site = demo.house.site
    end = demo.house.clock.ms()
    made = boards(site, demo.house.catalog, ("zh", "en"))
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=demo.address, headers=headers, timeout=20) as client:
        for drawing in DRAWINGS:
            view = View(start, end, ZoneInfo(site.time_zone), drawing.language)
            board = _opened(made[f"{drawing.language}/{drawing.board}.json"], drawing)
            fill = {"$asset": drawing.asset, "${__from}": str(start), "${__to}": str(end)}
            rows = {
                panel["id"]: await _rows(client, panel, fill) for panel in board["panels"] if panel["type"] != "row"
            }
            marks = [
                row
                for mark in board["annotations"]["list"]
                for row in await _rows(client, {"targets": [mark["target"]]}, fill)
            ]
            chosen = f"{site.assets[drawing.asset].label.to(drawing.language)} ({drawing.asset})"
            drawn = page(board, rows, marks, view, chosen=chosen)
            async with _window(browser, demo, (view.width, drawn.height)) as window:
                await window.set_content(drawn.text)
                await _keep(window, out / f"{drawing.name}.png")


def _opened(board: Json, drawing: Drawing) -> Json:
    """The board as somebody sees it who has opened these rows and closed the others, cut after some grid lines."""
    panels: list[Json] = []
    under: list[Json] = panels
    for panel in board["panels"]:
        if panel["type"] != "row":
            under.append(panel)
            continue
        is_open = panel["title"] in drawing.opened
        under = list(panel["panels"])
        panels.append(panel | {"collapsed": not is_open, "panels": under})
    placed = laid_out(panels)
    return board | {"panels": [p for p in placed if p["gridPos"]["y"] + p["gridPos"]["h"] <= drawing.lines]}


async def _rows(client: httpx.AsyncClient, panel: Json, fill: dict[str, str]) -> list[Json]:
    """What a panel's query gives, under the headings of its columns, as the data source makes it."""
    (target,) = panel["targets"]
    url: str = target["url"]
    for macro, value in fill.items():
        url = url.replace(macro, value)
    answer = await client.get(url)
    answer.raise_for_status()
    rows = answer.json()[target["root_selector"]]
    return [{column["text"]: row[column["selector"]] for column in target["columns"]} for row in rows]


async def _keep(window: Page, file: Path) -> None:
    await window.screenshot(path=file)
    log.info("%s  %d kB", file, file.stat().st_size // 1000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEMO_SITE.parent.parent / "docs" / "pictures")
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    asyncio.run(take(out))


if __name__ == "__main__":
    main()
