"""Who may do what, over every route there is."""

from __future__ import annotations

import itertools

import httpx
import pytest

from api.app import create_app
from api.auth import TABLE, Action, Role, User, allowed
from tests.api.house import House

OPEN = {("get", "/healthz"), ("get", "/readyz"), ("post", "/api/v1/login")}
"""All that answers without a token; a login is how one gets it."""

WHO = {
    ("post", "/api/v1/alarms/{alarm}/acknowledge"): "operator crew manager admin",
    ("post", "/api/v1/alarms/{alarm}/reset"): "operator manager admin",
    ("post", "/api/v1/alarms/{alarm}/shelve"): "operator manager admin",
    ("post", "/api/v1/alarms/{alarm}/unshelve"): "operator manager admin",
    ("get", "/api/v1/alarms/kpis"): "operator manager admin",
    ("get", "/api/v1/alarms/reports/{month}"): "operator manager admin",
    ("post", "/api/v1/alarms/{alarm}/remove"): "operator manager admin",
    ("post", "/api/v1/alarms/{alarm}/return"): "operator manager admin",
    ("post", "/api/v1/assets/{asset}/remove"): "operator manager admin",
    ("post", "/api/v1/out-of-service/{removal}/return"): "operator manager admin",
    ("get", "/api/v1/dead-letters"): "admin",
    ("post", "/api/v1/commands"): "operator manager admin",
    ("post", "/api/v1/commands/{command}/approve"): "operator manager admin",
    ("post", "/api/v1/commands/{command}/cancel"): "operator manager admin",
    ("post", "/api/v1/linkage/runs/{run}/notes"): "operator manager admin",
    ("post", "/api/v1/drills"): "manager admin",
    ("post", "/api/v1/drills/{drill}/end"): "manager admin",
    ("post", "/api/v1/drills/{drill}/cancel"): "manager admin",
    ("post", "/api/v1/impairments"): "operator manager admin",
    ("post", "/api/v1/impairments/{impairment}/round"): "operator crew manager admin",
    ("post", "/api/v1/impairments/{impairment}/restore"): "operator manager admin",
    ("post", "/api/v1/impairments/{impairment}/extend"): "manager admin",
    ("post", "/api/v1/impairments/{impairment}/close"): "manager admin",
    ("post", "/api/v1/simulation/begin"): "manager admin",
    ("post", "/api/v1/simulation/end"): "manager admin",
    ("post", "/api/v1/simulation/act"): "manager admin",
}
"""Routes that not everybody with a token may use."""

BODIES = {
    "shelve": {"reason": "test", "minutes": 5},
    "remove": {"reason": "test", "ticket": "t-none"},
    "move": {"event": "accept"},
    "notes": {"text": "test"},
    "begin": {"subject": "EL-01", "fault": "pit_water"},
    "end": {"subject": "EL-01", "fault": "pit_water"},
    "act": {"subject": "EL-01", "act": "none"},
    "commands": {"asset": "PS-01", "point": "sys.flow", "value": 1, "reason": "test"},
    "login": {"name": "a", "password": "b"},
}


def routes(house: House) -> list[tuple[str, str]]:
    description = create_app(house.deps, console=False).openapi()
    return [(method, path) for path, methods in description["paths"].items() for method in methods]


def body(path: str) -> dict[str, object]:
    return BODIES.get(path.rsplit("/", 1)[-1], {})


async def ask(client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    ids = {"alarm": "a-none", "ticket": "t-none", "command": "c-none", "removal": "o-none", "run": "l-none"}
    ids |= {"month": "2026-09", "rule": "r-none", "drill": "d-none", "impairment": "m-none", "wanted": "v-none"}
    url = path.format(asset="EL-01", **ids)
    params = {"asset": "EL-01", "point": "car.floor"} if path.endswith("/history") else {}
    params = {"subject": "EL-01"} if path.endswith("/subject") else params
    json = body(path) if method == "post" else None
    return await client.request(method, url, headers=headers, json=json, params=params)


@pytest.mark.slow
async def test_no_route_answers_without_a_token(house: House, client: httpx.AsyncClient) -> None:
    found = routes(house)
    assert len(found) > 20
    for method, path in found:
        if (method, path) in OPEN:
            continue
        for headers in ({}, {"authorization": "Bearer ck_wrong"}, {"authorization": "Basic YTpi"}):
            answer = await ask(client, method, path, headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.slow
async def test_each_role_may_do_exactly_what_the_table_says(house: House, client: httpx.AsyncClient) -> None:
    for (method, path), role in itertools.product(routes(house), Role):
        if (method, path) in OPEN or path.endswith(("/stream", "/logout")):
            continue
        answer = await ask(client, method, path, house.auth(role))
        wanted = role.value in WHO.get((method, path), " ".join(Role)).split()
        if path.endswith("/move"):
            wanted = role is not Role.VIEWER
        assert (answer.status_code != 403) is wanted, (method, path, role, answer.text)
        assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    ("event", "roles"),
    [
        ("assign", "operator manager admin"),
        ("accept", "operator crew manager admin"),
        ("arrive", "operator crew manager admin"),
        ("finish", "operator crew manager admin"),
        ("verify", "manager admin"),
        ("close", "manager admin"),
        ("cancel", "operator manager admin"),
        ("reopen", "operator manager admin"),
    ],
)
async def test_who_may_move_a_ticket(house: House, client: httpx.AsyncClient, event: str, roles: str) -> None:
    for role in Role:
        move = {"event": event, "assignee": "crew"}
        answer = await client.post("/api/v1/tickets/t-none/move", json=move, headers=house.auth(role))
        assert answer.status_code == (404 if role.value in roles.split() else 403), (role, answer.text)


def test_an_action_that_nobody_wrote_down_is_nobodys() -> None:
    admin = User(1, "admin", Role.ADMIN)
    assert set(TABLE) == set(Action)
    assert not allowed(admin, "alarm.erase")  # type: ignore[arg-type]


def test_a_higher_role_may_do_what_a_lower_may() -> None:
    for roles in TABLE.values():
        assert Role.ADMIN in roles
        if Role.VIEWER in roles:
            assert roles == frozenset(Role)
        if Role.OPERATOR in roles or Role.CREW in roles:
            assert Role.MANAGER in roles


async def test_the_cookie_reads_but_never_acts(house: House, client: httpx.AsyncClient) -> None:
    client.cookies.set("caretaker_session", house.tokens["admin"])
    assert (await client.get("/api/v1/whoami")).status_code == 200
    assert (await client.post("/api/v1/alarms/x/acknowledge", json={})).status_code == 401
