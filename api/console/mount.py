"""Mounts the console under /console: its door, its files, its pages, on one NiceGUI per process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from nicegui import Client, core, ui
from starlette.staticfiles import StaticFiles

from api.console.alarms import alarms_page
from api.console.asset import asset_page
from api.console.door import Door
from api.console.hardware import hardware_page
from api.console.linkage import linkage_page
from api.console.login import login_html
from api.console.rule_trials import rule_page, trials_page
from api.console.texts import say
from api.console.tickets import tickets_page
from api.console.visitor import Visitor, chosen_language, visitor_of
from api.console.wall import wall_page
from api.deps import Deps

HERE = Path(__file__).parent
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<path d="M16 2 29 7v9c0 8-6 12-13 14C9 28 3 24 3 16V7z" fill="#0f1720" stroke="#5ec8f2" stroke-width="2.5"/>
<path d="M9 16h4l3-6 3 10 2-4h3" fill="none" stroke="#5ec8f2" stroke-width="2.5"/></svg>"""
RECONNECT_S = 3.0
"""How long the server keeps a page whose browser went away: after that, coming back means loading it anew."""
HISTORY = 200
"""Messages kept for a browser that comes back in time."""

PATIENCE_S = 15.0
"""How long a page may take to be put together; on a busy machine that is more than the library's 3 s."""


def mount_console(app: FastAPI, deps: Deps) -> None:
    """Put the console into the application. NiceGUI is one per process: a later mount takes the place of an earlier."""
    _files(app, deps)
    app.add_middleware(Door, deps=deps)
    _forget_earlier()
    _pages(deps)
    ui.run_with(
        app,
        mount_path="/console",
        title="Caretaker 守护",
        favicon=ICON,
        dark=True,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        message_history_length=HISTORY,
        tailwind=False,
        show_welcome_message=False,
    )


def _forget_earlier() -> None:
    """A second application in one process (tests) gets NiceGUI as the first one found it."""
    for client in list(Client.instances.values()):
        client.delete()
    core.app.user_middleware.clear()
    core.app.middleware_stack = None


def _files(app: FastAPI, deps: Deps) -> None:
    app.mount("/console/static", StaticFiles(directory=HERE / "static"), name="console static")

    @app.get("/console/login", include_in_schema=False)
    async def login(
        request: Request, failed: Annotated[str, Query(max_length=3)] = "", onward: Annotated[str, Query()] = ""
    ) -> HTMLResponse:
        language = chosen_language(request)
        page = login_html(deps.site.label, language, style=_address("style.css"), failed=failed, onward=onward)
        return HTMLResponse(page, headers={"cache-control": "no-store"})


def _pages(deps: Deps) -> None:
    @ui.page("/", response_timeout=PATIENCE_S)
    async def wall(request: Request) -> None:
        await wall_page(_enter(request, deps))

    @ui.page("/alarms", response_timeout=PATIENCE_S)
    async def alarms(request: Request, alarm: Annotated[str, Query(max_length=64)] = "") -> None:
        await alarms_page(_enter(request, deps), alarm)

    @ui.page("/tickets", response_timeout=PATIENCE_S)
    async def tickets(request: Request) -> None:
        await tickets_page(_enter(request, deps))

    @ui.page("/rules", response_timeout=PATIENCE_S)
    async def trials(request: Request) -> None:
        await trials_page(_enter(request, deps))

    @ui.page("/rules/{name}", response_timeout=PATIENCE_S)
    async def rule(request: Request, name: str, version: Annotated[str, Query(max_length=16)] = "") -> None:
        await rule_page(_enter(request, deps), name, version)

    @ui.page("/linkage", response_timeout=PATIENCE_S)
    async def linkage(request: Request, run: Annotated[str, Query(max_length=64)] = "") -> None:
        await linkage_page(_enter(request, deps), run)

    if deps.hardware is not None:
        control = deps.hardware

        @ui.page("/hardware", response_timeout=PATIENCE_S)
        async def hardware(
            request: Request,
            on: Annotated[str, Query(max_length=16)] = "",
            subject: Annotated[str, Query(max_length=64)] = "",
        ) -> None:
            await hardware_page(_enter(request, deps), control, on, subject)

    @ui.page("/assets/{name}", response_timeout=PATIENCE_S)
    async def asset(request: Request, name: str, point: Annotated[str, Query(max_length=100)] = "") -> None:
        await asset_page(_enter(request, deps), name, point)


def _enter(request: Request, deps: Deps) -> Visitor:
    """The visitor; and what every page needs in its head."""
    visitor = visitor_of(request, deps)
    tongue = "zh-CN" if visitor.language == "zh" else "en"
    lost = json.dumps(say("page_lost", visitor.language), ensure_ascii=False)
    ui.add_head_html(
        f'<link rel="stylesheet" href="{_address("style.css")}">'
        f"<style>:root{{--page-lost:{lost}}}</style>"
        f'<script>document.documentElement.lang="{tongue}"</script>'
        f'<script src="{_address("console.js")}"></script>'
    )
    return visitor


def _address(name: str) -> str:
    """A file of ours, with its content's mark, so that browsers never keep an old one."""
    mark = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={mark}"
