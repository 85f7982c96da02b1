"""The receiving end of the pushes: an HTTP server on loopback that takes what the webhook channel sends."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from facility.clock import Clock

KEPT = 10_000
MAX_BODY = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One push: its idempotency key, its JSON body, and when it arrived (ms)."""

    key: str
    body: Mapping[str, object]
    at: int


@dataclass
class Phone:
    """What arrived, oldest first; a repeated key is kept in `repeated`, since delivery is at least once."""

    url: str = ""
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=KEPT))
    repeated: int = 0
    refused: int = 0
    answer: int = 200


@asynccontextmanager
async def phone(clock: Clock) -> AsyncIterator[Phone]:
    """A phone that listens on a free loopback port; set `answer` to make it fail with that HTTP status."""
    held = Phone()
    seen: set[str] = set()

    async def take(request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict) or held.answer != 200:
            held.refused += 1
            return web.Response(status=400 if held.answer == 200 else held.answer)
        if key in seen:
            held.repeated += 1
        else:
            seen.add(key)
            held.received.append(Received(key, body, clock.ms()))
        return web.Response(status=200)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/push", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        held.url = f"http://{host}:{port}/push"
        yield held
    finally:
        await runner.cleanup()
