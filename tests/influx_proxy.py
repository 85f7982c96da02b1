"""A reverse proxy that gives InfluxDB 1.6.7 the v2 write path, `/api/v2/write`; all else goes through as it is.

Only for tests: Debian's InfluxDB is older than that path. The engine, types, InfluxQL and errors stay the real ones.
"""

from __future__ import annotations

import base64
import json

import aiohttp
from aiohttp import web

PRECISION = {"us": "u", "ns": "n"}
"""v2 names that 1.6.7 would silently read as nanoseconds."""


def make_proxy(target: str) -> web.Application:
    """The proxy; serve it with `AppRunner(app, auto_decompress=False)` so that gzip passes through untouched."""
    app = web.Application(client_max_size=64 * 1024 * 1024)

    async def session(_app: web.Application):  # type: ignore[no-untyped-def]
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            _app[SESSION] = client
            yield

    async def forward(request: web.Request) -> web.Response:
        path, query = request.path, dict(request.query)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        token = headers.get("Authorization", "")
        if token.startswith("Token "):
            headers["Authorization"] = "Basic " + base64.b64encode(token[6:].encode()).decode()
        write = path == "/api/v2/write"
        if write:
            precision = query.get("precision", "ns")
            path, query = "/write", {"db": query.get("bucket", ""), "precision": PRECISION.get(precision, precision)}
        sent = app[SESSION].request(
            request.method, target + path, params=query, data=await request.read(), headers=headers
        )
        try:
            async with sent as answer:
                body, status = await answer.read(), answer.status
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        except aiohttp.ClientError as error:
            return web.json_response({"code": "unavailable", "message": str(error)}, status=503)
        if write and status >= 400:
            message = json.loads(body or b"{}").get("error", "")
            return web.json_response({"code": "invalid", "message": message}, status=status)
        return web.Response(body=body, status=status, headers=kept)

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)
HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "keep-alive", "date", "server"})
