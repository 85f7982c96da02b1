"""The console's door without a browser: nobody without a session gets further, and nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from api.console.door import Door
from api.console.login import login_html
from api.deps import COOKIE
from facility.errors import StoreError
from facility.points import Label
from tests.api.house import House


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.state.user.name} {request.state.user.role}")


async def _open(_: Request) -> PlainTextResponse:
    return PlainTextResponse("open")


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


@pytest.fixture
def door(house: House) -> Door:
    routes = [
        Route("/console/login", _open),
        Route("/api/v1/whatever", _open),
        Route("/console/{rest:path}", _page),
        WebSocketRoute("/console/_nicegui_ws/socket.io", _socket),
    ]
    return Door(Starlette(routes=routes), house.deps)


@pytest.fixture
async def visitor(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://caretaker") as client:
        yield client


async def test_a_good_session_enters_and_is_known(house: House, visitor: httpx.AsyncClient) -> None:
    visitor.cookies.set(COOKIE, house.tokens["crew"])
    answer = await visitor.get("/console/alarms")
    assert answer.text == "crew crew"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("token", ["", "ck_nonsense", "x" * 5000])
async def test_anybody_else_is_sent_to_the_login_page_and_remembers_where_to(
    visitor: httpx.AsyncClient, token: str
) -> None:
    if token:
        visitor.cookies.set(COOKIE, token)
    answer = await visitor.get("/console/alarms?alarm=A1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/login?onward=%2Fconsole%2Falarms%3Falarm%3DA1"
    assert answer.headers["cache-control"] == "no-store"
    assert (await visitor.get("/console/login")).text == "open"
    assert (await visitor.get("/api/v1/whatever")).text == "open"


async def test_a_link_from_a_chat_comes_again_with_its_cookie(house: House, visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/console/alarms?alarm=A1", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    # the second try is the page's own, and sent with the cookie, or to the login page
    again = await visitor.get("/console/alarms?alarm=A1", headers={"sec-fetch-site": "same-origin"})
    assert again.status_code == 303


async def test_a_bad_cookie_from_elsewhere_does_not_go_in_circles(visitor: httpx.AsyncClient) -> None:
    visitor.cookies.set(COOKIE, "ck_old")
    answer = await visitor.get("/console/", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 303


async def test_records_that_don_t_answer_are_told(
    house: House, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> None:
        raise StoreError("records", "gone")

    monkeypatch.setattr(house.deps.gate, "user_of", away)
    visitor.cookies.set(COOKIE, house.tokens["crew"])
    answer = await visitor.get("/console/")
    assert answer.headers["location"] == "/console/login?failed=503"


@pytest.mark.parametrize(("role", "expected"), [(None, "websocket.close"), ("viewer", "websocket.accept")])
async def test_a_socket_needs_a_session_too(house: House, door: Door, role: str | None, expected: str) -> None:
    sent: list[Message] = []
    cookie = f"{COOKIE}={house.tokens[role]}" if role else ""
    scope = {
        "type": "websocket", "path": "/console/_nicegui_ws/socket.io", "query_string": b"", "root_path": "",
        "headers": [(b"cookie", cookie.encode())], "subprotocols": [],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await door(scope, receive, send)
    assert sent[0]["type"] == expected
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://caretaker") as client:
        polling = await client.get("/console/_nicegui_ws/socket.io", headers={"cookie": cookie})
    assert (polling.status_code == 401) is (role is None)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_login_page_escapes_what_it_is_given(language: str) -> None:
    evil = '"><script>alert(1)</script>'
    page = login_html(Label(evil, evil), language, style="/s.css", failed="401", onward=evil)
    assert "<script>alert" not in page
    assert 'role="alert"' in page
    assert 'role="alert"' not in login_html(Label("a", "a"), language, style="/s.css", failed=evil)
