"""The console's door, before anything of it is built: who has no session sees the login page and costs nothing."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deps import COOKIE, Deps
from facility.errors import StoreError

OPEN = ("/console/login", "/console/static/", "/console/_nicegui/", "/console/favicon.ico")
"""What anybody may read: the login page, and files that are the same for everybody."""
SOCKET = "/console/_nicegui_ws/"

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""Nothing comes from another server. Vue compiles its templates in the browser, hence the two `unsafe`."""

_AGAIN = '<!doctype html><meta http-equiv="refresh" content="0"><title>Caretaker</title>'


class Door:
    """ASGI middleware. A good session cookie puts `user` and `token` into the request's state; else the login page.

    The cookie is not sent when a link in a chat leads here (SameSite=Strict): such a request is told to come again,
    and the second one, which is ours, brings it.
    """

    def __init__(self, app: ASGIApp, deps: Deps) -> None:
        self.app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or socket."""
        path = str(scope.get("path", ""))
        if scope["type"] not in ("http", "websocket") or not path.startswith("/console/"):
            await self.app(scope, receive, send)
            return
        refusal = None if path.startswith(OPEN) else await self._refusal(scope, path)
        if refusal is None:
            await self.app(scope, receive, _with_policy(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            refusal.headers["cache-control"] = "no-store"
            await refusal(scope, receive, _with_policy(send))

    async def _refusal(self, scope: Scope, path: str) -> Response | None:
        """None when the session is good (and then the state knows the user)."""
        connection = HTTPConnection(scope)
        token = connection.cookies.get(COOKIE, "")
        try:
            user = await self._deps.gate.user_of(token) if token else None
        except StoreError:
            return RedirectResponse("/console/login?failed=503", 303)
        if user:
            scope.setdefault("state", {}).update(user=user, token=token)
            return None
        if path.startswith(SOCKET):
            return PlainTextResponse("log in first", 401)
        if not token and connection.headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(_AGAIN)
        query = scope.get("query_string", b"").decode("latin-1")
        onward = f"{path}?{query}" if query else path
        return RedirectResponse(f"/console/login?onward={quote(onward[:200], safe='')}", 303)


def _with_policy(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("content-security-policy", POLICY)
        await send(message)

    return guarded
