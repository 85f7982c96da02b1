"""`create_app(deps)`: routers, error mapping, limits. No module-level application."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import (
    alarms,
    assets,
    commands,
    faults,
    gateways,
    health,
    linkage,
    out_of_service,
    performance,
    problems,
    readings,
    rule_trials,
    samples,
    session,
    simulation,
    stream,
    tickets,
    wide,
)
from api.deps import Deps, Reader
from api.schemas import refusals

MAX_BODY = 65_536
MAX_CONSOLE_BODY = 1_048_576

_TAGS = [
    {"name": "session", "description": "Tokens. 令牌与登录"},
    {"name": "assets", "description": "What is installed. 设备台账与点位"},
    {"name": "readings", "description": "What is measured. 实时与历史数据"},
    {"name": "alarms", "description": "What is wrong, and who knows. 报警与应急"},
    {"name": "tickets", "description": "What has to be done. 工单"},
    {"name": "linkage", "description": "What a fire started, and what did not come. 消防联动核查"},
    {"name": "commands", "description": "What is set, checked and answered for. 遥控指令"},
    {"name": "rules", "description": "Texts of rules, and rules on trial. 规则版本与试运行"},
    {"name": "gateways", "description": "The edge, loss accounting, dead letters. 网关与数据完整性"},
    {"name": "simulation", "description": "The hardware, where it is simulated. 模拟设备"},
    {"name": "stream", "description": "Live events. 实时推送"},
    {"name": "health", "description": "Alive, ready, metrics. 健康检查与指标"},
]

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
]


def create_app(deps: Deps, *, console: bool = True) -> FastAPI:
    """The application. `console` mounts the built-in screens at /console (one application with them per process)."""
    app = FastAPI(
        title="Caretaker 守护",
        version=deps.version,
        description="A building's equipment: readings, alarms, work. Every error is application/problem+json.",
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.deps = deps
    problems.install(app)
    parts = (
        session, assets, readings, wide, samples, performance, alarms, out_of_service, tickets, linkage, commands,
        faults, gateways, rule_trials, stream,
    )  # fmt: skip
    for module in parts:
        app.include_router(module.router, prefix="/api/v1")
    if deps.hardware is not None:
        app.include_router(simulation.router, prefix="/api/v1")
    app.include_router(health.router)
    _describe(app)
    if console:
        # the console's libraries are heavy: a process without screens does not load them
        from api.console.mount import mount_console

        app.include_router(session.console_router)
        _shortcuts(app)
        mount_console(app, deps)
    app.add_middleware(Guard)
    return app


def _describe(app: FastAPI) -> None:
    @app.get("/api/v1/openapi.json", tags=["session"], summary="This description", responses=refusals())
    async def openapi(_: Reader) -> JSONResponse:
        """OpenAPI 3.1."""
        return JSONResponse(app.openapi())


def _shortcuts(app: FastAPI) -> None:
    """Addresses that people type or that pushes carry."""

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/console/")

    @app.get("/alarms/{alarm}", include_in_schema=False)
    async def alarm(alarm: str) -> RedirectResponse:
        name = "".join(letter for letter in alarm if letter.isalnum() or letter in "-_")[:64]
        return RedirectResponse(f"/console/alarms?alarm={name}")


class TooLargeError(HTTPException):
    """The body is larger than it may be; 413, also when it was announced smaller and grew while it was read."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes")


class Guard:
    """ASGI middleware: bodies are bounded before anybody parses them, and every answer has the safe headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = MAX_CONSOLE_BODY if scope["path"].startswith("/console/_nicegui") else MAX_BODY

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        if _length(scope) > limit:
            response = problems.problem(Request(scope), 413, TooLargeError(limit).detail)
            await response(scope, receive, guarded_send)
            return
        await self.app(scope, _bounded(receive, limit), guarded_send)


def _length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _bounded(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if taken > limit:
            raise TooLargeError(limit)
        return message

    return bounded
