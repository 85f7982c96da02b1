"""Routes: log in, log out, who am I; and the console's login, which keeps its token in a cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth import TABLE, allowed
from api.deps import COOKIE, GateOf, Reader
from api.gate import SESSION
from api.problems import ApiError
from api.schemas import Login, Token, WhoAmI, refusals
from facility.errors import StoreError

router = APIRouter(tags=["session"])
console_router = APIRouter(include_in_schema=False)

LANGUAGE_COOKIE = "caretaker_language"

_bearer = HTTPBearer(auto_error=False, scheme_name="token")


def address_of(request: Request) -> str:
    """Where the request comes from, as the server (or its trusted proxy) says."""
    return request.client.host if request.client else "unknown"


@router.post("/login", summary="A password for a token", status_code=201, responses=refusals(429))
async def login(gate: GateOf, request: Request, response: Response, body: Login) -> Token:
    """A token for 12 hours. Guessing is slowed: five tries, then one each 12 s (429 with Retry-After)."""
    session = await gate.login(body.name, body.password, address_of(request))
    response.headers["cache-control"] = "no-store"
    user = session.user
    return Token(
        token=session.token, expires_at=session.expires_at, user=user.name, role=user.role, language=user.language
    )


@router.post("/logout", summary="Revoke the token that this is sent with", status_code=204, responses=refusals())
async def logout(
    gate: GateOf, _: Reader, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """The token is not good any more, from now on here, within 5 s in other processes."""
    if bearer:
        await gate.logout(bearer.credentials)


@router.get("/whoami", summary="The caller", responses=refusals())
async def whoami(user: Reader) -> WhoAmI:
    """Name, role, language, and every action the role allows."""
    actions = [str(action) for action in TABLE if allowed(user, action)]
    return WhoAmI(name=user.name, role=user.role, language=user.language, actions=actions)


@console_router.post("/session")
async def console_login(
    gate: GateOf,
    request: Request,
    name: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=256)] = "",
    onward: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The console's login form: a cookie that scripts can't read and foreign pages can't send, then the wall."""
    try:
        session = await gate.login(name, password, address_of(request))
    except ApiError as error:
        return RedirectResponse(f"/console/login?failed={error.status}", 303)
    except StoreError:
        return RedirectResponse("/console/login?failed=503", 303)
    response = RedirectResponse(_inside(onward), 303)
    response.set_cookie(
        COOKIE,
        session.token,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@console_router.post("/session/end")
async def console_logout(gate: GateOf, request: Request) -> Response:
    """Revoke the cookie's token and forget it."""
    token = request.cookies.get(COOKIE)
    if token:
        await gate.logout(token)
    response = RedirectResponse("/console/login", 303)
    response.delete_cookie(COOKIE)
    return response


@console_router.get("/session/language")
async def console_language(to: str = "zh", onward: str = "") -> Response:
    """The language of the screens on this browser, whatever the user's own is."""
    response = RedirectResponse(_inside(onward), 303)
    response.set_cookie(LANGUAGE_COOKIE, "en" if to == "en" else "zh", max_age=400 * 86_400, samesite="lax")
    return response


def _inside(onward: str) -> str:
    """Where to go after login: only ever a page of the console."""
    plain = onward.startswith("/console/") and not any(mark in onward for mark in ("//", "\\", "..", "\r", "\n"))
    return onward if plain else "/console/"
